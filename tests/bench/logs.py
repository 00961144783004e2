"""The fleet's logs: what waits gets its indices in bulk and is signed, so that no server has a backlog when measured.

Leaves, subtrees and head are made by the functions that the sequencer makes them with, and are the same; only the
statements differ: COPY as the superuser. Interrupted, it is gone on with, as by any sequencer.
"""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
from msgspec.structs import astuple

from domains.logs.driver_log import FIRST_EPOCH, LEAF_KINDS, PENDING_COLUMNS
from domains.logs.engine_log import grown
from spine.bootstrap import Runtime
from spine.contracts.log import LogHead, LogLeaf, PendingLeaf, SignCheckpoint
from spine.orchestrator.sequencer import principal_of
from spine.services.clock import system_clock
from spine.services.ids import tenant_id_of
from tests.bench.place import Place

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

AT_ONCE = 100_000
"""So many leaves a transaction."""

BEGIN_HEAD = (
    "INSERT INTO log_heads (tenant_id, epoch, tree_size, signed_size, peaks) "
    f"VALUES ($1, {FIRST_EPOCH}, 0, 0, '') ON CONFLICT DO NOTHING"
)
LOCK_HEAD = f"SELECT {', '.join(LogHead.__struct_fields__)} FROM log_heads WHERE tenant_id = $1 FOR UPDATE"
TAKE = (
    "DELETE FROM log_pending WHERE tenant_id = $1 AND id = any(array("
    "SELECT id FROM log_pending WHERE tenant_id = $1 ORDER BY id LIMIT $2)) "
    f"RETURNING {', '.join(PENDING_COLUMNS)}"
)
MOVE_HEAD = "UPDATE log_heads SET tree_size = $2, peaks = $3 WHERE tenant_id = $1"


def integrate_in_process(place: Place, tenant: str) -> int:
    """Give all waiting leaves of a tenant their indices; answers how many there were."""
    return asyncio.run(_integrate(place, tenant_id_of(tenant)))


async def sign(runtime: Runtime, tenant: str) -> None:
    """Sign the tenant's log as it is; RuntimeError when it may not be signed."""
    principal = principal_of(tenant_id_of(tenant))
    signing = (await runtime.registry.execute("logs.sign_checkpoint", SignCheckpoint(), principal)).unwrap()
    if signing.refusal is not None or signing.busy:
        raise RuntimeError(f"the log of {tenant} is not signed: {signing.refusal or 'another process holds it'}")


async def _integrate(place: Place, tenant_id: UUID) -> int:
    connection = await asyncpg.connect(**place.superuser)
    total = 0
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute(BEGIN_HEAD, tenant_id)
        while True:
            async with connection.transaction():
                integrated = await _step(connection, tenant_id)
            total += integrated
            if integrated < AT_ONCE:
                return total
    finally:
        await connection.close()


async def _step(connection: Connection, tenant_id: UUID) -> int:
    """The oldest waiting leaves, in one transaction."""
    locked = await connection.fetchrow(LOCK_HEAD, tenant_id)
    if locked is None:
        raise RuntimeError("the head of the log has gone")
    pending = [_pending(row) for row in await connection.fetch(TAKE, tenant_id, AT_ONCE)]
    growth = grown(LogHead(*locked), pending, system_clock())
    leaves = [(tenant_id, *astuple(leaf)) for leaf in growth.leaves]
    nodes = [(tenant_id, level, index, content) for (level, index), content in growth.nodes]
    columns = ("tenant_id", *LogLeaf.__struct_fields__)
    await connection.copy_records_to_table("log_leaves", records=leaves, columns=columns)
    await connection.copy_records_to_table("log_nodes", records=nodes)
    await connection.execute(MOVE_HEAD, tenant_id, growth.head.tree_size, growth.head.peaks)
    return len(pending)


def _pending(row: asyncpg.Record) -> PendingLeaf:
    key, kind, *rest = row
    return PendingLeaf(key, LEAF_KINDS[kind], *rest)
