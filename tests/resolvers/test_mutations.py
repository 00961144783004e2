"""Writes through GraphQL: the changed object as it is now, or why nothing was written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spine.authority.rbac import VIEWER
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import Role
from tests.resolvers.conftest import Answer, Ask, govern
from tests.resolvers.test_queries import absent, document

NOW = datetime.now(UTC)


def run_input(**changes: Any) -> dict[str, Any]:
    return {
        "idempotencyKey": "start-1",
        "agentId": "booker",
        "actor": {"kind": "HUMAN", "id": "u-1", "name": "Ann"},
        "originSystemId": "tests",
        "goal": "book a flight",
        "startedAt": NOW.isoformat(),
        **changes,
    }


def step_input(step_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "stepId": step_id,
        "name": "chat gpt-4o",
        "kind": "CHAT",
        "model": "gpt-4o",
        "provider": "openai",
        "startedAt": NOW.isoformat(),
        "endedAt": (NOW + timedelta(seconds=1)).isoformat(),
        "inputTokens": 100,
        "outputTokens": 10,
        **changes,
    }


async def report(ask: Ask, name: str, given: dict[str, Any]) -> Answer:
    return await ask(document("report_run.graphql", name), {"input": given})


async def started(ask: Ask, **changes: Any) -> str:
    answer = await report(ask, "StartRun", run_input(**changes))
    return str(answer.data["startRun"]["run"]["id"])


def refusals(answer: Answer) -> list[tuple[str | None, str]]:
    """Field and code of each user error of the only payload."""
    assert answer.errors == []
    (payload,) = answer.data.values()
    assert [name for name, value in payload.items() if value and name != "userErrors"] == []
    return [(error["field"], error["code"]) for error in payload["userErrors"]]


class TestReportingRuns:
    async def test_start_append_complete(self, ask: Ask) -> None:
        run_id = await started(ask)
        appended = await report(
            ask,
            "AppendSteps",
            {"idempotencyKey": "a-1", "runId": run_id, "steps": [step_input("s-1"), step_input("s-2")]},
        )
        assert appended.data["appendSteps"]["userErrors"] == []
        assert appended.data["appendSteps"]["run"]["stepCount"] == 2
        completed = await report(ask, "CompleteRun", {"idempotencyKey": "c-1", "runId": run_id, "status": "SUCCEEDED"})
        run = completed.data["completeRun"]["run"]
        assert (run["status"], run["state"], run["inputTokens"]) == ("SUCCEEDED", "COMPLETED", 200)

    async def test_the_same_key_is_the_same_run_and_another_body_a_conflict(self, ask: Ask) -> None:
        assert await started(ask) == await started(ask)
        assert refusals(await report(ask, "StartRun", run_input(goal="another"))) == [("idempotencyKey", "CONFLICT")]

    async def test_an_attribution_rule_is_named(self, ask: Ask) -> None:
        answer = await report(ask, "StartRun", run_input(actor={"kind": "HUMAN"}))
        (error,) = answer.data["startRun"]["userErrors"]
        assert (error["code"], error["reason"]) == ("RUN_VALIDATION_FAILURE", "ATTR_ACTOR_ID_REQUIRED")

    async def test_an_absent_run_and_a_malformed_id(self, ask: Ask) -> None:
        given = {"idempotencyKey": "c-1", "runId": absent(await started(ask)), "status": "SUCCEEDED"}
        assert refusals(await report(ask, "CompleteRun", given))[0][1] == "NOT_FOUND"
        assert refusals(await report(ask, "CompleteRun", given | {"runId": "x"})) == [("runId", "VALIDATION")]

    async def test_a_refused_start_is_an_error_beside_the_run_that_shows_why(self, ask: Ask) -> None:
        rule = {"name": "no bookers", "condition": 'run.agent_id == "booker"', "mode": "BLOCK"}
        await ask(document("governance.graphql", "CreatePolicyRule"), {"input": rule})
        payload = (await report(ask, "StartRun", run_input())).data["startRun"]
        assert (payload["run"]["status"], payload["run"]["riskLevel"]) == ("FAILED_POLICY", "VIOLATED")
        (error,) = payload["userErrors"]
        assert error["code"] == "POLICY_DENIED"
        assert "no bookers" in error["message"]

    async def test_refused_steps_are_an_error_and_leave_the_run_live(self, ask: Ask) -> None:
        rule = {"name": "no gpt", "condition": 'step.model == "gpt-4o"', "mode": "BLOCK"}
        await ask(document("governance.graphql", "CreatePolicyRule"), {"input": rule})
        given = {"idempotencyKey": "a-1", "runId": await started(ask), "steps": [step_input("s-1")]}
        payload = (await report(ask, "AppendSteps", given)).data["appendSteps"]
        assert [error["code"] for error in payload["userErrors"]] == ["POLICY_DENIED"]
        assert (payload["run"]["state"], payload["run"]["stepCount"]) == ("LIVE", 0)

    async def test_two_writes_of_one_request_each_show_their_own_state(self, ask: Ask) -> None:
        run_id = await started(ask)
        query = """mutation($a: AppendStepsInput!, $b: AppendStepsInput!) {
            one: appendSteps(input: $a) { run { stepCount proof { integrity { chainLength } } } }
            two: appendSteps(input: $b) { run { stepCount } } }"""
        given = {
            name: {"idempotencyKey": f"k-{name}", "runId": run_id, "steps": [step_input(f"s-{name}")]} for name in "ab"
        }
        data = (await ask(query, given)).data
        assert (data["one"]["run"]["stepCount"], data["two"]["run"]["stepCount"]) == (1, 2)


class TestSignals:
    async def test_feedback_is_shown_as_it_is_now(self, ask: Ask, runtime: Runtime, principal: Principal) -> None:
        await govern(runtime, principal, 1)
        signal = (await ask("{ signals(first: 1) { nodes { id } } }")).data["signals"]["nodes"][0]["id"]
        until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        steps: tuple[tuple[str, dict[str, Any], dict[str, bool]], ...] = (
            ("AcknowledgeSignal", {}, {"acknowledged": True}),
            ("SuppressSignal", {"until": until, "reason": "known"}, {"suppressed": True, "acknowledged": True}),
            ("EscalateSignal", {"reason": "again"}, {"escalated": True}),
            ("ReopenSignal", {}, {"suppressed": False, "acknowledged": True}),
        )
        for name, given, shown in steps:
            answer = await ask(document("signals.graphql", name), {"input": {"id": signal, **given}})
            (payload,) = answer.data.values()
            assert payload["userErrors"] == []
            assert payload["signal"]["feedback"] == {**payload["signal"]["feedback"], **shown}

    async def test_more_than_30_days_is_refused(self, ask: Ask, runtime: Runtime, principal: Principal) -> None:
        await govern(runtime, principal, 1)
        signal = (await ask("{ signals(first: 1) { nodes { id } } }")).data["signals"]["nodes"][0]["id"]
        until = (datetime.now(UTC) + timedelta(days=31)).isoformat()
        given = {"id": signal, "until": until, "reason": "r"}
        assert refusals(await ask(document("signals.graphql", "SuppressSignal"), {"input": given})) == [
            ("until", "VALIDATION")
        ]


class TestGovernance:
    async def write(self, ask: Ask, operation: str, /, **given: Any) -> Answer:
        return await ask(document("governance.graphql", operation), {"input": given})

    async def test_a_rule_from_creation_to_retirement(self, ask: Ask) -> None:
        created = await self.write(ask, "CreatePolicyRule", name="r", condition="run.total_tokens > 5", mode="AUDIT")
        rule = created.data["createPolicyRule"]["policyRule"]
        assert (rule["phase"], rule["version"], rule["status"]) == ("RUN_END", 1, "ACTIVE")
        updated = await self.write(ask, "UpdatePolicyRule", id=rule["id"], mode="BLOCK", expectedVersion=1)
        assert updated.data["updatePolicyRule"]["policyRule"]["version"] == 2
        stale = await self.write(ask, "UpdatePolicyRule", id=rule["id"], mode="WARN", expectedVersion=1)
        assert [code for _, code in refusals(stale)] == ["CONFLICT"]
        retired = await self.write(ask, "RetirePolicyRule", id=rule["id"], reason="done")
        assert retired.data["retirePolicyRule"]["policyRule"]["retirementReason"] == "done"

    async def test_a_condition_that_does_not_compile_says_where(self, ask: Ask) -> None:
        answer = await self.write(
            ask, "CreatePolicyRule", name="r", condition="run.total_tokens > 5 &&\n run.cosst > 1"
        )
        (error,) = answer.data["createPolicyRule"]["userErrors"]
        assert (error["field"], error["code"]) == ("condition", "CONDITION_INVALID")
        assert error["message"].startswith("2:")

    async def test_a_limit_from_creation_to_its_end(self, ask: Ask) -> None:
        created = await self.write(ask, "CreateLimit", name="l", limitType="COST_USD", maxValue="0.25")
        limit = created.data["createLimit"]["limit"]
        assert (limit["maxValue"], limit["unit"]) == ("0.25", "USD")
        updated = await self.write(ask, "UpdateLimit", id=limit["id"], maxValue="0.5")
        assert updated.data["updateLimit"]["limit"]["maxValue"] == "0.5"
        disabled = await self.write(ask, "DisableLimit", id=limit["id"], reason="r")
        assert disabled.data["disableLimit"]["limit"]["status"] == "DISABLED"

    async def test_a_limit_out_of_range_breaks_an_invariant(self, ask: Ask) -> None:
        answer = await self.write(ask, "CreateLimit", name="l", limitType="FAILURES", maxValue="0")
        assert [code for _, code in refusals(answer)] == ["INVARIANT_VIOLATION"]

    async def test_a_price_is_the_one_that_was_set(self, ask: Ask) -> None:
        given = {"provider": "Own", "model": "M-1", "source": "contract"}
        answer = await self.write(ask, "SetModelPrice", **given, inputUsdPerMillion="1.5", outputUsdPerMillion="2")
        price = answer.data["setModelPrice"]["modelPrice"]
        assert (price["model"], price["isShipped"], price["source"]) == ("m-1", False, "contract")

    async def test_what_was_written_is_in_the_ledger(self, ask: Ask) -> None:
        created = await self.write(ask, "CreateLimit", name="l", limitType="FAILURES", maxValue="3")
        limit = created.data["createLimit"]["limit"]["id"]
        query = """query($id: String) { auditEntries(filter: {entityId: $id, entityType: [LIMIT]}) {
            nodes { eventType operation requestId actor { kind } afterState } } }"""
        (entry,) = (await ask(query, {"id": limit})).data["auditEntries"]["nodes"]
        assert (entry["operation"], entry["requestId"]) == ("controls.create_limit", "test-request")
        assert entry["afterState"]["name"] == "l"


class TestRights:
    @pytest.fixture
    def reader(self, principal: Principal) -> Principal:
        return Principal(principal.tenant_id, principal.actor, Role.VIEWER, VIEWER, principal.key_id)

    async def test_a_reader_may_not_write(self, ask: Ask, reader: Principal) -> None:
        query = document("report_run.graphql", "StartRun")
        assert refusals(await ask(query, {"input": run_input()}, by=reader)) == [(None, "FORBIDDEN")]

    async def test_nor_read_payloads(self, ask: Ask, reader: Principal, runtime: Runtime, principal: Principal) -> None:
        await govern(runtime, principal, 1)
        query = (
            "{ runs { nodes { proof(includePayloads: true) { rawLogs { input } integrity { verificationStatus } } } } }"
        )
        for who, shown in ((principal, True), (reader, False)):
            (run,) = (await ask(query, by=who)).data["runs"]["nodes"]
            assert (run["proof"]["rawLogs"] is not None) is shown
            assert run["proof"]["integrity"]["verificationStatus"] == "VERIFIED"
