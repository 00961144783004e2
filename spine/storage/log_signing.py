"""The log's signing key, and a note of what was signed last: files of the data directory, never in the database.

The key is read anew for each signature, so a rotated one is used at once by every process. What was signed last is kept
where restoring a backup of the database does not reach: the log is never signed in contradiction to it.
"""

import base64
import binascii
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from spine.contracts.errors import Unavailable
from spine.contracts.log import SignedTree
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.note import NoteError, Signer, sign, split_note
from spine.services.proof.origin import Origin
from spine.storage.private_files import kept_secret, replace_durably, replace_secret

if sys.platform != "win32":
    import fcntl

SEED_BYTES = 32
KEY_FILE = "log-key"
STATE_DIRECTORY = "log-state"


class BadLogKey(Unavailable):
    """The log's key is damaged, or cannot be replaced here."""


class BadLogState(Unavailable):
    """What is kept of the last signature is damaged, so nothing can be held against it."""


class LogSigner:
    """Signs checkpoints of every tenant's log; `given` is the seed of HOC_LOG_KEY, if that is set."""

    def __init__(self, data_dir: Path, name: str, given: bytes | None) -> None:
        self._key_file = data_dir / KEY_FILE
        self._state = data_dir / STATE_DIRECTORY
        self._name = name
        self._given = given

    def origin(self, tenant_id: UUID, epoch: int) -> str:
        """The name of a tenant's log; each declared restore of a backup gives it another."""
        return str(Origin(self._name, tenant_id, epoch))

    def vkey(self, origin: str) -> str:
        """What the log's readers verify with."""
        return self._signer(origin).vkey

    def sign(self, origin: str, tree: SignedTree) -> str:
        """The signed note (C2SP checkpoint) that this log has this tree."""
        return sign(Checkpoint(origin, tree.size, tree.root).text(), [self._signer(origin)])

    def signed(self, tenant_id: UUID) -> dict[int, SignedTree]:
        """What was signed last in each epoch, as far as this installation knows."""
        found = {}
        for file in self._state.glob(f"{tenant_id}-*.note"):
            try:
                found[int(file.stem.rpartition("-")[2])] = _tree(file.read_text("utf-8"))
            except (NoteError, ValueError) as error:
                raise BadLogState(f"{file} is not the note that was kept there") from error
        return found

    def keep(self, tenant_id: UUID, epoch: int, note: str) -> None:
        """Keep the note before anybody sees it; one of a larger tree, which a slower process met, stays."""
        with self._locked():
            signed = self.signed(tenant_id).get(epoch)
            if signed is None or signed.size <= _tree(note).size:
                replace_durably(self._state / f"{tenant_id}-{epoch}.note", note.encode())

    def rotate(self) -> None:
        """Make a new key and forget the old one; raises BadLogKey when it is not a file of ours."""
        if self._given is not None:
            raise BadLogKey("the key comes from HOC_LOG_KEY: give that another value")
        replace_secret(self._key_file, SEED_BYTES)

    def _signer(self, origin: str) -> Signer:
        seed = kept_secret(self._key_file, SEED_BYTES) if self._given is None else self._given
        if len(seed) != SEED_BYTES:
            raise BadLogKey(f"{self._key_file} must hold the {SEED_BYTES} bytes that were made for it, not {len(seed)}")
        return Signer(origin, seed)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _tree(note: str) -> SignedTree:
    text, _ = split_note(note)
    checkpoint = Checkpoint.parse(text)
    return SignedTree(checkpoint.size, checkpoint.root)


def seed_of(text: str) -> bytes:
    """The seed in HOC_LOG_KEY; the error never quotes it."""
    try:
        seed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES:
        raise BadLogKey(f"HOC_LOG_KEY must be base64 of {SEED_BYTES} bytes")
    return seed
