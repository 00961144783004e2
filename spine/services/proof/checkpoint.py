"""Checkpoints (C2SP tlog-checkpoint): the text by which a log says how large it is and what its root is."""

import re
from typing import NamedTuple, Self

from spine.services.proof.note import NoteError, decode_base64, encode_base64

ROOT_BYTES = 32
MAX_SIZE = 2**63 - 1
LINES = 3
DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class Checkpoint(NamedTuple):
    """A log's name, its number of leaves and its root hash; `extensions` are further lines, signed but not read."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The text to sign."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """A checkpoint from a note's verified text; raises NoteError when it is not exactly what a log writes."""
        origin, *rest = _lines(text)
        size, encoded, *extensions = rest
        root = decode_base64(encoded)
        if len(root) != ROOT_BYTES:
            raise NoteError(f"a checkpoint's root has {ROOT_BYTES} bytes")
        return cls(origin, decimal(size), root, tuple(extensions))


def decimal(text: str) -> int:
    """A size or an index as it is written: ASCII digits without leading zeros, at most 2^63 - 1."""
    if DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise NoteError(f"not a size or an index: {text[:40]!r}")
    return int(text)


def _lines(text: str) -> list[str]:
    if not text.endswith("\n"):
        raise NoteError("a checkpoint ends with a newline")
    lines = text[:-1].split("\n")
    if len(lines) < LINES or not all(lines):
        raise NoteError("a checkpoint has an origin, a size, a root, and no empty line")
    return lines
