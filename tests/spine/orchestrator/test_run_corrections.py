"""What later spans correct: runs named after a root, and what was said of totals that were known in part."""

from spine.contracts.actors import Principal
from spine.contracts.enums import (
    Consequence,
    LimitType,
    RiskLevel,
    RuleMode,
)
from spine.contracts.evidence import IncidentsByKey
from spine.contracts.paging import PageRequest
from spine.contracts.runs import RunsByKey, RunSummary
from spine.contracts.signals import ListSignals, SignalsByKey
from tests.conftest import Execute
from tests.spine.orchestrator.governed import FAILED, limit, rule, titles, verified
from tests.spine.orchestrator.reported import (
    a_chat,
    a_span,
    a_tool,
    an_agent,
    evidence_of,
    send,
    signals_of,
    the_run,
)


class TestARunNamedAfterItsRoot:
    """It is withdrawn when an agent arrives in its trace."""

    async def test_is_seen_nowhere_once_an_agent_arrives(self, execute: Execute, principal: Principal) -> None:
        await rule(execute, principal, "no tools", "step.kind == 'EXECUTE_TOOL'", mode=RuleMode.BLOCK,
                   consequence=Consequence.INCIDENT)  # fmt: skip
        root = a_span(1, name="POST /chat", **FAILED)
        await send(execute, principal, [root, a_tool(3, 2), a_tool(4, 1)])
        named = await the_run(execute, principal)
        assert (named.agent_name, named.step_count, named.incident_count) == ("POST /chat", 2, 2)
        (signal, *_) = await signals_of(execute, principal, named.key)
        incidents = (await evidence_of(execute, principal, [named.key]))[named.key].incidents
        assert incidents is not None

        await send(execute, principal, [an_agent(2, 1)])
        run = await the_run(execute, principal)
        assert (run.agent_name, run.step_count, run.incident_count) == ("clerk", 1, 1)
        assert await titles(execute, principal) == ["clerk was blocked by the rule no tools"]
        assert await verified(execute, principal)
        assert (await execute("activity.runs_by_key", RunsByKey((named.key,)), principal)).unwrap() == {}
        assert await evidence_of(execute, principal, [named.key]) == {}
        assert (await execute("activity.signals_by_key", SignalsByKey((signal.key,)), principal)).unwrap() == {}
        page = (await execute("activity.signals", ListSignals(page=PageRequest(100)), principal)).unwrap()
        assert {one.run_key for one in page.nodes} == {run.key}
        keys = tuple(incident.key for incident in incidents.nodes)
        assert (await execute("incidents.by_key", IncidentsByKey(keys), principal)).unwrap() == {}

    async def test_leaves_steps_that_wait_for_the_agent_to_be_judged_with_their_payloads(
        self, execute: Execute, principal: Principal
    ) -> None:
        await rule(execute, principal, "reads", "step.output.contains('secret') && step.input == 'key'")
        payloads = {"gen_ai.tool.call.arguments": "key", "gen_ai.tool.call.result": "a secret"}
        await send(execute, principal, [a_span(1), a_tool(3, 2, attributes=payloads)])
        await send(execute, principal, [an_agent(2, 1)])
        run = await the_run(execute, principal)
        evidence = (await evidence_of(execute, principal, [run.key]))[run.key]
        assert evidence.policies is not None
        assert [(one.outcome, one.step_index) for one in evidence.policies.nodes] == [("WARN", 1)]


class TestCorrectedTotals:
    """An agent's own usage counts until its calls are known; what was said of it is then taken back."""

    async def overstated(self, execute: Execute, principal: Principal) -> RunSummary:
        usage = {"gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 100,
            "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}  # fmt: skip
        await send(execute, principal, [an_agent(1, attributes=usage)])
        return await the_run(execute, principal)

    async def test_a_breach_is_taken_back_with_its_incident_and_risk(
        self, execute: Execute, principal: Principal
    ) -> None:
        await limit(execute, principal, "tokens", LimitType.TOKENS_TOTAL, 500)
        run = await self.overstated(execute, principal)
        assert (run.input_tokens, run.risk_level, run.incident_count) == (900, RiskLevel.AT_RISK, 1)
        await send(execute, principal, [a_chat(2, 1, 100, 50)])
        run = await the_run(execute, principal)
        assert (run.input_tokens, run.risk_level, run.incident_count) == (100, RiskLevel.NORMAL, 0)
        assert await titles(execute, principal) == []
        evidence = (await evidence_of(execute, principal, [run.key]))[run.key]
        assert evidence.limits is not None
        assert list(evidence.limits.nodes) == []
        await send(execute, principal, [a_chat(3, 1, 300, 20)])
        run = await the_run(execute, principal)
        assert (run.risk_level, run.incident_count) == (RiskLevel.NEAR_THRESHOLD, 0)
        await send(execute, principal, [a_chat(4, 1, 300, 50)])
        run = await the_run(execute, principal)
        assert (run.risk_level, run.incident_count) == (RiskLevel.AT_RISK, 1), "the same incident is shown again"
        assert await titles(execute, principal) == ["clerk exceeded the limit tokens"]
        assert await verified(execute, principal)

    async def test_a_block_is_taken_back_with_its_incident_violation_and_risk(
        self, execute: Execute, principal: Principal
    ) -> None:
        await rule(execute, principal, "busy", "run.step_count < 3", mode=RuleMode.BLOCK,
                   consequence=Consequence.INCIDENT)  # fmt: skip
        run = await self.overstated(execute, principal)
        assert (run.policy_violation, run.risk_level, run.incident_count) == (True, RiskLevel.VIOLATED, 1)
        await send(execute, principal, [a_chat(number, 1) for number in (2, 3, 4)])
        run = await the_run(execute, principal)
        assert (run.policy_violation, run.risk_level, run.incident_count) == (False, RiskLevel.NORMAL, 0)
        assert await verified(execute, principal)

    async def test_what_was_said_of_steps_stays(self, execute: Execute, principal: Principal) -> None:
        await rule(execute, principal, "busy", "run.step_count < 3", mode=RuleMode.BLOCK)
        await rule(execute, principal, "no tools", "step.kind == 'EXECUTE_TOOL'", mode=RuleMode.BLOCK,
                   consequence=Consequence.INCIDENT)  # fmt: skip
        await self.overstated(execute, principal)
        await send(execute, principal, [a_tool(2, 1)])
        await send(execute, principal, [a_chat(3, 1), a_chat(4, 1)])
        run = await the_run(execute, principal)
        assert (run.policy_violation, run.risk_level, run.incident_count) == (True, RiskLevel.VIOLATED, 1)

    async def test_a_failed_run_stays_violated(self, execute: Execute, principal: Principal) -> None:
        await rule(execute, principal, "busy", "run.step_count < 3", mode=RuleMode.BLOCK)
        await send(execute, principal, [an_agent(1, **FAILED)])
        await send(execute, principal, [a_chat(number, 1) for number in (2, 3, 4)])
        run = await the_run(execute, principal)
        assert (run.policy_violation, run.risk_level, run.incident_count) == (False, RiskLevel.VIOLATED, 1)
