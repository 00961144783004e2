"""Identifiers: UUIDv7 for new rows, opaque node ids for clients, a tenant's id from its slug.

A UUIDv7 (RFC 9562) begins with its time, so rows of one tenant lie together in the order in which they were made;
made here, because the tables must not depend on a sequence. A tenant's id is derived from its slug, so finding a
tenant by name needs no query across tenants.
"""

import base64
import binascii
import os
import threading
import time
from uuid import UUID, uuid5

from spine.contracts.errors import ValidationFailed

UUID_BYTES = 16
URL_SAFE = bytes.maketrans(b"+/", b"-_")
TENANT_NAMESPACE = UUID("5f0c6c2e-6f38-5d9b-9c64-0d6e7a1b2c3d")

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A new UUIDv7 with 12 bits below the millisecond; within a process each is greater than the one before."""
    global _last  # noqa: PLW0603 - the monotonic counter is process state by definition
    with _lock:
        ticks = time.time_ns() * 4096 // 1_000_000
        _last = ticks = max(ticks, _last + 1)
    value = (ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62
    return UUID(int=value | int.from_bytes(os.urandom(8), "big") >> 2)


def tenant_id_of(slug: str) -> UUID:
    """The id of the tenant with this slug."""
    return uuid5(TENANT_NAMESPACE, slug)


def node_id(kind: str, key: UUID) -> str:
    """The opaque global id of an object: its type and key."""
    return _opaque(kind.encode() + b":" + key.bytes)


def text_node_id(kind: str, key: str) -> str:
    """The opaque global id of an object whose key is text."""
    return _opaque(f"{kind}:{key}".encode())


def _opaque(raw: bytes) -> str:
    """URL-safe base64 without padding, in one pass: a page has hundreds of ids."""
    return binascii.b2a_base64(raw, newline=False).translate(URL_SAFE, b"=").decode()


def split_node_id(opaque: str) -> tuple[str, bytes]:
    """The type and raw key of a global id; raises ValidationFailed when it is not one."""
    try:
        raw = base64.b64decode(opaque + "=" * (-len(opaque) % 4), altchars=b"-_", validate=True)
        kind, separator, key = raw.partition(b":")
        if separator and key:
            return kind.decode("ascii"), key
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise ValidationFailed("malformed id", field="id") from error
    raise ValidationFailed("malformed id", field="id")


def key_of(opaque: str, kind: str, *, field: str = "id") -> UUID:
    """The key of a global id that must be of this type; raises ValidationFailed for any other."""
    found, raw = split_node_id(opaque)
    if found != kind or len(raw) != UUID_BYTES:
        raise ValidationFailed(f"{field} is not the id of a {kind}", field=field)
    return UUID(bytes=raw)
