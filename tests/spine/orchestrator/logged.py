"""A tenant's log as tests grow, sign and read it."""

from typing import Any
from uuid import UUID

import asyncpg

from spine.contracts.actors import Principal
from spine.contracts.log import Integrate, Integrated, SignCheckpoint, Signing
from spine.orchestrator.sequencer import principal_of
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.merkle import append, root
from spine.services.proof.note import Verifier, open_note
from tests.conftest import Execute
from tests.spine.orchestrator.reporting import Reporter, a_step


async def integrate(execute: Execute, tenant: Principal, most: int = 1000) -> Integrated:
    done: Integrated = (await execute("logs.integrate", Integrate(most), principal_of(tenant.tenant_id))).unwrap()
    return done


async def sign(execute: Execute, tenant: Principal) -> Signing:
    done: Signing = (await execute("logs.sign_checkpoint", SignCheckpoint(), principal_of(tenant.tenant_id))).unwrap()
    return done


async def settle(execute: Execute, tenant: Principal) -> int:
    """Integrate everything that waits and sign it; the size of the log."""
    while (await integrate(execute, tenant)).waiting:
        continue
    signing = await sign(execute, tenant)
    assert signing.refusal is None
    return signing.tree_size


async def a_finished_run(reporter: Reporter, steps: int = 1) -> UUID:
    key = (await reporter.start()).run_key
    await reporter.append(key, *(a_step(number) for number in range(1, steps + 1)))
    await reporter.complete(key)
    return key


async def rows_of(superuser: dict[str, Any], query: str, tenant_id: UUID) -> list[Any]:
    """What the database says to its superuser; `$1` is the tenant."""
    connection = await asyncpg.connect(**superuser)
    try:
        found: list[Any] = await connection.fetch(query, tenant_id)
        return found
    finally:
        await connection.close()


async def tamper(superuser: dict[str, Any], *statements: str) -> None:
    """Do this as superuser with triggers and row security out of the way."""
    connection = await asyncpg.connect(**superuser)
    try:
        await connection.execute("SET session_replication_role = replica; SET row_security = off")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def leaves_of(superuser: dict[str, Any], tenant_id: UUID) -> list[bytes]:
    """The hashes of all leaves by their indices, which have no gap."""
    rows = await rows_of(superuser, "SELECT * FROM log_leaves WHERE tenant_id = $1 ORDER BY leaf_index", tenant_id)
    assert [row["leaf_index"] for row in rows] == list(range(len(rows)))
    return [row["leaf_hash"] for row in rows]


async def checkpoints_of(superuser: dict[str, Any], tenant_id: UUID) -> list[Checkpoint]:
    """What each checkpoint says, its signature verified, smallest first."""
    rows = await rows_of(superuser, "SELECT * FROM log_checkpoints WHERE tenant_id = $1 ORDER BY tree_size", tenant_id)
    return [Checkpoint.parse(open_note(row["note"], [Verifier.parse(row["vkey"])]).text) for row in rows]


def root_of(leaves: list[bytes]) -> bytes:
    """The root of a tree of these leaves, built anew."""
    return root(append(0, (), leaves)[1])


async def assert_whole(superuser: dict[str, Any], tenant_id: UUID) -> int:
    """Every seal and entry has one leaf or waits for it, and every checkpoint is of the leaves; how many there are."""
    leaves = await leaves_of(superuser, tenant_id)
    for checkpoint in await checkpoints_of(superuser, tenant_id):
        assert checkpoint.root == root_of(leaves[: checkpoint.size])
    missing = await rows_of(superuser, MISSING, tenant_id)
    assert missing == []
    return len(leaves)


MISSING = """
    WITH fact AS (
        SELECT 'SEAL' kind, run_id subject, version FROM seals WHERE tenant_id = $1
        UNION ALL SELECT 'AUDIT', id, 1 FROM audit_ledger WHERE tenant_id = $1
        UNION ALL SELECT 'ACCESS', id, 1 FROM access_batches WHERE tenant_id = $1
    ), leaf AS (
        SELECT kind, subject, version FROM log_leaves WHERE tenant_id = $1
        UNION ALL SELECT kind, subject, version FROM log_pending WHERE tenant_id = $1
    ) (SELECT * FROM fact EXCEPT ALL SELECT * FROM leaf) UNION ALL (SELECT * FROM leaf EXCEPT ALL SELECT * FROM fact)
"""


async def rewind(superuser: dict[str, Any], tenant_id: UUID, size: int) -> None:
    """Make the log what a backup of the time held when it had so many leaves, signed or not."""
    leaves = await leaves_of(superuser, tenant_id)
    _, peaks = append(0, (), leaves[:size])
    mine = f"tenant_id = '{tenant_id}'"
    await tamper(
        superuser,
        f"DELETE FROM log_pending WHERE {mine}",
        f"DELETE FROM log_leaves WHERE {mine} AND leaf_index >= {size}",
        f"DELETE FROM log_nodes WHERE {mine} AND (node_index + 1) << level > {size}",
        f"DELETE FROM log_checkpoints WHERE {mine} AND tree_size > {size}",
        f"""UPDATE log_heads SET tree_size = {size}, peaks = '\\x{b"".join(peaks).hex()}', signed_size = coalesce(
            (SELECT max(tree_size) FROM log_checkpoints WHERE {mine}), 0) WHERE {mine}""",
    )
