"""Canonical JSON (RFC 8785) for records made of strings, booleans, null and integers within ±(2^53-1).

For fixed ASCII keys and such values sorted-key orjson *is* RFC 8785 (measured against rfc8785, see the tests);
floats never enter a record, so number formatting never matters.
"""

from collections.abc import Mapping

import orjson

from spine.services.digests import tagged

Scalar = str | int | bool | None

MAX_SAFE_INTEGER = 2**53 - 1

_digest = tagged(b"")


def canonical(record: Mapping[str, Scalar]) -> bytes:
    """The record's canonical bytes; raises ValueError for an integer that JSON readers would round."""
    for value in record.values():
        if type(value) is int and not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            raise ValueError(f"{value} does not fit a JSON number exactly")
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def exact(number: int) -> int | str:
    """An integer as JSON readers keep it: beyond what they hold exactly, its decimal text."""
    return number if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER else str(number)


def digest(content: bytes) -> bytes:
    """SHA-256 of exact bytes."""
    return _digest(content)


def json_text(value: object) -> str:
    """A value as sorted-key JSON text, for states and facts that people read."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()
