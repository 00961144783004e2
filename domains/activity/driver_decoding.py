"""Rows of runs to what people read."""

from decimal import Decimal
from typing import Any

import msgspec

from domains.activity.driver import ENUMS
from spine.contracts.actors import Actor
from spine.contracts.enums import EvidenceHealth, LatencyBucket, Scope, ThresholdSource
from spine.contracts.errors import Unreadable
from spine.contracts.runs import EvaluationOfLimit, PolicyContext, RunSummary
from spine.contracts.scalars import BigInt
from spine.contracts.statements import Row
from spine.services.clock import from_ns
from spine.services.ids import node_id

NO_CONTEXT = PolicyContext(
    policy_id=None,
    policy_name="Default Safety Thresholds",
    policy_scope=Scope.GLOBAL,
    limit_type=None,
    threshold_value=None,
    threshold_unit=None,
    threshold_source=ThresholdSource.SYSTEM_DEFAULT,
    evaluation_outcome=EvaluationOfLimit.ADVISORY,
    actual_value=None,
    risk_type=None,
    proximity_pct=None,
)

COLUMNS = (
    "id",
    "parent_run_id",
    "trace_id",
    "agent_id",
    "agent_name",
    "actor_kind",
    "actor_id",
    "origin_system_id",
    "project_id",
    "conversation_id",
    "source",
    "is_synthetic",
    "provider",
    "provider_type",
    "model",
    "goal",
    "error_code",
    "error_message",
    "status",
    "state",
    "termination_reason",
    "started_ns",
    "completed_ns",
    "last_seen_ns",
    "input_tokens",
    "output_tokens",
    "cost_micro_usd",
    "cost_status",
    "step_count",
    "failed_step_count",
    "missing_span_count",
    "refused_span_count",
    "risk_level",
    "policy_violation",
    "incident_count",
    "policy_context",
    "created_at",
    "redacted_at",
)

ACTOR_KINDS = ENUMS["actor_kind"]
SOURCES = ENUMS["source"]
PROVIDER_TYPES = ENUMS["provider_type"]
STATUSES = ENUMS["status"]
STATES = ENUMS["state"]
REASONS: dict[str | None, Any] = dict[str | None, Any](ENUMS["termination_reason"].items()) | {None: None}
COST_STATUSES = ENUMS["cost_status"]
RISK_LEVELS = ENUMS["risk_level"]
LATENCIES: dict[str | None, Any] = {bucket.value: bucket for bucket in LatencyBucket} | {None: msgspec.UNSET}
"""A latency that was not asked for is no latency: reading it is an error, never a wrong answer."""
HEALTHS = {health.value: health for health in EvidenceHealth}

_context_decoder = msgspec.json.Decoder(PolicyContext)


def usd(micro_usd: int | None) -> Decimal | None:
    """Micro-USD as US dollars."""
    return None if micro_usd is None else Decimal(micro_usd).scaleb(-6)


UNDECODABLE = (ValueError, TypeError, LookupError, OverflowError)


def summary_or_error(row: Row) -> RunSummary | Unreadable:
    """One row as a run, or the error that stands for it: one unreadable row never takes its page with it."""
    try:
        return decode_summary(row)
    except UNDECODABLE:
        return Unreadable("run")


def decode_summary(row: Row) -> RunSummary:
    """One row of `COLUMNS` and the two computed ones."""
    completed_ns = row[22]
    return RunSummary(
        key=row[0],
        id=node_id("Run", row[0]),
        parent_key=row[1],
        trace_id=row[2],
        agent_id=row[3],
        agent_name=row[4],
        actor=Actor(ACTOR_KINDS[row[5]], row[6], None),
        origin_system_id=row[7],
        project_id=row[8],
        conversation_id=row[9],
        source=SOURCES[row[10]],
        is_synthetic=row[11],
        provider=row[12],
        provider_type=PROVIDER_TYPES[row[13]],
        model=row[14],
        goal=row[15],
        error_code=row[16],
        error_message=row[17],
        status=STATUSES[row[18]],
        state=STATES[row[19]],
        termination_reason=REASONS[row[20]],
        started_at=from_ns(row[21]),
        completed_at=None if completed_ns is None else from_ns(completed_ns),
        last_seen_at=from_ns(row[23]),
        duration_ms=None if completed_ns is None else BigInt((completed_ns - row[21]) // 1_000_000),
        input_tokens=row[24],
        output_tokens=row[25],
        cost_usd=usd(row[26]),
        cost_status=COST_STATUSES[row[27]],
        step_count=row[28],
        failed_step_count=row[29],
        missing_span_count=row[30],
        refused_span_count=row[31],
        risk_level=RISK_LEVELS[row[32]],
        policy_violation=row[33],
        incident_count=row[34],
        policy_context=NO_CONTEXT if row[35] is None else _context_decoder.decode(row[35]),
        created_at=row[36],
        redacted_at=row[37],
        latency_bucket=LATENCIES[row[38]],
        evidence_health=HEALTHS[row[39]],
    )
