"""A run with a canary in all that its spans carry, rules that read it, and its erasure."""

from typing import Any
from uuid import UUID

from msgspec import structs

from spine.contracts.actors import Principal
from spine.contracts.enums import PayloadState, RuleMode
from spine.contracts.governance import CreatePolicyRule
from spine.contracts.proof import RunProof
from spine.contracts.runs import RedactRun
from tests.conftest import Execute
from tests.spine.orchestrator.reported import a_chat, a_span, an_agent

CANARY = "pin 4711"
TOLD = f"the {CANARY} is mine"
ANSWERED = f"your {CANARY} is kept"
PAYLOAD = {"gen_ai.input.messages": TOLD, "gen_ai.output.messages": ANSWERED, "note": f"noted {CANARY}"}
SPANS = [
    a_span(1, attributes={"traceloop.entity.input": TOLD, "traceloop.span.kind": "workflow"}),
    an_agent(2, 1, attributes=PAYLOAD),
    a_chat(3, 2, attributes=PAYLOAD),
    a_chat(4, 2, attributes=PAYLOAD),
]
CHANGED = structs.replace(SPANS[2], name="another", attributes={**SPANS[2].attributes, "more": CANARY})
RULES = {
    "says pin": 'step.input.contains("pin")',
    "quotes": '{"a": true}[step.input]',
    "counts": "{1: true}[size(step.output)]",
}
"""A rule that holds, and two whose errors quote what they read."""


async def redact(execute: Execute, principal: Principal, run: UUID, reason: str = "asked to forget") -> Any:
    return await execute("activity.redact_run", RedactRun(run, reason), principal)


async def govern(execute: Execute, principal: Principal) -> None:
    for name, condition in RULES.items():
        rule = CreatePolicyRule(name=name, condition=condition, mode=RuleMode.WARN)
        (await execute("policies.create_rule", rule, principal)).unwrap()


def states(proof: RunProof) -> list[PayloadState]:
    return [log.state for log in proof.raw_logs or ()]
