"""Having outsiders vouch for checkpoints: witnesses cosign them, an authority stamps them with the time.

Each has a task of its own that looks every second for tenants whose newest checkpoint lacks its word, so nothing is
forgotten whoever dies, and nobody waits for an outsider: integration and signing go on without. Only the newest
checkpoint is vouched for, because it vouches for all before it. Of several processes whichever looks first asks; two
that ask at once are both answered.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import httpx
import structlog

from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, Permission, Role
from spine.contracts.errors import Unavailable
from spine.contracts.vouchers import (
    DueSubmission,
    FindStampable,
    FindSubmission,
    KeepCosignature,
    KeepTimestamp,
    Stampable,
    TenantsUnstamped,
    TenantsUnwitnessed,
)
from spine.orchestrator.operation_registry import OperationRegistry
from spine.services.clock import EPOCH, Clock
from spine.services.metrics import LOG_UNVOUCHED, LOG_VOUCHERS
from spine.services.proof.cosignature import cosigned_at
from spine.services.proof.note import Signature
from spine.services.proof.witness import Submission, WitnessAddress
from spine.services.vouchers import Authority, NotVouched, Unreachable, ask_authority, ask_witness

LOOK_S: Final = 1.0
AT_ONCE: Final = 8
"""Tenants for whom one outsider is asked at a time."""
ATTEMPTS: Final = 4
"""So often a witness may say that it knows another size: racing processes need two."""
LONGEST_PAUSE_S: Final = 15.0
REFUSED_S: Final = 60.0
"""So long a tenant whose log was refused is left alone: it will be refused again."""

ACTOR = Actor(ActorKind.SYSTEM, None, "log witnesses")

log = structlog.get_logger("hoc.log")


class Outsider(Protocol):
    """Somebody who is asked to vouch for checkpoints."""

    @property
    def kind(self) -> str:
        """What it is, for the metrics."""
        ...

    @property
    def name(self) -> str:
        """Who it is, for the log."""
        ...

    async def waiting(self) -> Sequence[UUID]:
        """The tenants whose newest checkpoints lack its word; raises Unreachable when the database can't say."""
        ...

    async def vouch(self, http: httpx.AsyncClient, tenant_id: UUID) -> bool:
        """Ask it and keep its word; False when it was not needed any more. Raises Unreachable, NotVouched."""
        ...


class Vouching:
    """Asks every outsider, for as long as it runs."""

    def __init__(self, outsiders: Sequence[Outsider]) -> None:
        self._outsiders = outsiders
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look for checkpoints."""
        self._tasks = [asyncio.create_task(self._serve(outsider)) for outsider in self._outsiders]

    async def close(self) -> None:
        """Stop; what was asked and not kept yet is asked again by whoever runs next."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _serve(self, outsider: Outsider) -> None:
        """Look again and again; when it can't be reached, after a pause that grows."""
        refused: dict[UUID, float] = {}
        pause = LOOK_S
        async with httpx.AsyncClient() as http:
            while True:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that processes take turns
                try:
                    await _look(outsider, http, refused)
                except Unreachable as error:
                    LOG_VOUCHERS.labels(outsider.kind, "unreachable").inc()
                    pause = min(2 * pause, LONGEST_PAUSE_S)
                    log.warning("log.unvouched", by=outsider.name, reason=str(error), next_look_s=pause)
                except Exception:
                    pause = min(2 * pause, LONGEST_PAUSE_S)
                    log.exception("log.vouching_crashed", by=outsider.name)  # and goes on: nobody else would notice
                else:
                    pause = LOOK_S


async def _look(outsider: Outsider, http: httpx.AsyncClient, refused: dict[UUID, float]) -> None:
    """Ask for each tenant that waits, some at a time; raises Unreachable as soon as one can't be asked."""
    now = asyncio.get_running_loop().time()
    found = await outsider.waiting()
    LOG_UNVOUCHED.labels(outsider.kind).set(len(found))
    waiting = [tenant_id for tenant_id in found if refused.get(tenant_id, now) <= now]
    for start in range(0, len(waiting), AT_ONCE):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_ask(outsider, http, one, refused)) for one in waiting[start : start + AT_ONCE]]
        failures = [failure for failure in (task.result() for task in tasks) if failure is not None]
        if failures:
            raise failures[0]


async def _ask(
    outsider: Outsider, http: httpx.AsyncClient, tenant_id: UUID, refused: dict[UUID, float]
) -> Unreachable | None:
    """Ask for one tenant; a refusal is told loudly, because somebody may have tampered with the log."""
    try:
        if await outsider.vouch(http, tenant_id):
            LOG_VOUCHERS.labels(outsider.kind, "kept").inc()
        refused.pop(tenant_id, None)
    except NotVouched as error:
        LOG_VOUCHERS.labels(outsider.kind, "refused").inc()
        log.error("log.not_vouched", by=outsider.name, tenant_id=str(tenant_id), reason=str(error))  # noqa: TRY400
        refused[tenant_id] = asyncio.get_running_loop().time() + REFUSED_S
    except Unreachable as error:
        return error
    return None


class AskedWitness:
    """A witness that cosigns checkpoints."""

    kind = "witness"

    def __init__(self, registry: OperationRegistry, address: WitnessAddress) -> None:
        self._registry = registry
        self._address = address
        self.name = address.name

    async def waiting(self) -> Sequence[UUID]:
        """The tenants whose newest checkpoints it has not cosigned."""
        found: tuple[UUID, ...] = await _dispatched(
            self._registry, "logs.tenants_unwitnessed", TenantsUnwitnessed(self._address.vkey), None
        )
        return found

    async def vouch(self, http: httpx.AsyncClient, tenant_id: UUID) -> bool:
        """Send it the newest checkpoint, from the size that it knows."""
        principal, known_size = principal_of(tenant_id), None
        for _ in range(ATTEMPTS):
            wanted = FindSubmission(self._address.vkey, known_size)
            due: DueSubmission | None = await _dispatched(self._registry, "logs.submission", wanted, principal)
            if due is None:
                return False
            if due.old_size > due.tree_size:
                raise NotVouched(f"it has cosigned {due.old_size} leaves, and the log has {due.tree_size}")
            answer = await ask_witness(http, self._address, Submission(due.old_size, due.proof, due.note))
            if isinstance(answer, Signature):
                await self._keep(due.tree_size, answer, principal)
                return True
            known_size = answer.size
        raise Unreachable("each time it says that it knows another size")

    async def _keep(self, tree_size: int, signature: Signature, principal: Principal) -> None:
        at = EPOCH + timedelta(seconds=cosigned_at(signature))
        kept = KeepCosignature(tree_size, self._address.vkey, signature.line(), at)
        await _dispatched(self._registry, "logs.keep_cosignature", kept, principal)


class AskedAuthority:
    """A time stamping authority; it is asked for a tenant no more often than every `interval`."""

    kind = "authority"

    def __init__(self, registry: OperationRegistry, authority: Authority, interval: timedelta, clock: Clock) -> None:
        self._registry = registry
        self._authority = authority
        self._interval = interval
        self._clock = clock
        self.name = authority.url

    async def waiting(self) -> Sequence[UUID]:
        """The tenants whose newest checkpoints have no stamp, nor an older one of late."""
        wanted = TenantsUnstamped(self._clock() - self._interval)
        found: tuple[UUID, ...] = await _dispatched(self._registry, "logs.tenants_unstamped", wanted, None)
        return found

    async def vouch(self, http: httpx.AsyncClient, tenant_id: UUID) -> bool:
        """Send it the newest checkpoint's hash."""
        principal = principal_of(tenant_id)
        found: Stampable | None = await _dispatched(self._registry, "logs.stampable", FindStampable(), principal)
        if found is None:
            return False
        stamp = await ask_authority(http, self._authority, found.note)
        kept = KeepTimestamp(found.tree_size, stamp.token, stamp.at)
        await _dispatched(self._registry, "logs.keep_timestamp", kept, principal)
        return True


async def _dispatched(registry: OperationRegistry, operation: str, request: Any, principal: Principal | None) -> Any:
    """The operation's value; what the database can't answer now is asked again, the rest is this tenant's fault."""
    result = await registry.execute(operation, request, principal)
    if isinstance(result.error, Unavailable) or (result.error is not None and principal is None):
        raise Unreachable(f"{operation}: {result.error}")
    if result.error is not None:
        raise NotVouched(f"{operation}: {result.error}")
    return result.value


def principal_of(tenant_id: UUID) -> Principal:
    """Who asks for a tenant."""
    return Principal(tenant_id, ACTOR, Role.MACHINE, frozenset({Permission.LOG_MANAGE}), "log witnesses")
