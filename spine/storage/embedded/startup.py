"""Bringing up the server of one data directory: adopt a live one, else create the cluster and launch it.

Runs under the guard lock, so nobody else starts or stops a server of this directory meanwhile.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

from spine.storage.embedded.binaries import Binaries
from spine.storage.embedded.cluster import (
    OUT_OF_SPACE,
    WARM_FREE_BYTES,
    check_version,
    create_cluster,
    server_command,
    write_authentication,
)
from spine.storage.embedded.errors import DiskFull, StartFailed, StartTimeout
from spine.storage.embedded.launch import run_detached
from spine.storage.embedded.layout import Layout, is_private, make_socket_dir, require_free_space
from spine.storage.embedded.locks import POLL_SECONDS, FileLock, is_free
from spine.storage.embedded.placement import Placement, choose_placement
from spine.storage.embedded.postmaster import (
    Answer,
    ask,
    is_postmaster,
    read_pid_file,
    remove_stale_pid_files,
    stop_server,
)

START_SECONDS = 60.0
SILENCE_SECONDS = 5.0  # a live server whose socket is gone for longer is restarted
UNREACHABLE = (
    "another process uses it with a server whose socket cannot be reached from here (a container? PrivateTmp?)"
)
LOG_SPACE_BYTES = 64 << 10
LOG_KEPT_BYTES = 16 << 20  # a longer log becomes postgres.log.1 at the next start


class Startup:
    """One attempt to have a server on a data directory.

    `alone` says that nobody else holds the directory; `launched` is the socket directory of a server started here.
    """

    def __init__(self, layout: Layout, binaries: Binaries, report: Callable[[str], None], *, alone: bool) -> None:
        self.launched: Path | None = None
        self._alone = alone
        self._layout = layout
        self._binaries = binaries
        self._report = report
        self._deadline = time.monotonic() + START_SECONDS

    def run(self) -> tuple[Path, Path]:
        """The cluster and the socket directory of a server that answers. Raises EmbeddedPostgresError."""
        cluster = self._layout.existing_cluster()
        if cluster is not None:
            check_version(cluster, self._binaries)
            adopted = self._adopt(cluster)
            if adopted is not None:
                return cluster, adopted
        lock = FileLock(self._layout.server_lock)
        try:
            lock.wait_exclusive(START_SECONDS, lambda: self._report("waiting for a former initdb to end"))
            placement = choose_placement(self._layout, self._binaries, self._report)
            if cluster is None:
                self._report(f"creating a PostgreSQL {placement.binaries.version} cluster in {placement.cluster}")
                create_cluster(placement.cluster, placement.account, placement.binaries, (lock.descriptor,))
            self._layout.note_place(placement.cluster)
            self._deadline = time.monotonic() + START_SECONDS
            socket_dir, log_start = self._launch(placement, lock)
        finally:
            lock.abandon()
        self._wait_until_ready(placement.cluster, socket_dir, log_start)
        return placement.cluster, socket_dir

    def _adopt(self, cluster: Path) -> Path | None:
        """The socket directory of the live server, or None when there is none (any more)."""
        heard = time.monotonic()
        while not self._is_gone(cluster):
            claims = read_pid_file(cluster)
            answer = Answer.SILENT
            if claims.socket_dir and is_private(claims.socket_dir, cluster.stat().st_uid):
                answer = self._ask(claims.socket_dir, cluster)
            if claims.socket_dir and answer is Answer.OURS:
                return claims.socket_dir
            if answer is Answer.BUSY:
                heard = time.monotonic()
            if time.monotonic() - heard > SILENCE_SECONDS:
                self._restart_unreachable(cluster)
            self._check_deadline(cluster, UNREACHABLE)
            time.sleep(POLL_SECONDS)
        return None

    def _restart_unreachable(self, cluster: Path) -> None:
        """Stop an orphan whose socket is gone; one that others hold may be reachable for them, and is left alone."""
        pid = read_pid_file(cluster).pid
        if pid is None or not is_postmaster(pid, cluster):
            return  # its backends may be ending, or it lives in another container: wait
        if not self._alone:
            raise StartFailed(cluster, UNREACHABLE, self._layout.log_tail())
        self._report(f"restarting the server of {cluster}: its socket is gone")
        stop_server(cluster, self._layout.server_lock)

    def _is_gone(self, cluster: Path) -> bool:
        """Whether no server uses the cluster. Raises StartFailed for one that was started by other means."""
        if not is_free(self._layout.server_lock):
            return False
        pid = read_pid_file(cluster).pid
        if pid is not None and is_postmaster(pid, cluster):
            raise StartFailed(cluster, f"process {pid}, which was not started by us, uses it", "(not ours)")
        return True

    def _launch(self, placement: Placement, lock: FileLock) -> tuple[Path, int]:
        """Start the postmaster, which inherits the lock; returns the socket directory and the log's size before."""
        cluster, account = placement.cluster, placement.account
        require_free_space(cluster, WARM_FREE_BYTES)
        write_authentication(cluster, account)
        socket_dir = make_socket_dir(self._layout, cluster, account)
        self.launched = socket_dir
        remove_stale_pid_files(cluster, socket_dir)
        command = server_command(cluster, socket_dir, placement.binaries)
        log = _open_log(self._layout.log)
        try:
            log_start = os.fstat(log).st_size
            run_detached(command, account, cwd=Path("/"), log=log, keep=(lock.descriptor,))
        finally:
            os.close(log)
        self._report(f"started PostgreSQL {placement.binaries.version} on {cluster} as {account.label}")
        return socket_dir, log_start

    def _wait_until_ready(self, cluster: Path, socket_dir: Path, log_start: int) -> None:
        while (answer := self._ask(socket_dir, cluster)) is not Answer.OURS:
            if is_free(self._layout.server_lock):
                tail = self._layout.log_tail(log_start)
                if OUT_OF_SPACE in tail:
                    raise DiskFull(cluster)
                require_free_space(cluster, LOG_SPACE_BYTES)  # or the server could not even say so
                raise StartFailed(cluster, "the server process ended", tail)
            busy = "it is still recovering and goes on; the next start joins it"
            self._check_deadline(cluster, busy if answer is Answer.BUSY else "it does not answer")
            time.sleep(POLL_SECONDS)

    def _ask(self, socket_dir: Path, cluster: Path) -> Answer:
        try:
            return ask(socket_dir, cluster)
        except asyncpg.PostgresError as error:
            reason = f"the server refused us: {error}"
            raise StartFailed(cluster, reason, self._layout.log_tail()) from error

    def _check_deadline(self, cluster: Path, reason: str) -> None:
        if time.monotonic() > self._deadline:
            raise StartTimeout(cluster, reason, self._layout.log_tail())


def _open_log(path: Path) -> int:
    if path.exists() and path.lstat().st_size > LOG_KEPT_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
