"""Whether a server's memory grows: its resident size after a tenth of many mixed requests, and after all of them.

Mixed are pages of several sizes, single runs, counts, lists, documents that nobody asked before, and exports.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
from msgspec import Struct

from tests.bench.console import QUERY
from tests.bench.data import new_tenant, started
from tests.bench.fleet import batches
from tests.bench.governance import RULES
from tests.bench.ingest import otlp_json
from tests.bench.load import exchange, post
from tests.bench.place import Place
from tests.bench.serving import Server

CONNECTIONS = 8
KIB_PER_MIB = 1024


class Memory(Struct, frozen=True):
    """Resident sizes in MiB after each tenth of the requests, and the last by the first."""

    requests: int
    mib: tuple[float, ...]
    ratio: float


async def memory(server: Server, place: Place, key: str, requests: int, report: Callable[[str], None]) -> Memory:
    """Send them over a few connections; RuntimeError when one is refused."""
    tenant = f"bench-memory-{secrets.token_hex(4)}"
    async with started(place) as runtime:
        machine = await new_tenant(runtime, tenant, RULES)
    mixed = _mixed(key, machine, tenant)
    sizes = []
    for tenth in range(10):
        report(f"memory: {tenth} tenths of {requests} requests")
        await _send(server, itertools.islice(mixed, requests // 10))
        sizes.append(_resident_mib(server.pid))
    return Memory(requests, tuple(sizes), sizes[-1] / sizes[0])


async def _send(server: Server, requests: Iterator[bytes]) -> None:
    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**24)
        for request in requests:
            await exchange(reader, writer, request)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))


def _mixed(key: str, machine: str, tenant: str) -> Iterator[bytes]:
    """Of a hundred requests ten are pages with everything, five are documents never seen, one is an export."""
    numbers = itertools.count()
    for number in numbers:
        place = number % 100
        if place == 0:
            spans = next(batches(tenant, [number], 8, time.time_ns(), 1))
            yield post("/v1/traces", machine, otlp_json(spans))
        elif place < 11:
            yield _graphql(key, QUERY, first=1 + place % 5)
        elif place < 16:
            yield _graphql(key, f"query Q{number} {{ runs(first: 2) {{ nodes {{ a{number}: id }} }} }}")
        else:
            yield _graphql(key, LIGHT[number % len(LIGHT)])


LIGHT = (
    "{ viewer { tenant role } }",
    "{ runs(first: 5) { nodes { id status startedAt costUsd } pageInfo { endCursor } } }",
    "{ signals(first: 5) { nodes { id type severity summary feedback { acknowledged } } } }",
    "{ incidents(first: 5) { nodes { id title severity } } }",
    "{ runs(first: 2) { nodes { id proof { integrity { verificationStatus } } } } }",
    "{ agents(first: 1) { nodes { agentId } } }",
)


def _graphql(key: str, query: str, **variables: int) -> bytes:
    return post("/graphql", key, orjson.dumps({"query": query, "variables": variables}))


def _resident_mib(pid: int) -> float:
    """VmRSS; NaN where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return float("nan")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / KIB_PER_MIB
