"""What a dispatch leaves for operators: counts by outcome, in names that no client chooses."""

from typing import Any

import pytest
from msgspec import structs
from prometheus_client import REGISTRY

from spine.bootstrap import Runtime
from spine.contracts.access import Nothing
from spine.contracts.actors import Principal
from spine.contracts.errors import Unavailable
from spine.contracts.proof import ProofRequest
from spine.contracts.runs import IngestSpans
from spine.contracts.spans import RefusedSpan, SpanBatch
from spine.orchestrator.context import ReadContext
from spine.storage.unit_of_work import UNREACHABLE
from tests.conftest import Execute
from tests.figures import figure, growth
from tests.resolvers.spans import export
from tests.spine.orchestrator.coordinators.reported import connected, report
from tests.spine.orchestrator.registries import reading, registry_with


class TestOperations:
    async def test_are_counted_by_outcome_and_timed(self, execute: Execute, principal: Principal) -> None:
        taken = growth("hoc_operations_total", operation="account.viewer", code="OK")
        refused = growth("hoc_operations_total", operation="account.viewer", code="VALIDATION")
        timed = growth("hoc_operation_duration_seconds_count", operation="account.viewer")
        (await execute("account.viewer", Nothing(), principal)).unwrap()
        await execute("account.viewer", 1, principal)
        assert (taken(), refused(), timed()) == (1, 1, 2)

    async def test_that_do_not_exist_share_one_name(self, execute: Execute, principal: Principal) -> None:
        unknown = growth("hoc_operations_total", operation="(unknown)", code="UNKNOWN_OPERATION")
        await execute("runs.drop", Nothing(), principal)
        await execute("runs.drop_all", Nothing(), principal)
        assert unknown() == 2
        assert "runs.drop" not in str(list(REGISTRY.collect()))

    async def test_that_crash_are_counted_as_internal(self, runtime: Runtime, principal: Principal) -> None:
        async def broken(ctx: ReadContext, request: Nothing) -> str:
            raise RuntimeError("boom")

        crashed = growth("hoc_operations_total", operation="test.read", code="INTERNAL")
        await registry_with(runtime, reading(broken)).execute("test.read", Nothing(), principal)
        assert crashed() == 1


class TestSpans:
    async def test_are_counted_by_what_became_of_them(self, execute: Execute, principal: Principal) -> None:
        accepted, duplicate, refused = (
            growth("hoc_ingest_spans_total", result=one) for one in ("accepted", "duplicate", "refused")
        )
        spans = export(2).spans
        batch = SpanBatch(spans, (RefusedSpan(trace_id=None, span_id=None, reason="unreadable"),))
        for _ in range(2):
            (await execute("activity.ingest_spans", IngestSpans(batch), principal)).unwrap()
        assert (accepted(), duplicate(), refused()) == (len(spans), len(spans), 2)

    async def test_of_an_export_that_was_rolled_back_are_not(self, execute: Execute, principal: Principal) -> None:
        accepted = growth("hoc_ingest_spans_total", result="accepted")
        good, bad = export(1).spans, export(1).spans[0]
        unstorable = structs.replace(bad, started_ns=2**70)
        assert (
            await execute("activity.ingest_spans", IngestSpans(SpanBatch((*good, unstorable), ())), principal)
        ).error
        assert accepted() == 0


class TestProofs:
    async def test_that_fail_are_counted_by_their_first_break(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal)
        failed = growth("hoc_proof_failures_total", kind="EDIT")
        await execute("activity.run_proof", ProofRequest(run_keys=(run.key,)), principal)
        assert failed() == 0
        async with connected(superuser) as connection:
            await connection.execute("UPDATE trace_steps SET name = 'x' WHERE tenant_id = $1", principal.tenant_id)
        await execute("activity.run_proof", ProofRequest(run_keys=(run.key,)), principal)
        assert failed() == 1


class TestThePool:
    async def test_says_what_is_lent_out_and_what_could_not_be_had(self, runtime: Runtime) -> None:
        used = growth("hoc_pool_connections_used")
        waited = growth("hoc_pool_acquire_seconds_count")
        failures = growth("hoc_pool_failures_total")
        size = runtime.settings.pool_size
        assert figure("hoc_pool_connections_max") == size
        taken = [await runtime.database.acquire() for _ in range(size)]
        assert used() == size
        with pytest.raises(Unavailable):
            await runtime.database.acquire(0.01)
        assert (waited(), failures(), figure("hoc_pool_waiting")) == (size + 1, 1, 0)
        for connection in taken:
            await runtime.database.release(connection)
        assert used() == 0

    async def test_is_even_after_connections_that_were_lost(self, runtime: Runtime, superuser: dict[str, Any]) -> None:
        used = growth("hoc_pool_connections_used")
        connection = await runtime.database.acquire()
        async with connected(superuser) as other:
            await other.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        with pytest.raises(UNREACHABLE):
            await connection.execute("SELECT 1")
        await runtime.database.give_up(connection)
        assert used() == 0
