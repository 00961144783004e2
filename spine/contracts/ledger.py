"""The audit ledger: who changed what, in the same transaction as the change."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import AuditEntityType
from spine.contracts.paging import PageRequest
from spine.contracts.scalars import Json


class AuditEvent(Struct, frozen=True, kw_only=True):
    """What a WRITE handler reports of its change; the registry adds actor, operation, request and time."""

    event_type: str
    entity_type: AuditEntityType
    entity_id: str
    reason: str | None = None
    before: object = None
    after: object = None


class AuditEntry(Struct, frozen=True, gc=False, kw_only=True):
    """One entry of the audit ledger; it is never changed."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    operation: Annotated[str, Meta(description="The operation that was dispatched.")]
    event_type: Annotated[str, Meta(description="What happened, such as PolicyRuleCreated.")]
    entity_type: Annotated[AuditEntityType, Meta(description="What kind of object it happened to.")]
    entity_id: Annotated[str, Meta(description="The object's id.")]
    actor: Annotated[Actor, Meta(description="Who did it.")]
    reason: Annotated[str | None, Meta(description="Why, as the actor gave it.")]
    before_state: Annotated[Json | None, Meta(description="The object before, as JSON.")]
    after_state: Annotated[Json | None, Meta(description="The object after, as JSON.")]
    request_id: Annotated[str, Meta(description="The request that did it.")]
    created_at: Annotated[datetime, Meta(description="When (UTC).")]


class EntriesByKey(Struct, frozen=True):
    """Ask for entries of the ledger by key."""

    entry_keys: Sequence[UUID]


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Which entries are wanted."""

    event_type: tuple[str, ...] = ()
    entity_type: tuple[AuditEntityType, ...] = ()
    entity_id: str | None = None
    actor_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class ListAuditEntries(Struct, frozen=True, kw_only=True):
    """Ask for a page of audit entries, newest first."""

    page: PageRequest
    filter: AuditFilter = AuditFilter()
    count: bool = False
