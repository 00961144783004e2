"""Runs reported through the public operations, and a superuser who changes what is stored of them."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from spine.contracts.actors import Principal
from spine.contracts.capture import CaptureEnvironment, EnvironmentInput
from spine.contracts.enums import Consequence, LimitType, RuleMode
from spine.contracts.governance import CreateLimit, CreatePolicyRule
from spine.contracts.operations import OperationResult
from spine.contracts.paging import PageRequest
from spine.contracts.runs import IngestSpans, ListRuns
from spine.contracts.spans import SpanBatch, SpanRecord

Execute = Callable[..., Awaitable[OperationResult[Any]]]

START_NS = 1_772_366_400_000_000_000
AGENT_SPAN = "a" * 16
STEPS = 4


class Reported(Struct, frozen=True):
    """A run with four chat steps, a rule that warned of each, and a limit that it broke."""

    key: UUID
    trace_id: str


def span(trace_id: str, number: int, parent: str | None, **attributes: Any) -> SpanRecord:
    """A span that starts `number` milliseconds after the run."""
    return SpanRecord(
        trace_id=trace_id,
        span_id=AGENT_SPAN if parent is None else f"{number:016x}",
        parent_span_id=parent,
        name=f"span {number}",
        kind=1,
        started_ns=START_NS + number * 1_000_000,
        ended_ns=START_NS + 900_000_000 + number,
        status_code=0,
        status_message="",
        attributes={name.replace("__", "."): value for name, value in attributes.items()},
        events=(),
        resource={"service.name": "tests"},
        scope_name="tests",
    )


def chat(trace_id: str, number: int) -> SpanRecord:
    """A model call of the run, with a payload of its own."""
    return span(
        trace_id,
        number,
        AGENT_SPAN,
        **{
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 10,
            "gen_ai.input.messages": f'[{{"role":"user","content":"question {number}"}}]',
            "gen_ai.output.messages": f'[{{"role":"assistant","content":"answer {number}"}}]',
            "note": f"kept {number}",
        },
    )


def agent(trace_id: str) -> SpanRecord:
    """The span of the run itself."""
    return span(
        trace_id,
        0,
        None,
        **{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Airline agent", "gen_ai.agent.id": "airline"},
    )


async def govern(execute: Execute, principal: Principal) -> None:
    """One rule that warns of every step, and one limit that every reported run breaks."""
    rule = CreatePolicyRule(name="Every chat", condition='step.kind == "CHAT"', mode=RuleMode.WARN)
    (await execute("policies.create_rule", rule, principal)).unwrap()
    limit = CreateLimit(
        name="Tokens",
        limit_type=LimitType.TOKENS_TOTAL,
        max_value=Decimal(200),
        consequence=Consequence.INCIDENT,
    )
    (await execute("controls.create_limit", limit, principal)).unwrap()


async def ingest(execute: Execute, principal: Principal, *spans: SpanRecord) -> None:
    """Send spans as one export."""
    (await execute("activity.ingest_spans", IngestSpans(SpanBatch(spans, ())), principal)).unwrap()


async def report(execute: Execute, principal: Principal, *, late: bool = False) -> Reported:
    """Report a run; `late` sends its last step after it was sealed."""
    trace_id = secrets.token_hex(16)
    steps = [chat(trace_id, number) for number in range(1, STEPS + 1)]
    if late:
        await ingest(execute, principal, *steps[:-1], agent(trace_id))
        await ingest(execute, principal, steps[-1])
    else:
        await ingest(execute, principal, *steps, agent(trace_id))
    page = (await execute("activity.runs", ListRuns(page=PageRequest(100)), principal)).unwrap()
    return Reported(next(run.key for run in page.nodes if run.trace_id == trace_id), trace_id)


async def capture(execute: Execute, principal: Principal, run: Reported, **attributes: str) -> None:
    """Capture what the run's spans did not say of its environment."""
    given = attributes or {"host__name": "cash-desk-3"}
    request = CaptureEnvironment(
        idempotency_key=secrets.token_hex(8),
        run_key=run.key,
        trace_id=run.trace_id,
        attributes=tuple(EnvironmentInput(name=name.replace("__", "."), value=value) for name, value in given.items()),
    )
    (await execute("logs.capture", request, principal)).unwrap()


@asynccontextmanager
async def connected(superuser: Mapping[str, Any]) -> AsyncIterator[Any]:
    """A connection as the superuser, who may change anything, triggers or not."""
    connection = await asyncpg.connect(**superuser, server_settings={"session_replication_role": "replica"})
    try:
        yield connection
    finally:
        await connection.close()
