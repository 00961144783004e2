"""A made-up fleet of agent runs: OTLP spans that depend on the tenant and the run's number alone.

A run is an `invoke_agent` span over model and tool calls. Some are slow, expensive, failing or do what a rule forbids,
so that every list of the console query has rows.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence

from msgspec import Struct

from spine.contracts.spans import AttributeValue, SpanRecord

AGENTS = ("airline-support", "invoice-triage", "code-review", "night-report", "hotel-desk")
MODELS = (("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-5"))
TOOLS = ("get_user_details", "search_flights", "calculate", "update_reservation", "send_mail")
FORBIDDEN_TOOL = "delete_account"
GAP_NS = 20_000_000_000
MS = 1_000_000


class Fleet(Struct, frozen=True):
    """How many runs, over how many tenants, and how many steps each run has on average."""

    runs: int
    tenants: int
    steps: int = 8

    def per_tenant(self) -> int:
        """Runs of each tenant, rounded up."""
        return -(-self.runs // self.tenants)


def spans_of(tenant: str, number: int, steps: int, newest_ns: int) -> list[SpanRecord]:
    """The spans of one run, its root last, as an exporter sends them; a higher number is an earlier run."""
    chance = random.Random(f"{tenant}/{number}")  # noqa: S311 - reproducible test data
    trace_id = trace_id_of(tenant, number)
    agent = chance.choice(AGENTS)
    provider, model = chance.choice(MODELS)
    at = newest_ns - number * GAP_NS
    root = _span_id(trace_id, 0)
    children = []
    ended = at
    for place in range(1, max(2, steps + chance.randint(-2, 2)) + 1):
        started, ended = ended, ended + chance.randint(80, 1500) * MS
        make = _chat if place % 2 else _tool
        name, attributes, failed = make(chance, provider, model)
        children.append(_span(trace_id, place, root, name, (started, ended), attributes, failed=failed))
    failed = chance.random() < 0.1
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": agent,
        "gen_ai.agent.id": agent,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.task.goal": f"Help customer {chance.randint(1, 9999)} with a request about order {number}.",
    }
    return [*children, _span(trace_id, 0, None, f"invoke_agent {agent}", (at, ended), attributes, failed=failed)]


def trace_id_of(tenant: str, number: int) -> str:
    """The trace that a run is alone in."""
    return hashlib.sha256(f"trace/{tenant}/{number}".encode()).hexdigest()[:32]


def batches(tenant: str, numbers: Sequence[int], steps: int, newest_ns: int, size: int) -> Iterator[list[SpanRecord]]:
    """The spans of these runs, `size` runs a batch."""
    for start in range(0, len(numbers), size):
        chosen = numbers[start : start + size]
        yield [span for number in chosen for span in spans_of(tenant, number, steps, newest_ns)]


def _chat(chance: random.Random, provider: str, model: str) -> tuple[str, dict[str, AttributeValue], bool]:
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": chance.randint(300, 6000),
        "gen_ai.usage.output_tokens": chance.randint(20, 600),
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.input.messages": '[{"role": "user", "content": "' + "please help " * chance.randint(5, 40) + '"}]',
        "gen_ai.output.messages": '[{"role": "assistant", "content": "' + "of course " * chance.randint(5, 40) + '"}]',
    }
    return f"chat {model}", attributes, False


def _tool(chance: random.Random, _provider: str, _model: str) -> tuple[str, dict[str, AttributeValue], bool]:
    tool = FORBIDDEN_TOOL if chance.random() < 0.02 else chance.choice(TOOLS)
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.arguments": '{"reservation": "' + str(chance.randint(1, 10**6)) + '"}',
        "gen_ai.tool.call.result": '{"status": "' + "done " * chance.randint(1, 30) + '"}',
    }
    failed = chance.random() < 0.05
    if failed:
        attributes["error.type"] = "ToolTimeout"
    return f"execute_tool {tool}", attributes, failed


def _span(
    trace_id: str,
    place: int,
    parent: str | None,
    name: str,
    times: tuple[int, int],
    attributes: dict[str, AttributeValue],
    *,
    failed: bool,
) -> SpanRecord:
    return SpanRecord(
        trace_id=trace_id,
        span_id=_span_id(trace_id, place),
        parent_span_id=parent,
        name=name,
        kind=1 if parent is None else 3,
        started_ns=times[0],
        ended_ns=times[1],
        status_code=2 if failed else 0,
        status_message="the task was not accomplished" if failed else "",
        attributes=attributes,
        events=(),
        resource={"service.name": "bench-fleet"},
        scope_name="tests.bench",
    )


def _span_id(trace_id: str, place: int) -> str:
    return hashlib.sha256(f"{trace_id}/{place}".encode()).hexdigest()[:16]
