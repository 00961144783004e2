"""Ports of the logs domain: the chain's two sides and the audit ledger's two sides."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import (
    ProviderType,
    RefusalKind,
    StepKind,
    StepStatus,
)
from spine.contracts.ledger import AuditEvent
from spine.contracts.log import CheckpointRecord, NodeId, PendingLeaf, PlacedLeaf
from spine.contracts.records import (
    EnvironmentRecord,
    SealRecord,
    StepPayload,
    StepRecord,
)
from spine.contracts.statements import InsertRows, Read, Write


class TraceHead(Struct, frozen=True, gc=False):
    """The head of a trace's chain."""

    trace_id: str
    step_count: int
    head_hash: bytes
    refused_count: int


class KnownStep(Struct, frozen=True, gc=False, kw_only=True):
    """What assignment and totals need of a step that is already chained; `run_key` None is not assigned yet.

    `salt` and `redacted_at` are its payload's: `span_digest` tells a copy only with the salt.
    """

    trace_id: str
    step_index: int
    span_id: str
    parent_span_id: str | None
    name: str
    kind: StepKind
    skill_name: str
    status: StepStatus
    outcome_code: str | None
    status_message: str | None
    started_ns: int
    ended_ns: int
    provider: str | None
    provider_type: ProviderType
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    span_digest: bytes
    step_hash: bytes
    salt: bytes | None
    redacted_at: datetime | None
    run_key: UUID | None


class Refusal(Struct, frozen=True, gc=False, kw_only=True):
    """A span that was not taken as a step, kept for people.

    `body` and `span_digest` are of a copy that differs from the span that came first, under the salt of that one: they
    are erased with its payload.
    """

    id: UUID
    trace_id: str | None
    span_id: str | None
    kind: RefusalKind
    reason: str
    span_digest: bytes | None
    body: bytes | None
    refused_at: datetime


class RunStep(Struct, frozen=True, gc=False):
    """A step's place in its run."""

    run_key: UUID
    position: int
    trace_id: str
    step_index: int


class TraceWriting(Protocol):
    """`trace_writing_capability`: the chain's write side."""

    def create_heads(self, heads: Sequence[TraceHead], now: datetime) -> InsertRows:
        """Make heads for traces that have none."""

    def lock_heads(self, trace_ids: Sequence[str]) -> Read[TraceHead]:
        """Lock the heads, in the order of their ids."""

    def move_heads(self, heads: Sequence[TraceHead], now: datetime) -> InsertRows:
        """Write the heads' new state."""

    def known_steps(self, trace_ids: Sequence[str]) -> Read[KnownStep]:
        """Every chained step of the traces, by trace and chain number."""

    def assigned_hashes(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, bytes]]:
        """The hashes of the runs' steps, by run and position."""

    def known_refusals(self, trace_ids: Sequence[str], refusal_ids: Sequence[UUID]) -> Read[UUID]:
        """Every kept refusal of the traces, and of those that name no trace the ones with these ids."""

    def payloads_of(self, steps: Sequence[KnownStep]) -> Read[StepPayload]:
        """The payloads of these steps."""

    def insert_steps(self, steps: Sequence[StepRecord]) -> InsertRows:
        """Append steps."""

    def insert_payloads(self, payloads: Sequence[StepPayload]) -> InsertRows:
        """Append payloads."""

    def insert_run_steps(self, steps: Sequence[RunStep]) -> InsertRows:
        """Append assignments."""

    def insert_refusals(self, refusals: Sequence[Refusal]) -> InsertRows:
        """Keep refused spans."""

    def insert_environments(self, records: Sequence[EnvironmentRecord]) -> InsertRows:
        """Append what was captured of runs' environments."""

    def erase_payloads(self, trace_id: str, step_indexes: Sequence[int], now: datetime) -> Write:
        """Erase the payloads and salts of these steps; those that are erased already stay as they are."""

    def erase_refused(self, trace_id: str, span_ids: Sequence[str], now: datetime) -> Write:
        """Erase what is kept of refused copies of these spans."""

    def latest_seals(self, run_keys: Sequence[UUID]) -> Read[SealRecord]:
        """The newest seal of each run."""

    def insert_seals(self, seals: Sequence[SealRecord]) -> InsertRows:
        """Append seals."""


class LoggedSeal(Struct, frozen=True, gc=False):
    """A seal, and where its leaf stands in the tenant's log; None before it has a place there."""

    seal: SealRecord
    leaf: PlacedLeaf | None


class TraceHeadSummary(Struct, frozen=True, gc=False, kw_only=True):
    """A trace as proof shows it, and beside it what its steps and refusals themselves say."""

    trace_id: str
    step_count: int
    refused_count: int
    head_hash: bytes
    created_at: datetime
    stored_steps: int
    stored_refusals: int
    last_hash: bytes | None


class TracesStore(Protocol):
    """`traces_store_capability`: the chain's read side."""

    def step_records(self, run_keys: Sequence[UUID]) -> Read[tuple[RunStep, StepRecord | None]]:
        """The runs' steps by run and position; None where an assignment has lost its step."""

    def seals(self, run_keys: Sequence[UUID]) -> Read[LoggedSeal]:
        """Every seal of the runs, by run and version, with the place of its leaf in the log."""

    def payloads(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, StepPayload]]:
        """The payloads of the runs' steps, by run and position."""

    def heads(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, TraceHeadSummary]]:
        """The traces that hold steps of the runs."""

    def environment_records(self, run_keys: Sequence[UUID], most: int) -> Read[EnvironmentRecord]:
        """Every stored record of the runs' environments, at most `most` a run."""


class FeedbackEvent(Struct, frozen=True, gc=False, kw_only=True):
    """A ledger entry about a signal, as folding needs it."""

    fingerprint: str
    event_type: str
    actor: Actor
    reason: str | None
    after_state: str | None
    created_at: datetime


class AuditLedgerRead(Protocol):
    """`audit_ledger_read_capability`: what the ledger says of signals."""

    def feedback_events(self, fingerprints: Sequence[str]) -> Read[FeedbackEvent]:
        """Every feedback entry of the signals, oldest first (ties by id)."""


class AuditLedgerWrite(Protocol):
    """`audit_ledger_write_capability`: how the registry records a change."""

    def insert_entries(
        self, events: Mapping[UUID, AuditEvent], operation: str, actor: Actor, request_id: str, now: datetime
    ) -> InsertRows:
        """Append one entry an event, under its key."""

    def queue_leaves(self, leaves: Sequence[PendingLeaf]) -> InsertRows:
        """Let leaves of the tenant's log wait for their indices."""


class LogReading(Protocol):
    """`log_reading_capability`: what proofs of inclusion are made of."""

    def latest_checkpoint(self) -> Read[CheckpointRecord]:
        """The newest checkpoint; no row before the first."""

    def hashes(self, nodes: Sequence[NodeId]) -> Read[tuple[NodeId, bytes]]:
        """The hashes of these perfect subtrees, leaves (level 0) among them; what is not stored is left out."""
