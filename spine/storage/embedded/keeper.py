"""Starts the embedded server again when it dies under the processes that serve from it."""

import asyncio
import contextlib

import structlog

from spine.storage.embedded.server import EmbeddedPostgres

EVERY_S = 1.0
LONGEST_WAIT_S = 30.0

log = structlog.get_logger("hoc.embedded")


class Keeper:
    """Looks after one server, in a task of its own, until it is stopped."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self._embedded = embedded
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End; a start that is under way is waited for, so that it isn't left behind."""
        self._stopping.set()
        await self._task

    async def _keep(self) -> None:
        wait = EVERY_S
        while not await self._stops_within(wait):
            try:
                revived = await asyncio.to_thread(self._embedded.revive)
            except Exception as error:  # noqa: BLE001 - whatever the reason, it is tried again
                wait = min(wait * 2, LONGEST_WAIT_S)
                log.error("database.dead", reason=str(error), again_in_s=wait)  # noqa: TRY400 - it says it all
                continue
            wait = EVERY_S
            if revived:
                log.warning("database.restarted")

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()
