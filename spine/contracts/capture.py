"""Evidence capture: what a run's record holds of five classes of evidence, what it lacks, and adding to it.

Nothing is invented: an attribute that nobody sent is listed as missing, and lowers the run's completeness.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.enums import (
    CaptureFailureReason,
    CaptureGrade,
    CaptureResolution,
    CaptureState,
    CaptureStatus,
    EnvironmentSource,
    EvaluationOutcome,
    EvidenceClass,
    ProviderType,
    StepKind,
    StepStatus,
)
from spine.contracts.paging import NestedPage
from spine.contracts.scalars import BigInt


class EnvironmentInput(Struct, frozen=True, kw_only=True):
    """One attribute of the environment that a run is made in, by its OpenTelemetry name."""

    name: str
    value: str


class CaptureEnvironment(Struct, frozen=True, kw_only=True):
    """Add to what is known of a run's environment. The run's own trace is the context: without it, no evidence."""

    idempotency_key: str
    run_key: UUID
    trace_id: str
    attributes: tuple[EnvironmentInput, ...]


class CaptureRequest(Struct, frozen=True, kw_only=True):
    """Ask what was captured of these runs, with so many of their model calls and failures."""

    run_keys: tuple[UUID, ...]
    calls: int = 0
    failures: int = 0


class MissingEvidence(Struct, frozen=True, gc=False, kw_only=True):
    """Something that a run's evidence lacks."""

    evidence_class: Annotated[EvidenceClass, Meta(description="The class that lacks it.")]
    attribute: Annotated[str, Meta(description="What is missing, by its OpenTelemetry name where it has one.")]
    required: Annotated[bool, Meta(description="Whether evidence without it is none.")]
    missing_count: Annotated[int, Meta(description="How many times it is missing.")]
    expected_count: Annotated[int, Meta(description="How many times it was expected: once a run, or once a call.")]
    reason: Annotated[str, Meta(description="Why it counts as missing, for people.")]


class CapturedClass(Struct, frozen=True, gc=False, kw_only=True):
    """How much of one class of evidence was captured."""

    evidence_class: Annotated[EvidenceClass, Meta(description="The class.")]
    required: Annotated[bool, Meta(description="Whether something of it is required.")]
    status: Annotated[CaptureStatus, Meta(description="How much of it was captured.")]
    expected: Annotated[int, Meta(description="How many attributes were expected.")]
    observed: Annotated[int, Meta(description="How many of them were captured.")]


class CaptureCompleteness(Struct, frozen=True, gc=False, kw_only=True):
    """How complete a run's evidence is: the share of what is expected of it that was captured."""

    score: Annotated[float, Meta(description="Observed by expected, 0 to 1, three decimals.")]
    grade: Annotated[CaptureGrade, Meta(description="What the evidence is good for.")]
    state: Annotated[CaptureState, Meta(description="Whether the run's seal covers it.")]
    expected: Annotated[int, Meta(description="How many attributes were expected.")]
    observed: Annotated[int, Meta(description="How many of them were captured.")]
    failure_count: Annotated[int, Meta(description="How many times capturing failed.")]
    classes: Annotated[tuple[CapturedClass, ...], Meta(description="The same by class.")]
    missing: Annotated[tuple[MissingEvidence, ...], Meta(description="What is missing, and why.")]
    explanation: Annotated[str, Meta(description="How the grade came about, for people.")]


class EnvironmentAttribute(Struct, frozen=True, gc=False, kw_only=True):
    """One attribute of the environment in which a run was made."""

    name: Annotated[str, Meta(description="Its OpenTelemetry name.")]
    value: Annotated[str, Meta(description="Its value as text, at most 1,000 characters of it.")]
    source: Annotated[EnvironmentSource, Meta(description="How it came.")]
    captured_at: Annotated[datetime, Meta(description="When it came (UTC).")]


class ActivityEvidence(Struct, frozen=True, gc=False, kw_only=True):
    """What was captured of one model call, as its chained step holds it."""

    step_index: Annotated[int, Meta(description="Number in the trace's chain.")]
    span_id: Annotated[str, Meta(description="16 hex characters.")]
    name: Annotated[str, Meta(description="The span's name.")]
    kind: Annotated[StepKind, Meta(description="What it did.")]
    status: Annotated[StepStatus, Meta(description="How it ended.")]
    started_at: Annotated[datetime, Meta(description="When it started (UTC).")]
    completed_at: Annotated[datetime, Meta(description="When it ended (UTC).")]
    input_tokens: Annotated[BigInt | None, Meta(description="Input tokens.")]
    output_tokens: Annotated[BigInt | None, Meta(description="Output tokens.")]
    input_hash: Annotated[str | None, Meta(description="The step's inputHash, hex.")]
    output_hash: Annotated[str | None, Meta(description="The step's outputHash, hex.")]
    step_hash: Annotated[str, Meta(description="The step's hash in its chain, hex.")]
    missing: Annotated[tuple[str, ...], Meta(description="Attributes that this call should have carried.")]


class ProviderEvidence(Struct, frozen=True, gc=False, kw_only=True):
    """What was captured of the provider that answered one model call."""

    step_index: Annotated[int, Meta(description="Number of the call in the trace's chain.")]
    span_id: Annotated[str, Meta(description="16 hex characters.")]
    provider: Annotated[str | None, Meta(description="The provider's name.")]
    provider_type: Annotated[ProviderType, Meta(description="The provider's family.")]
    model: Annotated[str | None, Meta(description="The requested model.")]
    response_id: Annotated[str | None, Meta(description="The provider's id of the answer.")]
    finish_reason: Annotated[str | None, Meta(description="Why the model stopped.")]
    missing: Annotated[tuple[str, ...], Meta(description="Attributes that this call should have carried.")]


class PolicyEvidence(Struct, frozen=True, gc=False, kw_only=True):
    """How often rules said the same of a run."""

    outcome: Annotated[EvaluationOutcome, Meta(description="What they said.")]
    count: Annotated[BigInt, Meta(description="How often, over all rules and steps.")]


class SealEvidence(Struct, frozen=True, gc=False, kw_only=True):
    """The latest seal of a run, as it is stored; `proof` recomputes it."""

    version: Annotated[int, Meta(description="How often the run was sealed.")]
    seal_hash: Annotated[str, Meta(description="The seal's hash, hex.")]
    sealed_at: Annotated[datetime, Meta(description="When it was made (UTC).")]
    step_count: Annotated[int, Meta(description="How many steps it covers.")]
    evidence_count: Annotated[int, Meta(description="How many evidence records it covers.")]


class CaptureFailure(Struct, frozen=True, gc=False, kw_only=True):
    """A time when evidence could not be captured; recorded outside of what failed."""

    key: UUID
    evidence_class: Annotated[EvidenceClass, Meta(description="What was to be captured.")]
    reason: Annotated[CaptureFailureReason, Meta(description="Why it was not.")]
    resolution: Annotated[CaptureResolution, Meta(description="What became of it.")]
    message: Annotated[str, Meta(description="What the reporter was told.")]
    request_id: Annotated[str, Meta(description="The request that failed.")]
    failed_at: Annotated[datetime, Meta(description="When (UTC).")]


class RunCapture(Struct, frozen=True, kw_only=True):
    """What was captured of a run. `policy` is None for a key that may not read policies."""

    run_key: UUID
    run_id: Annotated[str, Meta(description="Global id of the run.")]
    completeness: Annotated[CaptureCompleteness, Meta(description="How complete the evidence is.")]
    environment: Annotated[tuple[EnvironmentAttribute, ...], Meta(description="Where it was made, by name.")]
    activity: Annotated[NestedPage[ActivityEvidence], Meta(description="Its model calls.")]
    provider: Annotated[NestedPage[ProviderEvidence], Meta(description="Who answered them.")]
    policy: Annotated[
        tuple[PolicyEvidence, ...] | None, Meta(description="What rules said; null when the key may not read policies.")
    ]
    integrity: Annotated[SealEvidence | None, Meta(description="Its latest seal; null before the first.")]
    failures: Annotated[NestedPage[CaptureFailure], Meta(description="What could not be captured.")]
    computed_at: Annotated[datetime, Meta(description="When it was read (UTC).")]
