"""A thousand events a second for twenty clients: nothing lost, nothing doubled, whoever stalls or is cut off.

The events are committed by another process than the one that serves, as with several workers.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from spine.bootstrap import Runtime
from spine.contracts.enums import ChangeKind, Topic
from spine.contracts.events import Change
from spine.services.ids import node_id, tenant_id_of, uuid7
from spine.settings import Settings
from spine.storage import events as store
from tests.resolvers.cli.processes import Server
from tests.resolvers.http.socket_client import socket_to

CLIENTS: Final = 20
PER_SECOND: Final = 1000
SECONDS: Final = 30
PER_WRITE: Final = 20
CATCH_UP_S: Final = 60.0
MOST_GROWTH_MB: Final = 64

QUERY = "subscription($after: String) { runUpdated(after: $after, first: 100) { cursor events { runId } } }"


class Client:
    """Follows runs, and resumes after its last cursor whenever it is cut off or told to."""

    def __init__(self, url: str, key: str) -> None:
        self.received: list[str] = []
        self.cursor: str | None = None
        self.connections = 0
        self.resumed = 0
        self.began = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self._url = url
        self._key = key
        self._transport: asyncio.Transport

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except (ConnectionClosed, OSError, TimeoutError):
                await asyncio.sleep(0.2)

    async def _follow(self) -> None:
        async with socket_to(self._url, max_queue=None, ping_interval=None) as socket:
            self.connections += 1
            self._transport = socket.connection.transport
            await socket.begin(self._key)
            await socket.subscribe(QUERY, variables={"after": self.cursor})
            while True:
                await self.reading.wait()
                message = orjson.loads(await socket.connection.recv())
                if message["type"] != "next" or message["payload"].get("errors"):
                    assert message["payload"]["errors"][0]["extensions"]["code"] == "RESUME", message
                    self.resumed += 1
                    return
                batch = message["payload"]["data"]["runUpdated"]
                self.cursor = batch["cursor"]
                self.received += [event["runId"] for event in batch["events"]]
                self.began.set()

    def stall(self) -> None:
        """Take nothing more from the network."""
        self.reading.clear()
        self._transport.pause_reading()

    def go_on(self) -> None:
        """Take what is there, if the server still is."""
        self.reading.set()
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def cut(self) -> None:
        """Lose the connection."""
        self._transport.abort()


async def publish(runtime: Runtime, seconds: float) -> tuple[list[str], float]:
    """Commit events at a steady rate, or more slowly on a busy machine; the ids in order, and the seconds it took."""
    tenant = tenant_id_of("acme")
    published: list[str] = []
    began = time.monotonic()
    while len(published) < seconds * PER_SECOND:
        keys = [uuid7() for _ in range(PER_WRITE)]
        async with runtime.database.write(tenant) as session:
            changes = [Change(Topic.RUNS, ChangeKind.ADDED, key) for key in keys]
            await store.append(session, changes, datetime.now(UTC))
        runtime.hub.committed(tenant)
        published += [node_id("Run", key) for key in keys]
        await asyncio.sleep(max(0.0, began + len(published) / PER_SECOND - time.monotonic()))
    return published, time.monotonic() - began


def resident_mb(pid: int) -> float:
    """The memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "hoc")


async def test_nothing_is_lost_or_doubled_and_memory_is_bounded(server: Server) -> None:
    with server:
        url, key = await asyncio.to_thread(lambda: (server.url, server.new_key()))
        runtime = Runtime(Settings(data_dir=server.data_dir))
        await runtime.open(migrating=False)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(runtime.close)
            clients = [Client(url, key) for _ in range(CLIENTS)]
            tasks = [asyncio.create_task(one.run()) for one in clients]
            await asyncio.gather(*(one.began.wait() for one in clients))
            stalled, killed, *_ = clients
            publishing = asyncio.create_task(publish(runtime, SECONDS))
            await asyncio.sleep(SECONDS * 0.2)
            before = resident_mb(server.process.pid)
            stalled.stall()
            killed.cut()
            published, took = await publishing
            grown = resident_mb(server.process.pid) - before
            stalled.go_on()
            async with asyncio.timeout(CATCH_UP_S):
                while any(len(one.received) < len(published) for one in clients):  # noqa: ASYNC110 - they only count
                    await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    print(f"{len(published)} events in {took:.1f} s to each of {CLIENTS} clients")
    print(f"memory {before:.0f} MB, {grown:+.1f} MB; connections {[one.connections for one in clients]}")
    assert [one.received == published for one in clients] == [True] * CLIENTS
    assert killed.connections > 1
    assert stalled.connections > 1
    assert grown < MOST_GROWTH_MB
