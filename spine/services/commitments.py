"""Salted commitments: what a hash chain holds of content that may have to be erased.

A short text is guessed from its plain SHA-256. A commitment is SHA-256 over 32 random bytes and the content: it binds
as firmly, and once salt and content are erased it says nothing of either. Salts belong to a span: its input, output,
attributes and the digest that tells its copies share one.
"""

import os
from collections.abc import Iterator

from spine.services.canonical_json import digest

SALT_BYTES = 32


def salts(count: int) -> Iterator[bytes]:
    """So many fresh salts, from one read of the system's random source, made when the first is taken."""
    random = os.urandom(SALT_BYTES * count)
    for start in range(0, len(random), SALT_BYTES):
        yield random[start : start + SALT_BYTES]


def commitment(salt: bytes | None, content: bytes) -> bytes:
    """SHA-256 of the salt and then the content; of the content alone where it was recorded without a salt."""
    return digest(content if salt is None else salt + content)


def matches(salt: bytes | None, content: bytes | None, committed: bytes | None) -> bool:
    """Whether a commitment is to this content; None is committed to by None.

    The salt must be the one that is stored beside the recorded content. Of an erased one there is none: that nothing
    can be compared any more is the caller's to say (`StepPayload.redacted_at`), never a mismatch.
    """
    return committed == (None if content is None else commitment(salt, content))
