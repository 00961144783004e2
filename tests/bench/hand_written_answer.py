"""Rows to the console's JSON, by hand."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from spine.contracts.ports import RunRow, RunStep
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EvaluationRecord,
    EvidenceRecord,
    SealRecord,
    StepRecord,
)
from spine.services.clock import from_ns
from spine.services.ids import node_id
from spine.services.proof.verify import StoredRun, verify_run

Row = Any
Json = dict[str, Any]

MOST_EVIDENCE = 500
MOST_COUNTED = 10_000
INCIDENTS_SHOWN = LIMITS_SHOWN = DECISIONS_SHOWN = SIGNALS_SHOWN = 10
POLICIES_SHOWN = 20
NO_FEEDBACK: Json = {
    "acknowledged": False,
    "acknowledgedBy": None,
    "acknowledgedAt": None,
    "suppressed": False,
    "suppressedUntil": None,
    "escalated": False,
}


class Rows(NamedTuple):
    """What was read: one list a statement."""

    runs: Sequence[Row]
    total: int
    incidents: Sequence[Row]
    evaluations: Sequence[Row]
    decisions: Sequence[Row]
    breaches: Sequence[Row]
    steps: Sequence[Row]
    seals: Sequence[Row]
    signals: Sequence[Row]
    feedback: Sequence[Row]


class Grouped(NamedTuple):
    """The rows below each run."""

    incidents: Mapping[UUID, list[Row]]
    evaluations: Mapping[UUID, list[EvaluationRecord]]
    decisions: Mapping[UUID, list[DecisionRecord]]
    breaches: Mapping[UUID, list[BreachRecord]]
    steps: Mapping[UUID, list[tuple[RunStep, StepRecord | None]]]
    seals: Mapping[UUID, list[SealRecord]]
    signals: Mapping[UUID, list[Row]]
    feedback: Mapping[str, Json]


def answer(tenant_id: UUID, rows: Rows, first: int) -> Json:
    """The whole response."""
    now = datetime.now(UTC)
    names = RunRow.__struct_fields__
    runs = [RunRow(**dict(zip(names, row, strict=True))) for row in rows.runs[:first]]
    grouped = _grouped(rows, now)
    last = runs[-1] if runs else None
    page = {
        "totalCount": min(rows.total, MOST_COUNTED),
        "pageInfo": {
            "hasNextPage": len(rows.runs) > first,
            "endCursor": None if last is None else _cursor(last),
        },
        "edges": [{"node": _run(tenant_id, run, grouped, now)} for run in runs],
    }
    return {"data": {"runs": page}}


def _grouped(rows: Rows, now: datetime) -> Grouped:
    steps: defaultdict[UUID, list[tuple[RunStep, StepRecord | None]]] = defaultdict(list)
    for row in rows.steps:
        steps[row[0]].append((RunStep(row[0], row[1], row[2], row[3]), _step(row)))
    return Grouped(
        incidents=_by_run(rows.incidents),
        evaluations=_records(EvaluationRecord, rows.evaluations),
        decisions=_records(DecisionRecord, rows.decisions),
        breaches=_records(BreachRecord, rows.breaches),
        steps=steps,
        seals=_records(SealRecord, rows.seals),
        signals=_by_run(rows.signals),
        feedback=_feedback(rows.feedback, now),
    )


def _by_run(rows: Iterable[Row]) -> defaultdict[UUID, list[Row]]:
    by_run: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        by_run[row[0]].append(row)
    return by_run


def _records(record: Any, rows: Iterable[Row]) -> defaultdict[UUID, list[Any]]:
    names = record.__struct_fields__
    by_run: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_run[row[0]].append(record(**dict(zip(names, row, strict=True))))
    return by_run


def _step(row: Row) -> StepRecord | None:
    """A step's columns stand in the order of its fields, after the four of its place; absent after a lost step."""
    if row[4] is None:
        return None
    return StepRecord(**dict(zip(StepRecord.__struct_fields__, row[4:], strict=True)))


def _run(tenant_id: UUID, run: RunRow, grouped: Grouped, now: datetime) -> Json:
    key = run.id
    ended = run.completed_ns
    return {
        "id": node_id("Run", key),
        "agentName": run.agent_name,
        "provider": run.provider,
        "model": run.model,
        "status": run.status,
        "state": run.state,
        "riskLevel": run.risk_level,
        "startedAt": from_ns(run.started_ns),
        "completedAt": None if ended is None else from_ns(ended),
        "durationMs": None if ended is None else (ended - run.started_ns) // 1_000_000,
        "inputTokens": run.input_tokens,
        "outputTokens": run.output_tokens,
        "costUsd": None if run.cost_micro_usd is None else _usd(run.cost_micro_usd),
        "costStatus": run.cost_status,
        "evidence": _evidence(key, grouped, now),
        "proof": _proof(tenant_id, run, grouped, now),
        "signals": _signals(grouped.signals[key], grouped.feedback),
    }


def _evidence(key: UUID, grouped: Grouped, now: datetime) -> Json:
    incidents = [
        {"id": node_id("Incident", row[1]), "severity": row[2], "title": row[3], "createdAt": row[4]}
        for row in grouped.incidents[key]
    ]
    policies = _policies(grouped.evaluations[key])
    limits = _limits(grouped.breaches[key])
    decided = sorted(grouped.decisions[key], key=attrgetter("decided_at", "id"), reverse=True)
    decisions = [
        {
            "id": node_id("Decision", one.id),
            "decisionType": one.decision_type,
            "outcome": one.outcome,
            "decidedAt": one.decided_at,
        }
        for one in decided
    ]
    cut = (
        ("INCIDENTS", len(incidents) > INCIDENTS_SHOWN),
        ("POLICIES", len(policies) > POLICIES_SHOWN or len(decisions) > DECISIONS_SHOWN),
        ("CONTROLS", len(limits) > LIMITS_SHOWN),
    )
    return {
        "incidentsCaused": {"totalCount": len(incidents), "nodes": incidents[:INCIDENTS_SHOWN]},
        "policiesEvaluated": {"totalCount": len(policies), "nodes": policies[:POLICIES_SHOWN]},
        "limitsHit": {"totalCount": len(limits), "nodes": limits[:LIMITS_SHOWN]},
        "decisionsMade": {"totalCount": len(decisions), "nodes": decisions[:DECISIONS_SHOWN]},
        "sources": [{"domain": domain, "status": "OK", "truncated": truncated} for domain, truncated in cut],
        "computedAt": now,
    }


def _policies(evaluations: Sequence[EvaluationRecord]) -> list[Json]:
    """Newest first; of what was said at the end each rule's latest, ALLOW summed per rule version and phase."""
    latest = {(one.rule_id, one.phase): one.evidence_index for one in evaluations}
    folded: dict[object, list[Any]] = {}
    for one in evaluations:
        if one.phase == "RUN_END" and latest[one.rule_id, one.phase] != one.evidence_index:
            continue
        place = -1 if one.outcome == "ALLOW" else one.evidence_index
        fold = folded.setdefault((one.rule_id, one.rule_version, one.phase, place), [one, 0, one.evaluated_at])
        fold[1] += one.count
        fold[2] = max(fold[2], one.evaluated_at)
    shown = sorted(folded.values(), key=lambda fold: (fold[2], fold[0].id), reverse=True)
    return [
        {
            "id": node_id("PolicyEvaluation", one.id),
            "policyName": one.rule_name,
            "ruleVersion": one.rule_version,
            "outcome": one.outcome,
            "count": count,
            "evaluatedAt": evaluated_at,
        }
        for one, count, evaluated_at in shown
    ]


def _limits(breaches: Sequence[BreachRecord]) -> list[Json]:
    """Newest first: the latest state of each limit that is still reached."""
    latest = {one.limit_id: one for one in breaches}
    standing = [one for one in latest.values() if not one.cleared]
    standing.sort(key=attrgetter("breached_at", "id"), reverse=True)
    return [
        {
            "id": node_id("LimitBreach", one.id),
            "limitName": one.limit_name,
            "breachedValue": _shown(one, one.breached_value),
            "thresholdValue": _shown(one, one.threshold_value),
            "breachedAt": one.breached_at,
        }
        for one in standing
    ]


def _proof(tenant_id: UUID, run: RunRow, grouped: Grouped, now: datetime) -> Json:
    key = run.id
    evidence: list[EvidenceRecord] = [*grouped.evaluations[key], *grouped.decisions[key], *grouped.breaches[key]]
    evidence.sort(key=attrgetter("evidence_index"))
    verdict = verify_run(
        tenant_id,
        StoredRun(
            run=run,
            seals=grouped.seals[key],
            steps=grouped.steps[key],
            evidence=None if len(evidence) > MOST_EVIDENCE else evidence,
        ),
    )
    first = verdict.first_break
    integrity = {
        "model": verdict.model,
        "verificationStatus": verdict.verification_status,
        "rootHash": verdict.root_hash,
        "chainLength": verdict.chain_length,
        "failureReason": verdict.failure_reason,
        "firstBreak": None if first is None else {"stepIndex": first.step_index, "kind": first.kind},
    }
    return {"integrity": integrity, "verifiedAt": now}


def _signals(signals: Sequence[Row], feedback: Mapping[str, Json]) -> Json:
    nodes = [
        {
            "id": node_id("Signal", row[1]),
            "type": row[3],
            "severity": row[4],
            "fingerprint": row[2],
            "createdAt": row[5],
            "feedback": feedback.get(row[2], NO_FEEDBACK),
        }
        for row in signals[:SIGNALS_SHOWN]
    ]
    return {"totalCount": len(signals), "nodes": nodes}


def _feedback(events: Iterable[Row], now: datetime) -> dict[str, Json]:
    """The state that the entries, oldest first, leave of each signal."""
    newest: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for event in events:
        newest[event[0]][event[1]] = event
        if event[1] == "SignalReopened":
            newest[event[0]].pop("SignalSuppressed", None)
    return {fingerprint: _state(events_of, now) for fingerprint, events_of in newest.items()}


def _state(newest: Mapping[str, Row], now: datetime) -> Json:
    acknowledged = newest.get("SignalAcknowledged")
    suppressed = newest.get("SignalSuppressed")
    until = None if suppressed is None else datetime.fromisoformat(orjson.loads(suppressed[5])["until"])
    if until is not None and until <= now:
        until = None
    by = None if acknowledged is None else {"kind": acknowledged[2], "id": acknowledged[3], "name": acknowledged[4]}
    return {
        "acknowledged": acknowledged is not None,
        "acknowledgedBy": by,
        "acknowledgedAt": None if acknowledged is None else acknowledged[6],
        "suppressed": until is not None,
        "suppressedUntil": until,
        "escalated": "SignalEscalated" in newest,
    }


def _shown(breach: BreachRecord, stored: int) -> str:
    return _usd(stored) if breach.limit_type == "COST_USD" else str(stored)


def _usd(micro_usd: int) -> str:
    return f"{micro_usd // 1_000_000}.{micro_usd % 1_000_000:06d}".rstrip("0").rstrip(".")


def _cursor(run: RunRow) -> str:
    place = orjson.dumps(["activity.runs", run.started_ns, str(run.id)])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")
