"""How causes become incidents: severity and category by failure code, by rule, by limit. Pure."""

from datetime import datetime
from typing import Final
from uuid import UUID

from spine.contracts.enums import Consequence, IncidentCategory, IncidentSeverity, IncidentTrigger, LimitType
from spine.contracts.evidence import ListIncidents
from spine.contracts.ports import LimitReading, NewIncident, RuleVerdict
from spine.services.ids import uuid7
from spine.services.instants import check_instant
from spine.services.limit_units import UNITS, shown_value

MAX_TITLE: Final = 200

# The reference's table of failure codes (its domains §5.4); categories beyond the product's four fold into them.
_EXECUTION: Final = IncidentCategory.EXECUTION_FAILURE
_EXHAUSTION: Final = IncidentCategory.RESOURCE_EXHAUSTION
BY_FAILURE_CODE: Final = {
    "AGENT_CRASH": (IncidentSeverity.CRITICAL, _EXECUTION),
    "EXECUTION_TIMEOUT": (IncidentSeverity.HIGH, _EXECUTION),
    "STEP_FAILURE": (IncidentSeverity.HIGH, _EXECUTION),
    "SKILL_ERROR": (IncidentSeverity.HIGH, _EXECUTION),
    "BUDGET_EXCEEDED": (IncidentSeverity.MEDIUM, IncidentCategory.BUDGET_EXCEEDED),
    "RATE_LIMIT_EXCEEDED": (IncidentSeverity.MEDIUM, _EXHAUSTION),
    "RESOURCE_EXHAUSTION": (IncidentSeverity.MEDIUM, _EXHAUSTION),
    "RETRY_EXHAUSTED": (IncidentSeverity.MEDIUM, _EXECUTION),
    "CANCELLED": (IncidentSeverity.LOW, _EXECUTION),
    "MANUAL_STOP": (IncidentSeverity.LOW, _EXECUTION),
}
UNKNOWN_CODE: Final = (IncidentSeverity.MEDIUM, _EXECUTION)
BUDGETS: Final = frozenset({LimitType.COST_USD, LimitType.TOKENS_TOTAL})


def for_failure(run_key: UUID, agent_name: str, code: str | None, message: str | None, now: datetime) -> NewIncident:
    """The incident of a failed run; severity by failure code, MEDIUM for an unknown one."""
    severity, category = BY_FAILURE_CODE.get((code or "").upper(), UNKNOWN_CODE)
    return NewIncident(
        id=uuid7(),
        run_key=run_key,
        trigger_type=IncidentTrigger.RUN_FAILURE,
        trigger_id=None,
        trigger_name=None,
        title=_title(f"{agent_name} failed: {code}" if code else f"{agent_name} failed"),
        severity=severity,
        category=category,
        error_code=code,
        error_message=message,
        created_at=now,
    )


def for_policy(run_key: UUID, agent_name: str, verdict: RuleVerdict, now: datetime) -> NewIncident:
    """The incident of a BLOCK whose consequence asks for one."""
    return NewIncident(
        id=uuid7(),
        run_key=run_key,
        trigger_type=IncidentTrigger.POLICY,
        trigger_id=verdict.rule.rule_id,
        trigger_name=verdict.rule.name,
        title=_title(f"{agent_name} was blocked by the rule {verdict.rule.name}"),
        severity=IncidentSeverity.HIGH,
        category=IncidentCategory.POLICY_VIOLATION,
        error_code=None,
        error_message=verdict.reason,
        created_at=now,
    )


def for_limit(run_key: UUID, agent_name: str, reading: LimitReading, now: datetime) -> NewIncident:
    """The incident of a breach whose consequence asks for one; HIGH when it aborts the run.

    Its text names the limit only: the value that was found first depends on the order in which spans arrived.
    """
    limit = reading.limit
    aborts = limit.consequence is Consequence.ABORT
    kind = limit.limit_type
    return NewIncident(
        id=uuid7(),
        run_key=run_key,
        trigger_type=IncidentTrigger.LIMIT,
        trigger_id=limit.limit_id,
        trigger_name=limit.name,
        title=_title(f"{agent_name} exceeded the limit {limit.name}"),
        severity=IncidentSeverity.HIGH if aborts else IncidentSeverity.MEDIUM,
        category=IncidentCategory.BUDGET_EXCEEDED if kind in BUDGETS else _EXHAUSTION,
        error_code=None,
        error_message=f"more than {shown_value(kind, limit.max_value)} {UNITS[kind]}",
        created_at=now,
    )


def _title(text: str) -> str:
    return text if len(text) <= MAX_TITLE else f"{text[: MAX_TITLE - 1]}…"


def check_list(request: ListIncidents) -> None:
    """Raise ValidationFailed for times that cannot be compared with stored ones."""
    check_instant(request.filter.created_after, "createdAfter")
    check_instant(request.filter.created_before, "createdBefore")
