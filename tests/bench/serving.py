"""The servers as processes of their own: one uvicorn worker each, on a loopback port of the system's choice.

`python -m tests.bench.serving NAME PLACE` is the child; it prints its port and ends when its standard input does, so
it cannot outlive the benchmark.
"""

import asyncio
import importlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn
import uvloop
from msgspec import Struct
from starlette.applications import Starlette

from resolvers.cli import logs
from tests.bench.place import Place, pinned

OURS = "ours"
BY_HAND = "hand-written"
ONE_STATEMENT = "one statement"
ORDINARY = "ordinary ORM"
MODULES = {BY_HAND: "hand_written", ONE_STATEMENT: "one_statement", ORDINARY: "ordinary"}
STOP_SECONDS = 10
SERVER_CORE, CLIENT_CORE = 0, -1
ROOT = Path(__file__).parents[2]


class Server(Struct, frozen=True):
    """A running server: what it serves, its port and its process id."""

    name: str
    port: int
    pid: int


def app_of(name: str, place: Place) -> Starlette:
    """The application of a server; a process loads the code of its own one alone."""
    if name == OURS:
        from resolvers.http.app import create_app  # noqa: PLC0415
        from tests.bench.data import runtime_of  # noqa: PLC0415

        return create_app(runtime_of(place))
    app: Starlette = importlib.import_module(f"tests.bench.{MODULES[name]}").create_app(place)
    return app


@contextmanager
def serving(name: str, place: Place, label: str | None = None) -> Iterator[Server]:
    """A server process for the time of the block, in reports under a label or its name."""
    command = [sys.executable, "-m", "tests.bench.serving", name, msgspec.json.encode(_plain(place)).decode()]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        line = child.stdout.readline() if child.stdout else b""
        if not line:
            raise RuntimeError(f"the server {name} did not start")
        yield Server(label or name, int(line), child.pid)
    finally:
        if child.stdin:
            child.stdin.close()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def _plain(place: Place) -> dict[str, object]:
    return {"connect": place.connect, "superuser": place.superuser, "data_dir": str(place.data_dir)}


class _AnnouncingServer(uvicorn.Server):
    """Prints its port when it takes requests."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started and sockets:
            sys.stdout.write(f"{sockets[0].getsockname()[1]}\n")
            sys.stdout.flush()

    async def stop_with_parent(self) -> None:
        """Wait until standard input ends, then stop."""
        await asyncio.to_thread(sys.stdin.read)
        self.should_exit = True


async def _serve(name: str, place: Place) -> None:
    config = uvicorn.Config(
        app_of(name, place),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    server = _AnnouncingServer(config)
    watching = asyncio.create_task(server.stop_with_parent())
    await server.serve(sockets=[socket.create_server(("127.0.0.1", 0))])
    watching.cancel()


def main() -> None:
    """Serve until standard input ends. No line is logged for each request: the other server has none either."""
    logs.configure("warning")
    name, described = sys.argv[1:]
    plain = msgspec.json.decode(described)
    place = Place(plain["connect"], plain["superuser"], Path(plain["data_dir"]))
    with pinned(SERVER_CORE):
        uvloop.run(_serve(name, place))


if __name__ == "__main__":
    main()
