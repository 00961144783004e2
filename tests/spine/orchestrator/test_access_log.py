"""The access log: a line a request, batches that are written once, retried, bounded, and covered by the log."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec import structs

from spine.bootstrap import Runtime
from spine.contracts.access_log import (
    AccessBatch,
    AccessBatchesByKey,
    AccessFilter,
    AccessRecord,
    ListAccessRecords,
    RecordAccesses,
)
from spine.contracts.actors import Principal
from spine.contracts.enums import OperationKind, Permission
from spine.contracts.errors import Forbidden, ValidationFailed
from spine.contracts.paging import Page, PageRequest
from spine.contracts.proof import ProofRequest
from spine.contracts.runs import ListRuns, RunsByKey
from spine.orchestrator import access_log
from spine.orchestrator.access_log import AccessLog, principal_of
from spine.services.ids import node_id, uuid7
from spine.storage.sessions import Timeouts
from tests.conftest import Execute
from tests.spine.orchestrator.reported import a_chat, an_agent, runs_of, send
from tests.spine.orchestrator.test_evidence_capture import locked


@pytest.fixture
def kept(runtime: Runtime) -> AccessLog:
    """The runtime keeps an access log; writes wait no longer than 100 ms for a lock."""
    runtime.keep_access_log()
    database = runtime.database
    database._settings = structs.replace(database._settings, write=Timeouts(statement_ms=5_000, lock_ms=100))
    assert runtime.access_log is not None
    return runtime.access_log


async def three_runs(execute: Execute, principal: Principal) -> list[UUID]:
    for trace in (1, 2, 3):
        await send(execute, principal, [an_agent(1, trace=trace), a_chat(2, 1, trace=trace)])
    return [run.key for run in await runs_of(execute, principal)]


async def read(execute: Execute, principal: Principal, keys: list[UUID], **named: str) -> None:
    (await execute("activity.runs_by_key", RunsByKey(tuple(keys)), principal, **named)).unwrap()


async def listed(execute: Execute, principal: Principal, **wanted: Any) -> Page[AccessRecord]:
    request = ListAccessRecords(page=PageRequest(100), filter=AccessFilter(**wanted), count=True)
    found: Page[AccessRecord] = (await execute("logs.access_records", request, principal)).unwrap()
    assert found.total_count == len(found.nodes)
    return found


async def batch_of(execute: Execute, principal: Principal, record: AccessRecord) -> AccessBatch:
    request = AccessBatchesByKey((record.batch_key,))
    found: AccessBatch = (await execute("logs.access_batches", request, principal)).unwrap()[record.batch_key]
    return found


class TestALine:
    async def test_says_who_read_which_runs_by_what(
        self, execute: Execute, principal: Principal, runtime: Runtime, kept: AccessLog
    ) -> None:
        keys = await three_runs(execute, principal)
        session = runtime.registry.get_session_dep()
        for name, request in (
            ("activity.runs", ListRuns(page=PageRequest(2))),
            ("activity.runs_by_key", RunsByKey(tuple(keys))),
            ("activity.run_proof", ProofRequest(run_keys=tuple(keys[:1]), payloads=True)),
        ):
            (await execute(name, request, principal, session=session, request_id="the-request")).unwrap()
        await session.close()
        await kept.flush()
        record = next(one for one in (await listed(execute, principal)).nodes if one.request_id == "the-request")
        assert (record.actor, record.key_id) == (principal.actor, principal.key_id)
        assert record.operations == ("activity.runs", "activity.runs_by_key", "activity.run_proof")
        assert set(record.run_ids) == {node_id("Run", key) for key in keys}
        assert (record.run_count, record.payloads) == (3, True)

    async def test_is_left_neither_by_what_reads_no_run_nor_by_reading_the_log(
        self, execute: Execute, principal: Principal, kept: AccessLog
    ) -> None:
        await read(execute, principal, [uuid7()])
        await kept.flush()
        for _ in range(2):
            assert list((await listed(execute, principal)).nodes) == []
            await kept.flush()

    async def test_says_payloads_only_when_they_were_shown(
        self, execute: Execute, principal: Principal, kept: AccessLog
    ) -> None:
        (key, *_) = await three_runs(execute, principal)
        request = ProofRequest(run_keys=(key,), payloads=True)
        for who in (principal, structs.replace(principal, permissions=frozenset({Permission.RUNS_READ}))):
            (await execute("activity.run_proof", request, who)).unwrap()
        await kept.flush()
        proved = [one for one in (await listed(execute, principal)).nodes if one.operations == ("activity.run_proof",)]
        assert [one.payloads for one in proved] == [False, True]

    async def test_names_at_most_100_runs_and_counts_all(
        self, execute: Execute, principal: Principal, kept: AccessLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = await three_runs(execute, principal)
        monkeypatch.setattr(access_log, "MOST_RUNS", 2)
        await read(execute, principal, keys, request_id="many")
        await kept.flush()
        record = next(one for one in (await listed(execute, principal)).nodes if one.request_id == "many")
        assert (record.run_count, len(record.run_ids)) == (3, 2)


class TestEveryWayToReadARun:
    def test_says_for_the_log_which(self, runtime: Runtime) -> None:
        reads = [one for one in runtime.registry.operations.values() if one.kind is OperationKind.READ]
        assert {one.name for one in reads if one.discloses is not None} == {
            "activity.run_evidence",
            "activity.run_export",
            "activity.run_proof",
            "activity.run_proof_bundle",
            "activity.runs",
            "activity.runs_by_key",
            "activity.signals_for_runs",
            "incidents.incident_export",
            "logs.export_files",
            "logs.replay_material",
            "logs.replays",
            "logs.run_capture",
        }


class TestListing:
    async def test_finds_by_run_actor_key_payloads_and_time(
        self, execute: Execute, principal: Principal, kept: AccessLog
    ) -> None:
        keys = await three_runs(execute, principal)
        reader = structs.replace(principal, key_id="another")
        await read(execute, reader, keys[:1], request_id="one")
        await read(execute, reader, keys[1:], request_id="two")
        await kept.flush()
        whole = (await listed(execute, principal, key_id="another")).nodes
        assert [one.request_id for one in whole] == ["two", "one"]
        found = await listed(execute, principal, key_id="another", run_key=keys[0])
        assert [one.request_id for one in found.nodes] == ["one"]
        assert len((await listed(execute, principal, actor_id=principal.actor.id, key_id="another")).nodes) == 2
        assert len((await listed(execute, principal, actor_id="nobody")).nodes) == 0
        assert len((await listed(execute, principal, payloads=True)).nodes) == 0
        since = await listed(execute, principal, key_id="another", read_after=whole[0].read_at)
        assert [one.request_id for one in since.nodes] == ["two"]
        before = await listed(execute, principal, key_id="another", read_before=whole[0].read_at)
        assert [one.request_id for one in before.nodes] == ["one"]

    async def test_goes_on_after_a_cursor_and_refuses_a_wrong_one(
        self, execute: Execute, principal: Principal, kept: AccessLog
    ) -> None:
        keys = await three_runs(execute, principal)
        for number in range(3):
            await read(execute, principal, keys, request_id=f"read {number}")
        await kept.flush()
        found: list[str] = []
        after = None
        for _ in range(4):
            page = (
                await execute("logs.access_records", ListAccessRecords(page=PageRequest(1, after)), principal)
            ).unwrap()
            found += [one.request_id for one in page.nodes]
            after = page.cursors[-1]
        assert found[:3] == ["read 2", "read 1", "read 0"]
        wrong = ListAccessRecords(page=PageRequest(1, "x"))
        assert isinstance((await execute("logs.access_records", wrong, principal)).error, ValidationFailed)

    async def test_shows_a_tenant_its_own_and_needs_the_right(
        self, execute: Execute, principal: Principal, other: Principal, kept: AccessLog
    ) -> None:
        keys = await three_runs(execute, principal)
        await read(execute, other, keys)
        await kept.flush()
        (record, *_) = (await listed(execute, principal)).nodes
        assert list((await listed(execute, other)).nodes) == []
        request = AccessBatchesByKey((record.batch_key,))
        assert (await execute("logs.access_batches", request, other)).unwrap() == {}
        viewer = structs.replace(principal, permissions=principal.permissions - {Permission.AUDIT_READ})
        refused = await execute("logs.access_records", ListAccessRecords(page=PageRequest(1)), viewer)
        assert isinstance(refused.error, Forbidden)


class TestABatch:
    async def test_is_a_leaf_that_waits_in_the_tenants_log(
        self, execute: Execute, principal: Principal, kept: AccessLog, superuser: dict[str, Any]
    ) -> None:
        await three_runs(execute, principal)
        await kept.flush()
        (record, *_) = (await listed(execute, principal)).nodes
        connection = await asyncpg.connect(**superuser)
        query = "SELECT subject FROM log_pending WHERE tenant_id = $1 AND kind = 'ACCESS'"
        found = [row[0] for row in await connection.fetch(query, principal.tenant_id)]
        await connection.close()
        assert found == [record.batch_key]

    async def test_is_written_once_however_often_it_is_tried(
        self, execute: Execute, principal: Principal, kept: AccessLog
    ) -> None:
        keys = await three_runs(execute, principal)
        await read(execute, principal, keys)
        lines = tuple(kept._lines[principal.tenant_id])
        request = RecordAccesses(uuid7(), lines)
        writer = principal_of(principal.tenant_id)
        counts = [(await execute("logs.record_accesses", request, writer)).unwrap().count for _ in range(2)]
        assert counts == [len(lines), 0]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE access_records SET key_id = 'someone else' WHERE id = '{id}'",
            "UPDATE access_records SET payloads = true WHERE id = '{id}'",
            "UPDATE access_records SET run_keys = '' WHERE id = '{id}'",
            "DELETE FROM access_records WHERE id = '{id}'",
            "UPDATE access_batches SET record_count = record_count + 1 WHERE id = '{batch}'",
            "DELETE FROM access_records WHERE batch_id = '{batch}'",
        ],
    )
    async def test_is_intact_until_somebody_changes_it(
        self, execute: Execute, principal: Principal, kept: AccessLog, superuser: dict[str, Any], statement: str
    ) -> None:
        keys = await three_runs(execute, principal)
        await read(execute, principal, keys)
        await kept.flush()
        (record, *_) = (await listed(execute, principal)).nodes
        assert (await batch_of(execute, principal, record)).intact
        connection = await asyncpg.connect(**superuser)
        await connection.execute(statement.format(id=record.key, batch=record.batch_key))
        await connection.close()
        assert not (await batch_of(execute, principal, record)).intact


class TestWhatCannotBeWritten:
    async def test_is_tried_again_until_it_is_written_once(
        self,
        execute: Execute,
        principal: Principal,
        kept: AccessLog,
        superuser: dict[str, Any],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        keys = await three_runs(execute, principal)
        await kept.flush()
        async with locked(superuser, "access_records", "EXCLUSIVE"):
            await read(execute, principal, keys, request_id="while-it-was-locked")
            await kept.flush()
            assert kept.waiting == 1
            assert "access.unwritten" in capsys.readouterr().out
        await kept.flush()
        assert kept.waiting == 0
        found = [one.request_id for one in (await listed(execute, principal)).nodes]
        assert found.count("while-it-was-locked") == 1

    async def test_is_bounded_and_what_finds_no_room_is_said_to_be_lost(
        self,
        execute: Execute,
        principal: Principal,
        kept: AccessLog,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        keys = await three_runs(execute, principal)
        await kept.flush()
        monkeypatch.setattr(access_log, "MOST_WAITING", 2)
        for _ in range(5):
            await read(execute, principal, keys)
        assert kept.waiting == 2
        await kept.close()
        assert kept.waiting == 0
        assert "access.lost" in capsys.readouterr().out

    async def test_is_written_when_the_process_stops(
        self, execute: Execute, principal: Principal, kept: AccessLog
    ) -> None:
        keys = await three_runs(execute, principal)
        await read(execute, principal, keys, request_id="the-last")
        await kept.close()
        assert "the-last" in [one.request_id for one in (await listed(execute, principal)).nodes]
