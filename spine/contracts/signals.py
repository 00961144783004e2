"""Signals that runs raise, and the feedback that people leave on them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import SignalSeverity, SignalType
from spine.contracts.paging import PageRequest
from spine.contracts.runs import PolicyContext


class FeedbackKind(StrEnum):
    """What somebody did with a signal."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    SUPPRESSED = "SUPPRESSED"
    REOPENED = "REOPENED"
    ESCALATED = "ESCALATED"


class SignalProjection(Struct, frozen=True, gc=False, kw_only=True):
    """A warning about one run; the same cause in the same run always has the same fingerprint."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    run_key: UUID
    fingerprint: Annotated[str, Meta(description="Identifies type, run, dimension and source, 32 hex characters.")]
    type: Annotated[SignalType, Meta(description="What it warns of.")]
    severity: Annotated[SignalSeverity, Meta(description="How much attention it asks for.")]
    dimension: Annotated[str, Meta(description="What was measured: cost, time, tokens, policy, failures, evidence.")]
    source: Annotated[str, Meta(description="What raised it: a rule, a limit or the run itself.")]
    summary: Annotated[str, Meta(description="One line for people.")]
    policy_context: Annotated[PolicyContext | None, Meta(description="The limit that it is about.")]
    created_at: Annotated[datetime, Meta(description="When it was raised (UTC).")]


class FeedbackEntry(Struct, frozen=True, gc=False, kw_only=True):
    """One thing that somebody did with a signal."""

    kind: Annotated[FeedbackKind, Meta(description="What was done.")]
    actor: Annotated[Actor, Meta(description="Who did it.")]
    reason: Annotated[str | None, Meta(description="Why.")]
    at: Annotated[datetime, Meta(description="When (UTC).")]


class SignalFeedback(Struct, frozen=True, gc=False, kw_only=True):
    """What people said of a signal, folded from the audit ledger in order; a suppression expires by itself."""

    acknowledged: Annotated[bool, Meta(description="Whether somebody has seen it.")] = False
    acknowledged_by: Annotated[Actor | None, Meta(description="Who has.")] = None
    acknowledged_at: Annotated[datetime | None, Meta(description="When (UTC).")] = None
    acknowledgement_reason: Annotated[str | None, Meta(description="Why.")] = None
    suppressed: Annotated[bool, Meta(description="Whether it is kept quiet now.")] = False
    suppressed_by: Annotated[Actor | None, Meta(description="Who keeps it quiet.")] = None
    suppressed_until: Annotated[datetime | None, Meta(description="Until when (UTC).")] = None
    suppression_reason: Annotated[str | None, Meta(description="Why.")] = None
    escalated: Annotated[bool, Meta(description="Whether it was passed on.")] = False
    escalated_by: Annotated[Actor | None, Meta(description="Who passed it on.")] = None
    escalated_at: Annotated[datetime | None, Meta(description="When (UTC).")] = None
    escalation_reason: Annotated[str | None, Meta(description="Why.")] = None
    history: Annotated[tuple[FeedbackEntry, ...], Meta(description="What was done with it, oldest first.")] = ()


class SignalFilter(Struct, frozen=True, kw_only=True):
    """Which signals are wanted."""

    type: tuple[SignalType, ...] = ()
    severity: tuple[SignalSeverity, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None


class ListSignals(Struct, frozen=True, kw_only=True):
    """Ask for a page of signals, newest first."""

    page: PageRequest
    filter: SignalFilter = SignalFilter()
    count: bool = False


class SignalsByKey(Struct, frozen=True):
    """Ask for signals by key; absent and foreign ones are left out."""

    signal_keys: tuple[UUID, ...]


class SignalsForRuns(Struct, frozen=True, kw_only=True):
    """Ask for the newest `first` signals of each run."""

    run_keys: tuple[UUID, ...]
    first: int


class SignalFeedbackRequest(Struct, frozen=True):
    """Ask for the feedback on signals; a fingerprint without any has a value too."""

    fingerprints: tuple[str, ...]


class ChangeSignal(Struct, frozen=True, kw_only=True):
    """Leave feedback on a signal; `reason` is for people."""

    signal_key: UUID
    reason: str | None = None


class SuppressSignal(Struct, frozen=True, kw_only=True):
    """Keep a signal quiet until a time at most 30 days ahead."""

    signal_key: UUID
    until: datetime
    reason: str


class SignalChanged(Struct, frozen=True):
    """Which signal a mutation changed."""

    signal_key: UUID
