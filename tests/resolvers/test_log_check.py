"""`verifyLog`: the server checks its own log from the recorded facts up, and names the first thing that is wrong."""

from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest

from resolvers.context import RequestContext
from spine.bootstrap import Runtime
from spine.contracts.access_log import AccessLine, RecordAccesses
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind
from spine.contracts.runs import IngestSpans
from spine.orchestrator.handlers import log_check_handler
from spine.services.ids import uuid7
from spine.services.proof.merkle import append, root
from tests.conftest import Execute
from tests.resolvers.conftest import SCHEMA
from tests.resolvers.spans import export
from tests.spine.orchestrator.logged import leaves_of, rewind, root_of, rows_of, settle, tamper

CHECK = """subscription { verifyLog { finished leafCount leavesChecked checkpointsChecked factsChecked rootHash
    fault { kind leafIndex lastIndex subject expected actual reason } } }"""


class Checking:
    """Checks of a tenant's log, over GraphQL."""

    def __init__(self, runtime: Runtime, principal: Principal, superuser: dict[str, Any]) -> None:
        self.runtime = runtime
        self.principal = principal
        self.superuser = superuser

    async def every(self, by: Principal | None = None) -> list[dict[str, Any]]:
        """Each result."""
        found = []
        async with RequestContext(self.runtime.registry, by or self.principal, "test-request") as context:
            results: Any = await SCHEMA.stream(CHECK, context_value=context)
            async with aclosing(results):
                async for one in results:
                    assert not one.errors
                    found.append(one.data["verifyLog"])
        assert [one["finished"] for one in found] == [False] * (len(found) - 1) + [True]
        return found

    async def fault(self) -> dict[str, Any]:
        """The fault that it ends with."""
        fault: dict[str, Any] = (await self.every())[-1]["fault"]
        assert fault is not None
        return fault

    async def runs(self, *counts: int) -> list[int]:
        """Take so many runs, each time with a checkpoint after them; the log's sizes."""
        sizes = []
        for count in counts:
            request = IngestSpans(export(count))
            (await self.runtime.registry.execute("activity.ingest_spans", request, self.principal)).unwrap()
            sizes.append(await settle(self.runtime.registry.execute, self.principal))
        return sizes

    async def tamper(self, statement: str) -> None:
        await tamper(self.superuser, statement.format(mine=f"tenant_id = '{self.principal.tenant_id}'"))

    async def accesses(self, count: int) -> None:
        """Batches of the access log, one line each."""
        actor = Actor(ActorKind.HUMAN, "reader", None)
        for number in range(count):
            line = AccessLine(
                request_id=f"request-{number}",
                actor=actor,
                key_id="key",
                read_at=datetime.now(UTC),
                operations="activity.runs",
                run_count=1,
                run_keys=bytes(16),
                payloads=False,
            )
            request = RecordAccesses(uuid7(), (line, line))
            (await self.runtime.registry.execute("logs.record_accesses", request, self.principal)).unwrap()

    async def index_of_seal(self, after: int = 0) -> int:
        """The index of the first leaf of a seal from this index on."""
        query = f"""SELECT min(leaf_index) FROM log_leaves WHERE tenant_id = $1 AND kind = 'SEAL'
            AND leaf_index >= {after}"""
        ((index,),) = await rows_of(self.superuser, query, self.principal.tenant_id)
        return int(index)


@pytest.fixture
def checking(runtime: Runtime, principal: Principal, superuser: dict[str, Any]) -> Checking:
    return Checking(runtime, principal, superuser)


class TestAWholeLog:
    async def test_is_found_whole_with_the_root_of_its_leaves(self, checking: Checking) -> None:
        sizes = await checking.runs(2, 3)
        last = (await checking.every())[-1]
        leaves = await leaves_of(checking.superuser, checking.principal.tenant_id)
        assert last["fault"] is None
        assert last["rootHash"] == root_of(leaves).hex()
        assert (last["leafCount"], last["leavesChecked"], last["factsChecked"]) == (sizes[-1],) * 3
        assert last["checkpointsChecked"] == 2

    async def test_may_have_leaves_that_are_not_signed_or_wait(self, checking: Checking, execute: Execute) -> None:
        await checking.runs(1)
        (await execute("activity.ingest_spans", IngestSpans(export(1)), checking.principal)).unwrap()
        assert (await checking.every())[-1]["fault"] is None

    async def test_that_is_empty_is_whole(self, checking: Checking, other: Principal) -> None:
        last = (await checking.every(by=other))[-1]
        assert (last["fault"], last["leafCount"], last["factsChecked"]) == (None, 0, 1)

    async def test_holds_the_batches_of_the_access_log_too(
        self, checking: Checking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log_check_handler, "BATCHES", 2)
        await checking.accesses(3)
        (size,) = await checking.runs(1)
        last = (await checking.every())[-1]
        assert (last["fault"], last["factsChecked"], size) == (None, size, 6)

    async def test_is_checked_in_parts_whose_progress_is_told(
        self, checking: Checking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log_check_handler, "PART", 4)
        monkeypatch.setattr(log_check_handler, "FACTS", 3)
        (size,) = await checking.runs(7)
        told = await checking.every()
        assert [one["leavesChecked"] for one in told[:3]] == [4, 8, 9]
        assert [one["factsChecked"] for one in told[3:]] == [3, 6, 7, 9, 9]
        assert (size, told[-1]["fault"]) == (9, None)
        assert [one["rootHash"] is None for one in told] == [True, True, *[False] * (len(told) - 2)]

    async def test_is_checked_while_it_grows(self, checking: Checking, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(log_check_handler, "PART", 4)
        (size,) = await checking.runs(7)
        async with RequestContext(checking.runtime.registry, checking.principal, "test-request") as context:
            results: Any = await SCHEMA.stream(CHECK, context_value=context)
            async with aclosing(results):
                first = (await anext(results)).data["verifyLog"]
                await checking.runs(3)
                last = [one.data["verifyLog"] async for one in results][-1]
        assert (first["leavesChecked"], last["leavesChecked"], last["fault"]) == (4, size, None)


class TestTheFirstFault:
    async def test_is_a_leaf_whose_seal_was_edited(self, checking: Checking) -> None:
        await checking.runs(2, 2)
        index = await checking.index_of_seal()
        await checking.tamper(
            f"""UPDATE seals SET run_record = 'x' WHERE {{mine}} AND run_id =
            (SELECT subject FROM log_leaves WHERE {{mine}} AND leaf_index = {index})"""
        )
        fault = await checking.fault()
        assert (fault["kind"], fault["leafIndex"], fault["lastIndex"]) == ("LEAF", index, index)
        assert fault["subject"].startswith("SEAL ")
        leaves = await leaves_of(checking.superuser, checking.principal.tenant_id)
        assert fault["actual"] == leaves[index].hex()
        assert fault["expected"] != fault["actual"]

    async def test_is_an_edited_entry_of_the_ledger(self, checking: Checking) -> None:
        await checking.runs(1)
        await checking.tamper(
            "UPDATE audit_ledger SET reason = 'another' WHERE {mine} AND event_type = 'TenantCreated'"
        )
        fault = await checking.fault()
        assert (fault["kind"], fault["leafIndex"]) == ("LEAF", 0)
        assert fault["subject"].startswith("AUDIT ")

    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            ("DELETE FROM audit_ledger WHERE {mine} AND event_type = 'TenantCreated'", "FACT_MISSING"),
            ("DELETE FROM log_leaves WHERE {mine} AND leaf_index = 0", "LEAF_MISSING"),
            ("UPDATE log_leaves SET leaf_hash = sha256('x') WHERE {mine} AND leaf_index = 0", "LEAF"),
            ("UPDATE log_nodes SET hash = sha256('x') WHERE {mine} AND level = 1 AND node_index = 0", "NODE"),
            ("DELETE FROM log_nodes WHERE {mine} AND level = 1 AND node_index = 0", "NODE"),
        ],
    )
    async def test_is_at_the_first_leaf(self, checking: Checking, change: str, kind: str) -> None:
        await checking.runs(2)
        await checking.tamper(change)
        fault = await checking.fault()
        assert (fault["kind"], fault["leafIndex"]) == (kind, 0)

    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            ("UPDATE log_heads SET peaks = sha256('x') WHERE {mine}", "HEAD"),
            ("UPDATE log_heads SET tree_size = tree_size + 1 WHERE {mine}", "HEAD"),
            ("UPDATE log_heads SET tree_size = tree_size - 1 WHERE {mine}", "HEAD"),
            ("UPDATE log_checkpoints SET note = replace(note, E'\\n—', E'\\n-') WHERE {mine}", "CHECKPOINT"),
            ("UPDATE log_checkpoints SET root_hash = sha256('x') WHERE {mine}", "CHECKPOINT"),
        ],
    )
    async def test_is_of_the_head_or_a_checkpoint(self, checking: Checking, change: str, kind: str) -> None:
        await checking.runs(2)
        await checking.tamper(change)
        assert (await checking.fault())["kind"] == kind

    async def test_is_a_fact_that_was_kept_out_of_the_log(self, checking: Checking, execute: Execute) -> None:
        await checking.runs(1)
        (await execute("activity.ingest_spans", IngestSpans(export(1)), checking.principal)).unwrap()
        await checking.tamper("DELETE FROM log_pending WHERE {mine} AND kind = 'SEAL'")
        fault = await checking.fault()
        assert (fault["kind"], fault["leafIndex"]) == ("NOT_LOGGED", None)
        assert fault["subject"].startswith("SEAL ")

    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            ("UPDATE access_records SET actor_id = 'nobody' WHERE {mine}", "LEAF"),
            ("DELETE FROM access_records WHERE {mine}", "LEAF"),
            ("UPDATE access_batches SET recorded_at = now() WHERE {mine}", "LEAF"),
            ("DELETE FROM access_batches WHERE {mine}", "FACT_MISSING"),
        ],
    )
    async def test_is_a_batch_of_the_access_log_that_was_changed(
        self, checking: Checking, change: str, kind: str
    ) -> None:
        await checking.accesses(1)
        await checking.runs(1)
        await checking.tamper(change)
        fault = await checking.fault()
        assert (fault["kind"], fault["leafIndex"]) == (kind, 1)
        assert fault["subject"].startswith("ACCESS ")

    async def test_is_a_batch_of_the_access_log_that_was_kept_out(self, checking: Checking) -> None:
        await checking.runs(1)
        await checking.accesses(1)
        await checking.tamper("DELETE FROM log_pending WHERE {mine}")
        fault = await checking.fault()
        assert (fault["kind"], fault["subject"][:7]) == ("NOT_LOGGED", "ACCESS ")

    async def test_is_that_it_was_truncated(self, checking: Checking) -> None:
        sizes = await checking.runs(1, 1)
        await rewind(checking.superuser, checking.principal.tenant_id, sizes[0])
        fault = await checking.fault()
        assert (fault["kind"], fault["leafIndex"], fault["lastIndex"]) == ("TRUNCATED", sizes[0], sizes[1] - 1)

    async def test_is_among_the_leaves_since_the_last_checkpoint_that_agrees(self, checking: Checking) -> None:
        """The owner of the database rewrites a run with its seal, its leaf and the whole tree above it."""
        sizes = await checking.runs(2, 2, 2)
        index = await checking.index_of_seal(sizes[0])
        await checking.tamper(
            f"""UPDATE seals SET run_record = 'rewritten' WHERE {{mine}} AND run_id =
            (SELECT subject FROM log_leaves WHERE {{mine}} AND leaf_index = {index})"""
        )
        rewritten = bytes.fromhex((await checking.fault())["expected"])
        await rewrite_tree(checking, index, rewritten)
        fault = await checking.fault()
        assert fault["kind"] == "CHECKPOINT"
        assert (fault["leafIndex"], fault["lastIndex"]) == (sizes[0], sizes[1] - 1)
        assert fault["leafIndex"] <= index <= fault["lastIndex"]
        leaves = await leaves_of(checking.superuser, checking.principal.tenant_id)
        assert fault["actual"] == root_of(leaves[: sizes[1]]).hex()

    async def test_is_seen_even_when_no_checkpoint_is_left(self, checking: Checking) -> None:
        """What was signed last is also kept beside the key, which the owner of the database does not reach."""
        sizes = await checking.runs(1)
        leaves = await leaves_of(checking.superuser, checking.principal.tenant_id)
        await checking.tamper("UPDATE audit_ledger SET reason = 'x' WHERE {mine} AND event_type = 'TenantCreated'")
        rewritten = bytes.fromhex((await checking.fault())["expected"])
        await rewrite_tree(checking, 0, rewritten)
        await checking.tamper("DELETE FROM log_checkpoints WHERE {mine}")
        fault = await checking.fault()
        assert (fault["kind"], fault["lastIndex"]) == ("CHECKPOINT", sizes[0] - 1)
        assert fault["expected"] == root_of(leaves).hex()


async def rewrite_tree(checking: Checking, index: int, leaf: bytes) -> None:
    """Give a leaf another hash, and make everything that is above it anew."""
    tenant_id = checking.principal.tenant_id
    leaves = await leaves_of(checking.superuser, tenant_id)
    leaves[index] = leaf
    nodes, peaks = append(0, (), leaves)
    assert root(peaks) == root_of(leaves)
    await checking.tamper(
        f"UPDATE log_leaves SET leaf_hash = '\\x{leaf.hex()}' WHERE {{mine}} AND leaf_index = {index}"
    )
    for (level, place), content in nodes:
        if place == index >> level:
            await checking.tamper(
                f"""UPDATE log_nodes SET hash = '\\x{content.hex()}'
                WHERE {{mine}} AND level = {level} AND node_index = {place}"""
            )
    await checking.tamper(f"UPDATE log_heads SET peaks = '\\x{b''.join(peaks).hex()}' WHERE {{mine}}")
