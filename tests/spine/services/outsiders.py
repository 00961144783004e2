"""Witnesses and a time stamping authority on real sockets, in threads of this process, and some that misbehave."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from resolvers.cli.witness_server import Witness, create_app
from resolvers.cli.witness_state import Checkpoints, cosigner_of
from spine.services.proof.timestamp import REPLY_MEDIA_TYPE
from spine.services.proof.witness import Logs, WitnessAddress
from tests.spine.services.proof.authority import Authority

WAIT_S = 60.0


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The URL of an application, for as long as the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + WAIT_S
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(WAIT_S)


@contextmanager
def witnessing(directory: Path, logs: Logs, name: str = "witness.example/w1") -> Iterator[WitnessAddress]:
    """A witness as `hoc witness serve` has it."""
    cosigner = cosigner_of(directory, name)
    checkpoints = Checkpoints(directory / "checkpoints", cosigner.vkey)
    with served(create_app(Witness(cosigner, logs, checkpoints))) as url:
        yield WitnessAddress(cosigner.vkey, url)


@contextmanager
def stamping(authority: Authority) -> Iterator[str]:
    """The authority behind HTTP, as RFC 3161 has it."""

    async def stamp(request: Request) -> Response:
        return Response(authority.answer(await request.body()), media_type=REPLY_MEDIA_TYPE)

    with served(Starlette(routes=[Route("/", stamp, methods=["POST"])])) as url:
        yield f"{url}/"


@contextmanager
def answering(answer: Callable[[bytes], Response]) -> Iterator[str]:
    """Something that answers every POST as it likes."""

    async def say(request: Request) -> Response:
        return answer(await request.body())

    with served(Starlette(routes=[Route("/{path:path}", say, methods=["POST"])])) as url:
        yield url
