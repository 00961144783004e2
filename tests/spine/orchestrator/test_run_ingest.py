"""Taking exports: what is refused or differs is kept, what arrives late is judged as if it had come in time."""

import asyncio
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from spine.bootstrap import Runtime
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import (
    ActorKind,
    CostStatus,
    LimitType,
    Permission,
    RunStatus,
    SignalType,
    VerificationStatus,
)
from spine.contracts.governance import SetModelPrice
from spine.contracts.runs import IngestSpans, StartRun
from spine.contracts.spans import RefusedSpan, SpanBatch, SpanRecord
from spine.orchestrator.context import WriteContext
from spine.orchestrator.coordinators.recording import CAPABILITIES
from spine.orchestrator.coordinators.run_ingest_coordinator import ingest_spans
from tests.conftest import Execute
from tests.spine.orchestrator.governed import FAILED, ledger_length, limit, rule, verified
from tests.spine.orchestrator.registries import registry_with, writing
from tests.spine.orchestrator.reported import (
    a_chat,
    a_span,
    a_tool,
    an_agent,
    digests_of_tables,
    proof_of,
    runs_of,
    send,
    signals_of,
    span_id,
    the_run,
    trace_id,
)


class TestWhatAnExportSays:
    async def test_the_agents_span_is_the_run(self, execute: Execute, principal: Principal) -> None:
        attributes = {
            "gen_ai.agent.id": "a-1",
            "gen_ai.conversation.id": "c-1",
            "gen_ai.task.goal": "Sell.",
            "user.id": "ann",
            "hoc.project": "web",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
        }
        agent = an_agent(1, attributes=attributes, **FAILED)
        await send(execute, principal, [agent, a_chat(2, 1), a_tool(3, 1, **FAILED)])
        run = await the_run(execute, principal)
        assert (run.agent_id, run.agent_name, run.conversation_id) == ("a-1", "clerk", "c-1")
        assert (run.goal, run.actor, run.project_id) == ("Sell.", Actor(ActorKind.HUMAN, "ann", None), "web")
        assert (run.origin_system_id, run.provider, run.model) == ("shop", "openai", "gpt-4o")
        assert (run.status, run.error_message) == (RunStatus.FAILED, "it fell")
        assert (run.duration_ms, run.step_count, run.failed_step_count) == (100, 2, 1)
        assert (run.input_tokens, run.output_tokens, run.cost_status) == (10, 5, CostStatus.COMPLETE)

    async def test_what_is_not_said_has_its_default(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, [an_agent(1, resource={}), a_tool(2, 1)])
        run = await the_run(execute, principal)
        assert (run.actor, run.project_id) == (Actor(ActorKind.SERVICE, None, None), "default")
        assert (run.origin_system_id, run.status) == ("unknown", RunStatus.SUCCEEDED)

    async def test_a_trace_without_an_agent_is_a_run_for_each_root_named_after_it(
        self, execute: Execute, principal: Principal
    ) -> None:
        roots = [a_span(1, name="POST /chat"), a_span(2, name="GET /cart")]
        await send(execute, principal, [*roots, a_chat(3, 1), a_tool(4, 2), a_tool(5, 4)])
        runs = {run.agent_name: run for run in await runs_of(execute, principal)}
        assert {name: run.step_count for name, run in runs.items()} == {"POST /chat": 2, "GET /cart": 3}
        assert {run.agent_id for run in runs.values()} == {"shop"}
        assert runs["POST /chat"].input_tokens == 10
        assert runs["GET /cart"].input_tokens is None
        assert await verified(execute, principal)

    async def test_a_span_without_an_end_takes_no_time(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, [an_agent(1), a_tool(2, 1, ended_ns=0)])
        proof = await proof_of(execute, principal, (await the_run(execute, principal)).key)
        (step,) = proof.steps
        assert (step.duration_ms, step.completed_at) == (0, step.started_at)

    async def test_an_unpriced_model_leaves_the_cost_open_and_the_evidence_degraded(
        self, execute: Execute, principal: Principal
    ) -> None:
        unpriced = {"gen_ai.request.model": "unheard-of-1"}
        await send(execute, principal, [an_agent(1), a_chat(2, 1), a_chat(3, 1, attributes=unpriced)])
        run = await the_run(execute, principal)
        assert (run.cost_status, run.evidence_health) == (CostStatus.PARTIAL, "DEGRADED")
        assert run.cost_usd is not None
        assert [one.type for one in await signals_of(execute, principal, run.key)] == [SignalType.EVIDENCE_DEGRADED]

    async def test_a_price_holds_for_what_arrives_after_it_was_set(
        self, execute: Execute, principal: Principal
    ) -> None:
        def price(dollars: int) -> SetModelPrice:
            return SetModelPrice(
                provider="openai",
                model="gpt-4o",
                input_usd_per_million=Decimal(dollars),
                output_usd_per_million=Decimal(0),
                source="a contract",
            )

        (await execute("analytics.set_model_price", price(1), principal)).unwrap()
        await send(execute, principal, [an_agent(1), a_chat(2, 1, 1_000_000, 0)])
        (await execute("analytics.set_model_price", price(2), principal)).unwrap()
        await send(execute, principal, [a_chat(3, 1, 1_000_000, 0)])
        run = await the_run(execute, principal)
        assert run.cost_usd == Decimal(3)
        assert await verified(execute, principal)


class TestWhatIsKeptOfARefusedSpan:
    async def test_it_counts_on_every_run_of_its_trace(self, execute: Execute, principal: Principal) -> None:
        refused = RefusedSpan(trace_id(1), span_id(9), "the start time is missing")
        await send(execute, principal, [an_agent(1), a_tool(2, 1)], [refused])
        run = await the_run(execute, principal)
        assert (run.refused_span_count, run.evidence_health) == (1, "DEGRADED")
        assert [one.type for one in await signals_of(execute, principal, run.key)] == [SignalType.EVIDENCE_DEGRADED]

    async def test_a_refused_span_that_came_before_its_run_counts_too(
        self, execute: Execute, principal: Principal
    ) -> None:
        await send(execute, principal, [], [RefusedSpan(trace_id(1), None, "the span id is all zero")])
        await send(execute, principal, [an_agent(1), a_tool(2, 1)])
        assert (await the_run(execute, principal)).refused_span_count == 1
        assert await verified(execute, principal)

    @pytest.mark.parametrize(
        "refused",
        [
            RefusedSpan(trace_id(1), span_id(9), "the start time is missing"),
            RefusedSpan(trace_id(1), None, "the span id is all zero"),
            RefusedSpan(None, span_id(9), "the trace id is all zero"),
            RefusedSpan(None, None, "the trace id is not 16 bytes"),
        ],
    )
    async def test_an_export_with_a_refused_span_may_be_sent_again(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any], refused: RefusedSpan
    ) -> None:
        spans = [an_agent(1), a_tool(2, 1)]
        first = await send(execute, principal, spans, [refused])
        assert (first.accepted, first.refused) == (2, 1)
        before = await digests_of_tables(superuser)
        again = await send(execute, principal, spans, [refused, refused])
        assert (again.accepted, again.duplicates) == (0, 2)
        assert await digests_of_tables(superuser) == before

    async def test_a_span_without_ids_refused_by_many_at_once_is_kept_once(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        nameless = RefusedSpan(None, None, "the trace id is not 16 bytes")
        await asyncio.gather(
            *(send(execute, principal, [an_agent(1, trace=number)], [nameless]) for number in range(1, 11))
        )
        assert len(await runs_of(execute, principal)) == 10
        assert await kept(superuser, principal) == [("MALFORMED", None)]


async def kept(superuser: dict[str, Any], principal: Principal) -> list[tuple[str, str | None]]:
    """Kind and span of every refusal of the tenant."""
    connection = await asyncpg.connect(**superuser)
    try:
        query = "SELECT kind, span_id FROM span_refusals WHERE tenant_id = $1 ORDER BY refused_at, span_id"
        return [(row[0], row[1]) for row in await connection.fetch(query, principal.tenant_id)]
    finally:
        await connection.close()


class TestDifferingCopies:
    @pytest.mark.parametrize("original", [a_tool(2, 1), an_agent(2, 1, name="planner")])
    async def test_the_first_wins_and_the_other_is_kept(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any], original: SpanRecord
    ) -> None:
        copy = structs.replace(original, status_code=2)
        await send(execute, principal, [an_agent(1), a_tool(3, 1), a_tool(4, 2), original])
        outcome = await send(execute, principal, [copy])
        assert (outcome.accepted, outcome.duplicates) == (0, 0)
        assert await kept(superuser, principal) == [("DUPLICATE_DIFFERS", span_id(2))]
        runs = await runs_of(execute, principal)
        assert {run.failed_step_count for run in runs} == {0}
        assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
        assert {run.refused_span_count for run in runs} == {1}
        assert await verified(execute, principal)
        before = await digests_of_tables(superuser)
        await send(execute, principal, [original, copy, copy])
        assert await digests_of_tables(superuser) == before

    async def test_also_within_one_export(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        first, other = a_tool(2, 1), a_tool(2, 1, name="another")
        outcome = await send(execute, principal, [an_agent(1), first, other, first, other])
        assert (outcome.accepted, outcome.duplicates) == (2, 1)
        assert await kept(superuser, principal) == [("DUPLICATE_DIFFERS", span_id(2))]
        run = await the_run(execute, principal)
        (step,) = (await proof_of(execute, principal, run.key)).steps
        assert step.name == first.name


class TestRunsOfBothKinds:
    async def test_a_reported_run_and_spans_share_a_trace(self, execute: Execute, principal: Principal) -> None:
        start = StartRun(
            idempotency_key="k",
            agent_id="reporter",
            actor=Actor(ActorKind.SERVICE, None, None),
            origin_system_id="shop",
            trace_id=trace_id(1),
        )
        await send(execute, principal, [a_span(1, name="POST /chat"), a_chat(2, 1)])
        (await execute("activity.start_run", start, principal)).unwrap()
        assert [run.agent_name for run in await runs_of(execute, principal)] == ["reporter"]
        await send(execute, principal, [an_agent(3, 1), a_tool(4, 3)])
        runs = {run.agent_name: run for run in await runs_of(execute, principal)}
        assert {name: run.step_count for name, run in runs.items()} == {"reporter": 0, "clerk": 1}
        proof = await proof_of(execute, principal, runs["clerk"].key)
        assert proof.integrity.verification_status is VerificationStatus.VERIFIED


class TestManyExportsAtOnce:
    async def test_of_one_trace_lose_and_double_nothing(self, execute: Execute, principal: Principal) -> None:
        spans = [an_agent(1), *(a_chat(number, 1) for number in range(2, 42))]
        await asyncio.gather(*(send(execute, principal, spans[start::10]) for start in range(10)))
        run = await the_run(execute, principal)
        assert (run.step_count, run.input_tokens) == (40, 400)
        proof = await proof_of(execute, principal, run.key)
        assert sorted(step.step_index for step in proof.steps) == list(range(40))
        assert await verified(execute, principal)

    async def test_of_the_same_traces_in_another_order_never_wait_in_a_circle(
        self, execute: Execute, principal: Principal
    ) -> None:
        def export(number: int) -> list[SpanRecord]:
            spans = [a_chat(number, 1, trace=trace) for trace in range(1, 9)]
            return spans if number % 2 else spans[::-1]

        await send(execute, principal, [an_agent(1, trace=trace) for trace in range(1, 9)])
        await asyncio.gather(*(send(execute, principal, export(number)) for number in range(2, 22)))
        assert {run.step_count for run in await runs_of(execute, principal)} == {20}
        assert await verified(execute, principal)

    async def test_of_the_same_spans_take_each_once(self, execute: Execute, principal: Principal) -> None:
        spans = [an_agent(1), *(a_chat(number, 1) for number in range(2, 12))]
        outcomes = await asyncio.gather(*(send(execute, principal, spans) for _ in range(8)))
        assert sum(outcome.accepted for outcome in outcomes) == len(spans)
        assert sum(outcome.runs for outcome in outcomes) == 1
        assert (await the_run(execute, principal)).step_count == 10


class TestTheLedger:
    async def test_an_export_is_one_entry_and_one_that_changes_nothing_none(
        self, execute: Execute, principal: Principal
    ) -> None:
        spans = [an_agent(1), a_chat(2, 1), an_agent(3, trace=2)]
        before = await ledger_length(execute, principal)
        await send(execute, principal, spans)
        assert await ledger_length(execute, principal) == before + 1
        await send(execute, principal, spans)
        await send(execute, principal, [])
        assert await ledger_length(execute, principal) == before + 1


class TestStatements:
    async def count(self, runtime: Runtime, principal: Principal, spans: list[SpanRecord]) -> int:
        async def counted(ctx: WriteContext, request: IngestSpans) -> int:
            await ingest_spans(ctx, request)
            return ctx.session.statements

        operation = writing(
            counted,
            request=IngestSpans,
            result=int,
            permission=Permission.RUNS_WRITE,
            cross_domain_deps=("activity.span_mapping_capability", *CAPABILITIES),
        )
        registry = registry_with(runtime, operation)
        statements: int = (
            await registry.execute("test.write", IngestSpans(SpanBatch(tuple(spans), ())), principal)
        ).unwrap()
        return statements

    @pytest.mark.parametrize("traces", [1, 20])
    @pytest.mark.parametrize("steps", [1, 40])
    async def test_are_as_many_for_1_as_for_820_spans(
        self, runtime: Runtime, execute: Execute, principal: Principal, traces: int, steps: int
    ) -> None:
        await rule(execute, principal, "all", "step.kind != ''")
        await limit(execute, principal, "tokens", LimitType.TOKENS_TOTAL, 1)
        every = range(1, traces + 1)
        agents = [an_agent(1, trace=trace, **FAILED) for trace in every]
        early = [a_chat(2, 1, trace=trace) for trace in every]
        chats = [a_chat(number, 1, trace=trace) for trace in every for number in range(3, steps + 3)]
        assert await self.count(runtime, principal, early) == 7
        assert await self.count(runtime, principal, [*agents, *chats]) == 18
        assert await self.count(runtime, principal, [*agents, *chats]) == 6
        assert len(await runs_of(execute, principal)) == traces
