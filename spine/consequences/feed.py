"""A feed: one follower's way through a tenant's events of one topic."""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Generic, Self, TypeVar
from uuid import UUID

from spine.consequences.channel import Channel
from spine.consequences.hub import Hub
from spine.contracts.enums import Topic
from spine.contracts.errors import CursorExpired, FellBehind
from spine.contracts.events import Batch, Event
from spine.storage.events import PLACES

T = TypeVar("T")

PROGRESS_S: Final = 15.0
"""After so long the cursor is sent, when only events of other topics came: a resumed feed does not read them again."""


class TopicFeed(Generic[T]):
    """Batches of at most `first` events of a topic; `make` gives what followers see of one, with its cursor."""

    def __init__(self, hub: Hub, tenant_id: UUID, topic: Topic, first: int, make: Callable[[Event, str], T]) -> None:
        self._hub = hub
        self._tenant_id = tenant_id
        self._topic = topic
        self._first = first
        self._make = make
        self._channel: Channel
        self._position = 0
        self._told: int | None = None
        self._live = False

    async def begin(self, after: int | None) -> Self:
        """Join the tenant's channel; raises CursorExpired or ValidationFailed for a cursor that leads nowhere."""
        self._channel, self._position = await self._hub.join(self._tenant_id, after)
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.leave(self._channel)

    async def batch(self) -> Batch[T]:
        """Wait for events of the topic; see `Feed`."""
        if self._told is None:
            return self._tell([])
        loop = asyncio.get_running_loop()
        due = loop.time() + PROGRESS_S
        while True:
            found = await self._look()
            if found or (self._position != self._told and loop.time() >= due):
                return self._tell(found)
            if self._position >= self._channel.last:
                await self._channel.arrival(max(0.0, due - loop.time()) if self._position != self._told else None)

    async def _look(self) -> list[Event]:
        """The next events of the topic that are there already; moves on past those of others."""
        found: list[Event] = []
        for event in await self._next():
            self._position = event.seq
            if event.topic is self._topic:
                found.append(event)
                if len(found) == self._first:
                    break
        return found

    async def _next(self) -> Sequence[Event]:
        channel = self._channel
        if channel.broken:
            raise CursorExpired
        if self._position >= channel.before:
            self._live = True
            return channel.since(self._position)
        if self._live:
            raise FellBehind
        return await self._hub.after(self._tenant_id, self._position)

    def _tell(self, events: list[Event]) -> Batch[T]:
        self._told = self._position
        made = [self._make(event, PLACES.cursor(event.seq)) for event in events]
        return Batch(PLACES.cursor(self._position), made)
