"""The demo fleet's runs that report by telemetry: what happens in each, and when. Deterministic but for the clock."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from resolvers.cli.fleet_spans import Agent, Trace, pairs

SUPPORT: Final = Agent("Support triage", "support", "openai", "gpt-4o-mini")
REFUNDS: Final = Agent("Refund desk", "support", "anthropic", "claude-sonnet-4-5")
REVIEWER: Final = Agent("Code reviewer", "engineering", "openai", "gpt-4.1")
TESTER: Final = Agent("Test runner", "engineering", "ollama", "qwen3-coder-30b")
ANALYST: Final = Agent("Data analyst", "analytics", "gcp.gemini", "gemini-2.5-pro")
TRANSLATOR: Final = Agent("Translator", "localisation", "acme-ai", "acme-large-2")
PROBE: Final = Agent("Load probe", "platform", "vllm", "llama-3.3-70b")
USERS: Final = ("ada@example.com", "grace@example.com", "edsger@example.com")
FAILING_TICKET: Final = 5
SLOW_TICKET: Final = 9
LARGE_REFUND: Final = 3
FAILING_TESTS: Final = 2
LONG_REVIEW: Final = 5
TIMED_OUT_PROBE: Final = 2

Exports = list[bytes]


def exports(base: datetime) -> Iterator[Exports]:
    """Each trace as the exports that bring it, in order; `base` is the time at which the demo began."""
    started = base - timedelta(hours=6)
    fleet = (
        *(support(number, started + timedelta(minutes=27 * number)) for number in range(12)),
        *(refund(number, started + timedelta(minutes=45 * number + 5)) for number in range(7)),
        *(review(number, started + timedelta(minutes=50 * number + 11)) for number in range(6)),
        *(analysis(number, started + timedelta(minutes=60 * number + 17)) for number in range(5)),
        *(translation(number, started + timedelta(minutes=70 * number + 23)) for number in range(4)),
        *(probe(number, started + timedelta(minutes=80 * number + 29)) for number in range(3)),
    )
    yield from ([trace.body()] for trace in fleet)
    yield from irregular(started + timedelta(minutes=200))


def support(number: int, started: datetime) -> Trace:
    """A question answered from the knowledge base; one fails, one takes far longer than its agent's median."""
    trace = Trace(f"support/{number}", started)
    goal = f"Answer ticket {4100 + number}: where is my order?"
    run = trace.agent(SUPPORT, goal, gen_ai__conversation_id=f"ticket-{4100 + number}", user_id=USERS[number % 3])
    trace.search(run, goal)
    trace.chat(run, SUPPORT, (900 + 40 * number, 120))
    failing = number == FAILING_TICKET
    found = '{"status": "in transit", "contact": "ada@example.com"}' if number % 4 == 0 else '{"status": "shipped"}'
    order: dict[str, str | int | bool] = {"order": 70_000 + number}
    trace.tool(run, "lookup_order", order, "" if failing else found, error="SKILL_ERROR" if failing else None)
    trace.chat(run, SUPPORT, (1200 + 40 * number, 180), seconds=45.0 if number == SLOW_TICKET else 3.0)
    trace.close(run, "SKILL_ERROR" if failing else None)
    return trace


def refund(number: int, started: datetime) -> Trace:
    """A refund; the one of 900 dollars breaks the rule that blocks it, too late: it has happened."""
    trace = Trace(f"refund/{number}", started)
    run = trace.agent(REFUNDS, f"Decide on refund {300 + number}", user_id=USERS[(number + 1) % 3])
    trace.chat(run, REFUNDS, (2100, 260), seconds=4.0)
    trace.tool(run, "check_policy", {"refund": 300 + number}, "within 30 days")
    trace.tool(run, "issue_refund", {"refund": 300 + number, "amount": 900 if number == LARGE_REFUND else 20 + number})
    trace.chat(run, REFUNDS, (2500, 210), seconds=3.0)
    trace.close(run)
    return trace


def review(number: int, started: datetime) -> Trace:
    """A review; every second one has its tests run by a sub-agent, the last takes longer than its project allows."""
    trace = Trace(f"review/{number}", started)
    run = trace.agent(REVIEWER, f"Review change {880 + number}")
    trace.tool(run, "read_diff", {"change": 880 + number}, "@@ -1,4 +1,9 @@ def total(orders): ...")
    trace.chat(run, REVIEWER, (5200 + 300 * number, 640), seconds=9.0)
    if number % 2 == 0:
        tests = trace.agent(TESTER, f"Run the tests of change {880 + number}", parent=run)
        trace.chat(tests, TESTER, (1500, 300), seconds=5.0)
        failing = number == FAILING_TESTS
        trace.tool(tests, "run_tests", {"suite": "unit"}, "1 failed" if failing else "all passed", seconds=20.0)
        trace.close(tests, "STEP_FAILURE" if failing else None)
    trace.chat(run, REVIEWER, (6400, 480), seconds=150.0 if number == LONG_REVIEW else 8.0)
    trace.close(run)
    return trace


def analysis(number: int, started: datetime) -> Trace:
    """A report over more and more data: the fourth comes near its limits, the fifth is over them."""
    trace = Trace(f"analysis/{number}", started)
    run = trace.agent(ANALYST, f"Summarise week {30 + number} of sales")
    trace.tool(run, "query_warehouse", {"week": 30 + number}, f"{1000 * (number + 1)} rows", seconds=4.0)
    tokens = (6_000, 9_000, 14_000, 52_000, 96_000)[number]
    trace.chat(run, ANALYST, (tokens, 1_200), seconds=12.0, said="Sales rose; see the table\0 below.")
    trace.tool(run, "draw_chart", {"kind": "bar"}, "chart.png")
    trace.close(run)
    return trace


def translation(number: int, started: datetime) -> Trace:
    """A model without a price: the cost is unknown, or partly known where a priced model checks the result."""
    trace = Trace(f"translation/{number}", started)
    run = trace.agent(TRANSLATOR, f"Translate page {12 + number} into Finnish")
    trace.chat(run, TRANSLATOR, (1800, 1900), seconds=6.0)
    if number % 2:
        trace.chat(run, SUPPORT, (2000, 80), seconds=2.0, said="The translation reads well.")
    trace.close(run)
    return trace


def probe(number: int, started: datetime) -> Trace:
    """A synthetic check of the platform: a step is tried again, one is left out, one probe runs out of time."""
    trace = Trace(f"probe/{number}", started, service="acme-probes")
    run = trace.agent(PROBE, "Check that tools answer", hoc__synthetic=True)
    trace.tool(run, "ping", {"attempt": 1}, "", status="RETRY")
    trace.tool(run, "ping", {"attempt": 2}, "pong")
    trace.tool(run, "deep_check", {}, "", status="SKIPPED")
    trace.close(run, "EXECUTION_TIMEOUT" if number == TIMED_OUT_PROBE else None)
    return trace


def irregular(started: datetime) -> Iterator[Exports]:
    """What telemetry is like in practice: late, doubled, malformed, orphaned and unnamed spans."""
    late = _short("late", started)
    yield [late.body(late.spans[:2]), late.body(late.spans[2:])]
    doubled = _short("doubled", started + timedelta(minutes=9))
    copy = doubled.spans[1] | {"name": "chat gpt-4o-mini (a differing copy)"}
    yield [doubled.body(), doubled.body([copy])]
    malformed = _short("malformed", started + timedelta(minutes=18))
    broken: dict[str, Any] = malformed.spans[2] | {"spanId": "beef"}
    yield [malformed.body([*malformed.spans[:2], broken])]
    orphaned = _short("orphaned", started + timedelta(minutes=27))
    orphaned.span("execute_tool cache_warm", "00000000deadbeef", {"gen_ai.tool.name": "cache_warm"}, seconds=1.0)
    yield [orphaned.body()]
    unnamed = Trace("unnamed", started + timedelta(minutes=36), service="acme-batch")
    root = unnamed.span("nightly index", None, {"job": "index"}, seconds=0.5)
    unnamed.chat(root, SUPPORT, (700, 60))
    unnamed.spans[0]["attributes"] = pairs({"job": "index", "hoc.project": "platform"})
    yield [unnamed.body()]


def _short(label: str, started: datetime) -> Trace:
    trace = Trace(label, started)
    run = trace.agent(SUPPORT, f"Show a trace that is {label}")
    trace.chat(run, SUPPORT, (600, 90))
    trace.tool(run, "lookup_order", {"order": 70_500}, "shipped")
    trace.close(run)
    return trace
