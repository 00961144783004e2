"""Measuring runs against limits, and deciding whether a limit may be set. Pure."""

from collections.abc import Sequence
from typing import Final

from spine.contracts.enums import LimitLevel, LimitType, Scope
from spine.contracts.errors import ValidationFailed
from spine.contracts.governance import CreateLimit, DisableLimit, UpdateLimit
from spine.contracts.operations import Invariant
from spine.contracts.ports import ActiveLimit, LimitReading, RunMeasure
from spine.services.limit_units import stored_value
from spine.services.texts import check_text

MAX_NAME: Final = 256
MAX_SCOPE_ID: Final = 100
MAX_REASON: Final = 1024
NEAR_PERCENT: Final = 80

NARROWNESS: Final = {Scope.AGENT: 0, Scope.PROJECT: 1, Scope.TENANT: 2, Scope.GLOBAL: 3}

BI_CTRL_001: Final = Invariant(
    "BI-CTRL-001",
    "a limit's value is greater than 0",
    lambda request, *_: request.max_value is None or request.max_value > 0,
)


def applicable(limits: Sequence[ActiveLimit], agent_id: str, project_id: str) -> list[ActiveLimit]:
    """Of each type the limit with the narrowest scope that covers the agent and project; the lowest of equals."""
    covering = {Scope.AGENT: agent_id, Scope.PROJECT: project_id}
    governing: dict[LimitType, ActiveLimit] = {}
    for limit in sorted(limits, key=_precedence):
        if limit.scope_id == covering.get(limit.scope):
            governing.setdefault(limit.limit_type, limit)
    return list(governing.values())


def _precedence(limit: ActiveLimit) -> tuple[int, int, str]:
    return (NARROWNESS[limit.scope], limit.max_value, str(limit.limit_id))


def read_limits(limits: Sequence[ActiveLimit], measure: RunMeasure) -> list[LimitReading]:
    """How the run stands against its applicable limits; what is not known of it gives no reading."""
    readings = []
    for limit in applicable(limits, measure.agent_id, measure.project_id):
        value = _measured(limit.limit_type, measure)
        if value is not None:
            readings.append(LimitReading(limit, value, level_of(value, limit.max_value)))
    return readings


def _measured(limit_type: LimitType, measure: RunMeasure) -> int | None:
    match limit_type:
        case LimitType.TIME_MS:
            return measure.time_ms
        case LimitType.TOKENS_TOTAL:
            return measure.tokens
        case LimitType.COST_USD:
            return measure.cost_micro_usd
        case LimitType.FAILURES:
            return measure.failures


def level_of(value: int, threshold: int) -> LimitLevel | None:
    """A run may reach its limit; strictly more is a breach, 80 % is near, below there is no level."""
    if value > threshold:
        return LimitLevel.BREACH
    return LimitLevel.NEAR if value * 100 >= threshold * NEAR_PERCENT else None


def check_new_limit(request: CreateLimit) -> None:
    """Raise ValidationFailed for a limit that may not be set."""
    check_text(request.name, "name", MAX_NAME)
    check_text(request.scope_id, "scopeId", MAX_SCOPE_ID)
    if (request.scope in {Scope.AGENT, Scope.PROJECT}) != (request.scope_id is not None):
        raise ValidationFailed("AGENT and PROJECT need a scopeId, other scopes have none", field="scopeId")
    stored_value(request.limit_type, request.max_value)


def check_limit_change(request: UpdateLimit) -> None:
    """Raise ValidationFailed for a change that may not be made."""
    if (request.name, request.max_value, request.consequence) == (None,) * 3:
        raise ValidationFailed("nothing to change was given")
    check_text(request.name, "name", MAX_NAME)
    if request.max_value is not None and not request.max_value.is_finite():  # more when the limit's type is known
        raise ValidationFailed("maxValue is out of range", field="maxValue")


def check_disabling(request: DisableLimit) -> None:
    """A limit is disabled for a reason."""
    check_text(request.reason, "reason", MAX_REASON)
