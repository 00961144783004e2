"""A real server on a real socket, in the test's own loop, with keys of every role."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from resolvers.http.app import create_app
from resolvers.http.protocol import uvicorn_arguments
from spine.bootstrap import Runtime
from spine.contracts.access import CreateKey
from spine.contracts.actors import Principal
from spine.contracts.enums import Permission, Role
from spine.settings import Settings

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For HTTP without TLS: a client of its own accord reads all authorities' certificates first, 35 ms each time."""
MAX_BODY = 20_000
MAX_EXPORT = 50_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Small limits, so that tests reach them."""
    return Settings(
        data_dir=tmp_path / "hoc",
        key_environment="test",
        max_body_bytes=MAX_BODY,
        max_export_bytes=MAX_EXPORT,
        max_ingests=2,
    )


@contextlib.asynccontextmanager
async def serving(runtime: Runtime) -> AsyncIterator[str]:
    """The application on a port of its own; the runtime is open already."""
    config = uvicorn.Config(
        create_app(runtime),
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=2,
        **uvicorn_arguments(runtime.settings.max_body_bytes),
    )
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@pytest.fixture
def key(event_loop: asyncio.AbstractEventLoop, runtime: Runtime, principal: Principal) -> Callable[..., str]:
    """Make a key of this role for the test's tenant."""

    def make(role: Role = Role.OWNER, *scopes: Permission) -> str:
        request = CreateKey(name=f"{role} key", role=role, scopes=scopes)
        result = event_loop.run_until_complete(runtime.registry.execute("api_keys.create_key", request, principal))
        return str(result.unwrap().key)

    return make


@pytest.fixture
def owner_key(key: Callable[..., str]) -> str:
    """A key that may do everything."""
    return key()


@pytest.fixture
def client(event_loop: asyncio.AbstractEventLoop, runtime: Runtime, owner_key: str) -> Iterator[httpx.AsyncClient]:
    """A client of a running server, with the owner's key."""
    server = serving(runtime)
    url = event_loop.run_until_complete(server.__aenter__())
    headers = {"authorization": f"Bearer {owner_key}"}
    client = httpx.AsyncClient(base_url=url, headers=headers, verify=PLAIN, trust_env=False, timeout=20)
    yield client
    event_loop.run_until_complete(client.aclose())
    event_loop.run_until_complete(server.__aexit__(None, None, None))


Post = Callable[..., Awaitable[httpx.Response]]
