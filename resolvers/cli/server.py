"""The HTTP server: one process or several on one socket; each opens a runtime of its own on the prepared database."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import httpx
import typer
import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from resolvers.cli import logs
from resolvers.cli.console import complain, stop_at_hang_up, stop_undisturbed
from resolvers.cli.draining import AT_ONCE, drain_at_sigterm
from resolvers.http.app import create_app
from resolvers.http.graphiql.assets import load as load_assets
from resolvers.http.metrics import DIRECTORY
from resolvers.http.protocol import uvicorn_arguments
from spine.bootstrap import Runtime
from spine.settings import Settings

GRACE_S = 10
BACKLOG = 2048
GONE_MS = 20_000
POLL_S = 0.05


def run(settings: Settings, listener: socket.socket, when_serving: Callable[[str], None]) -> None:
    """Serve until a signal says stop; `when_serving` is called in a thread, with the base URL, once it answers."""
    load_assets()  # what is wrong with them ends the command here, and not each server process again and again
    os.environ["HOC_DATA_DIR"] = str(settings.data_dir.absolute())  # the flags, for the processes that are started
    os.environ["HOC_LOG_LEVEL"] = settings.log_level
    config = uvicorn.Config(
        "resolvers.cli.server:worker_app",
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
        **uvicorn_arguments(settings.max_body_bytes),
    )
    stopping = threading.Event()
    url = base_url(settings.host, listener.getsockname()[1])
    threading.Thread(target=_announce, args=(url, when_serving, stopping), daemon=True).start()
    try:
        if settings.workers == 1:
            uvicorn.Server(config).run([listener])
        else:
            _run_many(config, listener)
    finally:
        stop_undisturbed()
        stopping.set()
        listener.close()


class Supervisor(Multiprocess):
    """Keeps the server processes going. They never see Ctrl-C, which a terminal sends to all: this one stops them."""

    at_once = False

    def init_processes(self) -> None:
        """Start them."""
        with _without_interrupts():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """Start another in the place of one that died."""
        before = {process.pid for process in self.processes}
        with _without_interrupts():
            super().keep_subprocess_alive()
        for dead in before - {process.pid for process in self.processes}:
            mark_process_dead(dead)  # type: ignore[no-untyped-call]

    def handle_int(self) -> None:
        """Stop without draining: whoever presses Ctrl-C waits."""
        self.at_once = True
        super().handle_int()

    def terminate_all(self) -> None:
        """Stop them."""
        for process in self.processes if self.at_once else ():
            if process.pid is not None and process.exitcode is None:
                os.kill(process.pid, AT_ONCE)
        super().terminate_all()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Put Ctrl-C off until the block ends; a process that is started in it keeps it off."""
    resource_tracker.ensure_running()  # or starting it with the first process would let Ctrl-C through
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _run_many(config: uvicorn.Config, listener: socket.socket) -> None:
    with tempfile.TemporaryDirectory(prefix="hoc-metrics-") as directory:
        os.environ[DIRECTORY] = directory  # before its processes start: each looks for it once
        supervisor = Supervisor(config, [listener])
        stop_at_hang_up()  # the supervisor would restart its processes
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise typer.Exit(1)


def worker_app() -> Starlette:
    """The application of a server process, made there; its database has been prepared by the command."""
    settings = Settings()
    logs.configure(settings.log_level)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    runtime = Runtime(settings)
    drain_at_sigterm(runtime, settings.drain_s)
    return create_app(runtime, migrating=False)


def _end_with(sentinel: int) -> None:
    """Stop in order when the parent is gone, even by kill -9: nobody else would end this process."""
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; ends the command when that is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: a peer that takes nothing for so long is gone
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_MS)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        complain(f"cannot listen on {host} port {port}: {error.strerror}; --port chooses another")
        raise typer.Exit(1) from None
    listener.set_inheritable(True)
    return listener


def base_url(host: str, port: int) -> str:
    """Where a client on this machine finds the server; an address that means all of them is shown as localhost."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"


def _announce(url: str, when_serving: Callable[[str], None], stopping: threading.Event) -> None:
    without_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # or httpx would read all authorities' certificates
    with httpx.Client(verify=without_tls, trust_env=False, timeout=5) as client:
        while not stopping.wait(POLL_S):
            try:
                client.get(f"{url}/healthz")
            except httpx.TransportError:
                continue
            break
    if not stopping.is_set():
        when_serving(url)
