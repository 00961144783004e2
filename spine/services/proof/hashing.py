"""The hashes of the record: steps into traces, evidence into runs, seals over both. Pure, and used by both sides.

Every hash is SHA-256 over a domain tag and the canonical JSON of *all* fields of a record with the hash before it,
so a record of one kind can never stand for another. Writing and verifying call the same functions.
"""

from uuid import UUID

import orjson

from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EvaluationRecord,
    EvidenceRecord,
    SealRecord,
    StepRecord,
)
from spine.services.canonical_json import MAX_SAFE_INTEGER, Scalar, canonical, digest, exact
from spine.services.clock import to_us

GENESIS = bytes(32)

STEP_TAG = b"hoc-spine/step/v1\n"
EVIDENCE_TAG = b"hoc-spine/evidence/v1\n"
SEAL_TAG = b"hoc-spine/seal/v1\n"
TRACE_TAG = b"hoc-spine/trace/v1\n"


def trace_genesis(tenant_id: UUID, trace_id: str) -> bytes:
    """The hash before a trace's first step: it binds the chain to its tenant and trace."""
    return digest(TRACE_TAG + canonical({"tenant_id": str(tenant_id), "trace_id": trace_id}))


def evidence_genesis(tenant_id: UUID, run_key: UUID) -> bytes:
    """The hash before a run's first evidence record."""
    return digest(EVIDENCE_TAG + canonical({"tenant_id": str(tenant_id), "run_id": str(run_key)}))


def step_hash(step: StepRecord) -> bytes:
    """The hash of a step: over every field but the hash itself, with `prev_hash` inside.

    Nanosecond times are decimal strings, because they exceed what JSON numbers hold exactly. Written out in the order
    of its keys and checked by hand, because a page of runs hashes thousands of steps; equal to `canonical` (tested).
    """
    for number in (step.input_tokens, step.output_tokens, step.cost_micro_usd):
        if number is not None and not -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
            raise ValueError(f"{number} does not fit a JSON number exactly")
    return digest(
        STEP_TAG
        + orjson.dumps(
            {
                "attributes_digest": step.attributes_digest.hex(),
                "cost_micro_usd": step.cost_micro_usd,
                "ended_ns": str(step.ended_ns),
                "finish_reason": step.finish_reason,
                "input_digest": None if step.input_digest is None else step.input_digest.hex(),
                "input_tokens": step.input_tokens,
                "kind": step.kind,
                "marked": step.marked,
                "model": step.model,
                "name": step.name,
                "outcome_code": step.outcome_code,
                "output_digest": None if step.output_digest is None else step.output_digest.hex(),
                "output_tokens": step.output_tokens,
                "parent_span_id": step.parent_span_id,
                "prev_hash": step.prev_hash.hex(),
                "price_version": step.price_version,
                "provider": step.provider,
                "provider_type": step.provider_type,
                "response_id": step.response_id,
                "skill_name": step.skill_name,
                "span_digest": step.span_digest.hex(),
                "span_id": step.span_id,
                "started_ns": str(step.started_ns),
                "status": step.status,
                "status_message": step.status_message,
                "step_index": step.step_index,
                "trace_id": step.trace_id,
            },
        ),
    )


def evidence_hash(record: EvidenceRecord, prev_hash: bytes) -> bytes:
    """The hash of an evidence record after the one before it; written out as `step_hash` is, for the same reason."""
    if isinstance(record, EvaluationRecord):
        written = _evaluation(record, prev_hash)
    elif isinstance(record, BreachRecord):
        written = _breach(record, prev_hash)
    else:
        written = _decision(record, prev_hash)
    return digest(EVIDENCE_TAG + orjson.dumps(written))


def seal_hash(seal: SealRecord) -> bytes:
    """The hash of a seal: over every field but the hash itself."""
    written = {
        "evidence_count": exact(seal.evidence_count),
        "evidence_head": seal.evidence_head.hex(),
        "prev_seal_hash": seal.prev_seal_hash.hex(),
        "record": "SealRecord",
        "run_key": str(seal.run_key),
        "run_record": seal.run_record.hex(),
        "sealed_at": str(to_us(seal.sealed_at)),
        "step_count": exact(seal.step_count),
        "step_hashes": seal.step_hashes.hex(),
        "version": exact(seal.version),
    }
    return digest(SEAL_TAG + orjson.dumps(written))


def _evaluation(record: EvaluationRecord, prev_hash: bytes) -> dict[str, Scalar]:
    return {
        "count": exact(record.count),
        "evaluated_at": str(to_us(record.evaluated_at)),
        "evidence_index": exact(record.evidence_index),
        "facts": record.facts,
        "id": str(record.id),
        "outcome": record.outcome,
        "phase": record.phase,
        "prev_hash": prev_hash.hex(),
        "reason": record.reason,
        "record": "EvaluationRecord",
        "rule_digest": record.rule_digest.hex(),
        "rule_id": str(record.rule_id),
        "rule_name": record.rule_name,
        "rule_version": exact(record.rule_version),
        "run_key": str(record.run_key),
        "step_index": None if record.step_index is None else exact(record.step_index),
    }


def _breach(record: BreachRecord, prev_hash: bytes) -> dict[str, Scalar]:
    return {
        "breached_at": str(to_us(record.breached_at)),
        "breached_value": exact(record.breached_value),
        "cleared": record.cleared,
        "evidence_index": exact(record.evidence_index),
        "id": str(record.id),
        "level": record.level,
        "limit_id": str(record.limit_id),
        "limit_name": record.limit_name,
        "limit_type": record.limit_type,
        "prev_hash": prev_hash.hex(),
        "record": "BreachRecord",
        "run_key": str(record.run_key),
        "threshold_value": exact(record.threshold_value),
    }


def _decision(record: DecisionRecord, prev_hash: bytes) -> dict[str, Scalar]:
    return {
        "decided_at": str(to_us(record.decided_at)),
        "decision_type": record.decision_type,
        "evidence_index": exact(record.evidence_index),
        "id": str(record.id),
        "outcome": record.outcome,
        "prev_hash": prev_hash.hex(),
        "reason": record.reason,
        "record": "DecisionRecord",
        "run_key": str(record.run_key),
        "subject_id": str(record.subject_id),
        "subject_name": record.subject_name,
    }
