"""The hashes of the record: steps into traces, evidence into runs, seals over both. Pure, and used by both sides.

Every hash is SHA-256 over a domain tag and the canonical JSON of *all* fields of a record with the hash before it,
so a record of one kind can never stand for another. Writing and verifying call the same functions.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import orjson
from msgspec import UNSET, Struct

from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    EvidenceRecord,
    SealRecord,
    StepRecord,
)
from spine.services.canonical_json import MAX_SAFE_INTEGER, exact
from spine.services.clock import to_us
from spine.services.digests import tagged
from spine.services.proof.written import (
    WrittenBreach,
    WrittenDecision,
    WrittenEnvironment,
    WrittenEvaluation,
    WrittenSeal,
    WrittenStep,
    encode,
)

GENESIS = bytes(32)

STEP_TAG = b"hoc-spine/step/v1\n"
EVIDENCE_TAG = b"hoc-spine/evidence/v1\n"
SEAL_TAG = b"hoc-spine/seal/v1\n"
TRACE_TAG = b"hoc-spine/trace/v1\n"

_step_digest = tagged(STEP_TAG)
_evidence_digest = tagged(EVIDENCE_TAG)
_seal_digest = tagged(SEAL_TAG)
_trace_digest = tagged(TRACE_TAG)


def trace_genesis(tenant_id: UUID, trace_id: str) -> bytes:
    """The hash before a trace's first step: it binds the chain to its tenant and trace."""
    return _trace_digest(orjson.dumps({"tenant_id": str(tenant_id), "trace_id": trace_id}))


def evidence_genesis(tenant_id: UUID, run_key: UUID) -> bytes:
    """The hash before a run's first evidence record."""
    return _evidence_digest(orjson.dumps({"run_id": str(run_key), "tenant_id": str(tenant_id)}))


def step_hash(step: StepRecord) -> bytes:
    """The hash of a step: over every field but the hash itself, with `prev_hash` inside."""
    return _step_digest(step_content(step))


def step_content(step: StepRecord) -> bytes:
    """What is hashed of a step, without the tag: canonical JSON.

    Nanosecond times are decimal strings, because they exceed what JSON numbers hold exactly. Written by position and
    checked by hand, because a page of runs hashes thousands of steps; equal to `canonical` (tested).
    """
    for number in (step.input_tokens, step.output_tokens, step.cost_micro_usd):
        if number is not None and not -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
            raise ValueError(f"{number} does not fit a JSON number exactly")
    written = WrittenStep(
        step.attributes_digest.hex(),
        step.cost_micro_usd,
        str(step.ended_ns),
        step.finish_reason,
        None if step.input_digest is None else step.input_digest.hex(),
        step.input_tokens,
        step.kind,
        step.marked,
        step.model,
        step.name,
        step.outcome_code,
        None if step.output_digest is None else step.output_digest.hex(),
        step.output_tokens,
        step.parent_span_id,
        step.prev_hash.hex(),
        step.price_version,
        step.provider,
        step.provider_type,
        step.response_id,
        True if step.salted else UNSET,
        step.skill_name,
        step.span_digest.hex(),
        step.span_id,
        str(step.started_ns),
        step.status,
        step.status_message,
        step.step_index,
        step.trace_id,
    )
    return encode(written)


def evidence_hash(record: EvidenceRecord, prev_hash: bytes) -> bytes:
    """The hash of an evidence record after the one before it: over every field but the hash itself."""
    return _evidence_digest(evidence_content(record, prev_hash))


def evidence_content(record: EvidenceRecord, prev_hash: bytes) -> bytes:
    """What is hashed of an evidence record."""
    return encode(EVIDENCE_WRITERS[record.__class__](record, prev_hash))


def seal_hash(seal: SealRecord) -> bytes:
    """The hash of a seal: over every field but the hash itself."""
    return _seal_digest(seal_content(seal))


def seal_content(seal: SealRecord) -> bytes:
    """What is hashed of a seal."""
    written = WrittenSeal(
        exact(seal.evidence_count),
        seal.evidence_head.hex(),
        seal.prev_seal_hash.hex(),
        "SealRecord",
        str(seal.run_key),
        seal.run_record.hex(),
        str(to_us(seal.sealed_at)),
        exact(seal.step_count),
        seal.step_hashes.hex(),
        exact(seal.version),
    )
    return encode(written)


def _evaluation(record: EvaluationRecord, prev_hash: bytes) -> WrittenEvaluation:
    return WrittenEvaluation(
        exact(record.count),
        UNSET if record.engine is None else record.engine,
        str(to_us(record.evaluated_at)),
        exact(record.evidence_index),
        record.facts,
        str(record.id),
        record.outcome,
        record.phase,
        prev_hash.hex(),
        record.reason,
        "EvaluationRecord",
        record.rule_digest.hex(),
        str(record.rule_id),
        record.rule_name,
        exact(record.rule_version),
        str(record.run_key),
        None if record.step_index is None else exact(record.step_index),
    )


def _breach(record: BreachRecord, prev_hash: bytes) -> WrittenBreach:
    return WrittenBreach(
        str(to_us(record.breached_at)),
        exact(record.breached_value),
        record.cleared,
        exact(record.evidence_index),
        str(record.id),
        record.level,
        str(record.limit_id),
        record.limit_name,
        record.limit_type,
        prev_hash.hex(),
        "BreachRecord",
        str(record.run_key),
        exact(record.threshold_value),
    )


def _decision(record: DecisionRecord, prev_hash: bytes) -> WrittenDecision:
    return WrittenDecision(
        str(to_us(record.decided_at)),
        record.decision_type,
        exact(record.evidence_index),
        str(record.id),
        record.outcome,
        prev_hash.hex(),
        record.reason,
        "DecisionRecord",
        str(record.run_key),
        str(record.subject_id),
        record.subject_name,
    )


def _environment(record: EnvironmentRecord, prev_hash: bytes) -> WrittenEnvironment:
    return WrittenEnvironment(
        record.attributes,
        str(to_us(record.captured_at)),
        exact(record.evidence_index),
        str(record.id),
        prev_hash.hex(),
        "EnvironmentRecord",
        str(record.run_key),
        record.trace_id,
    )


EVIDENCE_WRITERS: Mapping[type, Callable[[Any, bytes], Struct]] = {
    EvaluationRecord: _evaluation,
    BreachRecord: _breach,
    DecisionRecord: _decision,
    EnvironmentRecord: _environment,
}
