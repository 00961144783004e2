"""The sequencer of a process: gives leaves of the tenants' logs their indices and has checkpoints signed.

It dispatches registered operations, as everybody does, one tenant-bound transaction each, because only the registry
commits, and what it writes must be audited, counted and traced like any other write; its principal holds the one
permission that they need. A commit in this process wakes it. Every second it also asks which tenants wait: those of a
process that died, of the command line, and of a sequencer that held the head's lock. It keeps nothing that matters:
killed at any point, it or another one goes on from what is committed.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import structlog

from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, Permission, Role
from spine.contracts.log import Integrate, Integrated, SignCheckpoint, Signing, TenantsWaiting
from spine.orchestrator.operation_registry import OperationRegistry
from spine.services.metrics import LOG_WAITING

GATHER_S: Final = 0.4
"""A woken sequencer waits so long, so that the leaves of a busy moment go together under one checkpoint."""
SWEEP_S: Final = 1.0
SIGN_EVERY_S: Final = 1.0
"""So often a log is signed while more leaves wait than one batch holds."""
BATCH: Final = 1_000
AT_ONCE: Final = 2
"""Tenants at once: the connections are the requests', too."""
AGAIN_S: Final = 1.0
LONGEST_PAUSE_S: Final = 15.0

ACTOR = Actor(ActorKind.SYSTEM, None, "log sequencer")

log = structlog.get_logger("hoc.log")


class Sequencer:
    """Serves each tenant that has something waiting by a task of its own, which ends when nothing waits."""

    def __init__(self, registry: OperationRegistry) -> None:
        self._registry = registry
        self._woken: set[UUID] = set()
        self._serving: dict[UUID, asyncio.Task[None]] = {}
        self._pauses: dict[UUID, float] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask which tenants wait."""
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Stop; what was under way is rolled back."""
        tasks = [*self._serving.values(), *([self._sweeping] if self._sweeping else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def wake(self, tenant_id: UUID) -> None:
        """Something may wait for this tenant."""
        self._woken.add(tenant_id)
        if tenant_id not in self._serving:
            self._serving[tenant_id] = asyncio.create_task(self._serve(tenant_id))

    async def _sweep(self) -> None:
        while True:
            found = await self._registry.execute("logs.tenants_waiting", TenantsWaiting(), None)
            if found.error is None:
                waiting: tuple[UUID, ...] = found.unwrap()
                LOG_WAITING.set(len(waiting))
                for tenant_id in waiting:
                    self.wake(tenant_id)
            await asyncio.sleep(SWEEP_S)

    async def _serve(self, tenant_id: UUID) -> None:
        """Go on for as long as the tenant is woken; after a failure only after a pause, which grows."""
        try:
            while tenant_id in self._woken:
                await asyncio.sleep(GATHER_S)
                self._woken.discard(tenant_id)
                async with self._turns:
                    done = await self._advance(tenant_id)
                if done:
                    self._pauses.pop(tenant_id, None)
                    continue
                pause = self._pauses[tenant_id] = min(2 * self._pauses.get(tenant_id, AGAIN_S / 2), LONGEST_PAUSE_S)
                await asyncio.sleep(pause)
        finally:
            del self._serving[tenant_id]

    async def _advance(self, tenant_id: UUID) -> bool:
        """Integrate what waits and have it signed; False when either could not be done."""
        principal = principal_of(tenant_id)
        began = time.monotonic()
        while True:
            integrated: Integrated | None = await self._step("logs.integrate", Integrate(BATCH), principal)
            if integrated is None:
                return False
            if integrated.busy:  # the next look finds what the other sequencer leaves behind
                return True
            if not integrated.waiting:
                return await self._sign(principal)
            if time.monotonic() - began > SIGN_EVERY_S:
                if not await self._sign(principal):
                    return False
                began = time.monotonic()

    async def _sign(self, principal: Principal) -> bool:
        signing: Signing | None = await self._step("logs.sign_checkpoint", SignCheckpoint(), principal)
        if signing is None:
            return False
        if signing.refusal is not None:
            log.error("log.refused", tenant_id=str(principal.tenant_id), reason=signing.refusal)
            return False
        return True

    async def _step(self, operation: str, request: Any, principal: Principal) -> Any:
        """The operation's value; None when it failed, which the log tells."""
        result = await self._registry.execute(operation, request, principal)
        if result.error is not None:
            log.warning("log.stalled", tenant_id=str(principal.tenant_id), operation=operation, code=result.error.code)
        return result.value


def principal_of(tenant_id: UUID) -> Principal:
    """Who the sequencer is for a tenant."""
    return Principal(tenant_id, ACTOR, Role.MACHINE, frozenset({Permission.LOG_MANAGE}), "log sequencer")
