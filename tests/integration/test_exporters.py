"""What others send, unmodified: the OpenTelemetry SDK's exporter and Pydantic AI's own instrumentation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel

from spine.bootstrap import Runtime
from spine.contracts.access import CreateKey
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import (
    ActorKind,
    CostStatus,
    EvidenceHealth,
    Permission,
    Role,
    RunStatus,
    StepKind,
    StepStatus,
    VerificationStatus,
)
from tests.conftest import Execute
from tests.resolvers.http.conftest import serving
from tests.spine.orchestrator.reported import proof_of, runs_of, the_run


class Watched(OTLPSpanExporter):
    """The SDK's exporter, remembering what it was answered."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.results: list[SpanExportResult] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.results.append(super().export(spans))
        return self.results[-1]


@asynccontextmanager
async def exporting(runtime: Runtime, key: str, compression: Compression) -> AsyncIterator[TracerProvider]:
    """A tracer provider whose spans go over a real socket; all of them have arrived when the block ends."""
    async with serving(runtime) as url:
        headers = {"authorization": f"Bearer {key}"}
        exporter = Watched(endpoint=f"{url}/v1/traces", headers=headers, compression=compression)
        resource = Resource.create({"service.name": "shop", "hoc.project": "web"})
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        yield provider
        assert await asyncio.to_thread(provider.force_flush)
        await asyncio.to_thread(provider.shutdown)
        assert set(exporter.results) == {SpanExportResult.SUCCESS}


@pytest.fixture
def machine_key(event_loop: asyncio.AbstractEventLoop, execute: Execute, principal: Principal) -> str:
    """A key that may report runs and nothing else."""
    request = CreateKey(name="exporter", role=Role.MACHINE, scopes=(Permission.RUNS_WRITE,))

    async def make() -> str:
        return str((await execute("api_keys.create_key", request, principal)).unwrap().key)

    return event_loop.run_until_complete(make())


class TestTheSdksExporter:
    @pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
    async def test_is_understood(
        self, runtime: Runtime, execute: Execute, principal: Principal, machine_key: str, compression: Compression
    ) -> None:
        async with exporting(runtime, machine_key, compression) as provider:
            tracer = provider.get_tracer("shop.agents")
            agent = {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "clerk",
                "gen_ai.provider.name": "anthropic",
                "user.id": "ann",
            }
            chat: dict[str, Any] = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "claude-sonnet-4-5",
                "gen_ai.usage.input_tokens": 120,
                "gen_ai.usage.output_tokens": 7,
                "gen_ai.response.finish_reasons": ["stop"],
            }
            with tracer.start_as_current_span("invoke_agent clerk", attributes=agent):
                with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=chat):
                    pass
                tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
                with tracer.start_as_current_span("execute_tool search", attributes=tool) as span:
                    span.record_exception(TimeoutError("too slow"))
                    span.set_status(Status(StatusCode.ERROR, "too slow"))
        run = await the_run(execute, principal)
        assert (run.agent_name, run.provider, run.model) == ("clerk", "anthropic", "claude-sonnet-4-5")
        assert (run.actor, run.project_id) == (Actor(ActorKind.HUMAN, "ann", None), "web")
        assert (run.origin_system_id, run.status) == ("shop", RunStatus.SUCCEEDED)
        assert (run.input_tokens, run.output_tokens, run.cost_status) == (120, 7, CostStatus.COMPLETE)
        assert (run.step_count, run.failed_step_count) == (2, 1)
        proof = await proof_of(execute, principal, run.key)
        assert [(step.kind, step.skill_name, step.status, step.outcome_code) for step in proof.steps] == [
            (StepKind.CHAT, "claude-sonnet-4-5", StepStatus.SUCCESS, None),
            (StepKind.EXECUTE_TOOL, "search", StepStatus.FAILURE, "TimeoutError"),
        ]
        assert proof.steps[0].finish_reason == "stop"
        assert proof.integrity.verification_status is VerificationStatus.VERIFIED

    async def test_may_send_a_thousand_spans_in_batches(
        self, runtime: Runtime, execute: Execute, principal: Principal, machine_key: str
    ) -> None:
        async with exporting(runtime, machine_key, Compression.Gzip) as provider:
            tracer = provider.get_tracer("shop.agents")
            agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "clerk"}
            for _ in range(10):
                with tracer.start_as_current_span("invoke_agent clerk", attributes=agent):
                    for number in range(99):
                        tracer.start_span(f"step {number}").end()
        runs = await runs_of(execute, principal)
        assert [run.step_count for run in runs] == [99] * 10
        assert {run.evidence_health for run in runs} == {EvidenceHealth.FLOWING}


def an_agent(provider: TracerProvider, name: str = "clerk", version: Literal[5, 6] = 5) -> Agent[None, str]:
    """An agent whose own instrumentation reports to the provider; a tool that fails may be tried once more."""
    settings = InstrumentationSettings(tracer_provider=provider, version=version)
    return Agent(TestModel(), name=name, capabilities=[Instrumentation(settings)], retries=1)


class TestPydanticAi:
    """Its offline test model calls every tool once, then answers."""

    @pytest.mark.parametrize("version", [5, 6])
    async def test_is_a_run_with_its_model_tokens_and_tools(
        self,
        runtime: Runtime,
        execute: Execute,
        principal: Principal,
        machine_key: str,
        version: Literal[5, 6],
    ) -> None:
        async with exporting(runtime, machine_key, Compression.Gzip) as provider:
            agent = an_agent(provider, version=version)

            @agent.tool_plain
            def book_flight(city: str) -> str:
                return f"booked to {city}"

            @agent.tool_plain
            def cancel_flight(number: int) -> str:
                return f"cancelled {number}"

            spent = (await agent.run("Fly me to Lisbon.")).usage
        run = await the_run(execute, principal)
        assert (run.agent_name, run.model, run.status) == ("clerk", "test", RunStatus.SUCCEEDED)
        assert spent.input_tokens > 0
        assert (run.input_tokens, run.output_tokens) == (spent.input_tokens, spent.output_tokens)
        proof = await proof_of(execute, principal, run.key)
        assert proof.integrity.verification_status is VerificationStatus.VERIFIED
        steps = sorted((step.kind, step.skill_name, step.status) for step in proof.steps if step.kind != "OTHER")
        assert steps == [
            (StepKind.CHAT, "test", StepStatus.SUCCESS),
            (StepKind.CHAT, "test", StepStatus.SUCCESS),
            (StepKind.EXECUTE_TOOL, "book_flight", StepStatus.SUCCESS),
            (StepKind.EXECUTE_TOOL, "cancel_flight", StepStatus.SUCCESS),
        ]
        assert run.evidence_health is EvidenceHealth.DEGRADED, "nobody has a price for the test model"
        logs = {log.step_index: log for log in proof.raw_logs or ()}
        booking = next(step for step in proof.steps if step.skill_name == "book_flight")
        assert "city" in (logs[booking.step_index].input or "")
        assert "booked to" in (logs[booking.step_index].output or "")

    async def test_that_fails_is_a_failed_run(
        self, runtime: Runtime, execute: Execute, principal: Principal, machine_key: str
    ) -> None:
        async with exporting(runtime, machine_key, Compression.Gzip) as provider:
            agent = an_agent(provider)

            @agent.tool_plain
            def book_flight(city: str) -> str:
                raise RuntimeError(f"no flights to {city}")

            with pytest.raises(RuntimeError):
                await agent.run("Fly me to Lisbon.")
        run = await the_run(execute, principal)
        assert (run.status, run.failed_step_count, run.incident_count) == (RunStatus.FAILED, 1, 1)

    async def test_that_retries_a_tool_shows_each_attempt(
        self, runtime: Runtime, execute: Execute, principal: Principal, machine_key: str
    ) -> None:
        async with exporting(runtime, machine_key, Compression.NoCompression) as provider:
            agent = an_agent(provider)
            attempts: list[str] = []

            @agent.tool_plain
            def book_flight(city: str) -> str:
                attempts.append(city)
                if len(attempts) == 1:
                    raise ModelRetry("ask for a city that exists")
                return "booked"

            await agent.run("Fly me to Lisbon.")
        run = await the_run(execute, principal)
        proof = await proof_of(execute, principal, run.key)
        tools = [step.skill_name for step in proof.steps if step.kind is StepKind.EXECUTE_TOOL]
        assert tools == ["book_flight"] * len(attempts) == ["book_flight"] * 2

    async def test_that_calls_another_agent_is_its_parent(
        self, runtime: Runtime, execute: Execute, principal: Principal, machine_key: str
    ) -> None:
        async with exporting(runtime, machine_key, Compression.Gzip) as provider:
            helper, clerk = an_agent(provider, "researcher"), an_agent(provider)

            @clerk.tool
            async def research(context: RunContext[None], topic: str) -> str:
                return (await helper.run(f"{topic} {context.run_step}")).output

            await clerk.run("Find flights.")
        runs = {run.agent_name: run for run in await runs_of(execute, principal)}
        assert set(runs) == {"clerk", "researcher"}
        assert runs["researcher"].parent_key == runs["clerk"].key
        assert runs["researcher"].step_count == 1
        for run in runs.values():
            proof = await proof_of(execute, principal, run.key)
            assert proof.integrity.verification_status is VerificationStatus.VERIFIED
