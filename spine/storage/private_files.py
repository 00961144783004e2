"""Files that hold a secret of the installation: made once, readable by its user alone, replaced as a whole."""

import os
import secrets
from pathlib import Path


def kept_secret(path: Path, size: int) -> bytes:
    """The file's bytes; when it is absent it is made of so many random bytes, by whoever is first."""
    if not path.exists():
        fresh = _written_beside(path, secrets.token_bytes(size))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


def replace_secret(path: Path, size: int) -> None:
    """Put new random bytes in the file's place; what was there is nowhere any more."""
    _written_beside(path, secrets.token_bytes(size)).replace(path)
    sync_directory(path.parent)


def replace_durably(path: Path, content: bytes) -> None:
    """Put the content in the file's place so that it is on disk, whole, when this returns."""
    _written_beside(path, content).replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Bring the directory's entries to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written_beside(path: Path, content: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    return fresh
