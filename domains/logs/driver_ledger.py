"""The audit ledger: appending entries, listing them newest first, and what people said of signals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Text, bindparam, func, select

from domains.logs.driver import TENANT
from domains.logs.tables import audit_ledger
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind, AuditEntityType
from spine.contracts.ledger import AuditEntry, AuditEvent, AuditFilter
from spine.contracts.paging import MOST_COUNTED
from spine.contracts.ports import FeedbackEvent
from spine.contracts.scalars import Json
from spine.contracts.statements import InsertRows, Read, Row
from spine.services.canonical_json import json_text
from spine.services.ids import node_id

ledger = audit_ledger.c

ACTOR_KINDS: dict[str, Any] = {kind.value: kind for kind in ActorKind}
ENTITY_TYPES: dict[str, Any] = {kind.value: kind for kind in AuditEntityType}

FEEDBACK_EVENTS = ("SignalAcknowledged", "SignalSuppressed", "SignalReopened", "SignalEscalated")

FEEDBACK = (
    select(
        ledger.entity_id,
        ledger.event_type,
        ledger.actor_kind,
        ledger.actor_id,
        ledger.actor_name,
        ledger.reason,
        ledger.after_state,
        ledger.created_at,
    )
    .where(
        ledger.tenant_id == TENANT,
        ledger.entity_type == AuditEntityType.SIGNAL.value,
        ledger.entity_id == func.any(bindparam("fingerprints", type_=ARRAY(Text))),
        ledger.event_type == func.any(bindparam("event_types", type_=ARRAY(Text))),
    )
    .order_by(ledger.created_at, ledger.id)
)

ENTRY_COLUMNS = (
    ledger.id,
    ledger.operation,
    ledger.event_type,
    ledger.entity_type,
    ledger.entity_id,
    ledger.actor_kind,
    ledger.actor_id,
    ledger.actor_name,
    ledger.reason,
    ledger.before_state,
    ledger.after_state,
    ledger.request_id,
    ledger.created_at,
)

BY_KEY = select(*ENTRY_COLUMNS).where(
    ledger.tenant_id == TENANT, ledger.id == func.any(bindparam("entry_keys", type_=ARRAY(ledger.id.type)))
)

CONDITIONS: dict[str, ColumnElement[bool]] = {
    "event_type": ledger.event_type == func.any(bindparam("event_type", type_=ARRAY(Text))),
    "entity_type": ledger.entity_type == func.any(bindparam("entity_type", type_=ARRAY(Text))),
    "entity_id": ledger.entity_id == bindparam("entity_id", type_=Text),
    "actor_id": ledger.actor_id == bindparam("actor_id", type_=Text),
    "created_after": ledger.created_at >= bindparam("created_after", type_=ledger.created_at.type),
    "created_before": ledger.created_at < bindparam("created_before", type_=ledger.created_at.type),
}

ORDER = (ledger.created_at, ledger.id)


@lru_cache(maxsize=64)
def _matching(names: tuple[str, ...]) -> Select[Any]:
    """Entries that meet these conditions: one statement per set of conditions."""
    return select(*ENTRY_COLUMNS).where(ledger.tenant_id == TENANT, *(CONDITIONS[name] for name in names))


@lru_cache(maxsize=64)
def _counting(names: tuple[str, ...]) -> Select[Any]:
    """How many entries meet these conditions, no further than is counted."""
    found = select(ledger.id).where(ledger.tenant_id == TENANT, *(CONDITIONS[name] for name in names))
    return select(func.count()).select_from(found.limit(MOST_COUNTED + 1).subquery("counted"))


def insert_entries(
    events: Mapping[UUID, AuditEvent], operation: str, actor: Actor, request_id: str, now: datetime
) -> InsertRows:
    """Append one entry an event, under its key; a U+0000, which PostgreSQL text cannot hold, becomes U+FFFD."""
    return InsertRows(
        table=audit_ledger,
        columns=(
            "id",
            "operation",
            "event_type",
            "entity_type",
            "entity_id",
            "actor_kind",
            "actor_id",
            "actor_name",
            "reason",
            "before_state",
            "after_state",
            "request_id",
            "created_at",
        ),
        rows=[
            (
                key,
                _clean(operation),
                event.event_type,
                event.entity_type,
                _clean(event.entity_id),
                actor.kind,
                actor.id,
                actor.name,
                _clean(event.reason),
                _state(event.before),
                _state(event.after),
                _clean(request_id),
                now,
            )
            for key, event in events.items()
        ],
    )


def feedback_events(fingerprints: Sequence[str]) -> Read[FeedbackEvent]:
    """Every feedback entry of the signals, oldest first (ties by id)."""
    return Read(FEEDBACK, {"fingerprints": list(fingerprints), "event_types": list(FEEDBACK_EVENTS)}, _feedback_event)


def entries_by_key(entry_keys: Sequence[UUID]) -> Read[AuditEntry]:
    """The entries with these keys."""
    return Read(BY_KEY, {"entry_keys": list(entry_keys)}, _entry)


def matching_entries(wanted: AuditFilter) -> Read[AuditEntry]:
    """Every entry that is wanted, to be paged by ORDER."""
    params = _params(wanted)
    return Read(_matching(tuple(params)), params, _entry)


def count_entries(wanted: AuditFilter) -> Read[int]:
    """How many entries there are, whatever the page; one more than `MOST_COUNTED` where there are more."""
    params = _params(wanted)
    return Read(_counting(tuple(params)), params, lambda row: int(row[0]))


def _params(wanted: AuditFilter) -> dict[str, object]:
    """The conditions that are asked for, by name, in one fixed order."""
    params: Mapping[str, object] = {
        "event_type": list(wanted.event_type) or None,
        "entity_type": list(wanted.entity_type) or None,
        "entity_id": wanted.entity_id,
        "actor_id": wanted.actor_id,
        "created_after": wanted.created_after,
        "created_before": wanted.created_before,
    }
    return {name: value for name, value in params.items() if value is not None}


def _clean(text: str | None) -> str | None:
    return None if text is None else text.replace("\x00", "\ufffd")


def _state(state: object) -> str | None:
    return None if state is None else json_text(state)


def _feedback_event(row: Row) -> FeedbackEvent:
    return FeedbackEvent(
        fingerprint=row[0],
        event_type=row[1],
        actor=Actor(ACTOR_KINDS.get(row[2], ActorKind.SYSTEM), row[3], row[4]),
        reason=row[5],
        after_state=row[6],
        created_at=row[7],
    )


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        key=row[0],
        id=node_id("AuditEntry", row[0]),
        operation=row[1],
        event_type=row[2],
        entity_type=ENTITY_TYPES[row[3]],
        entity_id=row[4],
        actor=Actor(ACTOR_KINDS.get(row[5], ActorKind.SYSTEM), row[6], row[7]),
        reason=row[8],
        before_state=None if row[9] is None else Json(row[9]),
        after_state=None if row[10] is None else Json(row[10]),
        request_id=row[11],
        created_at=row[12],
    )
