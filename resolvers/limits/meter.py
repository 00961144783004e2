"""The meter of one execution: what it really took, when it must let others have their turn, and when it must stop.

Nobody else is served while an execution works without awaiting. After a fifth of what it may work it is tired: what is
left is put off until the event loop has turned, so a large answer is made in slices. It must stop at its deadline, and
when a slice has become longer than allowed all the same. Work is the thread's CPU time inside this execution, so the
work of others and a busy machine count for nothing.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

LOOK: Final = 63
"""The clocks are read at every 64th object."""
SLICES: Final = 5
MOMENT_S: Final = 0.01
"""How long what was begun may take to get to where it can be cancelled: a coroutine must not be left unbegun."""


class Meter:
    """Counts objects and operations, and paces and stops the execution that it belongs to."""

    def __init__(self, units: Mapping[str, int], *, deadline_s: float, max_work_s: float) -> None:
        self.points = 0
        self.inside = False
        self.tired = False
        self.stopped = False
        self.timeout: asyncio.Timeout | None = None
        self._units = units
        self._deadline_s = deadline_s
        self._max_work_s = max_work_s
        self._loop = asyncio.get_running_loop()
        self.deadline = self._loop.time() + deadline_s
        self._objects = 0
        self._entered = 0.0
        self._worked = 0.0
        self._turning = False

    def again(self) -> "Meter":
        """A fresh one, for the next event of a subscription."""
        return Meter(self._units, deadline_s=self._deadline_s, max_work_s=self._max_work_s)

    def count(self, kind: str) -> None:
        """An object of this type is about to be executed."""
        self.points += self._units.get(kind, 1)
        self._objects += 1
        if not self._objects & LOOK:
            self.look()

    def made(self, objects: int) -> None:
        """So many objects of 1 point were made at once."""
        self.points += objects
        before = self._objects
        self._objects += objects
        if (before | LOOK) < self._objects:
            self.look()

    def enter(self) -> None:
        """The execution has its turn."""
        self.inside = True
        self._entered = time.thread_time()
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turned)

    def leave(self) -> None:
        """It gives its turn up."""
        self.inside = False
        self._worked += time.thread_time() - self._entered

    def stop(self) -> None:
        """From now on nothing is executed, and what waits is cancelled."""
        if self.stopped:
            return
        self.stopped = True
        self.deadline = self._loop.time() + MOMENT_S
        if self.timeout is not None and not self.timeout.expired():
            self.timeout.reschedule(self.deadline)

    def _turned(self) -> None:
        """The loop has turned: others have had their turn."""
        self._worked = 0.0
        self._turning = False
        self.tired = False

    def look(self) -> None:
        """Read the clocks."""
        worked = self._worked + (time.thread_time() - self._entered if self.inside else 0.0)
        if worked > self._max_work_s or self._loop.time() > self.deadline:
            self.stop()
        elif worked > self._max_work_s / SLICES:
            self.tired = True
