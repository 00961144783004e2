"""Runs reported by mutation: the happy path, the attribution rules, refusals that are evidence, and concurrency."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import (
    ActorKind,
    Consequence,
    DecisionOutcome,
    EvaluationOutcome,
    LimitLevel,
    LimitType,
    RiskLevel,
    RuleMode,
    RunSource,
    RunState,
    RunStatus,
    SignalType,
    StepKind,
    StepStatus,
    TerminationReason,
    VerificationStatus,
)
from spine.contracts.errors import ErrorCode, HocError, RunValidationFailed
from spine.contracts.governance import CreateLimit, CreatePolicyRule, UpdateLimit
from spine.contracts.runs import AppendSteps, CompleteRun, RunChanged, RunsByKey, RunSummary, StartRun, StepInput
from tests.conftest import Execute
from tests.spine.orchestrator.reported import evidence_of, proof_of, runs_of, signals_of

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SERVICE = Actor(ActorKind.SERVICE, None, None)
START = StartRun(
    idempotency_key="start",
    agent_id="clerk",
    actor=SERVICE,
    origin_system_id="shop",
    goal="Sell a ticket.",
    provider="openai",
    model="gpt-4o",
    started_at=NOW,
)


def a_step(number: int, **changes: Any) -> StepInput:
    started = NOW + timedelta(seconds=number)
    step = StepInput(
        step_id=f"step {number}",
        name="chat gpt-4o",
        kind=StepKind.CHAT,
        model="gpt-4o",
        started_at=started,
        ended_at=started + timedelta(milliseconds=500),
        input_tokens=1_000,
        output_tokens=100,
        input="in",
        output="out",
    )
    return structs.replace(step, **changes)


class Reporter:
    """An SDK: it reports runs for one principal, each report under a key of its own."""

    def __init__(self, execute: Execute, principal: Principal) -> None:
        self.execute = execute
        self.principal = principal

    async def start(self, **changes: Any) -> RunChanged:
        request = structs.replace(START, **{"idempotency_key": uuid4().hex, **changes})
        changed: RunChanged = (await self.execute("activity.start_run", request, self.principal)).unwrap()
        return changed

    async def append(self, run: UUID, *steps: StepInput, key: str | None = None) -> RunChanged:
        request = AppendSteps(idempotency_key=key or uuid4().hex, run_key=run, steps=steps)
        changed: RunChanged = (await self.execute("activity.append_steps", request, self.principal)).unwrap()
        return changed

    async def complete(self, run: UUID, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> RunChanged:
        fields = {"idempotency_key": uuid4().hex, "completed_at": NOW + timedelta(seconds=60), **changes}
        request = CompleteRun(run_key=run, status=status, **fields)
        changed: RunChanged = (await self.execute("activity.complete_run", request, self.principal)).unwrap()
        return changed

    async def run(self, key: UUID) -> RunSummary:
        found: dict[UUID, RunSummary] = (
            await self.execute("activity.runs_by_key", RunsByKey((key,)), self.principal)
        ).unwrap()
        return found[key]

    async def verdict(self, key: UUID) -> VerificationStatus:
        return (await proof_of(self.execute, self.principal, key)).integrity.verification_status

    async def rule(self, name: str, condition: str, **changes: Any) -> None:
        request = CreatePolicyRule(name=name, condition=condition, **{"mode": RuleMode.BLOCK, **changes})
        (await self.execute("policies.create_rule", request, self.principal)).unwrap()

    async def limit(self, name: str, kind: LimitType, most: str, **changes: Any) -> UUID:
        request = CreateLimit(name=name, limit_type=kind, max_value=Decimal(most), **changes)
        key: UUID = (await self.execute("controls.create_limit", request, self.principal)).unwrap().limit_key
        return key


@pytest.fixture
def reporter(execute: Execute, principal: Principal) -> Reporter:
    return Reporter(execute, principal)


async def failure(report: Any) -> HocError:
    """The error that a report ends with."""
    with pytest.raises(HocError) as caught:
        await report
    return caught.value


class TestAReportedRun:
    async def test_starts_live_and_without_a_proof(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        run = await reporter.run(key)
        assert (run.status, run.state, run.source) == (RunStatus.RUNNING, RunState.LIVE, RunSource.SDK)
        assert (run.agent_id, run.agent_name, run.goal, run.project_id) == ("clerk", "clerk", START.goal, "default")
        assert (run.started_at, run.completed_at, run.duration_ms) == (NOW, None, None)
        assert await reporter.verdict(key) is VerificationStatus.UNSUPPORTED

    async def test_grows_by_its_steps(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1), a_step(2, status=StepStatus.FAILURE, outcome_code="E1"))
        run = await reporter.run(key)
        assert (run.step_count, run.failed_step_count) == (2, 1)
        assert (run.input_tokens, run.output_tokens) == (2_000, 200)
        assert run.cost_usd == Decimal("0.007000")
        assert await reporter.verdict(key) is VerificationStatus.UNSUPPORTED

    async def test_ends_sealed_and_verified(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(2), a_step(1))
        await reporter.append(key, a_step(3, kind=StepKind.EXECUTE_TOOL, name="search", model=None))
        await reporter.complete(key)
        run = await reporter.run(key)
        assert (run.status, run.state, run.duration_ms) == (RunStatus.SUCCEEDED, RunState.COMPLETED, 60_000)
        proof = await proof_of(reporter.execute, reporter.principal, key)
        assert proof.integrity.verification_status is VerificationStatus.VERIFIED
        assert proof.integrity.chain_length == 3
        assert [step.started_at for step in proof.steps] == [NOW + timedelta(seconds=one) for one in (1, 2, 3)]
        assert [step.step_index for step in proof.steps] == [1, 0, 2]

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (RunStatus.SUCCEEDED, TerminationReason.COMPLETED),
            (RunStatus.FAILED, TerminationReason.SYSTEM_FAILURE),
            (RunStatus.FAILED_POLICY, TerminationReason.POLICY_BLOCK),
            (RunStatus.CANCELLED, TerminationReason.USER_ABORT),
        ],
    )
    async def test_says_why_it_ended(self, reporter: Reporter, status: RunStatus, reason: TerminationReason) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.complete(key, status)
        run = await reporter.run(key)
        assert (run.status, run.termination_reason) == (status, reason)
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_that_failed_opens_one_incident_and_raises_a_signal(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.complete(key, RunStatus.FAILED, error_code="AGENT_CRASH", error_message="it fell")
        run = await reporter.run(key)
        assert (run.incident_count, run.risk_level, run.error_code) == (1, RiskLevel.VIOLATED, "AGENT_CRASH")
        evidence = (await evidence_of(reporter.execute, reporter.principal, [key]))[key]
        assert evidence.incidents is not None
        assert [(one.title, one.error_message) for one in evidence.incidents.nodes] == [
            ("clerk failed: AGENT_CRASH", "it fell")
        ]
        signals = await signals_of(reporter.execute, reporter.principal, key)
        assert [one.type for one in signals] == [SignalType.RELIABILITY]

    async def test_may_have_a_parent_in_its_own_trace_or_in_another(self, reporter: Reporter) -> None:
        parent = (await reporter.start()).run_key
        trace = (await reporter.run(parent)).trace_id
        near = (await reporter.start(parent_key=parent, trace_id=trace)).run_key
        far = (await reporter.start(parent_key=parent)).run_key
        for child in (near, far):
            assert (await reporter.run(child)).parent_key == parent
            await reporter.append(child, a_step(1))
        await reporter.append(parent, a_step(1, step_id="own"))
        for key in (near, far, parent):
            assert (await reporter.run(key)).step_count == 1
            await reporter.complete(key)
            assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_takes_the_price_of_each_step_and_says_when_one_has_none(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1), a_step(2, model="unheard-of-1"))
        run = await reporter.run(key)
        assert (run.cost_usd, run.cost_status) == (Decimal("0.003500"), "PARTIAL")


class TestAttribution:
    """R1-R8; R7 holds because no report names a run's identity again."""

    @pytest.mark.parametrize(
        ("changes", "reason", "field"),
        [
            ({"agent_id": ""}, "ATTR_AGENT_MISSING", "agentId"),
            ({"agent_id": "legacy-unknown"}, "ATTR_AGENT_MISSING", "agentId"),
            ({"actor": Actor(ActorKind.AGENT, None, None)}, "ATTR_ACTOR_TYPE_INVALID", "actor.kind"),
            ({"actor": Actor(ActorKind.HUMAN, None, "Ann")}, "ATTR_ACTOR_ID_REQUIRED", "actor.id"),
            ({"actor": Actor(ActorKind.HUMAN, "", "Ann")}, "ATTR_ACTOR_ID_REQUIRED", "actor.id"),
            ({"actor": Actor(ActorKind.SERVICE, "s1", None)}, "ATTR_ACTOR_ID_FORBIDDEN", "actor.id"),
            ({"actor": Actor(ActorKind.SYSTEM, "s1", None)}, "ATTR_ACTOR_ID_FORBIDDEN", "actor.id"),
            ({"origin_system_id": ""}, "ATTR_ORIGIN_SYSTEM_MISSING", "originSystemId"),
            ({"origin_system_id": "legacy-migration"}, "ATTR_ORIGIN_SYSTEM_MISSING", "originSystemId"),
        ],
    )
    async def test_a_run_that_breaks_a_rule_is_refused_with_its_code(
        self, reporter: Reporter, changes: dict[str, Any], reason: str, field: str
    ) -> None:
        error = await failure(reporter.start(**changes))
        assert isinstance(error, RunValidationFailed)
        assert (error.code, error.reason, error.field) == (ErrorCode.RUN_VALIDATION_FAILURE, reason, field)
        assert await runs_of(reporter.execute, reporter.principal) == []

    @pytest.mark.parametrize(
        "actor", [Actor(ActorKind.HUMAN, "ann", "Ann"), SERVICE, Actor(ActorKind.SYSTEM, "", None)]
    )
    async def test_a_run_that_keeps_them_says_who_acted(self, reporter: Reporter, actor: Actor) -> None:
        run = await reporter.run((await reporter.start(actor=actor)).run_key)
        assert (run.actor.kind, run.actor.id) == (actor.kind, actor.id or None)

    async def test_an_empty_project_is_refused(self, reporter: Reporter) -> None:
        error = await failure(reporter.start(project_id=""))
        assert error.field == "projectId"


class TestMalformedReports:
    @pytest.mark.parametrize(
        ("changes", "code", "field"),
        [
            ({"idempotency_key": ""}, ErrorCode.VALIDATION, "idempotencyKey"),
            ({"idempotency_key": "k" * 201}, ErrorCode.VALIDATION, "idempotencyKey"),
            ({"trace_id": "0" * 32}, ErrorCode.VALIDATION, "traceId"),
            ({"trace_id": "F" * 32}, ErrorCode.VALIDATION, "traceId"),
            ({"trace_id": "f" * 31}, ErrorCode.VALIDATION, "traceId"),
            ({"agent_id": "a" * 1_001}, ErrorCode.TOO_LARGE, "agent_id"),
            ({"actor": Actor(ActorKind.HUMAN, "a" * 1_001, None)}, ErrorCode.TOO_LARGE, "id"),
            ({"goal": "g" * 10_001}, ErrorCode.TOO_LARGE, "goal"),
            ({"goal": "a\0b"}, ErrorCode.VALIDATION, None),
            ({"started_at": datetime(2026, 1, 1)}, ErrorCode.VALIDATION, "startedAt"),  # noqa: DTZ001
            ({"started_at": datetime(9999, 1, 1, tzinfo=UTC)}, ErrorCode.VALIDATION, "startedAt"),
        ],
    )
    async def test_a_start_that_is_wrong_in_itself_is_refused(
        self, reporter: Reporter, changes: dict[str, Any], code: ErrorCode, field: str | None
    ) -> None:
        error = await failure(reporter.start(**changes))
        assert (error.code, error.field) == (code, field)
        assert await runs_of(reporter.execute, reporter.principal) == []

    @pytest.mark.parametrize(
        ("steps", "code"),
        [
            ((), ErrorCode.VALIDATION),
            ((a_step(1), a_step(1)), ErrorCode.VALIDATION),
            (tuple(a_step(number) for number in range(501)), ErrorCode.TOO_LARGE),
            ((a_step(1, step_id=""),), ErrorCode.VALIDATION),
            ((a_step(1, name=""),), ErrorCode.VALIDATION),
            ((a_step(1, name="n" * 1_001),), ErrorCode.TOO_LARGE),
            ((a_step(1, name="a\0b"),), ErrorCode.VALIDATION),
            ((a_step(1, ended_at=NOW),), ErrorCode.VALIDATION),
            ((a_step(1, ended_at=datetime(9999, 1, 1, tzinfo=UTC)),), ErrorCode.VALIDATION),
            ((a_step(1, input_tokens=-1),), ErrorCode.VALIDATION),
            ((a_step(1, output_tokens=2**53),), ErrorCode.VALIDATION),
        ],
    )
    async def test_steps_that_are_wrong_in_themselves_are_refused_together(
        self, reporter: Reporter, steps: tuple[StepInput, ...], code: ErrorCode
    ) -> None:
        key = (await reporter.start()).run_key
        error = await failure(reporter.append(key, *steps))
        assert error.code is code
        assert (await reporter.run(key)).step_count == 0

    async def test_tokens_that_no_price_can_count_leave_the_cost_unknown(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1, input_tokens=2**53 - 1))
        assert (await reporter.run(key)).cost_status == "UNKNOWN"

    async def test_a_sum_of_tokens_that_does_not_fit_is_refused(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        huge = [a_step(number, input_tokens=2**53 - 1, model=None) for number in range(400)]
        await reporter.append(key, *huge)
        await reporter.append(key, *(structs.replace(step, step_id=f"more {step.step_id}") for step in huge))
        third = [structs.replace(step, step_id=f"still more {step.step_id}") for step in huge]
        error = await failure(reporter.append(key, *third))
        assert error.code is ErrorCode.VALIDATION
        assert (await reporter.run(key)).step_count == 800
        await reporter.complete(key)
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_a_run_cannot_end_before_it_starts_nor_end_running(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        early = await failure(reporter.complete(key, completed_at=NOW - timedelta(seconds=1)))
        running = await failure(reporter.complete(key, RunStatus.RUNNING))
        assert (early.field, running.field) == ("completedAt", "status")
        assert (await reporter.run(key)).state is RunState.LIVE

    async def test_a_run_that_has_ended_takes_nothing_more(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.complete(key)
        for report in (reporter.append(key, a_step(2)), reporter.complete(key)):
            assert (await failure(report)).code is ErrorCode.CONFLICT
        assert (await reporter.run(key)).step_count == 1
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_a_step_reported_twice_counts_once_and_a_differing_one_is_a_conflict(
        self, reporter: Reporter
    ) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.append(key, a_step(1), a_step(2))
        assert (await reporter.run(key)).step_count == 2
        error = await failure(reporter.append(key, a_step(3), a_step(1, output="another")))
        assert error.code is ErrorCode.CONFLICT
        assert (await reporter.run(key)).step_count == 2


class TestForeignRuns:
    async def test_answer_exactly_as_absent_ones(self, reporter: Reporter, execute: Execute, other: Principal) -> None:
        foreign = (await Reporter(execute, other).start()).run_key
        absent = uuid4()
        reports: tuple[Callable[[UUID], Awaitable[RunChanged]], ...] = (
            lambda key: reporter.append(key, a_step(1)),
            reporter.complete,
            lambda key: reporter.start(parent_key=key),
        )
        for report in reports:
            errors = [await failure(report(key)) for key in (foreign, absent)]
            said = [error.message.replace(str(key), "X") for error, key in zip(errors, (foreign, absent), strict=True)]
            assert said[0] == said[1]
            assert {error.code for error in errors} == {ErrorCode.NOT_FOUND}
        assert (await Reporter(execute, other).run(foreign)).step_count == 0


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


class TestConcurrency:
    async def test_twenty_appends_at_once_keep_one_chain(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await asyncio.gather(*(reporter.append(key, a_step(2 * n), a_step(2 * n + 1)) for n in range(20)))
        await reporter.complete(key)
        run = await reporter.run(key)
        proof = await proof_of(reporter.execute, reporter.principal, key)
        assert run.step_count == 40
        assert run.input_tokens == 40_000
        assert sorted(step.step_index for step in proof.steps) == list(range(40))
        assert proof.integrity.verification_status is VerificationStatus.VERIFIED

    async def test_appends_and_an_end_at_once_leave_a_verified_run(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(0))
        reports = [reporter.append(key, a_step(number)) for number in range(1, 10)]
        answers = await asyncio.gather(*reports, reporter.complete(key), return_exceptions=True)
        taken = sum(isinstance(answer, RunChanged) for answer in answers[:-1])
        assert isinstance(answers[-1], RunChanged)
        refused = [one for one in answers if isinstance(one, HocError)]
        assert (taken + len(refused), {one.code for one in refused} <= {ErrorCode.CONFLICT}) == (9, True)
        assert (await reporter.run(key)).step_count == 1 + taken
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED


class TestIdempotency:
    async def test_the_same_key_gives_the_same_answer(self, reporter: Reporter) -> None:
        first = await reporter.start(idempotency_key="again")
        assert await reporter.start(idempotency_key="again") == first
        assert len(await runs_of(reporter.execute, reporter.principal)) == 1
        steps = (a_step(1), a_step(2))
        appended = await reporter.append(first.run_key, *steps, key="again")
        assert await reporter.append(first.run_key, *steps, key="again") == appended
        ended = await reporter.complete(first.run_key, idempotency_key="again")
        assert await reporter.complete(first.run_key, idempotency_key="again") == ended
        assert await reporter.append(first.run_key, *steps, key="again") == appended, "also after the end"

    async def test_the_same_key_with_another_body_is_a_conflict(self, reporter: Reporter) -> None:
        run = (await reporter.start(idempotency_key="again")).run_key
        error = await failure(reporter.start(idempotency_key="again", goal="another"))
        assert (error.code, error.field) == (ErrorCode.CONFLICT, "idempotencyKey")
        await reporter.append(run, a_step(1), key="again")
        error = await failure(reporter.append(run, a_step(2), key="again"))
        assert (error.code, error.field) == (ErrorCode.CONFLICT, "idempotencyKey")
        assert (await reporter.run(run)).step_count == 1

    async def test_the_same_key_of_another_tenant_is_another_key(
        self, reporter: Reporter, execute: Execute, other: Principal
    ) -> None:
        first = await reporter.start(idempotency_key="again")
        second = await Reporter(execute, other).start(idempotency_key="again", goal="another")
        assert first.run_key != second.run_key

    async def test_a_refusal_is_remembered_too(self, reporter: Reporter) -> None:
        await reporter.rule("no refunds", "run.goal.contains('refund')")
        first = await reporter.start(idempotency_key="again", goal="refund me")
        assert first.refused_by == "no refunds"
        assert await reporter.start(idempotency_key="again", goal="refund me") == first

    async def test_an_error_is_not_remembered(self, reporter: Reporter) -> None:
        run = (await reporter.start()).run_key
        error = await failure(reporter.complete(run, idempotency_key="end", completed_at=NOW - timedelta(days=1)))
        assert error.code is ErrorCode.VALIDATION
        await reporter.complete(run, idempotency_key="end")

    async def test_racers_with_one_key_all_get_the_one_answer(self, reporter: Reporter) -> None:
        starts = await asyncio.gather(*(reporter.start(idempotency_key="race") for _ in range(20)))
        assert len({start.run_key for start in starts}) == 1
        assert len(await runs_of(reporter.execute, reporter.principal)) == 1
        run = starts[0].run_key
        appends = await asyncio.gather(*(reporter.append(run, a_step(1), key="race") for _ in range(20)))
        assert set(appends) == {RunChanged(run)}
        ends = await asyncio.gather(*(reporter.complete(run, idempotency_key="race") for _ in range(20)))
        assert set(ends) == {RunChanged(run)}
        assert (await reporter.run(run)).step_count == 1

    async def test_a_racer_with_another_body_gets_the_conflict(self, reporter: Reporter) -> None:
        answers = await asyncio.gather(
            *(reporter.start(idempotency_key="race", goal=f"goal {number}") for number in range(10)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, RunChanged) for one in answers) == 1
        assert sum(isinstance(one, HocError) and one.code is ErrorCode.CONFLICT for one in answers) == 9
