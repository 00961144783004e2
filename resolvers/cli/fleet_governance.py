"""The demo fleet's rules, limits and prices, how they change while it runs, and what people say of its signals.

Every step first looks whether it has been taken, so that a demo that was interrupted can go on.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from resolvers.cli.client import Client

Act = Callable[[], None]

RULES: Final[tuple[dict[str, str], ...]] = (
    {
        "name": "No refund above 500 dollars",
        "description": "Larger refunds need a person.",
        "condition": 'step.skill_name == "issue_refund" && step.input.matches("amount\\": ?([5-9][0-9]{2}|[0-9]{4,})")',
        "mode": "BLOCK",
        "consequence": "INCIDENT",
        "scope": "TENANT",
    },
    {
        "name": "No unregistered agents",
        "description": "Crawlers that nobody registered may not begin.",
        "condition": 'run.agent_id.startsWith("shadow-")',
        "mode": "BLOCK",
        "consequence": "ABORT",
        "scope": "GLOBAL",
    },
    {
        "name": "Addresses in tool results",
        "description": "Tells where personal data passes through.",
        "condition": 'step.kind == "EXECUTE_TOOL" && step.output.contains("@example.com")',
        "mode": "AUDIT",
        "scope": "TENANT",
    },
    {
        "name": "Unapproved model provider",
        "description": "Localisation tries out a new provider; it should know that we see it.",
        "condition": 'run.provider == "acme-ai"',
        "mode": "WARN",
        "scope": "PROJECT",
        "scopeId": "localisation",
    },
    {
        "name": "Tokens by failed step",
        "description": "Undecidable for a run without failures: it shows what a rule that cannot be decided does.",
        "condition": "run.total_tokens / run.failed_step_count > 5000",
        "mode": "WARN",
        "scope": "AGENT",
        "scopeId": "load-probe",
    },
    {
        "name": "Long answers",
        "description": "Not in force while the writers look at it.",
        "condition": "step.output_tokens > 5000",
        "mode": "DISABLED",
        "scope": "TENANT",
    },
    {
        "name": "Costly runs",
        "description": "Replaced by a limit.",
        "condition": "run.cost_known && run.cost_micro_usd > 400000",
        "mode": "WARN",
        "scope": "TENANT",
    },
)
LIMITS: Final[tuple[dict[str, str], ...]] = (
    {"name": "Tokens of any run", "limitType": "TOKENS_TOTAL", "maxValue": "60000", "scope": "GLOBAL"},
    {
        "name": "Cost of any run",
        "limitType": "COST_USD",
        "maxValue": "0.10",
        "scope": "TENANT",
        "consequence": "INCIDENT",
    },
    {
        "name": "Time of a review",
        "limitType": "TIME_MS",
        "maxValue": "100000",
        "scope": "PROJECT",
        "scopeId": "engineering",
        "consequence": "INCIDENT",
    },
    {
        "name": "Failures of the night batch",
        "limitType": "FAILURES",
        "maxValue": "3",
        "scope": "AGENT",
        "scopeId": "night-batch",
        "consequence": "ABORT",
    },
    {"name": "Time of the first trial", "limitType": "TIME_MS", "maxValue": "1000", "scope": "TENANT"},
)
PRICE: Final = {
    "provider": "ollama",
    "model": "qwen3-coder-30b",
    "inputUsdPerMillion": "0.04",
    "outputUsdPerMillion": "0.12",
    "source": "our own machines, electricity and depreciation",
}

FORGOTTEN: Final = "Answer ticket 4100"


def before(client: Client) -> list[Act]:
    """What is in force before the first run."""
    return [
        lambda: set_price(client),
        *(lambda rule=rule: ensure(client, "PolicyRules", "CreatePolicyRule", rule) for rule in RULES),
        *(lambda limit=limit: ensure(client, "Limits", "CreateLimit", limit) for limit in LIMITS),
        lambda: disable_first_trial(client),
    ]


def between(client: Client) -> list[Act]:
    """What changes while the fleet runs: a rule's second version, a higher limit."""
    return [lambda: widen_addresses(client), lambda: raise_tokens(client)]


def after(client: Client, base: datetime) -> list[Act]:
    """What is left to do when the fleet has run."""
    return [lambda: retire_costly(client), lambda: answer_signals(client, base), lambda: forget_ticket(client)]


def set_price(client: Client) -> None:
    """A price of the tenant's own, for a model that no list has."""
    client.mutate("governance", "SetModelPrice", PRICE)


def ensure(client: Client, listing: str, creation: str, wanted: dict[str, str]) -> None:
    """Create a rule or limit unless there is one of that name."""
    if wanted["name"] not in _named(client, listing):
        client.mutate("governance", creation, wanted)


def disable_first_trial(client: Client) -> None:
    """A limit that is no longer in force."""
    limit = _named(client, "Limits")["Time of the first trial"]
    if limit["status"] == "ACTIVE":
        client.mutate("governance", "DisableLimit", {"id": limit["id"], "reason": "it stopped every run"})


def widen_addresses(client: Client) -> None:
    """The second version of a rule also reads what models say."""
    rule = _named(client, "PolicyRules")["Addresses in tool results"]
    if rule["version"] == 1:
        change = {"id": rule["id"], "condition": 'step.output.contains("@example.com")', "expectedVersion": 1}
        client.mutate("governance", "UpdatePolicyRule", change)


def raise_tokens(client: Client) -> None:
    """A limit that turned out too low."""
    limit = _named(client, "Limits")["Tokens of any run"]
    client.mutate("governance", "UpdateLimit", {"id": limit["id"], "maxValue": "64000"})


def retire_costly(client: Client) -> None:
    """A rule that a limit has made superfluous."""
    rule = _named(client, "PolicyRules")["Costly runs"]
    if rule["status"] == "ACTIVE":
        client.mutate(
            "governance", "RetirePolicyRule", {"id": rule["id"], "reason": "the limit on cost says it better"}
        )


def answer_signals(client: Client, base: datetime) -> None:
    """People read some of the signals: acknowledge, suppress, escalate, reopen."""
    found = client.query("signals", "SignalsInbox", first=100)["signals"]["nodes"]
    found.sort(key=lambda one: (one["createdAt"], one["type"], one["summary"]))
    degraded = [one["id"] for one in found if one["type"] == "EVIDENCE_DEGRADED"]
    costly = [one["id"] for one in found if one["type"] == "COST_RISK"]
    blocked = [one["id"] for one in found if one["type"] == "POLICY_BREACH" and one["severity"] == "HIGH"]
    until = (base + timedelta(days=7)).isoformat()
    for signal_id in (*degraded, *costly):
        client.mutate("signals", "AcknowledgeSignal", {"id": signal_id, "reason": "seen"})
    for signal_id in degraded[:2]:
        client.mutate(
            "signals", "SuppressSignal", {"id": signal_id, "until": until, "reason": "known; fixed next week"}
        )
    for signal_id in blocked:
        client.mutate("signals", "EscalateSignal", {"id": signal_id, "reason": "for the agent's owner"})
    for signal_id in costly:
        client.mutate("signals", "ReopenSignal", {"id": signal_id, "reason": "it came back"})


def forget_ticket(client: Client) -> None:
    """A customer asked to be forgotten: what the run's spans carried is erased, its proof stays."""
    found = client.query("console", "Console", first=1, filter={"text": FORGOTTEN})["runs"]["edges"]
    for edge in found:
        client.mutate(
            "report_run", "RedactRun", {"id": edge["node"]["id"], "reason": "the customer asked to be forgotten"}
        )


def _named(client: Client, listing: str) -> dict[str, dict[str, Any]]:
    """The rules or limits by name."""
    page: dict[str, Any] = next(iter(client.query("governance", listing, first=100).values()))
    return {one["name"]: one for one in page["nodes"]}
