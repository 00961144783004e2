"""How fast a tenant's log grows: waiting leaves through the sequencer of a process, until they are signed."""

import asyncio
import hashlib
import secrets
import time
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
from msgspec import Struct
from msgspec.structs import astuple

from domains.logs.driver_log import PENDING_COLUMNS
from spine.contracts.access import CreateTenant
from spine.contracts.enums import LeafKind
from spine.contracts.log import PendingLeaf
from spine.orchestrator.sequencer import GATHER_S
from spine.services.clock import system_clock
from spine.services.ids import uuid7
from tests.bench.data import owner_of, started
from tests.bench.place import Place

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

LOOK_S = 0.01
LONGEST_S = 120
SIGNED = "SELECT signed_size FROM log_heads WHERE tenant_id = $1"
WRITTEN = (
    "SELECT (SELECT count(*) FROM log_leaves WHERE tenant_id = $1), (SELECT count(*) FROM log_nodes WHERE tenant_id = "
    "$1), (SELECT count(*) FROM log_checkpoints WHERE tenant_id = $1)"
)


class Appended(Struct, frozen=True):
    """Leaves that were appended and signed in so many seconds, the checkpoints over them, the subtrees kept a leaf."""

    leaves: int
    seconds: float
    leaves_per_second: float
    checkpoints: int
    nodes_per_leaf: float


async def appending(place: Place, leaves: int) -> Appended:
    """The clock starts when the sequencer has gathered; a server's that finds the tenant first does the same work."""
    tenant = f"bench-log-{secrets.token_hex(4)}"
    owner = owner_of(tenant)
    connection = await asyncpg.connect(**place.superuser)
    try:
        async with started(place) as runtime:
            (await runtime.registry.execute("account.create_tenant", CreateTenant(tenant), owner)).unwrap()
            await _queue(connection, owner.tenant_id, leaves)
            runtime.keep_log()
            runtime.hub.committed(owner.tenant_id)
            began = time.perf_counter() + GATHER_S
            await _signed(connection, owner.tenant_id, leaves)
            took = time.perf_counter() - began
        appended, nodes, checkpoints = await connection.fetchrow(WRITTEN, owner.tenant_id)
    finally:
        await connection.close()
    return Appended(appended, took, appended / took, checkpoints, nodes / appended)


async def _signed(connection: Connection, tenant_id: UUID, leaves: int) -> None:
    """Wait until so many are; TimeoutError when that takes too long."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            if (await connection.fetchval(SIGNED, tenant_id) or 0) >= leaves:
                return
            await asyncio.sleep(LOOK_S)


async def _queue(connection: Connection, tenant_id: UUID, leaves: int) -> None:
    now = system_clock()
    waiting = [
        PendingLeaf(uuid7(), LeafKind.SEAL, uuid7(), 1, hashlib.sha256(str(number).encode()).digest(), now)
        for number in range(leaves)
    ]
    rows = [(tenant_id, *astuple(leaf)) for leaf in waiting]
    columns = ("tenant_id", *PENDING_COLUMNS)
    await connection.copy_records_to_table("log_pending", records=rows, columns=columns)
