"""How a run stands by its rules and limits, and the risk that follows from it.

Risk only rises, with one exception. The totals of a run that telemetry tells are known in part until its last span has
arrived. When a later span corrects a total, and with it what the same rule version or the same limit value had said,
the run stands as if the corrected total had been known at once: the order of arrival decides nothing.
"""

from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import EvaluationOutcome, LimitLevel, RiskLevel, RunStatus
from spine.contracts.ports import LimitReading, RuleVerdict
from spine.contracts.records import BreachRecord, EvaluationRecord

RISKS = tuple(RiskLevel)
VERDICT_RISK = {
    EvaluationOutcome.WARN: RiskLevel.NEAR_THRESHOLD,
    EvaluationOutcome.ERROR: RiskLevel.AT_RISK,
    EvaluationOutcome.BLOCK: RiskLevel.VIOLATED,
}
READING_RISK = {LimitLevel.NEAR: RiskLevel.NEAR_THRESHOLD, LimitLevel.BREACH: RiskLevel.AT_RISK}


class History(Struct, frozen=True):
    """What was recorded of runs before: rules' latest final evaluations, limits' latest hits, other outcomes."""

    finals: dict[UUID, dict[UUID, EvaluationRecord]]
    breaches: dict[UUID, dict[UUID, BreachRecord]]
    settled: dict[UUID, set[EvaluationOutcome]]

    def final(self, run_key: UUID, rule_id: UUID) -> EvaluationRecord | None:
        """The rule's latest final evaluation of the run."""
        return self.finals.get(run_key, {}).get(rule_id)

    def hit(self, run_key: UUID, limit_id: UUID) -> BreachRecord | None:
        """The limit's latest hit by the run; None also when the run no longer reaches it."""
        known = self.breaches.get(run_key, {}).get(limit_id)
        return None if known is None or known.cleared else known


class Standing:
    """One run's outcomes and hits as they are now."""

    def __init__(self, run_key: UUID, history: History) -> None:
        self.corrected = False
        self._history = history
        self._run_key = run_key
        self._settled = set(history.settled.get(run_key, ()))
        self._finals = {rule_id: final.outcome for rule_id, final in history.finals.get(run_key, {}).items()}
        self._levels = {key: hit.level for key, hit in history.breaches.get(run_key, {}).items() if not hit.cleared}

    def hear(self, verdict: RuleVerdict) -> None:
        """Take a verdict on the run's start or on one of its steps, which stays."""
        self._settled.add(verdict.outcome)

    def conclude(self, verdict: RuleVerdict) -> bool:
        """Take a final verdict; whether it takes back a BLOCK."""
        known = self._history.final(self._run_key, verdict.rule.rule_id)
        self._finals[verdict.rule.rule_id] = verdict.outcome
        if known is None or known.rule_version != verdict.rule.version:
            return False
        self.corrected |= _severity(verdict.outcome) < _severity(known.outcome)
        return known.outcome is EvaluationOutcome.BLOCK is not verdict.outcome

    def reach(self, reading: LimitReading) -> bool:
        """Take a reading; whether it takes back a breach."""
        limit = reading.limit
        known = self._history.hit(self._run_key, limit.limit_id)
        if reading.level is not None:
            self._levels[limit.limit_id] = reading.level
        if known is None or known.threshold_value != limit.max_value:
            return False
        if reading.level in {known.level, LimitLevel.BREACH}:
            return False
        self.corrected = True
        if reading.level is None:
            del self._levels[limit.limit_id]
        return known.level is LimitLevel.BREACH

    def is_violated(self) -> bool:
        """Whether a rule blocks the run or one of its steps."""
        return EvaluationOutcome.BLOCK in {*self._settled, *self._finals.values()}

    def risk(self, status: RunStatus) -> RiskLevel:
        """The risk that everything known now amounts to."""
        risks = [verdict_risk(outcome) for outcome in (*self._settled, *self._finals.values())]
        risks += [READING_RISK[level] for level in self._levels.values()]
        ended = RiskLevel.VIOLATED if status is RunStatus.FAILED else RiskLevel.NORMAL
        return max([ended, *risks], key=RISKS.index)


def verdict_risk(outcome: EvaluationOutcome) -> RiskLevel:
    """The risk that a verdict means."""
    return VERDICT_RISK.get(outcome, RiskLevel.NORMAL)


def _severity(outcome: EvaluationOutcome) -> int:
    return RISKS.index(verdict_risk(outcome))


def raised(risk: RiskLevel, to: RiskLevel) -> RiskLevel:
    """The risk, at least `to`."""
    return max(risk, to, key=RISKS.index)
