"""The hub of a process: who follows which tenant, and what was committed there.

The events table is the truth. For each tenant that somebody follows one task reads on from where it was: when this
process commits, when another one sends a hint, and every second all the same, because hints may be lost. Followers
take from its channel at their own pace; they hold nothing, so a slow one costs no memory.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from spine.consequences.channel import Channel
from spine.contracts.errors import CursorExpired, HocError, ValidationFailed
from spine.contracts.events import Event
from spine.services.clock import Clock
from spine.services.metrics import EVENT_LAG, FEEDS
from spine.storage import events as store
from spine.storage.listener import listen, send_hints
from spine.storage.unit_of_work import UNREACHABLE, Database

POLL_S: Final = 1.0
PACE_S: Final = 0.01
HINT_S: Final = 0.015
FORGET_EVERY: Final = timedelta(minutes=5)

FAILURES: Final = (HocError, asyncpg.PostgresError, *UNREACHABLE, TimeoutError)

log = structlog.get_logger("hoc.events")


class Hub:
    """Channels by tenant; `listening` says how to reach the database directly, past any pooler."""

    def __init__(self, database: Database, listening: dict[str, Any], clock: Clock, retention: timedelta) -> None:
        self._database = database
        self._listening = listening
        self._clock = clock
        self._retention = retention
        self._channels: dict[UUID, Channel] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Task[None] | None = None
        self._hinting: asyncio.Task[None] | None = None
        self._changed: set[UUID] = set()
        self._forgotten: dict[UUID, datetime] = {}
        self._watchers: list[Callable[[UUID], None]] = []

    @property
    def followers(self) -> int:
        """How many feeds are open."""
        return sum(channel.followers for channel in self._channels.values())

    def watch(self, watcher: Callable[[UUID], None]) -> None:
        """Call the watcher with the tenant of each write that this process commits."""
        self._watchers.append(watcher)

    def committed(self, tenant_id: UUID) -> None:
        """A write of this tenant has been committed."""
        self._heard(tenant_id)
        for watcher in self._watchers:
            watcher(tenant_id)
        self._changed.add(tenant_id)
        if self._hinting is None or self._hinting.done():
            self._hinting = asyncio.create_task(self._send_hints())

    async def join(self, tenant_id: UUID, after: int | None) -> tuple[Channel, int]:
        """The tenant's channel, and the number after which the follower reads; `leave` it in the end.

        Raises CursorExpired when events after the number are kept no more, ValidationFailed when there are none yet.
        """
        head, start = await self._place(tenant_id, after)
        channel = self._channels.get(tenant_id)
        if channel is None or channel.broken:
            channel = self._channels[tenant_id] = Channel(head)
            self._spawn(self._read(tenant_id, channel))
        if self._listener is None:
            self._listener = asyncio.create_task(listen(self._listening, self._heard))
        channel.followers += 1
        FEEDS.inc()
        return channel, start

    def leave(self, channel: Channel) -> None:
        """The follower goes; the task of a channel that nobody follows ends."""
        channel.followers -= 1
        FEEDS.dec()
        channel.hint.set()

    async def after(self, tenant_id: UUID, seq: int) -> list[Event]:
        """The next events from the table, at most 1,000; raises CursorExpired when the next one is not there."""
        found = await self._fetch(tenant_id, seq)
        if not found or any(event.seq != seq + place for place, event in enumerate(found, start=1)):
            raise CursorExpired
        return found

    async def close(self) -> None:
        """Stop reading, hearing and telling."""
        tasks = [*self._tasks, *(one for one in (self._listener, self._hinting) if one is not None)]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _heard(self, tenant_id: UUID | None) -> None:
        for tenant, channel in self._channels.items():
            if tenant_id is None or tenant == tenant_id:
                channel.hint.set()

    async def _place(self, tenant_id: UUID, after: int | None) -> tuple[int, int]:
        session = self._database.request()
        try:
            async with session.reading(tenant_id) as reading:
                head = await reading.fetch_one(store.head()) or 0
                if after is None or after == head:
                    return head, head
                if after > head or after < 0:
                    raise ValidationFailed("this cursor is ahead of all events", field="after")
                following = await reading.fetch(store.events_after(after, most=1))
                if not following or following[0].seq != after + 1:
                    raise CursorExpired
                return head, after
        finally:
            await session.close()

    async def _fetch(self, tenant_id: UUID, seq: int) -> list[Event]:
        session = self._database.request()
        try:
            async with session.reading(tenant_id) as reading:
                return await reading.fetch(store.events_after(seq))
        finally:
            await session.close()

    async def _read(self, tenant_id: UUID, channel: Channel) -> None:
        """Read on for as long as somebody follows."""
        try:
            while channel.followers and not channel.broken:
                channel.hint.clear()
                await self._read_once(tenant_id, channel)
        finally:
            channel.fail()
            if self._channels.get(tenant_id) is channel:
                del self._channels[tenant_id]

    async def _read_once(self, tenant_id: UUID, channel: Channel) -> None:
        try:
            found = await self._fetch(tenant_id, channel.last)
        except FAILURES as error:
            log.warning("events.unread", tenant_id=str(tenant_id), error=type(error).__name__)
            await asyncio.sleep(POLL_S)
            return
        if found:
            channel.take(found)
            EVENT_LAG.set(max(0.0, (self._clock() - found[0].occurred_at).total_seconds()))
            await asyncio.sleep(PACE_S)  # so that events of a busy moment go together
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(channel.hint.wait(), POLL_S)

    async def _send_hints(self) -> None:
        while self._changed:
            await asyncio.sleep(HINT_S)
            changed, self._changed = self._changed, set()
            try:
                await send_hints(self._database, changed)
                for tenant_id in changed:
                    await self._forget(tenant_id)
            except FAILURES as error:
                log.warning("hints.lost", error=type(error).__name__)  # others find the events when they next look

    async def _forget(self, tenant_id: UUID) -> None:
        """Delete events that are older than they are kept, every few minutes in which the tenant writes."""
        now = self._clock()
        if now - self._forgotten.get(tenant_id, datetime.min.replace(tzinfo=now.tzinfo)) < FORGET_EVERY:
            return
        self._forgotten = {tenant: at for tenant, at in self._forgotten.items() if now - at < FORGET_EVERY}
        self._forgotten[tenant_id] = now
        async with self._database.write(tenant_id) as writing:
            await writing.execute(store.forget(now - self._retention))
