"""Types that GraphQL shows as scalars of their own."""

from typing import NewType

BigInt = NewType("BigInt", int)
"""An integer that may exceed 32 bits: tokens, milliseconds, counts."""

Json = NewType("Json", str)
"""A JSON document as text."""
