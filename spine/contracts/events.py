"""Events: what has changed, in the order in which it was committed; the truth behind every subscription.

A tenant's events are numbered without gaps, under a lock that a write takes last and holds until it is committed. So a
cursor is one number, what follows it is everything that was committed since, and a gap is noticed.
"""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Annotated, Generic, Protocol, Self, TypeVar
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.enums import ChangeKind, Topic
from spine.contracts.runs import RunFilter

T = TypeVar("T")

MAX_BATCH = 100

Cursor = Annotated[str, Meta(description="Its place among the tenant's events; pass it as `after` to go on.")]
Kind = Annotated[ChangeKind, Meta(description="What happened.")]
OccurredAt = Annotated[datetime, Meta(description="When (UTC).")]


class Change(Struct, frozen=True, gc=False):
    """What a write reports of an object that it changed; it becomes an event in the same transaction."""

    topic: Topic
    kind: ChangeKind
    key: UUID


class Event(Struct, frozen=True, gc=False):
    """A change with its number and time."""

    seq: int
    topic: Topic
    kind: ChangeKind
    key: UUID
    occurred_at: datetime


class Follow(Struct, frozen=True):
    """Ask for a feed: of what is committed from now on, or since a cursor; at most `first` events a batch (1..100)."""

    first: int
    after: str | None = None


class RunUpdate(Struct, frozen=True, gc=False, kw_only=True):
    """A run appeared, changed, or was withdrawn because its trace turned out to have an agent."""

    cursor: Cursor
    kind: Kind
    occurred_at: OccurredAt
    run_id: Annotated[str, Meta(description="The run's global id.")]
    run_key: UUID | None


class SignalUpdate(Struct, frozen=True, gc=False, kw_only=True):
    """A signal was raised."""

    cursor: Cursor
    kind: Kind
    occurred_at: OccurredAt
    signal_id: Annotated[str, Meta(description="The signal's global id.")]
    signal_key: UUID | None


class IncidentUpdate(Struct, frozen=True, gc=False, kw_only=True):
    """An incident was opened, withdrawn when a corrected total took its cause back, or restored."""

    cursor: Cursor
    kind: Kind
    occurred_at: OccurredAt
    incident_id: Annotated[str, Meta(description="The incident's global id.")]
    incident_key: UUID | None


class AuditUpdate(Struct, frozen=True, gc=False, kw_only=True):
    """An entry was appended to the audit ledger."""

    cursor: Cursor
    kind: Kind
    occurred_at: OccurredAt
    entry_id: Annotated[str, Meta(description="The entry's global id.")]
    entry_key: UUID | None


class Batch(Struct, Generic[T], frozen=True):
    """What has happened since the batch before; `cursor` is the place after all that was looked at for it."""

    cursor: str
    events: Sequence[T]


class Feed(Protocol[T]):
    """Batches of events, one after the other; leave it (`async with`) to stop following."""

    async def __aenter__(self) -> Self:
        """Follow."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop following."""

    async def batch(self) -> Batch[T]:
        """Wait for the next batch.

        The first comes at once and may be empty: it says where the feed begins. Later an empty one only moves the
        cursor. Raises CursorExpired when events after the cursor are kept no more, FellBehind when the follower
        takes them more slowly than they come.
        """


class RunsAmong(Struct, frozen=True):
    """Ask which of these runs a filter lets through now."""

    run_keys: Sequence[UUID]
    filter: RunFilter


class EventCursor(Struct, frozen=True):
    """Where the tenant's events stand in the request's snapshot."""

    cursor: str
