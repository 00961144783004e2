"""Which files a data directory holds, and where its cluster and its socket live.

`<data dir>/postgres` is the cluster, beside it the log and the lock files. Only when the account that runs the server
cannot enter the data directory does root put the cluster below /var/lib/hoc: parents are never opened up.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from spine.storage.embedded.account import Account
from spine.storage.embedded.errors import ClusterMissing, DiskFull

PORT = 5432  # the socket directory is private, so the number need not be unique
SOCKET_PATH_LIMIT = 103  # bytes: sun_path on macOS; Linux allows 107
SOCKET_LOCK = f".s.PGSQL.{PORT}.lock"  # the longest name in the socket directory
TMP = Path("/tmp")  # noqa: S108 -- only the base of private directories
SYSTEM_ROOT = Path("/var/lib/hoc")  # only root writes here
CLUSTER = "postgres"
LOG_TAIL_BYTES = 16_384
LOG_TAIL_LINES = 20


@dataclass(frozen=True)
class Layout:
    """The paths that belong to one data directory."""

    data_dir: Path

    @property
    def guard_lock(self) -> Path:
        """Held while a server is started or stopped."""
        return self.data_dir / "postgres.guard.lock"

    @property
    def holders_lock(self) -> Path:
        """Shared by those who use the server."""
        return self.data_dir / "postgres.holders.lock"

    @property
    def server_lock(self) -> Path:
        """Inherited by every PostgreSQL process of this directory."""
        return self.data_dir / "postgres.server.lock"

    @property
    def log(self) -> Path:
        """What the server writes to its standard error."""
        return self.data_dir / "postgres.log"

    @property
    def digest(self) -> str:
        """A short name for this directory, stable between processes."""
        return hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]

    @property
    def usual_cluster(self) -> Path:
        """Where the cluster is, normally."""
        return self.data_dir / CLUSTER

    @property
    def relocated_cluster(self) -> Path:
        """Where root puts it when the server's account cannot enter the data directory."""
        return SYSTEM_ROOT / self.digest / CLUSTER

    @property
    def pointer(self) -> Path:
        """Names the cluster's place when that is not the usual one, so that the directory may be moved."""
        return self.data_dir / "postgres.location"

    def existing_cluster(self) -> Path | None:
        """The cluster that an earlier start completed. Raises ClusterMissing."""
        places = [self.usual_cluster]
        if self.pointer.exists():
            places.append(Path(self.pointer.read_text("utf-8").strip()))
        elif os.geteuid() == 0:
            places.append(self.relocated_cluster)
        for place in places:
            if (place / "PG_VERSION").is_file() and self._is_allowed(place):
                return place
        if self.pointer.exists():
            raise ClusterMissing(places[-1], self.pointer)
        return None

    def note_place(self, cluster: Path) -> None:
        """Remember a place that is not the usual one."""
        if cluster != self.usual_cluster:
            self.pointer.write_text(f"{cluster}\n", "utf-8")

    def _is_allowed(self, place: Path) -> bool:
        return place == self.usual_cluster or place.parent.parent == SYSTEM_ROOT

    def log_tail(self, since: int = 0) -> str:
        """The last lines of the server's log, none from before the offset `since`."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(since, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
                return b"\n".join(log.read().splitlines()[-LOG_TAIL_LINES:]).decode(errors="replace")
        except FileNotFoundError:
            return "(no log)"


def require_free_space(path: Path, needed: int) -> None:
    """Raise DiskFull unless `needed` bytes are free where `path` is."""
    free = shutil.disk_usage(path).free
    if free < needed:
        raise DiskFull(path, free=free, needed=needed)


def make_socket_dir(layout: Layout, cluster: Path, account: Account) -> Path:
    """A short directory that only the server's account may enter; a squatted name is passed over.

    /tmp comes before $XDG_RUNTIME_DIR, which goes away when the user logs out, under a server that goes on.
    """
    name = f"hoc-{account.uid}-{layout.digest}"
    for base in (TMP, *_runtime_dir(), cluster.parent):
        place = base / name
        if len(os.fsencode(place / SOCKET_LOCK)) > SOCKET_PATH_LIMIT or set('",') & set(str(place)):
            continue
        if not os.path.lexists(place) and os.access(base, os.W_OK):
            place.mkdir(mode=0o700)
            give(place, account)
        if is_private(place, account.uid):
            return place
    place = Path(tempfile.mkdtemp(prefix="hoc-", dir=TMP))
    give(place, account)
    return place


def _runtime_dir() -> list[Path]:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return [runtime] if runtime.is_absolute() and is_private(runtime, os.geteuid()) else []


def give(path: Path, account: Account) -> None:
    """Make the account the owner of one file or directory, if it is not yet."""
    if path.lstat().st_uid != account.uid:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def make_passable(path: Path) -> None:
    """Create a directory that other accounts may pass, but not list, whatever the umask; an existing one stays."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o711)


def is_private(path: Path, owner: int) -> bool:
    """Whether it is a real directory of that owner which nobody else may enter."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner and stat.S_IMODE(status.st_mode) == stat.S_IRWXU
