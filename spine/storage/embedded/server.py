"""One PostgreSQL server per data directory, shared by all processes that ask for it.

The first holder starts it, later ones join, the last one out stops it. A server whose holders were all killed is
adopted by the next start, and one that died is started again by whoever holds it and looks (`revive`).
"""

import atexit
import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from spine.storage.embedded import roles
from spine.storage.embedded.binaries import Binaries, find_binaries
from spine.storage.embedded.cluster import system_identifier
from spine.storage.embedded.errors import DiskFull, StartTimeout
from spine.storage.embedded.layout import PORT, Layout
from spine.storage.embedded.locks import FileLock, is_free
from spine.storage.embedded.placement import prepare_data_dir
from spine.storage.embedded.postmaster import stop_server
from spine.storage.embedded.session import PostgresAddress
from spine.storage.embedded.startup import Startup

GUARD_SECONDS = 180.0  # longer than a start, so that waiting for another process's start succeeds

Report = Callable[[str], None]
_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """A hold on the running server of one data directory; a context manager that ends the hold.

    `data_dir` is the real cluster directory, `socket_dir` and `port` lead to its Unix socket.
    """

    def __init__(self, layout: Layout, cluster: Path, socket_dir: Path, holders: FileLock) -> None:
        self.data_dir = cluster
        self.socket_dir = socket_dir
        self.port = PORT
        self.system_identifier = system_identifier(cluster)
        self._layout = layout
        self._holders = holders
        self._process = os.getpid()
        atexit.register(self.stop)

    @classmethod
    def start(cls, data_dir: Path, *, report: Report = _log.info) -> Self:
        """Initialise an empty directory, start or adopt its server, and hold it. Raises EmbeddedPostgresError.

        `report` gets one line for each thing that takes time or that the operator should know.
        """
        binaries = find_binaries()
        try:
            return cls._start(data_dir, binaries, report)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(data_dir) from error
            raise

    @classmethod
    def _start(cls, data_dir: Path, binaries: Binaries, report: Report) -> Self:
        layout = prepare_data_dir(data_dir)
        guard = FileLock(layout.guard_lock)
        try:
            guard.wait_exclusive(GUARD_SECONDS, lambda: report(f"waiting for another start on {layout.data_dir}"))
            return cls._hold(layout, binaries, report)
        finally:
            guard.release()

    @classmethod
    def _hold(cls, layout: Layout, binaries: Binaries, report: Report) -> Self:
        holders = FileLock(layout.holders_lock)
        alone = holders.try_exclusive()
        holders.try_shared()
        startup = Startup(layout, binaries, report, alone=alone)
        try:
            cluster, socket_dir = startup.run()
            held = cls(layout, cluster, socket_dir, holders)
            _provide_roles(held._maintenance(), cluster)
        except BaseException as error:
            holders.release()
            # A server that recovers for longer than our timeout must go on, or it would never be done.
            if startup.launched and alone and not isinstance(error, StartTimeout):
                stop_server(layout.existing_cluster() or layout.usual_cluster, layout.server_lock)
                shutil.rmtree(startup.launched, ignore_errors=True)
            raise
        return held

    def connection(self, role: str = roles.APP_ROLE, database: str = roles.DATABASE) -> PostgresAddress:
        """Where that role finds that database."""
        return PostgresAddress(str(self.socket_dir), self.port, role, database)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database owned by hoc_owner, empty or a copy of `template` (which nobody may be using)."""
        roles.create_database(self._maintenance(), name, template=template)

    def drop_database(self, name: str) -> None:
        """Drop a database and end its sessions; an absent one is no error."""
        roles.drop_database(self._maintenance(), name)

    def revive(self) -> bool:
        """Start the server again when it has died; False when it lives. Raises EmbeddedPostgresError and OSError.

        Safe in every holder at once: the first of them starts it, the others join.
        """
        if not is_free(self._layout.server_lock):
            return False
        guard = FileLock(self._layout.guard_lock)
        try:
            guard.wait_exclusive(GUARD_SECONDS, lambda: None)
            if self._holders.descriptor < 0:
                return False  # stopped meanwhile
            Startup(self._layout, find_binaries(), _log.warning, alone=False).run()
        finally:
            guard.release()
        return True

    def stop(self) -> None:
        """End the hold; the last holder stops the server. Repeats harmlessly; in a forked child only lets go."""
        atexit.unregister(self.stop)
        if self._holders.descriptor < 0:
            return
        if os.getpid() != self._process:
            self._holders.abandon()
            return
        guard = FileLock(self._layout.guard_lock)
        try:
            guard.wait_exclusive(GUARD_SECONDS, lambda: None)
            if self._holders.try_exclusive():
                self._stop_server()
        finally:
            self._holders.release()
            guard.release()

    def _stop_server(self) -> None:
        if not stop_server(self.data_dir, self._layout.server_lock):
            _log.warning("the PostgreSQL server of %s did not stop", self.data_dir)
            return
        shutil.rmtree(self.socket_dir, ignore_errors=True)  # private to this server; the next start makes it again

    def _maintenance(self) -> PostgresAddress:
        return self.connection(roles.SUPERUSER, roles.MAINTENANCE_DATABASE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _provide_roles(maintenance: PostgresAddress, cluster: Path) -> None:
    try:
        roles.ensure_roles_and_database(maintenance)
    except asyncpg.DiskFullError as error:
        raise DiskFull(cluster) from error
