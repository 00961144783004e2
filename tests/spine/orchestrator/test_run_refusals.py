"""Rules and limits while a reported run goes on: refusals that are evidence, and what keeps a run from going on."""

from decimal import Decimal

import pytest

from spine.contracts.enums import (
    Consequence,
    DecisionOutcome,
    EvaluationOutcome,
    LimitLevel,
    LimitType,
    RiskLevel,
    RuleMode,
    RunState,
    RunStatus,
    SignalType,
    TerminationReason,
    VerificationStatus,
)
from spine.contracts.errors import ErrorCode
from spine.contracts.governance import UpdateLimit
from tests.spine.orchestrator.reported import evidence_of, proof_of, signals_of
from tests.spine.orchestrator.reporting import Reporter, a_step, failure


class TestARefusedStart:
    async def test_leaves_a_run_that_ended_by_policy_with_its_evidence(self, reporter: Reporter) -> None:
        await reporter.rule("no refunds", "run.goal.contains('refund')", consequence=Consequence.INCIDENT)
        changed = await reporter.start(goal="refund me")
        assert changed.refused_by == "no refunds"
        run = await reporter.run(changed.run_key)
        assert (run.status, run.state, run.termination_reason) == (
            RunStatus.FAILED_POLICY,
            RunState.COMPLETED,
            TerminationReason.POLICY_BLOCK,
        )
        assert (run.policy_violation, run.risk_level, run.incident_count) == (True, RiskLevel.VIOLATED, 1)
        evidence = (await evidence_of(reporter.execute, reporter.principal, [run.key]))[run.key]
        assert evidence.policies is not None
        assert evidence.decisions is not None
        assert [(one.policy_name, one.outcome) for one in evidence.policies.nodes] == [
            ("no refunds", EvaluationOutcome.BLOCK)
        ]
        assert [one.outcome for one in evidence.decisions.nodes] == [DecisionOutcome.BLOCKED]
        proof = (await proof_of(reporter.execute, reporter.principal, run.key)).integrity
        assert proof.first_break is None
        assert proof.root_hash is not None
        assert (await failure(reporter.append(run.key, a_step(1)))).code is ErrorCode.CONFLICT

    async def test_does_not_happen_for_a_rule_that_only_warns(self, reporter: Reporter) -> None:
        await reporter.rule("careful", "run.goal.contains('refund')", mode=RuleMode.WARN)
        changed = await reporter.start(goal="refund me")
        run = await reporter.run(changed.run_key)
        assert (changed.refused_by, run.state, run.risk_level) == (None, RunState.LIVE, RiskLevel.NEAR_THRESHOLD)

    async def test_is_what_an_undecidable_blocking_rule_means(self, reporter: Reporter) -> None:
        await reporter.rule("divides", "100 / (size(run.goal) - size(run.goal)) > 1")
        changed = await reporter.start()
        run = await reporter.run(changed.run_key)
        assert (changed.refused_by, run.status, run.policy_violation) == ("divides", RunStatus.FAILED_POLICY, True)

    async def test_is_not_what_an_undecidable_warning_means(self, reporter: Reporter) -> None:
        await reporter.rule("divides", "100 / (size(run.goal) - size(run.goal)) > 1", mode=RuleMode.WARN)
        changed = await reporter.start()
        assert (changed.refused_by, (await reporter.run(changed.run_key)).risk_level) == (None, RiskLevel.AT_RISK)


class TestRefusedSteps:
    async def test_are_not_recorded_but_their_refusal_is(self, reporter: Reporter) -> None:
        await reporter.rule("no secrets", "step.output.contains('secret')", consequence=Consequence.INCIDENT)
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        changed = await reporter.append(key, a_step(2), a_step(3, output="a secret"))
        assert changed.refused_by == "no secrets"
        run = await reporter.run(key)
        assert (run.step_count, run.state, run.policy_violation) == (1, RunState.LIVE, True)
        assert (run.risk_level, run.incident_count) == (RiskLevel.VIOLATED, 1)
        await reporter.append(key, a_step(4))
        await reporter.complete(key)
        evidence = (await evidence_of(reporter.execute, reporter.principal, [key]))[key]
        assert evidence.policies is not None
        assert {(one.outcome, one.count) for one in evidence.policies.nodes} == {
            (EvaluationOutcome.ALLOW, 2),
            (EvaluationOutcome.BLOCK, 1),
        }
        assert [one.step_index for one in evidence.policies.nodes] == [None, None]
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_are_what_an_undecidable_blocking_rule_means(self, reporter: Reporter) -> None:
        await reporter.rule("divides", "100 / step.input_tokens > 1")
        key = (await reporter.start()).run_key
        changed = await reporter.append(key, a_step(1, input_tokens=0))
        run = await reporter.run(key)
        assert (changed.refused_by, run.step_count, run.policy_violation) == ("divides", 0, True)
        await reporter.append(key, a_step(2, input_tokens=200))
        await reporter.complete(key)
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_keep_the_run_violated_to_its_end(self, reporter: Reporter) -> None:
        await reporter.rule("no secrets", "step.output.contains('secret')")
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1, output="secret"))
        await reporter.append(key, a_step(2))
        await reporter.complete(key)
        run = await reporter.run(key)
        assert (run.policy_violation, run.risk_level) == (True, RiskLevel.VIOLATED)


class TestLimits:
    async def test_an_exceeded_limit_that_aborts_refuses_further_steps(self, reporter: Reporter) -> None:
        await reporter.limit("budget", LimitType.TOKENS_TOTAL, "2000", consequence=Consequence.ABORT)
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        assert (await reporter.run(key)).risk_level is RiskLevel.NORMAL
        await reporter.append(key, a_step(2))  # 2,200 tokens: recorded, and too many
        run = await reporter.run(key)
        assert (run.risk_level, run.incident_count, run.step_count) == (RiskLevel.AT_RISK, 1, 2)
        error = await failure(reporter.append(key, a_step(3)))
        assert (error.code, error.message) == (
            ErrorCode.POLICY_DENIED,
            "refused by budget: the run has exceeded it",
        )
        await reporter.complete(key)
        evidence = (await evidence_of(reporter.execute, reporter.principal, [key]))[key]
        assert evidence.limits is not None
        assert evidence.decisions is not None
        assert [(one.level, one.breached_value) for one in evidence.limits.nodes] == [
            (LimitLevel.BREACH, Decimal(2_200))
        ]
        assert [one.outcome for one in evidence.decisions.nodes] == [DecisionOutcome.STOPPED]
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    @pytest.mark.parametrize("consequence", [Consequence.ALERT, Consequence.INCIDENT])
    async def test_any_other_consequence_lets_the_run_go_on(self, reporter: Reporter, consequence: Consequence) -> None:
        await reporter.limit("budget", LimitType.TOKENS_TOTAL, "1000", consequence=consequence)
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.append(key, a_step(2))
        run = await reporter.run(key)
        assert (run.step_count, run.incident_count) == (2, int(consequence is Consequence.INCIDENT))

    async def test_near_comes_before_breach_and_each_raises_its_signal(self, reporter: Reporter) -> None:
        await reporter.limit("budget", LimitType.TOKENS_TOTAL, "2500")
        key = (await reporter.start()).run_key
        levels = []
        for number in range(3):
            await reporter.append(key, a_step(number))
            evidence = (await evidence_of(reporter.execute, reporter.principal, [key]))[key]
            assert evidence.limits is not None
            levels.append([(one.level, int(one.breached_value)) for one in evidence.limits.nodes])
        assert levels == [[], [("NEAR", 2_200)], [("BREACH", 3_300)]]
        signals = {one.type for one in await signals_of(reporter.execute, reporter.principal, key)}
        assert signals == {SignalType.THRESHOLD_PROXIMITY, SignalType.TOKEN_RISK}

    async def test_a_raised_limit_lets_the_run_go_on_but_its_risk_stays(self, reporter: Reporter) -> None:
        limit = await reporter.limit("budget", LimitType.TOKENS_TOTAL, "1000", consequence=Consequence.ABORT)
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        assert (await failure(reporter.append(key, a_step(2)))).code is ErrorCode.POLICY_DENIED
        change = UpdateLimit(limit_key=limit, max_value=Decimal(100_000), consequence=Consequence.ALERT)
        (await reporter.execute("controls.update_limit", change, reporter.principal)).unwrap()
        await reporter.append(key, a_step(2))
        run = await reporter.run(key)
        assert (run.step_count, run.risk_level, run.incident_count) == (2, RiskLevel.AT_RISK, 1)
        evidence = (await evidence_of(reporter.execute, reporter.principal, [key]))[key]
        assert evidence.limits is not None
        assert list(evidence.limits.nodes) == []
        await reporter.complete(key)
        assert (await reporter.run(key)).risk_level is RiskLevel.AT_RISK
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_a_final_rule_judges_the_totals(self, reporter: Reporter) -> None:
        await reporter.rule("frugal", "run.total_tokens > 1000", mode=RuleMode.BLOCK, consequence=Consequence.INCIDENT)
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        assert (await reporter.run(key)).policy_violation is False, "totals are judged at the end"
        await reporter.complete(key)
        run = await reporter.run(key)
        assert (run.policy_violation, run.incident_count, run.status) == (True, 1, RunStatus.SUCCEEDED)
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED
