"""Clients that never finish: what they hold open ends, and others are served meanwhile."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from resolvers.http.app import create_app
from resolvers.http.patience import ImpatientProtocol
from spine.bootstrap import Runtime
from spine.settings import Settings

HEADERS_S = 0.5
BODY_S = 0.5


class Hurried(ImpatientProtocol):
    """The same, with less patience."""

    headers_s = HEADERS_S


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A short time for bodies."""
    return settings.model_copy(update={"body_timeout_s": BODY_S})


@contextlib.asynccontextmanager
async def serving(runtime: Runtime) -> AsyncIterator[int]:
    """The server as the command runs it, with less patience; its port."""
    config = uvicorn.Config(
        create_app(runtime), http=Hurried, lifespan="off", log_level="warning", timeout_keep_alive=60
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task


async def patience(port: int, beginning: bytes, then: bytes) -> tuple[bytes, float]:
    """Send a beginning, then a byte now and then; what the server sends until it closes, and the seconds it takes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(beginning)
    dripping = asyncio.create_task(drip(writer, then))
    began = time.monotonic()
    try:
        async with asyncio.timeout(60):
            return await reader.read(), time.monotonic() - began
    finally:
        dripping.cancel()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await dripping
        writer.close()


async def drip(writer: asyncio.StreamWriter, byte: bytes) -> None:
    """Go on sending it, until the server has closed."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(byte)
            await writer.drain()
            await asyncio.sleep(0.05)


class TestHeaders:
    @pytest.mark.parametrize("beginning", [b"", b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: "])
    async def test_that_never_end_close_the_connection(self, runtime: Runtime, beginning: bytes) -> None:
        async with serving(runtime) as port, httpx.AsyncClient(trust_env=False) as other:
            closing = asyncio.create_task(patience(port, beginning, b"a" if beginning else b""))
            assert (await other.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
            sent, took = await closing
        assert sent == b""
        assert HEADERS_S * 0.8 < took < HEADERS_S + 3

    async def test_of_a_second_request_have_no_more_time(self, runtime: Runtime) -> None:
        both = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.1\r\nx-slow: "
        async with serving(runtime) as port:
            sent, took = await patience(port, both, b"a")
        assert sent.count(b"HTTP/1.1 200") == 1
        assert took < HEADERS_S + 3

    async def test_that_came_in_time_leave_the_answer_its_time(self, runtime: Runtime, owner_key: str) -> None:
        async with serving(runtime) as port:
            taken = [await runtime.database.acquire() for _ in range(runtime.settings.pool_size)]
            headers = {"authorization": f"Bearer {owner_key}"}
            async with httpx.AsyncClient(trust_env=False, timeout=20, headers=headers) as client:
                body = {"query": "{ viewer { tenant } }"}
                asking = asyncio.create_task(client.post(f"http://127.0.0.1:{port}/graphql", json=body))
                await asyncio.sleep(HEADERS_S * 3)
                for connection in taken:
                    await runtime.database.release(connection)
                assert (await asking).status_code == 200


class TestBodies:
    @pytest.mark.parametrize("path", ["/graphql", "/v1/traces"])
    async def test_that_never_end_are_answered_and_cut(self, runtime: Runtime, owner_key: str, path: str) -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {owner_key}\r\n"
            "content-type: application/json\r\ncontent-length: 10000\r\n\r\n"
        )
        async with serving(runtime) as port:
            sent, took = await patience(port, head.encode(), b" ")
        assert sent.startswith(b"HTTP/1.1 400")
        assert b"did not arrive within 0.5 seconds" in sent
        assert took < BODY_S + HEADERS_S + 3
