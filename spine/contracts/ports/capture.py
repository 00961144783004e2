"""Port of evidence capture: what logs reads, writes and judges of the five classes of a run's evidence."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from spine.contracts.capture import CaptureCompleteness, CaptureFailure, EnvironmentInput
from spine.contracts.enums import (
    CaptureFailureReason,
    CaptureResolution,
    EvidenceClass,
    ProviderType,
    StepKind,
    StepStatus,
)
from spine.contracts.ports.evidence import Ranked
from spine.contracts.statements import InsertRows, Read


class CallCounts(Struct, frozen=True, gc=False):
    """A run's model calls, and how many of them lack what calls carry; what failed is not asked for an answer.

    `answered` calls succeeded, `answered_chats` are those of them that generate text.
    """

    run_key: UUID
    calls: int = 0
    answered: int = 0
    answered_chats: int = 0
    without_provider: int = 0
    without_model: int = 0
    without_input_tokens: int = 0
    without_output_tokens: int = 0
    without_response_id: int = 0
    without_finish_reason: int = 0


class ModelCall(Struct, frozen=True, gc=False):
    """A model call, as its chained step holds it."""

    step_index: int
    span_id: str
    name: str
    kind: StepKind
    status: StepStatus
    started_ns: int
    ended_ns: int
    provider: str | None
    provider_type: ProviderType
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    finish_reason: str | None
    response_id: str | None
    input_digest: bytes | None
    output_digest: bytes | None
    step_hash: bytes


class SealSummary(Struct, frozen=True, gc=False):
    """A run's latest seal, without what it lists."""

    run_key: UUID
    version: int
    step_count: int
    evidence_count: int
    seal_hash: bytes
    sealed_at: datetime


class NewCaptureFailure(Struct, frozen=True, gc=False, kw_only=True):
    """A failure to keep; `span_ids` are the steps that did not arrive, so that it is seen when they do."""

    id: UUID
    run_key: UUID
    trace_id: str
    evidence_class: EvidenceClass
    reason: CaptureFailureReason
    resolution: CaptureResolution
    message: str
    span_ids: Sequence[str]
    request_id: str
    failed_at: datetime


class CaptureFacts(Struct, frozen=True, kw_only=True):
    """What completeness is judged by; `evaluations` is None when they may not be read."""

    live: bool
    erased: bool
    names_model: bool
    environment: Mapping[str, str]
    step_count: int
    evidence_count: int
    missing_spans: int
    refused_spans: int
    calls: CallCounts
    evaluations: int | None
    seal: SealSummary | None
    failures: Mapping[CaptureResolution, int]


class CaptureDriver(Protocol):
    """`capture_driver_capability`: captured evidence, read, written and judged."""

    def environment_of(self, attributes: bytes | None) -> dict[str, str]:
        """The environment that a run's own attributes hold; none when they were erased."""

    def captured(self, attributes: str) -> dict[str, str]:
        """The environment that a captured record holds."""

    def added(self, known: Mapping[str, str], given: Sequence[EnvironmentInput]) -> dict[str, str]:
        """What is new of the given attributes; Conflict when one is known otherwise, TooLarge for too many."""

    def completeness(self, facts: CaptureFacts) -> CaptureCompleteness:
        """How complete the evidence is."""

    def missing_of(self, call: ModelCall) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a model call lacks, of activity and of provider."""

    def call_counts(self, run_keys: Sequence[UUID]) -> Read[CallCounts]:
        """The runs' model calls counted; a run without one has no row."""

    def model_calls(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[ModelCall]]:
        """The first model calls of each run, in the order in which they started."""

    def seal_summaries(self, run_keys: Sequence[UUID]) -> Read[SealSummary]:
        """The newest seal of each run."""

    def failure_counts(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, CaptureResolution, int]]:
        """How many failures each run has, by what became of them."""

    def failures_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[CaptureFailure]]:
        """Newest first per run."""

    def insert_failures(self, failures: Sequence[NewCaptureFailure]) -> InsertRows:
        """Keep failures."""
