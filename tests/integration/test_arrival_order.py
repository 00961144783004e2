"""The order in which spans arrive decides nothing: 20 real runs, shuffled, split, doubled, and sent in 200 ways.

Some of the runs are given what the sample lacks: a sub-agent, no agent at all, a plain span above the agent, and one
between it and its calls.
"""

import random
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

import pytest
from msgspec import structs

from resolvers.http.otlp import JSON, decode_export
from spine.contracts.actors import Principal
from spine.contracts.enums import Consequence, LimitType, RuleMode, VerificationStatus
from spine.contracts.governance import CreateLimit, CreatePolicyRule
from spine.contracts.spans import SpanRecord
from tests.conftest import Execute, MakeTenant
from tests.spine.orchestrator.reported import RunOutcome, differences, outcome_of, send

WAYS = 200
CHUNKS = 8
NOT_AGENT = {"gen_ai.operation.name", "gen_ai.agent.name", "gen_ai.agent.id"}

RULES = (
    ("cancelling", "run.goal.contains('cancel')", RuleMode.WARN, Consequence.ALERT),
    ("synthetic", "run.is_synthetic", RuleMode.BLOCK, Consequence.INCIDENT),
    ("no transfers", "step.skill_name == 'transfer_to_human_agents'", RuleMode.BLOCK, Consequence.INCIDENT),
    ("reads reservations", "step.output.contains('reservation_id')", RuleMode.AUDIT, Consequence.ALERT),
    ("asks for reservations", "step.input.contains('reservation')", RuleMode.WARN, Consequence.ALERT),
    ("talkative", "run.output_tokens > 250", RuleMode.BLOCK, Consequence.INCIDENT),
    ("many steps", "run.step_count > 6", RuleMode.WARN, Consequence.ALERT),
    ("undecidable", "100 / run.failed_step_count > 1000", RuleMode.AUDIT, Consequence.ALERT),
)
LIMITS = (
    ("tokens", LimitType.TOKENS_TOTAL, Decimal(11_000), Consequence.INCIDENT),
    ("cost", LimitType.COST_USD, Decimal("0.030"), Consequence.ABORT),
    ("time", LimitType.TIME_MS, Decimal(5_000), Consequence.INCIDENT),
    ("failures", LimitType.FAILURES, Decimal(1), Consequence.ALERT),
)


def with_sub_agent(spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    """Half of the steps move below a planner that the agent calls."""
    root, *steps = spans
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}
    planner = structs.replace(
        root, span_id="aa" * 8, parent_span_id=root.span_id, name="invoke_agent planner", attributes=attributes
    )
    half = len(steps) // 2
    moved = [structs.replace(step, parent_span_id=planner.span_id) for step in steps[half:]]
    return [root, planner, *steps[:half], *moved]


def without_agent(spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    """The agent becomes a plain request; the last step goes to a second one."""
    root, *steps = spans
    plain = {name: value for name, value in root.attributes.items() if name not in NOT_AGENT}
    first = structs.replace(root, name="POST /chat", attributes=plain)
    second = structs.replace(root, span_id="bb" * 8, name="GET /status", attributes={}, started_ns=root.started_ns + 1)
    return [first, second, *steps[:-1], structs.replace(steps[-1], parent_span_id=second.span_id)]


def below_a_request(spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    """A plain request stands above the agent, and another span beside it."""
    root, *steps = spans
    request = structs.replace(root, span_id="cc" * 8, name="POST /chat", attributes={})
    beside = structs.replace(request, span_id="dd" * 8, parent_span_id=request.span_id, name="middleware")
    return [request, beside, structs.replace(root, parent_span_id=request.span_id), *steps]


def through_a_gateway(spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    """A plain span that repeats the calls' usage stands between the agent and its steps."""
    root, *steps = spans
    usage = {name: value for name, value in root.attributes.items() if "usage" in name}
    gateway = structs.replace(
        root, span_id="ee" * 8, parent_span_id=root.span_id, name="gateway", attributes=usage, status_code=0
    )
    return [root, gateway, *(structs.replace(step, parent_span_id=gateway.span_id) for step in steps)]


@lru_cache(maxsize=1)
def twenty_runs(lines: tuple[bytes, ...]) -> list[list[SpanRecord]]:
    """The twenty shortest runs of the sample, roots first, some of them changed."""
    runs = [list(decode_export(line, JSON, None, limit=20_000_000).spans) for line in lines]
    shortest = sorted(runs, key=lambda run: (len(run), run[0].trace_id))[:20]
    shortest = [sorted(run, key=lambda span: span.parent_span_id is not None) for run in shortest]
    changes = [with_sub_agent] * 4 + [without_agent] * 2 + [below_a_request] * 3 + [through_a_gateway] * 2
    changed = [change(run) for change, run in zip(changes, reversed(shortest), strict=False)]
    return [*shortest[: -len(changes)], *changed]


def exports_of(runs: Sequence[list[SpanRecord]], chance: random.Random) -> list[list[SpanRecord]]:
    """One way to send them all: mixed or trace by trace, roots first, last or anywhere, some of them twice."""
    order = chance.choice(("shuffled", "roots first", "roots last"))
    spans = [span for run in runs for span in run]
    chance.shuffle(spans)
    if order != "shuffled":
        spans.sort(key=lambda span: (span.parent_span_id is None) == (order == "roots last"))
    if chance.random() < 0.5:
        spans += chance.sample(spans, chance.randint(1, 20))
    cuts = sorted(chance.sample(range(1, len(spans)), chance.randint(1, 7)))
    return [spans[start:end] for start, end in zip([0, *cuts], [*cuts, len(spans)], strict=True)]


async def govern(execute: Execute, principal: Principal) -> None:
    for name, condition, mode, consequence in RULES:
        rule = CreatePolicyRule(name=name, condition=condition, mode=mode, consequence=consequence)
        (await execute("policies.create_rule", rule, principal)).unwrap()
    for name, kind, value, consequence in LIMITS:
        limit = CreateLimit(name=name, limit_type=kind, max_value=value, consequence=consequence)
        (await execute("controls.create_limit", limit, principal)).unwrap()


async def outcome(
    execute: Execute, principal: Principal, exports: Sequence[Sequence[SpanRecord]]
) -> dict[str, RunOutcome]:
    await govern(execute, principal)
    for spans in exports:
        await send(execute, principal, spans)
    return await outcome_of(execute, principal)


class TestTheOrderOfArrival:
    async def test_the_twenty_runs_meet_every_kind_of_governance(
        self, execute: Execute, principal: Principal, sample_lines: list[bytes]
    ) -> None:
        runs = twenty_runs(tuple(sample_lines))
        found = await outcome(execute, principal, [[span for run in runs for span in run]])
        assert len(found) == 20 + 4 + 2  # sub-agents and second requests
        every = list(found.values())
        assert {hit for one in every for hit in one.limits} == {
            (name, level) for name in ("tokens", "cost", "time") for level in ("NEAR", "BREACH")
        } | {("failures", "NEAR")}
        assert {(name, said) for one in every for name, said, _ in one.finals} >= {
            ("talkative", "BLOCK"),
            ("talkative", "ALLOW"),
            ("many steps", "WARN"),
            ("undecidable", "ERROR"),
        }
        assert {name for one in every for name, *_ in one.others} == {
            "cancelling", "no transfers", "reads reservations", "asks for reservations"
        }  # fmt: skip
        assert {trigger for one in every for _, _, trigger, *_ in one.incidents} == {"RUN_FAILURE", "POLICY", "LIMIT"}
        assert sum(one.parent is not None for one in every) == 4
        assert {one.fields["risk_level"] for one in every} >= {"VIOLATED", "AT_RISK"}

    @pytest.mark.parametrize("chunk", range(CHUNKS))
    async def test_two_hundred_ways_to_send_twenty_runs_give_equal_runs(
        self, execute: Execute, make_tenant: MakeTenant, sample_lines: list[bytes], chunk: int
    ) -> None:
        runs = twenty_runs(tuple(sample_lines))
        expected = await outcome(execute, await make_tenant(), [[span for run in runs for span in run]])
        for way in range(chunk, WAYS, CHUNKS):
            exports = exports_of(runs, random.Random(way))  # noqa: S311 - a way that can be sent again
            found = await outcome(execute, await make_tenant(), exports)
            assert found.keys() == expected.keys()
            for name, one in found.items():
                assert one.verified is VerificationStatus.VERIFIED, (way, name)
                assert differences(one, expected[name]) == {}, (way, name)
