"""Signals and policy contexts: one fingerprint a cause, a severity by what the cause makes of the run."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest

from domains.activity.engine_context import closest, context_of
from domains.activity.engine_signals import fingerprint, for_degraded, for_failure, for_reading, for_verdict
from spine.contracts.enums import (
    Consequence,
    EvaluationOutcome,
    LimitLevel,
    LimitType,
    RuleMode,
    RulePhase,
    Scope,
    SignalSeverity,
    SignalType,
)
from spine.contracts.ports import ActiveLimit, ActiveRule, LimitReading, RuleVerdict, RunRow
from spine.contracts.runs import EvaluationOfLimit
from spine.services.ids import key_of
from tests.domains.activity.folding import Trace, agent

TENANT = UUID(int=7)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_run(**facts: str) -> RunRow:
    return Trace().add(agent("boss", **facts)).shown["boss"]


def a_verdict(outcome: EvaluationOutcome, rule: int = 1) -> RuleVerdict:
    active = ActiveRule(
        rule_id=UUID(int=rule),
        name="polite",
        version=1,
        digest=b"",
        phase=RulePhase.STEP,
        mode=RuleMode.BLOCK,
        consequence=Consequence.ALERT,
        scope=Scope.TENANT,
        scope_id=None,
        condition="true",
    )
    return RuleVerdict(rule=active, outcome=outcome, count=1, step_index=0, facts="{}", reason="because")


def a_reading(
    kind: LimitType = LimitType.TOKENS_TOTAL,
    value: int = 90,
    level: LimitLevel | None = LimitLevel.NEAR,
    limit: int = 1,
) -> LimitReading:
    active = ActiveLimit(
        limit_id=UUID(int=limit),
        name="budget",
        limit_type=kind,
        scope=Scope.TENANT,
        scope_id=None,
        max_value=100,
        consequence=Consequence.ALERT,
    )
    return LimitReading(active, value, level)


class TestFingerprints:
    def test_differ_for_every_run_type_dimension_source_and_tenant(self) -> None:
        causes = list(
            product((TENANT, UUID(int=8)), (UUID(int=1), UUID(int=2)), SignalType, ("cost", "time"), ("a", "b"))
        )
        assert len({fingerprint(*cause) for cause in causes}) == len(causes)

    def test_are_the_same_for_the_same_cause(self) -> None:
        run = a_run()
        first, second = for_failure(TENANT, run, NOW), for_failure(TENANT, run, NOW)
        assert first.fingerprint == second.fingerprint
        assert first.id != second.id
        assert len(first.fingerprint) == 32

    def test_of_one_run_differ_by_cause(self) -> None:
        run = a_run()
        blocks = [for_verdict(TENANT, run, a_verdict(EvaluationOutcome.BLOCK, rule), NOW) for rule in (1, 2)]
        readings = [
            for_reading(TENANT, run, a_reading(kind, level=level, limit=limit), None, NOW)
            for kind, level, limit in product(LimitType, LimitLevel, (1, 2))
        ]
        signals = [*blocks, *readings, for_failure(TENANT, run, NOW), for_degraded(TENANT, run, NOW)]
        found = {signal.fingerprint for signal in signals if signal is not None}
        assert len(found) == len(signals)


class TestVerdicts:
    @pytest.mark.parametrize(
        ("outcome", "severity"),
        [
            (EvaluationOutcome.BLOCK, SignalSeverity.HIGH),
            (EvaluationOutcome.ERROR, SignalSeverity.MEDIUM),
            (EvaluationOutcome.WARN, SignalSeverity.LOW),
        ],
    )
    def test_that_ask_for_attention_raise_one(self, outcome: EvaluationOutcome, severity: SignalSeverity) -> None:
        signal = for_verdict(TENANT, a_run(), a_verdict(outcome), NOW)
        assert signal is not None
        assert (signal.type, signal.severity) == (SignalType.POLICY_BREACH, severity)
        assert signal.summary == f"polite said {outcome} of boss"

    @pytest.mark.parametrize("outcome", [EvaluationOutcome.ALLOW, EvaluationOutcome.AUDIT])
    def test_that_do_not_raise_none(self, outcome: EvaluationOutcome) -> None:
        assert for_verdict(TENANT, a_run(), a_verdict(outcome), NOW) is None


class TestReadings:
    @pytest.mark.parametrize(
        ("kind", "risk", "dimension"),
        [
            (LimitType.COST_USD, SignalType.COST_RISK, "cost"),
            (LimitType.TOKENS_TOTAL, SignalType.TOKEN_RISK, "tokens"),
            (LimitType.TIME_MS, SignalType.TIME_RISK, "time"),
            (LimitType.FAILURES, SignalType.RELIABILITY, "failures"),
        ],
    )
    def test_raise_a_risk_for_a_breach_and_proximity_before_it(
        self, kind: LimitType, risk: SignalType, dimension: str
    ) -> None:
        breach = for_reading(TENANT, a_run(), a_reading(kind, level=LimitLevel.BREACH), None, NOW)
        near = for_reading(TENANT, a_run(), a_reading(kind), None, NOW)
        assert breach is not None
        assert near is not None
        assert (breach.type, breach.severity, breach.dimension) == (risk, SignalSeverity.MEDIUM, dimension)
        assert (near.type, near.severity) == (SignalType.THRESHOLD_PROXIMITY, SignalSeverity.LOW)

    def test_below_the_limit_raise_none(self) -> None:
        assert for_reading(TENANT, a_run(), a_reading(level=None), None, NOW) is None


def test_a_summary_is_cut_to_a_line() -> None:
    assert len(for_failure(TENANT, a_run(status_message="x" * 600, outcome_code="E"), NOW).summary) <= 500


class TestPolicyContexts:
    def test_the_limit_that_is_closest_governs(self) -> None:
        readings = [a_reading(value=value, limit=value) for value in (20, 90, 50)]
        assert closest(readings) == readings[1]
        assert closest([]) is None

    @pytest.mark.parametrize(
        ("level", "outcome"),
        [
            (None, EvaluationOfLimit.OK),
            (LimitLevel.NEAR, EvaluationOfLimit.NEAR_THRESHOLD),
            (LimitLevel.BREACH, EvaluationOfLimit.BREACH),
        ],
    )
    def test_say_how_the_run_stands(self, level: LimitLevel | None, outcome: EvaluationOfLimit) -> None:
        context = context_of(a_reading(value=125, level=level))
        assert (context.evaluation_outcome, context.proximity_pct) == (outcome, 125.0)
        assert key_of(context.policy_id or "", "Limit") == UUID(int=1)

    def test_speak_of_costs_in_dollars(self) -> None:
        context = context_of(a_reading(LimitType.COST_USD, value=2_500_000))
        assert (context.actual_value, context.threshold_value) == (Decimal("2.5"), Decimal("0.0001"))
        assert context.threshold_unit == "USD"
