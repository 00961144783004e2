"""Exports of agent runs, small but whole: an agent span, a model call and a tool call that fails when asked to."""

import secrets
import time

from spine.contracts.spans import SpanBatch, SpanRecord

SECOND = 1_000_000_000


def span(
    trace_id: str, parent: str | None, name: str, *, at: int, failed: bool = False, **attributes: object
) -> SpanRecord:
    """One span of a second's length, `at` seconds after the first."""
    started = time.time_ns() - 600 * SECOND + at * SECOND
    return SpanRecord(
        trace_id=trace_id,
        span_id=secrets.token_hex(8),
        parent_span_id=parent,
        name=name,
        kind=1,
        started_ns=started,
        ended_ns=started + SECOND,
        status_code=2 if failed else 1,
        status_message="it broke" if failed else "",
        attributes={name.replace("__", "."): value for name, value in attributes.items()},  # type: ignore[misc]
        events=(),
        resource={"service.name": "tests"},
        scope_name="tests",
    )


def run_spans(number: int, *, failed: bool = False) -> list[SpanRecord]:
    """The spans of one run."""
    trace_id = secrets.token_hex(16)
    agent = span(
        trace_id,
        None,
        "invoke_agent",
        at=number,
        failed=failed,
        gen_ai__operation__name="invoke_agent",
        gen_ai__agent__id=f"agent-{number % 3}",
        gen_ai__agent__name=f"Agent {number % 3}",
    )
    chat = span(
        trace_id,
        agent.span_id,
        "chat",
        at=number,
        gen_ai__operation__name="chat",
        gen_ai__request__model="gpt-4o",
        gen_ai__provider__name="openai",
        gen_ai__usage__input_tokens=100 + number,
        gen_ai__usage__output_tokens=10,
    )
    tool = span(
        trace_id,
        agent.span_id,
        "execute_tool",
        at=number,
        failed=failed,
        gen_ai__operation__name="execute_tool",
        gen_ai__tool__name="book_flight",
    )
    return [chat, tool, agent]


def export(count: int, *, failed: bool = False) -> SpanBatch:
    """An export of so many runs."""
    return SpanBatch(tuple(one for number in range(count) for one in run_spans(number, failed=failed)), ())
