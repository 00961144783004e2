"""Whether a server is alive, and ending it.

Alive means: it answers, names our cluster as its data directory, and has its system identifier. A pid file is only a
hint where to ask or whom to signal, and its pid is believed only when that process works in the cluster.
"""

import enum
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from spine.storage.embedded.cluster import system_identifier
from spine.storage.embedded.layout import PORT, SOCKET_LOCK
from spine.storage.embedded.locks import POLL_SECONDS, is_free
from spine.storage.embedded.roles import MAINTENANCE_DATABASE, SUPERUSER
from spine.storage.embedded.session import PostgresAddress, run_sql

FAST_STOP_SECONDS = 60.0
IMMEDIATE_STOP_SECONDS = 15.0
_SOCKET_DIR_LINE = 4  # of postmaster.pid, counted from 0


class Answer(enum.Enum):
    """What a socket directory says about our cluster."""

    OURS = "ours"
    BUSY = "starting, recovering or stopping"
    SILENT = "silent"
    ANOTHER = "another"


@dataclass(frozen=True)
class PidFile:
    """What postmaster.pid claims; neither value is trusted."""

    pid: int | None
    socket_dir: Path | None


def ask(socket_dir: Path, cluster: Path) -> Answer:
    """Ask the server on that socket whether it is ours. Raises asyncpg.PostgresError when it refuses us."""
    if not (socket_dir / f".s.PGSQL.{PORT}").is_socket():
        return Answer.SILENT

    async def identity(connection: "asyncpg.Connection[asyncpg.Record]") -> tuple[str, int]:
        directory = await connection.fetchval("SHOW data_directory")
        return directory, await connection.fetchval("SELECT system_identifier FROM pg_control_system()")

    address = PostgresAddress(str(socket_dir), PORT, SUPERUSER, MAINTENANCE_DATABASE)
    try:
        directory, identifier = run_sql(address, identity)
    except asyncpg.CannotConnectNowError:
        return Answer.BUSY
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError):
        return Answer.SILENT
    same = os.path.realpath(directory) == os.path.realpath(cluster)
    # The SQL function shows the unsigned number as a signed bigint.
    return Answer.OURS if same and identifier % 2**64 == system_identifier(cluster) else Answer.ANOTHER


def read_pid_file(cluster: Path) -> PidFile:
    """The claims of postmaster.pid; both None when it is absent or torn."""
    try:
        lines = (cluster / "postmaster.pid").read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return PidFile(None, None)
    pid = int(lines[0]) if lines and lines[0].isdecimal() else None
    named = lines[_SOCKET_DIR_LINE].strip() if len(lines) > _SOCKET_DIR_LINE else ""
    return PidFile(pid, Path(named) if named else None)


def is_postmaster(pid: int, cluster: Path) -> bool:
    """Whether that process lives and works in the cluster; a zombie, or another program, does not."""
    if sys.platform == "linux":
        try:
            process = Path("/proc", str(pid))
            program = (process / "exe").readlink().name.removesuffix(" (deleted)")
            return program == "postgres" and (process / "cwd").readlink() == cluster.resolve()
        except OSError:  # a zombie has neither
            return False
    listing = subprocess.run(  # noqa: S603 -- a fixed program with a number
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return f"postgres -D {cluster}" in listing.stdout


def remove_stale_pid_files(cluster: Path, socket_dir: Path) -> None:
    """Remove the two files whose pid, of a zombie or another program, would make PostgreSQL itself give up.

    Only to be called under the guard and with the server lock held, when no process of our own making lives.
    """
    pid = read_pid_file(cluster).pid
    if pid is not None:
        reap(pid)
    if pid is None or not is_postmaster(pid, cluster):
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        (socket_dir / SOCKET_LOCK).unlink(missing_ok=True)


def stop_server(cluster: Path, server_lock: Path) -> bool:
    """Stop a live server: -m fast, then immediate; False when it outlives both, or cannot be identified."""
    pid = read_pid_file(cluster).pid
    if pid is not None and is_postmaster(pid, cluster):
        for kind, seconds in (
            (signal.SIGINT, FAST_STOP_SECONDS),
            (signal.SIGQUIT, IMMEDIATE_STOP_SECONDS),
        ):
            try:
                os.kill(pid, kind)
            except ProcessLookupError:
                break
            if wait_until_free(server_lock, seconds):
                break
        reap(pid)
    return is_free(server_lock)


def wait_until_free(server_lock: Path, seconds: float) -> bool:
    """Wait until no PostgreSQL process of the directory lives."""
    deadline = time.monotonic() + seconds
    while not is_free(server_lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def reap(pid: int) -> None:
    """Collect a dead postmaster that became our child, which happens when we are PID 1 of a container."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
