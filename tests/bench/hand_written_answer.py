"""Rows to JSON, by hand: the console's page, and one run."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from spine.contracts.log import PlacedLeaf
from spine.contracts.ports import RunRow, RunStep
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
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
    environments: Sequence[Row]
    steps: Sequence[Row]
    seals: Sequence[Row]
    signals: Sequence[Row]
    feedback: Sequence[Row]


class Below(NamedTuple):
    """What stands below one run: what is shown as JSON, and the rows that verification and folding take."""

    incidents: Json
    incidents_cut: bool
    signals: Json
    evaluations: Sequence[EvaluationRecord]
    decisions: Sequence[DecisionRecord]
    breaches: Sequence[BreachRecord]
    environments: Sequence[EnvironmentRecord]
    steps: Sequence[tuple[RunStep, StepRecord | None]]
    seals: Sequence[SealRecord]
    leaves: Sequence[PlacedLeaf | None]


class Grouped(NamedTuple):
    """The rows below each run."""

    incidents: Mapping[UUID, list[Row]]
    evaluations: Mapping[UUID, list[EvaluationRecord]]
    decisions: Mapping[UUID, list[DecisionRecord]]
    breaches: Mapping[UUID, list[BreachRecord]]
    environments: Mapping[UUID, list[EnvironmentRecord]]
    steps: Mapping[UUID, list[tuple[RunStep, StepRecord | None]]]
    seals: Mapping[UUID, list[SealRecord]]
    leaves: Mapping[UUID, list[PlacedLeaf | None]]
    signals: Mapping[UUID, list[Row]]
    feedback: Mapping[str, Json]


def answer(tenant_id: UUID, rows: Rows, first: int) -> bytes:
    """The whole page."""
    now = datetime.now(UTC)
    runs = [run_of(row) for row in rows.runs[:first]]
    nodes = _nodes(tenant_id, runs, rows, now)
    return page_of(runs, nodes, rows.total, more=len(rows.runs) > first)


def answer_run(tenant_id: UUID, rows: Rows) -> bytes:
    """One run, null when there is none."""
    nodes = _nodes(tenant_id, [run_of(row) for row in rows.runs], rows, datetime.now(UTC))
    return orjson.dumps({"data": {"run": nodes[0] if nodes else None}})


def page_of(runs: Sequence[RunRow], nodes: Sequence[Json], total: int, *, more: bool) -> bytes:
    """The page of these runs."""
    page = {
        "totalCount": min(total, MOST_COUNTED),
        "pageInfo": {"hasNextPage": more, "endCursor": cursor_of(runs[-1]) if runs else None},
        "edges": [{"node": node} for node in nodes],
    }
    return orjson.dumps({"data": {"runs": page}})


def run_of(row: Row) -> RunRow:
    """The run that a row begins with."""
    run: RunRow = made(RunRow, row[: len(RunRow.__struct_fields__)])
    return run


def stored_runs(rows: Rows) -> list[StoredRun]:
    """What verification takes, for each run that was read."""
    grouped = _grouped(rows, datetime.now(UTC))
    return [stored_run(run, _below(run.id, grouped)) for run in map(run_of, rows.runs)]


def _nodes(tenant_id: UUID, runs: Sequence[RunRow], rows: Rows, now: datetime) -> list[Json]:
    grouped = _grouped(rows, now)
    return [run_node(tenant_id, run, _below(run.id, grouped), now) for run in runs]


def _below(key: UUID, grouped: Grouped) -> Below:
    incidents = grouped.incidents[key]
    shown = [
        {"id": node_id("Incident", row[1]), "severity": row[2], "title": row[3], "createdAt": row[4]}
        for row in incidents[:INCIDENTS_SHOWN]
    ]
    return Below(
        incidents={"totalCount": len(incidents), "nodes": shown},
        incidents_cut=len(incidents) > INCIDENTS_SHOWN,
        signals=_signals(grouped.signals[key], grouped.feedback),
        evaluations=grouped.evaluations[key],
        decisions=grouped.decisions[key],
        breaches=grouped.breaches[key],
        environments=grouped.environments[key],
        steps=grouped.steps[key],
        seals=grouped.seals[key],
        leaves=grouped.leaves[key],
    )


def _grouped(rows: Rows, now: datetime) -> Grouped:
    steps: defaultdict[UUID, list[tuple[RunStep, StepRecord | None]]] = defaultdict(list)
    for row in rows.steps:
        steps[row[0]].append((RunStep(row[0], row[1], row[2], row[3]), step_of(row[4:])))
    seals: defaultdict[UUID, list[SealRecord]] = defaultdict(list)
    leaves: defaultdict[UUID, list[PlacedLeaf | None]] = defaultdict(list)
    for row in rows.seals:
        seals[row[0]].append(made(SealRecord, row[:-2]))
        leaves[row[0]].append(leaf_of(row[-2], row[-1]))
    return Grouped(
        incidents=_by_run(rows.incidents),
        evaluations=_records(EvaluationRecord, rows.evaluations),
        decisions=_records(DecisionRecord, rows.decisions),
        breaches=_records(BreachRecord, rows.breaches),
        environments=_records(EnvironmentRecord, rows.environments),
        steps=steps,
        seals=seals,
        leaves=leaves,
        signals=_by_run(rows.signals),
        feedback=feedback_of(rows.feedback, now),
    )


def _by_run(rows: Iterable[Row]) -> defaultdict[UUID, list[Row]]:
    by_run: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        by_run[row[0]].append(row)
    return by_run


def _records(record: Any, rows: Iterable[Row]) -> defaultdict[UUID, list[Any]]:
    by_run: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_run[row[0]].append(made(record, row))
    return by_run


def step_of(columns: Sequence[Any]) -> StepRecord | None:
    """A step; absent, as all its columns are, where an assignment has lost its step."""
    return None if columns[0] is None else made(StepRecord, columns)


def leaf_of(index: int | None, content: bytes | None) -> PlacedLeaf | None:
    """A leaf of the log; absent where the seal has none yet."""
    return None if index is None or content is None else PlacedLeaf(index, content)


def made(record: Any, columns: Sequence[Any]) -> Any:
    """A record of its columns, which stand in the order of its fields."""
    return record(*columns)


def run_node(tenant_id: UUID, run: RunRow, below: Below, now: datetime) -> Json:
    """One run with everything below it, its proof made now."""
    ended = run.completed_ns
    return {
        "id": node_id("Run", run.id),
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
        "costUsd": None if run.cost_micro_usd is None else usd(run.cost_micro_usd),
        "costStatus": run.cost_status,
        "evidence": _evidence(below, now),
        "proof": _proof(tenant_id, run, below, now),
        "signals": below.signals,
    }


def _evidence(below: Below, now: datetime) -> Json:
    policies = policies_of(below.evaluations)
    limits = limits_of(below.breaches)
    decisions = decisions_of(below.decisions)
    cut = (
        ("INCIDENTS", below.incidents_cut),
        ("POLICIES", len(policies) > POLICIES_SHOWN or len(decisions) > DECISIONS_SHOWN),
        ("CONTROLS", len(limits) > LIMITS_SHOWN),
    )
    return {
        "incidentsCaused": below.incidents,
        "policiesEvaluated": {"totalCount": len(policies), "nodes": policies[:POLICIES_SHOWN]},
        "limitsHit": {"totalCount": len(limits), "nodes": limits[:LIMITS_SHOWN]},
        "decisionsMade": {"totalCount": len(decisions), "nodes": decisions[:DECISIONS_SHOWN]},
        "sources": [{"domain": domain, "status": "OK", "truncated": truncated} for domain, truncated in cut],
        "computedAt": now,
    }


def policies_of(evaluations: Sequence[EvaluationRecord]) -> list[Json]:
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


def decisions_of(decisions: Sequence[DecisionRecord]) -> list[Json]:
    """Newest first."""
    decided = sorted(decisions, key=attrgetter("decided_at", "id"), reverse=True)
    return [
        {
            "id": node_id("Decision", one.id),
            "decisionType": one.decision_type,
            "outcome": one.outcome,
            "decidedAt": one.decided_at,
        }
        for one in decided
    ]


def limits_of(breaches: Sequence[BreachRecord]) -> list[Json]:
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


def stored_run(run: RunRow, below: Below) -> StoredRun:
    """What verification takes."""
    evidence: list[EvidenceRecord] = [*below.evaluations, *below.decisions, *below.breaches, *below.environments]
    evidence.sort(key=attrgetter("evidence_index"))
    return StoredRun(
        run=run,
        seals=below.seals,
        leaves=below.leaves,
        steps=below.steps,
        evidence=None if len(evidence) > MOST_EVIDENCE else evidence,
    )


def _proof(tenant_id: UUID, run: RunRow, below: Below, now: datetime) -> Json:
    verdict = verify_run(tenant_id, stored_run(run, below))
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


def feedback_of(events: Iterable[Row], now: datetime) -> dict[str, Json]:
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
    return usd(stored) if breach.limit_type == "COST_USD" else str(stored)


def usd(micro_usd: int) -> str:
    """US dollars as the API writes them."""
    return f"{micro_usd // 1_000_000}.{micro_usd % 1_000_000:06d}".rstrip("0").rstrip(".")


def cursor_of(run: Any) -> str:
    """Where the page after this run begins."""
    place = orjson.dumps(["activity.runs", run.started_ns, str(run.id)])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")
