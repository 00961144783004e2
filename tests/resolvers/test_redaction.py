"""Erasing a run's payloads through GraphQL: what its mutation answers, and what the run then shows."""

from typing import Any

import pytest
from msgspec import structs

from spine.authority.rbac import ADMIN
from spine.contracts.actors import Principal
from spine.contracts.enums import Role
from tests.resolvers.conftest import Ask
from tests.resolvers.roots import ABSENT
from tests.resolvers.test_mutations import refusals, report, started, step_input
from tests.resolvers.test_queries import document

REDACT = document("report_run.graphql", "RedactRun")
SHOWN = """query($id: ID!) { run(id: $id) { redactedAt proof(includePayloads: true) {
    integrity { verificationStatus }
    rawLogs { state redactedAt input output attributes salt }
} } }"""


async def ended(ask: Ask) -> str:
    """A run of one step that has a payload."""
    run = await started(ask)
    steps = [step_input("s-1", input="pin 4711", output="kept")]
    await report(ask, "AppendSteps", {"idempotencyKey": "a", "runId": run, "steps": steps})
    await report(ask, "CompleteRun", {"idempotencyKey": "c", "runId": run, "status": "SUCCEEDED"})
    return run


async def shown(ask: Ask, run: str) -> Any:
    answer = await ask(SHOWN, {"id": run})
    assert answer.errors == []
    return answer.data["run"]


class TestRedactRun:
    async def test_says_redacted_where_payloads_were_and_the_run_stays_verified(self, ask: Ask) -> None:
        run = await ended(ask)
        before = await shown(ask, run)
        (log,) = before["proof"]["rawLogs"]
        assert (before["redactedAt"], log["state"], log["redactedAt"], log["input"]) == (
            None,
            "PRESENT",
            None,
            "pin 4711",
        )
        assert len(log["salt"]) == 64
        answer = await ask(REDACT, {"input": {"id": run, "reason": "asked to forget"}})
        assert answer.errors == []
        assert answer.data["redactRun"]["userErrors"] == []
        at = answer.data["redactRun"]["run"]["redactedAt"]
        gone = dict.fromkeys(("input", "output", "attributes", "salt"))
        assert await shown(ask, run) == {
            "redactedAt": at,
            "proof": {
                "integrity": {"verificationStatus": "VERIFIED"},
                "rawLogs": [{"state": "REDACTED", "redactedAt": at, **gone}],
            },
        }
        again = await ask(REDACT, {"input": {"id": run, "reason": "asked twice"}})
        assert again.data["redactRun"]["run"]["redactedAt"] == at

    async def test_is_for_owners(self, ask: Ask, principal: Principal) -> None:
        run = await ended(ask)
        admin = structs.replace(principal, role=Role.ADMIN, permissions=ADMIN)
        assert refusals(await ask(REDACT, {"input": {"id": run, "reason": "x"}}, by=admin)) == [(None, "FORBIDDEN")]
        assert (await shown(ask, run))["redactedAt"] is None

    @pytest.mark.parametrize(
        ("changes", "refused"),
        [
            ({"id": ABSENT["Run"]}, (None, "NOT_FOUND")),
            ({"id": ABSENT["Signal"]}, ("id", "VALIDATION")),
            ({"id": "x"}, ("id", "VALIDATION")),
            ({"reason": ""}, ("reason", "VALIDATION")),
            ({"reason": "x" * 1025}, ("reason", "VALIDATION")),
            ({"reason": "a\0b"}, ("reason", "VALIDATION")),
        ],
    )
    async def test_says_why_nothing_was_erased(
        self, ask: Ask, changes: dict[str, Any], refused: tuple[str | None, str]
    ) -> None:
        run = await ended(ask)
        answer = await ask(REDACT, {"input": {"id": run, "reason": "x", **changes}})
        assert refusals(answer) == [refused]
        assert (await shown(ask, run))["redactedAt"] is None

    async def test_of_another_tenant_is_as_absent(self, ask: Ask, other: Principal) -> None:
        run = await ended(ask)
        answer = await ask(REDACT, {"input": {"id": run, "reason": "x"}}, by=other)
        assert refusals(answer) == [(None, "NOT_FOUND")]
        assert (await shown(ask, run))["redactedAt"] is None
