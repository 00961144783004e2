"""The hashes of the record: steps into traces, evidence into runs, seals over both. Pure, and used by both sides.

Every hash is SHA-256 over a domain tag and the canonical JSON of *all* fields of a record with the hash before it,
so a record of one kind can never stand for another. Writing and verifying call the same functions.
"""

from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
import orjson

from spine.contracts.records import EvidenceRecord, SealRecord, StepRecord
from spine.services.canonical_json import MAX_SAFE_INTEGER, Scalar, canonical, digest
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
    """The hash of an evidence record after the one before it."""
    return digest(EVIDENCE_TAG + canonical(_plain(record, "evidence_hash") | {"prev_hash": prev_hash.hex()}))


def seal_hash(seal: SealRecord) -> bytes:
    """The hash of a seal: over every field but the hash itself."""
    return digest(SEAL_TAG + canonical(_plain(seal, "seal_hash")))


def _plain(record: msgspec.Struct, omitted: str) -> dict[str, Scalar]:
    """A record's fields as canonical JSON values, with its kind."""
    plain: dict[str, Scalar] = {
        name: _scalar(getattr(record, name)) for name in _names(type(record)) if name != omitted
    }
    plain["record"] = type(record).__name__
    return plain


@lru_cache(maxsize=16)
def _names(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return kind.__struct_fields__


def _scalar(value: Any) -> Scalar:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if -(2**53) < value < 2**53 else str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID):
        return str(value)
    return str(to_us(value))
