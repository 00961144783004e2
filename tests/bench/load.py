"""The load: keep-alive connections that each send one prepared request after another, over loopback.

Plain sockets on uvloop: an HTTP library would need more processor time than the servers do.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from tests.bench.serving import Server

MOST_REQUESTS = 20_000
LOOK_S = 0.1
QUIET = 0.05
"""A server that is on its processor for less than this share of the time does nothing but look."""
MOST_LOOKS = 50
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


class Burst(Struct, frozen=True):
    """What one burst measured: latencies in seconds, the burst's length, processor seconds of the server.

    `answering_cpu` is until the last answer, `server_cpu` until the server has settled: what it does for its requests
    after their answers belongs to them. Where that is once a second and tenant, a short burst shows it at its dearest.
    """

    latencies: list[float]
    seconds: float
    server_cpu: float
    answering_cpu: float

    def quantile_ms(self, share: float) -> float:
        """A quantile of the latencies in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def per_second(self) -> float:
        """Requests answered in a second."""
        return len(self.latencies) / self.seconds

    def cpu_ms(self) -> float:
        """Processor time of the server for one request, in milliseconds."""
        return 1000 * self.server_cpu / len(self.latencies)

    def answering_ms(self) -> float:
        """That until the last answer."""
        return 1000 * self.answering_cpu / len(self.latencies)


def post(path: str, key: str, body: bytes) -> bytes:
    """A whole request as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def burst(
    server: Server, requests: Sequence[bytes], concurrency: int, seconds: float, settling: float = 0.0
) -> Burst:
    """Send the requests in turn over `concurrency` connections until the time is over, each connection at least one.

    Then wait for `settling` seconds at least, until the server is quiet, so that it disturbs no other.
    """
    latencies: list[float] = []
    cpu_before = cpu_seconds(server.pid)
    began = time.perf_counter()

    async def one_connection(place: int) -> None:
        async with asyncio.timeout(seconds + 60):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**24)
            turn = place
            while True:
                at = time.perf_counter()
                await exchange(reader, writer, requests[turn % len(requests)])
                latencies.append(time.perf_counter() - at)
                turn += concurrency
                if time.perf_counter() - began >= seconds or len(latencies) >= MOST_REQUESTS:
                    break
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(*(one_connection(place) for place in range(concurrency)))
    took = time.perf_counter() - began
    answering = cpu_seconds(server.pid) - cpu_before
    if settling:
        await _settled(server, settling)
    return Burst(latencies, took, cpu_seconds(server.pid) - cpu_before, answering)


async def _settled(server: Server, seconds: float) -> None:
    await asyncio.sleep(seconds)
    for _ in range(MOST_LOOKS):
        before = cpu_seconds(server.pid)
        await asyncio.sleep(LOOK_S)
        if cpu_seconds(server.pid) - before < QUIET * LOOK_S:
            break


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """Send one request and answer the body; RuntimeError for anything but 200."""
    writer.write(request)
    head = await reader.readuntil(HEAD_END)
    lines = head.lower().split(b"\r\n")
    length = next(int(line[len(LENGTH) :]) for line in lines if line.startswith(LENGTH))
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{lines[0].decode()}: {body[:300].decode(errors='replace')}")
    return body


async def ask(server: Server, request: bytes) -> bytes:
    """The body of the answer to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**24)
    try:
        return await exchange(reader, writer, request)
    finally:
        writer.close()
        await writer.wait_closed()


def cpu_seconds(pid: int) -> float:
    """Time that a process's threads have been on a processor; 0 where the system does not say.

    To the nanosecond, while `stat` counts in ticks of 10 ms, which a burst of slow requests has few of.
    """
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text(encoding="ascii").split()[0]) for one in threads) / 1e9
