"""Idempotent writes: a key answers the same for the same request, and CONFLICT for another.

The answer is written in the write's own transaction, so it exists exactly when the change does. Racers with one key
take turns: the second begins when the first has committed, and finds its answer.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, insert, select

from spine.contracts.errors import Conflict
from spine.contracts.operations import Operation
from spine.contracts.statements import Read, Write
from spine.storage.sessions import WriteSession
from spine.storage.tables import idempotency_keys as keys

FIND = select(keys.c.request_digest, keys.c.result).where(
    keys.c.tenant_id == bindparam("tenant_id"),
    keys.c.operation == bindparam("operation"),
    keys.c.key == bindparam("key"),
)
KEEP = insert(keys)


def turn_of(tenant_id: UUID, operation: Operation, key: str) -> int:
    """The turn of every write under this key: 64 bits, signed. Two keys that share one merely wait for each other."""
    named = f"{tenant_id}/{operation.name}/{key}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.sha256(named).digest()[:8], "big", signed=True)


async def recall(session: WriteSession, operation: Operation, key: str, digests: Collection[bytes]) -> Any | None:
    """The remembered answer; None when the key is new, Conflict when it was used with another request.

    `digests` are all those under which this request may be remembered.
    """
    found = await session.fetch_one(
        Read(FIND, {"operation": operation.name, "key": key}, lambda row: (row[0], row[1])),
    )
    if found is None:
        return None
    if found[0] not in digests:
        raise Conflict("this idempotency key was used with another request", field="idempotencyKey")
    return msgspec.json.decode(found[1], type=operation.result)


async def remember(
    session: WriteSession, operation: Operation, key: str, digest: bytes, result: Any, now: datetime
) -> None:
    """Keep the answer."""
    values = {
        "operation": operation.name,
        "key": key,
        "request_digest": digest,
        "result": msgspec.json.encode(result),
        "created_at": now,
    }
    await session.execute(Write(KEEP, values))
