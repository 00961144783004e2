"""Ports of the activity domain: mapping spans, folding traces into runs, raising signals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import (
    ActorKind,
    CostStatus,
    ProviderType,
    RiskLevel,
    RunSource,
    RunState,
    RunStatus,
    SignalSeverity,
    SignalType,
    TerminationReason,
)
from spine.contracts.ports.governance import LimitReading, RuleVerdict
from spine.contracts.ports.traces import KnownStep
from spine.contracts.runs import CompleteRun, PolicyContext, StartRun, StepInput
from spine.contracts.spans import SpanFacts, SpanRecord
from spine.contracts.statements import InsertRows, Read


class SpanMapping(Protocol):
    """`span_mapping_capability`: what the GenAI conventions say of a span."""

    def __call__(self, span: SpanRecord, salt: bytes) -> SpanFacts:
        """The facts of one span, to be committed to under this salt."""


class RunRow(Struct, frozen=True, gc=False):
    """A run exactly as it is stored; fields in the order of their columns.

    `attributes` and `span_digest` are of the run's own span, under `salt` as a step's are. Once they are erased
    `redacted_at` says when and `attributes_digest` what the seals say of them.
    """

    id: UUID
    trace_id: str
    span_id: str
    parent_span_id: str | None
    parent_run_id: UUID | None
    named_after_root: bool
    withdrawn: bool
    agent_id: str
    agent_name: str
    actor_kind: ActorKind
    actor_id: str | None
    origin_system_id: str
    project_id: str
    conversation_id: str | None
    source: RunSource
    is_synthetic: bool
    provider: str | None
    provider_type: ProviderType
    model: str | None
    goal: str | None
    error_code: str | None
    error_message: str | None
    status: RunStatus
    state: RunState
    termination_reason: TerminationReason | None
    started_ns: int
    completed_ns: int | None
    last_seen_ns: int
    own_provider: str | None
    own_model: str | None
    own_input_tokens: int | None
    own_output_tokens: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    cost_status: CostStatus
    step_count: int
    failed_step_count: int
    missing_span_count: int
    refused_span_count: int
    risk_level: RiskLevel
    policy_violation: bool
    incident_count: int
    evidence_count: int
    evidence_head: bytes
    seal_version: int
    time_limit_ms: int | None
    policy_context: bytes | None
    attributes: bytes | None
    span_digest: bytes
    created_at: datetime
    salt: bytes | None
    attributes_digest: str | None
    redacted_at: datetime | None


class TraceFold(Struct, frozen=True):
    """What all known spans of one trace make: its runs, and which step belongs to which of them.

    `assigned` maps a step's span id to its run's key; a step whose ancestors are not all known is not in it.
    """

    runs: tuple[RunRow, ...]
    assigned: Mapping[str, UUID]


class SpanCost(Protocol):
    """Prices a span's own usage: (provider, model, input tokens, output tokens) to micro-USD or None."""

    def __call__(
        self, provider: str | None, model: str | None, input_tokens: int | None, output_tokens: int | None, /
    ) -> int | None:
        """The cost, None when unknown."""


class RunFolding(Protocol):
    """`run_folding_capability`: the runs of a trace as a function of all its spans."""

    def fold(
        self,
        runs: Sequence[RunRow],
        steps: Sequence[KnownStep],
        agents: Sequence[SpanFacts],
        roots: Sequence[SpanFacts],
        cost_of: SpanCost,
        refused: int,
        now: datetime,
    ) -> TraceFold:
        """Fold stored runs, all steps (stored and new) and the new agent and root spans into the trace's runs."""

    def runs_by_key(self, run_keys: Sequence[UUID]) -> Read[RunRow]:
        """The runs with these keys."""

    def known_runs(self, trace_ids: Sequence[str]) -> Read[RunRow]:
        """Every run of the traces."""

    def existing_runs(self, run_keys: Sequence[UUID]) -> Read[UUID]:
        """Which of these keys are runs that may be shown."""

    def put_runs(self, runs: Sequence[RunRow]) -> InsertRows:
        """Write runs, new or changed."""


class NewSignal(Struct, frozen=True, gc=False, kw_only=True):
    """A warning about a run; the same fingerprint is written once."""

    id: UUID
    run_key: UUID
    fingerprint: str
    type: SignalType
    severity: SignalSeverity
    dimension: str
    source: str
    summary: str
    policy_context: PolicyContext | None
    created_at: datetime


class SignalRaising(Protocol):
    """`signal_raising_capability`: what governance saw, as signals; None where it is not worth one."""

    def for_verdict(self, tenant_id: UUID, run: RunRow, verdict: RuleVerdict, now: datetime) -> NewSignal | None:
        """POLICY_BREACH for a BLOCK, a WARN or an ERROR."""

    def for_reading(
        self, tenant_id: UUID, run: RunRow, reading: LimitReading, context: PolicyContext | None, now: datetime
    ) -> NewSignal | None:
        """THRESHOLD_PROXIMITY for NEAR; COST_, TOKEN_, TIME_RISK or RELIABILITY for a BREACH."""

    def for_failure(self, tenant_id: UUID, run: RunRow, now: datetime) -> NewSignal:
        """RELIABILITY for a failed run."""

    def for_degraded(self, tenant_id: UUID, run: RunRow, now: datetime) -> NewSignal:
        """EVIDENCE_DEGRADED for a run whose evidence is not whole."""

    def closest(self, readings: Sequence[LimitReading]) -> LimitReading | None:
        """The reading that is closest to, or furthest over, its limit."""

    def context_of(self, reading: LimitReading) -> PolicyContext:
        """A reading as people see it."""

    def insert_signals(self, signals: Sequence[NewSignal]) -> InsertRows:
        """Raise signals; known fingerprints are left out."""


class RunReporting(Protocol):
    """`run_reporting_capability`: runs and steps that are reported by mutation."""

    def started_run(self, request: StartRun, parent: RunRow | None, now: datetime) -> RunRow:
        """A new live run."""

    def completed_run(self, run: RunRow, request: CompleteRun, now: datetime) -> RunRow:
        """The run's terminal state; raises ValidationFailed when it would end before it starts."""

    def refused_run(self, run: RunRow, now: datetime) -> RunRow:
        """The terminal state of a run that a rule refused to let begin."""

    def span_of(self, run: RunRow, step: StepInput, salt: bytes) -> SpanFacts:
        """A reported step as a span below the run's own, to be committed to under this salt."""
