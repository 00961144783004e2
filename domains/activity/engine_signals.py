"""What governance saw, as signals. A fingerprint names type, run, dimension and source, so no two causes share one.

Severity follows the seed's rule: what makes a run VIOLATED is HIGH, what makes it AT_RISK MEDIUM, else LOW.
"""

from datetime import datetime
from uuid import UUID

from spine.contracts.enums import EvaluationOutcome, LimitLevel, LimitType, SignalSeverity, SignalType
from spine.contracts.ports import LimitReading, NewSignal, RuleVerdict, RunRow
from spine.contracts.runs import PolicyContext
from spine.services.canonical_json import Scalar, canonical, digest
from spine.services.ids import uuid7

FINGERPRINT_VERSION = 2

BREACH_TYPES = {
    LimitType.COST_USD: SignalType.COST_RISK,
    LimitType.TOKENS_TOTAL: SignalType.TOKEN_RISK,
    LimitType.TIME_MS: SignalType.TIME_RISK,
    LimitType.FAILURES: SignalType.RELIABILITY,
}
DIMENSIONS = {
    LimitType.COST_USD: "cost",
    LimitType.TOKENS_TOTAL: "tokens",
    LimitType.TIME_MS: "time",
    LimitType.FAILURES: "failures",
}
VERDICT_SEVERITIES = {
    EvaluationOutcome.BLOCK: SignalSeverity.HIGH,
    EvaluationOutcome.ERROR: SignalSeverity.MEDIUM,
    EvaluationOutcome.WARN: SignalSeverity.LOW,
}


def fingerprint(tenant_id: UUID, run_key: UUID, kind: SignalType, dimension: str, source: str) -> str:
    """32 hex characters that are the same for the same cause in the same run, and for nothing else."""
    identity: dict[str, Scalar] = {
        "version": FINGERPRINT_VERSION,
        "tenant_id": str(tenant_id),
        "run_id": str(run_key),
        "signal_type": kind.value,
        "dimension": dimension,
        "source": source,
    }
    return digest(canonical(identity)).hex()[:32]


def for_verdict(tenant_id: UUID, run: RunRow, verdict: RuleVerdict, now: datetime) -> NewSignal | None:
    """POLICY_BREACH for a BLOCK, a WARN or an ERROR."""
    severity = VERDICT_SEVERITIES.get(verdict.outcome)
    if severity is None:
        return None
    source = f"policy_rule:{verdict.rule.rule_id}"
    summary = f"{verdict.rule.name} said {verdict.outcome} of {run.agent_name}"
    return _signal(tenant_id, run, (SignalType.POLICY_BREACH, severity, "policy", source), summary, now)


def for_reading(
    tenant_id: UUID, run: RunRow, reading: LimitReading, context: PolicyContext | None, now: datetime
) -> NewSignal | None:
    """THRESHOLD_PROXIMITY for NEAR; COST_, TOKEN_, TIME_RISK or RELIABILITY for a BREACH."""
    if reading.level is None:
        return None
    limit = reading.limit
    near = reading.level is LimitLevel.NEAR
    kind = SignalType.THRESHOLD_PROXIMITY if near else BREACH_TYPES[limit.limit_type]
    severity = SignalSeverity.LOW if near else SignalSeverity.MEDIUM
    cause = (kind, severity, DIMENSIONS[limit.limit_type], f"limit:{limit.limit_id}")
    summary = f"{run.agent_name} {'came near' if near else 'exceeded'} {limit.name}"
    return _signal(tenant_id, run, cause, summary, now, context)


def for_failure(tenant_id: UUID, run: RunRow, now: datetime) -> NewSignal:
    """RELIABILITY for a failed run."""
    cause = (SignalType.RELIABILITY, SignalSeverity.HIGH, "outcome", "run")
    return _signal(tenant_id, run, cause, f"{run.agent_name} failed: {run.error_message or run.error_code or ''}", now)


def for_degraded(tenant_id: UUID, run: RunRow, now: datetime) -> NewSignal:
    """EVIDENCE_DEGRADED for a run whose evidence is not whole."""
    cause = (SignalType.EVIDENCE_DEGRADED, SignalSeverity.LOW, "evidence", "run")
    return _signal(tenant_id, run, cause, f"evidence of {run.agent_name} is not whole", now)


def _signal(
    tenant_id: UUID,
    run: RunRow,
    cause: tuple[SignalType, SignalSeverity, str, str],
    summary: str,
    now: datetime,
    context: PolicyContext | None = None,
) -> NewSignal:
    kind, severity, dimension, source = cause
    return NewSignal(
        id=uuid7(),
        run_key=run.id,
        fingerprint=fingerprint(tenant_id, run.id, kind, dimension, source),
        type=kind,
        severity=severity,
        dimension=dimension,
        source=source,
        summary=summary[:500],
        policy_context=context,
        created_at=now,
    )
