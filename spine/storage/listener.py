"""Hints that a tenant has new events, between server processes; only hints: whoever reads the table misses nothing.

PostgreSQL puts every transaction that notifies through one lock until it is committed (measured: 1,200 commits a
second, whatever the writers), so no write notifies: its process sends one hint for all of the last few milliseconds.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from spine.contracts.errors import Unavailable
from spine.storage.unit_of_work import UNREACHABLE, Database

CHANNEL: Final = "hoc_events"
AGAIN_S: Final = 1.0

Heard = Callable[[UUID | None], None]
"""Called with the tenant of a hint; with None when hints may have been lost."""

log = structlog.get_logger("hoc.events")


async def send_hints(database: Database, tenants: Iterable[UUID]) -> None:
    """Tell every process that these tenants have new events; nothing but UUID objects is put into the text."""
    hints = ";".join(f"SELECT pg_notify('{CHANNEL}','{UUID(int=tenant.int)}')" for tenant in tenants)
    connection = await database.acquire()
    try:
        await connection.execute(f"BEGIN;SET LOCAL synchronous_commit=off;{hints};COMMIT")
    except BaseException:
        await asyncio.shield(database.give_up(connection))
        raise
    await database.release(connection)


async def listen(connect: dict[str, Any], heard: Heard) -> None:
    """Hear hints on a connection of its own until cancelled; one that is lost is made again."""
    while True:
        try:
            await _listen_once(connect, heard)
        except (asyncpg.PostgresError, *UNREACHABLE, TimeoutError, Unavailable) as error:
            log.warning("hints.unheard", error=type(error).__name__)
        await asyncio.sleep(AGAIN_S)


async def _listen_once(connect: dict[str, Any], heard: Heard) -> None:
    lost = asyncio.Event()
    connection: Any = await asyncpg.connect(**connect, timeout=5)
    try:
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, lambda _connection, _pid, _channel, payload: heard(UUID(payload)))
        heard(None)
        await lost.wait()
    finally:
        connection.terminate()
