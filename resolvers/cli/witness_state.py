"""What a witness keeps, in files of its own: its key, and for each log the checkpoint that it cosigned last.

A checkpoint is on the disk before its cosignature is told to anybody: after a crash the witness knows all that it may
have said. A file that can't be read back with the witness's own key is never taken for "nothing yet".
"""

import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.cosignature import CosignatureVerifier, Cosigner
from spine.services.proof.note import (
    ED25519,
    KEY_BYTES,
    KEY_ID_BYTES,
    NoteError,
    Signer,
    decode_base64,
    encode_base64,
    open_note,
)

KEY_PREFIX = "PRIVATE+KEY+"
PARTS = 3
DEFAULT_NAME = "hoc-witness"


class StateError(Exception):
    """The witness's files are damaged, or another witness's; the message says which and why."""


class Checkpoints:
    """The checkpoint of each log that was cosigned last, as the note with its cosignature."""

    def __init__(self, directory: Path, vkey: str) -> None:
        self._directory = directory
        self._verifier = CosignatureVerifier.parse(vkey)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def last(self, origin: str) -> Checkpoint | None:
        """The checkpoint of a log, None for none yet; raises StateError when its file is damaged."""
        path = self._path(origin)
        try:
            note = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            checkpoint = Checkpoint.parse(open_note(note.decode(), [self._verifier]).text)
        except (NoteError, UnicodeDecodeError) as error:
            raise StateError(f"{path} is not a checkpoint that {self._verifier.name} cosigned: {error}") from error
        if checkpoint.origin != origin:
            raise StateError(f"{path} is the checkpoint of another log")
        return checkpoint

    def keep(self, origin: str, note: str) -> None:
        """Put a cosigned checkpoint in the place of the last one; it is on the disk when this returns."""
        path = self._path(origin)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(note.encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _flush_directory(self._directory)

    def _path(self, origin: str) -> Path:
        return self._directory / f"{hashlib.sha256(origin.encode()).hexdigest()}.note"


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Keep the directory for this process: two witnesses with one key could cosign two histories."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"another witness is using {data_dir}") from None
        yield


def cosigner_of(data_dir: Path, name: str | None) -> Cosigner:
    """The witness's key from its directory; made under this name when absent. Raises StateError for another's key."""
    path = data_dir / "witness-key"
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _write_once(path, f"{_private_key(name or DEFAULT_NAME, secrets.token_bytes(KEY_BYTES))}\n")
    found, seed = _read_key(path)
    if name not in {None, found}:
        raise StateError(f"the key in {path} is named {found}, and stays so")
    return Cosigner(found, seed, lambda: int(time.time()))


def _private_key(name: str, seed: bytes) -> str:
    """A key as Go's `sumdb/note` writes it, so that it can move to another witness's software."""
    return f"{KEY_PREFIX}{name}+{Signer(name, seed).key_id.hex()}+{encode_base64(bytes([ED25519]) + seed)}"


def _read_key(path: Path) -> tuple[str, bytes]:
    """Name and seed; the key's id must be that of both."""
    try:
        content = path.read_text().strip()
        name, _, encoded = content.removeprefix(KEY_PREFIX).split("+", PARTS - 1)
        seed = decode_base64(encoded)[1:]
        if content == _private_key(name, seed):
            return name, seed
    except (NoteError, ValueError) as error:
        raise StateError(f"{path} does not hold a witness's key") from error
    raise StateError(f"{path} does not hold a witness's key")


def _write_once(path: Path, content: str) -> None:
    """Make a private file with this content, unless another process has made it first."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(KEY_ID_BYTES)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    _flush_directory(path.parent)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
