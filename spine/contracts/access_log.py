"""The access log: who read which runs and payloads, one record a request, in batches that the tenant's log covers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind
from spine.contracts.paging import PageRequest

KEY_BYTES = 16


class Disclosed(NamedTuple):
    """What an operation's answer tells of runs: which of them, and whether payloads of theirs."""

    run_keys: Sequence[UUID]
    payloads: bool = False


class AccessNote(NamedTuple):
    """One operation of a request, and what it disclosed to whom."""

    principal: Principal
    request_id: str
    operation: str
    disclosed: Disclosed


class AccessLine(Struct, frozen=True, gc=False, kw_only=True):
    """A request as it will be recorded: `run_keys` are the first 100 of `run_count`, 16 bytes each."""

    request_id: str
    actor: Actor
    key_id: str
    read_at: datetime
    operations: str
    run_count: int
    run_keys: bytes
    payloads: bool


class RecordAccesses(Struct, frozen=True):
    """Record these lines as one batch; a batch that is there already changes nothing."""

    batch_key: UUID
    lines: tuple[AccessLine, ...]


class AccessesRecorded(Struct, frozen=True):
    """How many records were written: none when the batch was there."""

    count: int


class AccessRecordRow(Struct, frozen=True, gc=False):
    """A record exactly as it is stored and hashed."""

    id: UUID
    batch_id: UUID
    request_id: str
    actor_kind: ActorKind
    actor_id: str | None
    actor_name: str | None
    key_id: str
    read_at: datetime
    operations: str
    run_count: int
    run_keys: bytes
    payloads: bool


class AccessBatchRow(Struct, frozen=True, gc=False):
    """A batch exactly as it is stored: `batch_hash` commits to it and to its records, in the order of their ids."""

    id: UUID
    record_count: int
    first_id: UUID
    last_id: UUID
    recorded_at: datetime
    batch_hash: bytes


class AccessRecord(Struct, frozen=True, gc=False, kw_only=True):
    """One request that read runs; it is never changed."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    batch_key: UUID
    request_id: Annotated[str, Meta(description="The request, as its x-request-id says.")]
    actor: Annotated[Actor, Meta(description="Who read.")]
    key_id: Annotated[str, Meta(description="The id of the key that was presented; never its secret.")]
    read_at: Annotated[datetime, Meta(description="When (UTC).")]
    operations: Annotated[tuple[str, ...], Meta(description="The operations that disclosed something of runs.")]
    run_count: Annotated[int, Meta(description="How many runs were read.")]
    run_ids: Annotated[tuple[str, ...], Meta(description="Global ids of the runs, at most 100 of them.")]
    payloads: Annotated[bool, Meta(description="Whether payloads of theirs were read as well.")]


class AccessBatch(Struct, frozen=True, gc=False, kw_only=True):
    """Records that were written together; the tenant's log holds the batch's hash as a leaf."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    recorded_at: Annotated[datetime, Meta(description="When it was written (UTC).")]
    record_count: Annotated[int, Meta(description="How many records it has.")]
    hash: Annotated[str, Meta(description="What its leaf commits to, hex.")]
    intact: Annotated[bool, Meta(description="Whether what is stored now still has this hash, recomputed when asked.")]


class AccessFilter(Struct, frozen=True, kw_only=True):
    """Which records are wanted."""

    run_key: UUID | None = None
    actor_id: str | None = None
    key_id: str | None = None
    payloads: bool | None = None
    read_after: datetime | None = None
    read_before: datetime | None = None


class ListAccessRecords(Struct, frozen=True, kw_only=True):
    """Ask for a page of access records, newest first."""

    page: PageRequest
    filter: AccessFilter = AccessFilter()
    count: bool = False


class AccessBatchesByKey(Struct, frozen=True):
    """Ask for batches by key."""

    batch_keys: tuple[UUID, ...]
