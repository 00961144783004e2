"""Three lock files that say who uses a data directory; the kernel frees them even after kill -9.

guard    exclusive, held while a server is started or stopped
holders  shared, one per live `EmbeddedPostgres`: whoever then gets it exclusively is the last one out
server   exclusive, inherited by initdb, the postmaster and its backends: free means that none of them is alive
They replace pid files, which lie after a container restart (the pid is somebody else's) and about zombies.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from spine.storage.embedded.errors import DirectoryBusy

if sys.platform != "win32":
    import fcntl

POLL_SECONDS = 0.02


class FileLock:
    """An open lock file; `flock` belongs to this opening of it, so two objects in one process exclude each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def try_exclusive(self) -> bool:
        """Take or upgrade to the exclusive lock at once; False when somebody else holds any."""
        return self._try(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        """Take the shared lock at once; False when somebody else holds it exclusively."""
        return self._try(fcntl.LOCK_SH)

    def wait_exclusive(self, seconds: float, on_wait: Callable[[], None]) -> None:
        """Take the exclusive lock, calling `on_wait` once if that takes waiting. Raises DirectoryBusy."""
        deadline = time.monotonic() + seconds
        waiting = False
        while not self.try_exclusive():
            if not waiting:
                on_wait()
                waiting = True
            if time.monotonic() > deadline:
                raise DirectoryBusy(self.path, seconds)
            time.sleep(POLL_SECONDS)

    def release(self) -> None:
        """Unlock and close, also for every process that inherited this opening."""
        if self.descriptor >= 0:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        self.abandon()

    def abandon(self) -> None:
        """Close only our copy: a process that inherited this opening keeps the lock."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self.descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_free(path: Path) -> bool:
    """Whether no live process holds the lock file at this moment."""
    lock = FileLock(path)
    try:
        return lock.try_exclusive()
    finally:
        lock.release()
