"""The events table: appending what a write changed, reading on from a number, and forgetting what is old.

The head's row is updated last in a write and stays locked until its commit, so numbers are committed in their order:
whoever has read up to a number misses nothing by reading on from there (a sequence would let a late commit slip below
a number that was read already). Each write adds one wait for the tenant's writes that are committing, nothing more.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from spine.contracts.enums import ChangeKind, Topic
from spine.contracts.events import Change, Event
from spine.contracts.statements import InsertRows, Read, Row, Write
from spine.storage.keyset import Keyset
from spine.storage.sessions import WriteSession
from spine.storage.tables import event_heads, events

PLACES = Keyset("events", (int,))
"""Cursors of events."""

MOST_READ = 1000
MOST_FORGOTTEN = 10_000

TENANT: Any = bindparam("tenant_id")
TOPICS: dict[str, Any] = {one.value: one for one in Topic}
KINDS: dict[str, Any] = {one.value: one for one in ChangeKind}

_more = insert(event_heads).values(tenant_id=TENANT, seq=bindparam("count", type_=BigInteger))
MOVE_HEAD = _more.on_conflict_do_update(
    index_elements=[event_heads.c.tenant_id],
    set_={"seq": event_heads.c.seq + bindparam("count", type_=BigInteger)},
).returning(event_heads.c.seq)
HEAD = select(event_heads.c.seq).where(event_heads.c.tenant_id == TENANT)
AFTER = (
    select(events.c.seq, events.c.topic, events.c.kind, events.c.key, events.c.occurred_at)
    .where(events.c.tenant_id == TENANT, events.c.seq > bindparam("after", type_=BigInteger))
    .order_by(events.c.seq)
    .limit(bindparam("limit", type_=Integer))
)
_oldest = select(func.min(events.c.seq)).where(events.c.tenant_id == TENANT).scalar_subquery()
FORGET = delete(events).where(
    events.c.tenant_id == TENANT,
    events.c.seq < _oldest + bindparam("limit", type_=Integer),  # numbers have no gaps
    events.c.occurred_at < bindparam("before"),
)


async def append(session: WriteSession, changes: Sequence[Change], now: datetime) -> None:
    """Number and write the changes of a write; the last that it does before it commits."""
    if not changes:
        return
    (head,) = await session.fetch(Read(MOVE_HEAD, {"count": len(changes)}, _number))
    first = head - len(changes) + 1
    rows = [(first + place, one.topic, one.kind, one.key, now) for place, one in enumerate(changes)]
    await session.insert(InsertRows(events, ("seq", "topic", "kind", "key", "occurred_at"), rows))


def head() -> Read[int]:
    """The number of the tenant's latest event; no row when it has had none."""
    return Read(HEAD, {}, _number)


def events_after(seq: int, most: int = MOST_READ) -> Read[Event]:
    """The next events; the first has the next number, unless that is kept no more."""
    return Read(AFTER, {"after": seq, "limit": most}, _event)


def forget(before: datetime) -> Write:
    """Delete events that are older, of the 10,000 oldest."""
    return Write(FORGET, {"before": before, "limit": MOST_FORGOTTEN})


def _number(row: Row) -> int:
    return int(row[0])


def _event(row: Row) -> Event:
    return Event(row[0], TOPICS[row[1]], KINDS[row[2]], row[3], row[4])
