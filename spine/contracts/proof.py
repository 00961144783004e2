"""Proof: whether a run's record is what was sealed, and where it first differs."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.enums import (
    BreakKind,
    IntegrityModel,
    PayloadState,
    RunStatus,
    StepKind,
    StepStatus,
    VerificationStatus,
)
from spine.contracts.log import Inclusion
from spine.contracts.scalars import BigInt

INTEGRITY_CONFIG = {"model": "HASH_CHAIN", "trust_boundary": "SYSTEM", "storage": "POSTGRES"}


class FirstBreak(Struct, frozen=True, gc=False):
    """The first place at which what is stored differs from what was sealed."""

    step_index: Annotated[int | None, Meta(description="Chain number of the step; null when it is not a step.")]
    kind: Annotated[BreakKind, Meta(description="What differs.")]


class IntegrityVerification(Struct, frozen=True, gc=False, kw_only=True):
    """The verdict on a run's record, recomputed when asked."""

    model: Annotated[IntegrityModel, Meta(description="How the record is protected.")]
    trust_boundary: Annotated[str, Meta(description="Inside which boundary the verdict holds.")]
    storage: Annotated[str, Meta(description="Where the record lies.")]
    root_hash: Annotated[str | None, Meta(description="The latest seal's hash, hex; null before the first seal.")]
    chain_length: Annotated[int, Meta(description="How many steps the seal covers.")]
    verification_status: Annotated[VerificationStatus, Meta(description="The verdict.")]
    failure_reason: Annotated[str | None, Meta(description="Why it is not VERIFIED, for people.")]
    first_break: Annotated[FirstBreak | None, Meta(description="Where it first differs.")]


class TraceSummary(Struct, frozen=True, gc=False, kw_only=True):
    """A trace that holds steps of the run."""

    trace_id: Annotated[str, Meta(description="32 hex characters.")]
    run_id: Annotated[str, Meta(description="Global id of the run.")]
    status: Annotated[RunStatus, Meta(description="Where the run stands that it records.")]
    started_at: Annotated[datetime | None, Meta(description="When the run's first step in it started (UTC).")]
    completed_at: Annotated[datetime | None, Meta(description="When the run's last step in it ended (UTC).")]
    step_count: Annotated[int, Meta(description="How many steps the whole trace has.")]
    run_step_count: Annotated[int, Meta(description="How many of them are the run's.")]
    refused_span_count: Annotated[int, Meta(description="How many of its spans were refused.")]
    head_hash: Annotated[str, Meta(description="Hash of the latest step of its chain, hex.")]
    created_at: Annotated[datetime, Meta(description="When its first span arrived (UTC).")]


class TraceStepSummary(Struct, frozen=True, gc=False, kw_only=True):
    """One step of a run: a model call, a tool call or another span."""

    step_index: Annotated[int, Meta(description="Number in the trace's chain: the order of arrival.")]
    span_id: Annotated[str, Meta(description="16 hex characters.")]
    parent_span_id: Annotated[str | None, Meta(description="The span that caused it.")]
    name: Annotated[str, Meta(description="The span's name.")]
    kind: Annotated[StepKind, Meta(description="What it did.")]
    skill_name: Annotated[str, Meta(description="The tool's or the model's name.")]
    status: Annotated[StepStatus, Meta(description="How it ended.")]
    outcome_code: Annotated[str | None, Meta(description="The failure's code.")]
    status_message: Annotated[str | None, Meta(description="The failure's text.")]
    started_at: Annotated[datetime, Meta(description="When it started (UTC).")]
    completed_at: Annotated[datetime, Meta(description="When it ended (UTC).")]
    duration_ms: Annotated[BigInt, Meta(description="How long it took, in milliseconds.")]
    provider: Annotated[str | None, Meta(description="The model provider's name.")]
    model: Annotated[str | None, Meta(description="The model that answered.")]
    input_tokens: Annotated[BigInt | None, Meta(description="Input tokens.")]
    output_tokens: Annotated[BigInt | None, Meta(description="Output tokens.")]
    cost_usd: Annotated[Decimal | None, Meta(description="The known cost in US dollars.")]
    finish_reason: Annotated[str | None, Meta(description="Why the model stopped.")]
    response_id: Annotated[str | None, Meta(description="The provider's id of the answer.")]
    marked: Annotated[bool, Meta(description="Whether a U+0000 was replaced in it.")]
    late: Annotated[bool, Meta(description="Whether it came after the run's first seal.")]
    step_hash: Annotated[str, Meta(description="Its hash, hex.")]
    prev_hash: Annotated[str, Meta(description="Hash of the step before it in the chain, hex.")]
    input_hash: Annotated[
        str | None,
        Meta(
            description="Commitment to its input, hex: SHA-256 over the 32 bytes of `RawLog.salt`, then the input as "
            "it was sent. Null when it had none. It stays when the payload is erased; without the salt it says nothing."
        ),
    ]
    output_hash: Annotated[
        str | None, Meta(description="Commitment to its output, hex, as `inputHash` is; null when it had none.")
    ]


class RawLog(Struct, frozen=True, gc=False, kw_only=True):
    """A step's payloads, verified against their commitments when read."""

    step_index: Annotated[int, Meta(description="Chain number of the step.")]
    state: Annotated[PayloadState, Meta(description="Whether the payload is still there.")]
    redacted_at: Annotated[datetime | None, Meta(description="When it was erased (UTC); null while it is there.")]
    input: Annotated[str | None, Meta(description="Its input, as it was sent; null when it had none, or when erased.")]
    output: Annotated[
        str | None, Meta(description="Its output, as it was sent; null when it had none, or when erased.")
    ]
    attributes: Annotated[
        str | None, Meta(description="Everything else that the span carried, as JSON; null only when erased.")
    ]
    salt: Annotated[
        str | None,
        Meta(
            description="Salt of the step's commitments, 32 bytes as hex: with it whoever holds a payload can compute "
            "`inputHash` and `outputHash`. Null when erased, and for steps that were recorded without one, whose "
            "hashes are SHA-256 of the payload alone."
        ),
    ]


class RunProof(Struct, frozen=True, kw_only=True):
    """A run's proof: the verdict, its traces and steps, and on request its payloads."""

    run_key: UUID
    run_id: Annotated[str, Meta(description="Global id of the run.")]
    integrity: IntegrityVerification
    traces: tuple[TraceSummary, ...]
    steps: tuple[TraceStepSummary, ...]
    raw_logs: tuple[RawLog, ...] | None
    inclusion: Inclusion | None
    verified_at: datetime


class ProofRequest(Struct, frozen=True, kw_only=True):
    """Verify these runs; `whole` lifts the bound on evidence rows, the flags ask for more than the verdict."""

    run_keys: tuple[UUID, ...]
    traces: bool = False
    steps: bool = False
    payloads: bool = False
    inclusion: bool = False
    whole: bool = False


class RunProofBundle(Struct, frozen=True, gc=False, kw_only=True):
    """All that is recorded of a run and the proof that it is in the log, as one file."""

    filename: Annotated[str, Meta(description="A name for the file.")]
    text: Annotated[str, Meta(description="What is in it: UTF-8 text, to be kept byte for byte.")]


class TakeRunAway(Struct, frozen=True, kw_only=True):
    """Ask for a run's bundle; from `from_size` on it also says how the log grew."""

    run_key: UUID
    from_size: int | None = None
