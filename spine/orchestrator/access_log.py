"""The access log of a process: who read which runs, one line a request, written in batches about a second later.

A request only leaves its line here; it never waits for it. What could not be written is tried again, and counted; the
lines that wait are bounded, and one that finds no room is counted and said in the log as lost. Stopping writes what
waits; a process that is killed loses the lines of its last second.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from spine.contracts.access_log import AccessLine, AccessNote, RecordAccesses
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, Permission, Role
from spine.orchestrator.operation_registry import OperationRegistry
from spine.services.clock import Clock
from spine.services.ids import uuid7
from spine.services.metrics import ACCESS_RECORDS

FLUSH_S: Final = 0.5
LAST_FLUSH_S: Final = 5.0
BATCH: Final = 500
MOST_WAITING: Final = 20_000
"""Lines, of up to 2 kB."""
MOST_RUNS: Final = 100
"""Of a line; a page has no more."""

ACTOR: Final = Actor(ActorKind.SYSTEM, None, "access log")

log = structlog.get_logger("hoc.access")


class Batch(Struct, frozen=True):
    """Lines that are written together, under a key that makes it safe to try again."""

    tenant_id: UUID
    key: UUID
    lines: tuple[AccessLine, ...]


class AccessLog:
    """Takes lines and writes them, tenant by tenant."""

    def __init__(self, registry: OperationRegistry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._lines: dict[UUID, list[AccessLine]] = {}
        self._batches: deque[Batch] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._lost = 0
        self.waiting = 0
        """How many lines are not written yet."""

    def take(self, notes: Sequence[AccessNote]) -> None:
        """Take what the operations of one request disclosed."""
        if self.waiting >= MOST_WAITING:
            self._lose(1)
            return
        principal = notes[0].principal
        line = AccessLine(
            request_id=notes[0].request_id,
            actor=principal.actor,
            key_id=principal.key_id,
            read_at=self._clock(),
            operations=",".join(dict.fromkeys([note.operation for note in notes])),
            run_count=len(keys := _together(notes)),
            run_keys=b"".join([key.bytes for key in keys[:MOST_RUNS]]),
            payloads=any(note.disclosed.payloads for note in notes),
        )
        self._lines.setdefault(principal.tenant_id, []).append(line)
        self.waiting += 1
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._keep_flushing())

    async def flush(self) -> None:
        """Write what waits; it stops at the first batch that cannot be written."""
        async with self._turn:
            for tenant_id, lines in self._lines.items():
                parts = [lines[start : start + BATCH] for start in range(0, len(lines), BATCH)]
                self._batches.extend(Batch(tenant_id, uuid7(), tuple(part)) for part in parts)
            self._lines.clear()
            while self._batches and await self._write(self._batches[0]):
                self.waiting -= len(self._batches.popleft().lines)

    async def close(self) -> None:
        """Write what waits, and say what could not be written in the end."""
        if self._flushing is not None:
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing
        with suppress(TimeoutError):
            await asyncio.wait_for(self.flush(), LAST_FLUSH_S)
        if self.waiting:
            self._lose(self.waiting)
        self._tell_losses()

    async def _keep_flushing(self) -> None:
        while self.waiting:
            await asyncio.sleep(FLUSH_S)
            await self.flush()
            self._tell_losses()

    async def _write(self, batch: Batch) -> bool:
        request = RecordAccesses(batch.key, batch.lines)
        result = await self._registry.execute("logs.record_accesses", request, principal_of(batch.tenant_id))
        ACCESS_RECORDS.labels("written" if result.error is None else "retried").inc(len(batch.lines))
        if result.error is not None:
            log.warning("access.unwritten", lines=self.waiting, code=result.error.code)
        return result.error is None

    def _lose(self, lines: int) -> None:
        self._lost += lines
        ACCESS_RECORDS.labels("lost").inc(lines)

    def _tell_losses(self) -> None:
        if self._lost:
            log.error("access.lost", lines=self._lost)
            self._lost = 0


def _together(notes: Sequence[AccessNote]) -> Sequence[UUID]:
    """The runs of all notes, each once; most requests read of the same runs again and again."""
    keys = notes[0].disclosed.run_keys
    for note in notes[1:]:
        more = note.disclosed.run_keys
        if more != keys:
            keys = tuple(dict.fromkeys([*keys, *more]))
    return keys


def principal_of(tenant_id: UUID) -> Principal:
    """Who writes the access log of a tenant."""
    return Principal(tenant_id, ACTOR, Role.MACHINE, frozenset({Permission.LOG_MANAGE}), "access log")
