"""A run's policy context: the limit that governs it most closely. Pure.

Source: the seed's run view with its thresholds; 80 % of the limit is near, more than the limit a breach.
"""

from collections.abc import Sequence

from spine.contracts.enums import LimitLevel, LimitType, RiskType, Scope, ThresholdSource
from spine.contracts.ports import LimitReading
from spine.contracts.runs import EvaluationOfLimit, PolicyContext
from spine.services.ids import node_id
from spine.services.limit_units import UNITS, shown_value

SOURCES = {Scope.GLOBAL: ThresholdSource.SYSTEM_DEFAULT}
RISKS = {
    LimitType.COST_USD: RiskType.COST,
    LimitType.TIME_MS: RiskType.TIME,
    LimitType.TOKENS_TOTAL: RiskType.TOKENS,
}
OUTCOMES = {
    LimitLevel.NEAR: EvaluationOfLimit.NEAR_THRESHOLD,
    LimitLevel.BREACH: EvaluationOfLimit.BREACH,
    None: EvaluationOfLimit.OK,
}


def closest(readings: Sequence[LimitReading]) -> LimitReading | None:
    """The reading that is closest to, or furthest over, its limit."""
    return max(readings, key=lambda reading: reading.value / reading.limit.max_value, default=None)


def context_of(reading: LimitReading) -> PolicyContext:
    """A reading as people see it."""
    limit = reading.limit
    return PolicyContext(
        policy_id=node_id("Limit", limit.limit_id),
        policy_name=limit.name,
        policy_scope=Scope(limit.scope),
        limit_type=limit.limit_type,
        threshold_value=shown_value(limit.limit_type, limit.max_value),
        threshold_unit=UNITS[limit.limit_type],
        threshold_source=SOURCES.get(limit.scope, ThresholdSource.TENANT_OVERRIDE),
        evaluation_outcome=OUTCOMES[reading.level],
        actual_value=shown_value(limit.limit_type, reading.value),
        risk_type=RISKS.get(limit.limit_type),
        proximity_pct=round(100 * reading.value / limit.max_value, 1),
    )
