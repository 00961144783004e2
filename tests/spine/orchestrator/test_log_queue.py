"""Leaves that wait: every seal and every ledger entry has one, in the fact's own transaction; old facts got theirs."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from spine.contracts.access import CreateKey
from spine.contracts.actors import Principal
from spine.contracts.enums import Role
from spine.services.proof.leaves import LEDGER_COLUMNS, ledger_entry, seal_entry
from spine.services.proof.merkle import leaf_hash
from spine.storage.migrations import versions
from tests.conftest import Execute
from tests.spine.orchestrator.reporting import Reporter, a_step

MIGRATION = (Path(versions.__path__[0]) / "0007_log.sql").read_text("utf-8")
TABLES = ("log_pending", "log_leaves", "log_nodes", "log_heads", "log_checkpoints")
NASTY = 'quote " slash \\ / tab \t newline \n return \r bell \x07 \x08 \x0c \x1f \x7f ü 漢 \U0001f600 \u2028 </b>'

Leaves = dict[tuple[str, UUID, int], bytes]


async def waiting(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> Leaves:
    """The hashes of a tenant's waiting leaves, by what they are leaves of."""
    rows = await connection.fetch("SELECT * FROM log_pending WHERE tenant_id = $1 ORDER BY id", tenant_id)
    return {(row["kind"], row["subject"], row["version"]): row["leaf_hash"] for row in rows}


async def expected(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> Leaves:
    """A leaf for each seal and each entry that is stored."""
    seals = await connection.fetch("SELECT * FROM seals WHERE tenant_id = $1", tenant_id)
    entries = await connection.fetch("SELECT * FROM audit_ledger WHERE tenant_id = $1", tenant_id)
    of_seals = {
        ("SEAL", row["run_id"], row["version"]): leaf_hash(seal_entry(row["seal_hash"], row["run_id"], row["version"]))
        for row in seals
    }
    of_entries = {
        ("AUDIT", row["id"], 1): leaf_hash(ledger_entry({name: row[name] for name in LEDGER_COLUMNS}))
        for row in entries
    }
    return of_seals | of_entries


class TestALeafWaits:
    async def test_for_every_seal_and_every_entry_of_the_ledger(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.complete(key)
        connection = await asyncpg.connect(**superuser)
        try:
            leaves = await waiting(connection, reporter.principal.tenant_id)
            assert leaves == await expected(connection, reporter.principal.tenant_id)
        finally:
            await connection.close()
        assert ("SEAL", key, 1) in leaves
        assert len(leaves) == 5, "the tenant was made, a run started, went on and ended, which sealed it"

    async def test_also_for_a_refusal_that_is_audited(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await execute("no.such_operation", None, principal)
        connection = await asyncpg.connect(**superuser)
        try:
            assert len(await waiting(connection, principal.tenant_id)) == 2
            assert await waiting(connection, principal.tenant_id) == await expected(connection, principal.tenant_id)
        finally:
            await connection.close()

    async def test_not_for_a_write_that_was_rolled_back(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        wrong = CreateKey(name="x\ud800", role=Role.VIEWER)
        assert (await execute("api_keys.create_key", wrong, principal)).error is not None
        connection = await asyncpg.connect(**superuser)
        try:
            assert len(await waiting(connection, principal.tenant_id)) == 1
        finally:
            await connection.close()


class TestMigrating:
    @pytest.mark.parametrize("text", [NASTY, ""], ids=["nasty", "empty"])
    async def test_queues_what_was_there_with_the_hashes_that_the_program_makes(
        self, reporter: Reporter, superuser: dict[str, Any], text: str
    ) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.complete(key)
        tenant_id = reporter.principal.tenant_id
        connection = await asyncpg.connect(**superuser)
        transaction = connection.transaction()
        await transaction.start()
        try:
            await leave_only(connection, tenant_id)
            await add_entry(connection, tenant_id, text)
            await connection.execute(f"DROP FUNCTION app.tenants_waiting; DROP TABLE {', '.join(TABLES)}")
            await connection.execute(f"SET LOCAL ROLE hoc_owner; {MIGRATION}; RESET ROLE")
            leaves = await waiting(connection, tenant_id)
            assert leaves == await expected(connection, tenant_id)
            assert len(leaves) == 6
            queue = await connection.fetch("SELECT id, queued_at FROM log_pending WHERE tenant_id = $1", tenant_id)
            assert all(row["id"].version == 7 for row in queue)
            assert all(abs((row["id"].int >> 80) - row["queued_at"].timestamp() * 1000) < 2 for row in queue)
        finally:
            await transaction.rollback()
            await connection.close()


async def leave_only(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> None:
    """Take away what other tests recorded, also spoilt or of kinds that the migration does not know yet."""
    await connection.execute("SET LOCAL session_replication_role = replica")
    for table in ("seals", "audit_ledger"):
        await connection.execute(f"DELETE FROM {table} WHERE tenant_id <> $1", tenant_id)
    await connection.execute("SET LOCAL session_replication_role = origin")


async def add_entry(connection: "asyncpg.Connection[Any]", tenant_id: UUID, text: str) -> None:
    """An entry of the ledger with this text wherever text may stand, and with nothing where nothing may."""
    moment = await connection.fetchval("SELECT '2026-02-03T04:05:06.000007Z'::timestamptz")
    key = UUID(int=(int(moment.timestamp() * 1000) << 80) | 0x7 << 76 | 0b10 << 62 | uuid4().int >> 66)
    await connection.execute(
        "INSERT INTO audit_ledger VALUES ($1, $2, $3, $3, 'RUN', $3, 'HUMAN', $3, NULL, $3, NULL, $3, $3, $4)",
        *(tenant_id, key, text, moment),
    )
