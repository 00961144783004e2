"""A tenant's latest events in memory, read once for all who follow them: its memory is bounded, whoever is slow."""

import asyncio
from collections.abc import Sequence
from typing import Final

from spine.contracts.events import Event

KEPT: Final = 10_000
"""Events that stay in memory; a follower who falls behind them is told to resume."""


class Channel:
    """The events after `before`, up to `last`, without gaps."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.followers = 0
        self.hint = asyncio.Event()
        self.broken = False
        self._events: list[Event] = []
        self._arrival = asyncio.Event()

    @property
    def before(self) -> int:
        """The number before the oldest event that is kept."""
        return self.last - len(self._events)

    def take(self, events: Sequence[Event]) -> None:
        """Add the events that follow; one that does not follow breaks the channel, and its followers begin anew."""
        for event in events:
            if event.seq != self.last + 1:
                self.fail()
                return
            self._events.append(event)
            self.last = event.seq
        if len(self._events) > 2 * KEPT:
            del self._events[:-KEPT]
        self._wake()

    def fail(self) -> None:
        """Events that were counted are not there any more: no follower can go on."""
        self.broken = True
        self._wake()

    def since(self, seq: int) -> Sequence[Event]:
        """The kept events after this number, which must not lie before the oldest."""
        return self._events[len(self._events) - (self.last - seq) :] if seq < self.last else ()

    async def arrival(self, timeout_s: float | None) -> None:
        """Wait until events have arrived, or for so long."""
        try:
            await asyncio.wait_for(self._arrival.wait(), timeout_s)
        except TimeoutError:
            return

    def _wake(self) -> None:
        arrived, self._arrival = self._arrival, asyncio.Event()
        arrived.set()
