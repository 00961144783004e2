"""The demo fleet's runs that are reported by mutation, and so can be stopped before they do harm."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from resolvers.cli.client import Client, RequestFailed
from resolvers.cli.fleet_spans import Agent

CLAIMS: Final = Agent("Claims assistant", "finance", "anthropic", "claude-haiku-4-5")
NIGHT: Final = Agent("Night batch", "finance", "openai", "gpt-4.1-mini")
CRAWLER: Final = Agent("Shadow crawler", "research", "openai", "gpt-4o")

EXPECTED: Final = ("POLICY_DENIED", "CONFLICT", "EVIDENCE_CONTEXT_INVALID")
DESK: Final = [{"name": "service.version", "value": "4.2.0"}, {"name": "host.name", "value": "desk-3"}]

Act = Callable[[], None]
Step = dict[str, Any]

HUMAN: Final = {"kind": "HUMAN", "id": "margaret", "name": "Margaret"}
SYSTEM: Final = {"kind": "SYSTEM"}
SERVICE: Final = {"kind": "SERVICE"}


class Reporter:
    """Reports runs as an agent without OpenTelemetry would; names make the idempotency keys."""

    def __init__(self, client: Client, base: datetime) -> None:
        self._client = client
        self._base = base
        self._traces: dict[str, str] = {}

    def start(self, name: str, agent: Agent, actor: dict[str, str], minutes_ago: float, **more: Any) -> str | None:
        """Begin a run; its id, or None when a rule refused it."""
        wanted = {
            "idempotencyKey": f"{name}/start",
            "agentId": agent.id,
            "agentName": agent.name,
            "actor": actor,
            "projectId": agent.project,
            "originSystemId": "acme-desk",
            "provider": agent.provider,
            "model": agent.model,
            "startedAt": self._at(minutes_ago),
        }
        payload = self._send("report_run", "StartRun", wanted | more)
        if payload["userErrors"]:
            return None
        run_id = str(payload["run"]["id"])
        self._traces[run_id] = str(payload["run"]["traceId"])
        return run_id

    def steps(self, name: str, run_id: str, minutes_ago: float, steps: list[Step]) -> bool:
        """Add steps, ten seconds each; False when a rule or a limit, or the run's end, refused them."""
        sent = []
        for place, step in enumerate(steps):
            started = minutes_ago - place / 6
            times = {"startedAt": self._at(started), "endedAt": self._at(started - 1 / 6)}
            sent.append({"stepId": f"{name}-{place}"} | times | step)
        wanted = {"idempotencyKey": f"{name}/steps", "runId": run_id, "steps": sent}
        return not self._send("report_run", "AppendSteps", wanted)["userErrors"]

    def complete(self, name: str, run_id: str, minutes_ago: float, status: str, **more: Any) -> None:
        """End a run."""
        wanted = {"idempotencyKey": f"{name}/end", "runId": run_id, "status": status}
        self._send("report_run", "CompleteRun", wanted | {"completedAt": self._at(minutes_ago)} | more)

    def capture(self, name: str, run_id: str, attributes: dict[str, str], within: str | None = None) -> None:
        """Add to a run's environment; in the trace of another run (`within`) it is refused, and that is kept."""
        listed = [{"name": attribute, "value": value} for attribute, value in attributes.items()]
        wanted = {"runId": run_id, "traceId": self._traces[within or run_id], "attributes": listed}
        self._send("capture", "CaptureEnvironment", {"idempotencyKey": f"{name}/environment"} | wanted)

    def _at(self, minutes_ago: float) -> str:
        return (self._base - timedelta(minutes=minutes_ago)).isoformat()

    def _send(self, document: str, operation: str, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._client.mutate(document, operation, wanted, expected=EXPECTED)


def chat(agent: Agent, tokens: tuple[int, int]) -> Step:
    """A model call as a step."""
    return {
        "kind": "CHAT",
        "name": f"chat {agent.model}",
        "provider": agent.provider,
        "model": agent.model,
        "inputTokens": tokens[0],
        "outputTokens": tokens[1],
        "input": "Read the claim, please.",
        "output": "I read the claim.",
    }


def tool(name: str, arguments: str, error: str | None = None) -> Step:
    """A tool call as a step; an `error` is its failure code."""
    step = {"kind": "EXECUTE_TOOL", "name": f"execute_tool {name}", "skillName": name, "input": arguments}
    if error is None:
        return step | {"output": "done"}
    return step | {"status": "FAILURE", "outcomeCode": error, "statusMessage": f"{name} answered {error}"}


def acts(client: Client, base: datetime) -> list[Act]:
    """Each run as one act."""
    reporter = Reporter(client, base)
    return [
        *(lambda number=number: settled(reporter, number) for number in range(3)),
        *(lambda case=case: failed(reporter, *case) for case in FAILURES),
        lambda: refused_start(reporter),
        lambda: refused_steps(reporter),
        lambda: aborted(reporter),
        lambda: live(reporter),
    ]


FAILURES: Final = (
    ("crash", "FAILED", "AGENT_CRASH", None),
    ("timeout", "FAILED", "EXECUTION_TIMEOUT", "TIMEOUT"),
    ("budget", "FAILED", "BUDGET_EXCEEDED", "BUDGET_EXCEEDED"),
    ("rate", "FAILED", "RATE_LIMIT_EXCEEDED", "RATE_LIMITED"),
    ("manual", "FAILED", "MANUAL_STOP", "USER_ABORT"),
    ("cancelled", "CANCELLED", None, None),
)


def settled(reporter: Reporter, number: int) -> None:
    """A claim settled for a person."""
    name = f"settled-{number}"
    goal = f"Settle claim {500 + number}"
    run_id = _begun(reporter.start(name, CLAIMS, HUMAN, 150 - 20 * number, goal=goal, environment=DESK))
    steps = [chat(CLAIMS, (1_500, 240)), tool("read_claim", f'{{"claim": {500 + number}}}'), chat(CLAIMS, (1_900, 300))]
    reporter.steps(name, run_id, 149 - 20 * number, steps)
    reporter.complete(name, run_id, 148 - 20 * number, "SUCCEEDED")
    reporter.capture(name, run_id, {"deployment.environment.name": "demo"})


def failed(reporter: Reporter, name: str, status: str, code: str | None, reason: str | None) -> None:
    """A run that ended badly, for one of the known reasons."""
    run_id = _begun(reporter.start(name, CLAIMS, SERVICE, 90, goal="Settle the backlog", isSynthetic=name == "crash"))
    reporter.steps(name, run_id, 89, [chat(CLAIMS, (2_000, 200)), tool("read_claim", "{}", code)])
    more: dict[str, str] = {} if code is None else {"errorCode": code, "errorMessage": "the claims system said no"}
    if reason is not None:
        more["terminationReason"] = reason
    reporter.complete(name, run_id, 88, status, **more)


def refused_start(reporter: Reporter) -> None:
    """An agent that no rule lets begin."""
    if reporter.start("crawler", CRAWLER, SYSTEM, 60, goal="Collect everything") is not None:
        raise RequestFailed(200, "the rule against the crawler did not refuse it")


def refused_steps(reporter: Reporter) -> None:
    """A refund that a rule blocks before it is made, unlike the one that telemetry told of."""
    run_id = _begun(reporter.start("over", CLAIMS, HUMAN, 55, goal="Refund claim 612"))
    reporter.steps("over-1", run_id, 54, [chat(CLAIMS, (1_400, 160))])
    if reporter.steps("over-2", run_id, 53, [tool("issue_refund", '{"claim": 612, "amount": 1200}')]):
        raise RequestFailed(200, "the rule against large refunds did not refuse one")
    reporter.complete("over", run_id, 52, "FAILED_POLICY", errorMessage="the refund was refused")


def aborted(reporter: Reporter) -> None:
    """A batch that fails so often that its limit stops it."""
    run_id = _begun(reporter.start("night", NIGHT, SYSTEM, 45, goal="Post the night's payments"))
    failures = [tool("post_payment", f'{{"payment": {number}}}', "RETRY_EXHAUSTED") for number in range(4)]
    reporter.steps("night-1", run_id, 44, failures)
    if reporter.steps("night-2", run_id, 43, [chat(NIGHT, (900, 50))]):
        raise RequestFailed(200, "the limit on failures did not stop the batch")
    reporter.complete("night", run_id, 42, "FAILED", errorCode="RETRY_EXHAUSTED", errorMessage="four payments failed")


def live(reporter: Reporter) -> None:
    """What still goes on: one run with a sub-agent, one that has said nothing yet, one that falls silent."""
    run_id = _begun(reporter.start("live", CLAIMS, HUMAN, 4, goal="Settle claim 700", conversationId="claim-700"))
    reporter.steps("live", run_id, 3, [chat(CLAIMS, (1_100, 90)), tool("read_claim", '{"claim": 700}')])
    below = _begun(reporter.start("live-child", NIGHT, SERVICE, 2, goal="Check the ledger", parentRunId=run_id))
    reporter.steps("live-child", below, 1, [chat(NIGHT, (500, 40))])
    _begun(reporter.start("waiting", CLAIMS, HUMAN, 1, goal="Settle claim 701"))
    reporter.capture("live", below, {"host.name": "desk-3"}, within=run_id)
    silent = _begun(reporter.start("silent", NIGHT, SYSTEM, 30, goal="Reconcile the month"))
    reporter.steps("silent", silent, 29, [chat(NIGHT, (800, 70))])


def _begun(run_id: str | None) -> str:
    if run_id is None:
        raise RequestFailed(200, "a run of the demo fleet was refused")
    return run_id
