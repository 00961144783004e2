"""A log in memory that grows, forks and signs, as an honest or a dishonest operator would have it."""

from collections.abc import Iterable, Sequence
from typing import Self

from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.merkle import EMPTY_ROOT, NodeId, append, consistency_plan, leaf_hash, path, root
from spine.services.proof.note import Signer, sign
from spine.services.proof.witness import Submission

SEED = bytes(range(32))


class SmallLog:
    """Keeps the root of every size that it ever had."""

    def __init__(self, origin: str, entries: Iterable[str] = (), *, seed: bytes = SEED) -> None:
        self.signer = Signer(origin, seed)
        self.entries: list[str] = []
        self.roots = [EMPTY_ROOT]
        self._peaks: tuple[bytes, ...] = ()
        self._hashes: dict[NodeId, bytes] = {}
        self.write(*entries)

    @property
    def origin(self) -> str:
        return self.signer.name

    @property
    def size(self) -> int:
        return len(self.entries)

    def write(self, *entries: str) -> Self:
        """Add entries, and be a checkpoint's worth larger with each."""
        for entry in entries:
            leaf = leaf_hash(entry.encode())
            self._hashes[0, self.size] = leaf
            nodes, self._peaks = append(self.size, self._peaks, [leaf])
            self._hashes |= dict(nodes)
            self.entries.append(entry)
            self.roots.append(root(self._peaks))
        return self

    def restored(self, size: int, *others: str) -> "SmallLog":
        """An older copy of this log, which goes on with other entries: a fork."""
        return SmallLog(self.origin, [*self.entries[:size], *others])

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        at = self.size if size is None else size
        return Checkpoint(self.origin, at, self.roots[at])

    def note(self, size: int | None = None) -> str:
        """The signed checkpoint."""
        return sign(self.checkpoint(size).text(), [self.signer])

    def proof(self, old: int, size: int | None = None) -> Sequence[bytes]:
        """That the tree of `old` leaves is where this one began."""
        return path(consistency_plan(old, self.size if size is None else size), self._hashes)

    def submission(self, old: int, size: int | None = None) -> Submission:
        """What an honest log sends to a witness that knows `old` leaves."""
        return Submission(old, tuple(self.proof(old, size)), self.note(size))


def entries(first: int, end: int, word: str = "entry") -> list[str]:
    """So many different entries."""
    return [f"{word} {number}" for number in range(first, end)]
