"""Why the embedded PostgreSQL cannot be used: each cause a class whose message says what to do.

EmbeddedPostgresError
├── UnsupportedPlatform    no PostgreSQL binaries for this machine; a DATABASE_URL is needed
├── UnknownUser            the process runs under a uid that has no passwd entry
├── DataDirNotOwned        the directory, or the cluster in it, belongs to somebody else
├── DataDirForeign         the directory is itself a cluster that we did not lay out
├── DataDirUnreachable     the account that runs the server cannot enter, or create, the directory
├── ClusterMissing         the cluster that root put elsewhere is not there any more
├── VersionMismatch        the cluster was written by another major version
├── DiskFull               too little free space to start safely
├── InitFailed             initdb failed; carries its output
├── StartFailed            the server did not come up; carries the tail of its log
├── StartTimeout           … or not in time
└── DirectoryBusy          another process keeps the directory locked

They surface at start-up, to an operator, never to a GraphQL client: so they stand outside `HocError`.
"""

from pathlib import Path


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be used; the message names the cause and the remedy."""


class UnsupportedPlatform(EmbeddedPostgresError):
    """There are no PostgreSQL binaries for this platform."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the embedded PostgreSQL cannot run here: {reason}. Set DATABASE_URL to a PostgreSQL 15 or later."
        )
        self.reason = reason


class UnknownUser(EmbeddedPostgresError):
    """The uid has no passwd entry: initdb and peer authentication both look its name up."""

    def __init__(self, uid: int) -> None:
        super().__init__(
            f"uid {uid} has no entry in the user database, and PostgreSQL needs a user name. Add a line for it to"
            f" /etc/passwd, run as an existing user, or set DATABASE_URL."
        )
        self.uid = uid


class DataDirNotOwned(EmbeddedPostgresError):
    """The data directory belongs to somebody else."""

    def __init__(self, path: Path, *, owner: str, wanted: str) -> None:
        super().__init__(
            f"{path} belongs to {owner}, but this process runs as {wanted}. Run as {owner},"
            f" change the owner of that directory, or choose another one."
        )
        self.path = path


class DataDirForeign(EmbeddedPostgresError):
    """The directory is itself the data directory of some PostgreSQL cluster."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is itself a PostgreSQL cluster (it holds PG_VERSION). Choose another directory,"
            f" or start that cluster yourself and set DATABASE_URL."
        )
        self.path = path


class DataDirUnreachable(EmbeddedPostgresError):
    """The account that has to run the server cannot enter, or create, the directory."""

    def __init__(self, path: Path, account: str) -> None:
        super().__init__(
            f"the account {account} cannot enter {path}: one of its parent directories is closed to it."
            f" Choose another directory, or run as an account that may enter it (as root: name it in HOC_PG_USER)."
        )
        self.path = path


class ClusterMissing(EmbeddedPostgresError):
    """The directory says that its cluster lies elsewhere, and it does not: never start an empty one instead."""

    def __init__(self, place: Path, pointer: Path) -> None:
        super().__init__(
            f"{pointer} says that the cluster lies in {place}, but there is none. Restore it there,"
            f" or remove {pointer} to begin with an empty one."
        )
        self.place = place


class VersionMismatch(EmbeddedPostgresError):
    """The cluster was written by another major version of PostgreSQL."""

    def __init__(self, path: Path, *, found: str, wanted: str) -> None:
        super().__init__(
            f"{path} was written by PostgreSQL {found}, the binaries are version {wanted}. Convert it with pg_upgrade,"
            f" or dump it with version {found} and restore it into an empty directory."
        )
        self.path = path
        self.found = found
        self.wanted = wanted


class DiskFull(EmbeddedPostgresError):
    """Too little free space; sizes in bytes (`free` and `needed` are None when PostgreSQL itself ran out)."""

    def __init__(self, path: Path, *, free: int | None = None, needed: int | None = None) -> None:
        detail = "" if free is None or needed is None else f": {free >> 20} MiB free, {needed >> 20} MiB needed"
        super().__init__(f"there is no space left on the disk that holds {path}{detail}")
        self.path = path
        self.free = free
        self.needed = needed


class InitFailed(EmbeddedPostgresError):
    """Initdb failed; nothing was left in the data directory."""

    def __init__(self, path: Path, output: str) -> None:
        super().__init__(f"initdb could not create {path}:\n{output.strip()}")
        self.output = output


class StartFailed(EmbeddedPostgresError):
    """The server process ended, or refused us, before it was usable."""

    def __init__(self, path: Path, reason: str, log_tail: str) -> None:
        super().__init__(f"PostgreSQL did not start on {path}: {reason}\nlast lines of its log:\n{log_tail}")
        self.path = path
        self.log_tail = log_tail


class StartTimeout(StartFailed):
    """The server was not usable within the start timeout."""


class DirectoryBusy(EmbeddedPostgresError):
    """Another process has kept the directory locked for too long."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(f"{path} stayed locked by another process for {seconds:.0f} s; is that process stuck?")
        self.path = path
