"""The period export: one text file with all that entered a tenant's log between two checkpoints, and nothing else.

    hoc-spine/period-export@v1
    after <size>               the size of the older tree, and below it its peaks: the roots of its perfect subtrees
    <hash>
                               an empty line, then the older checkpoint, which an empty older tree has not
    <a C2SP signed note>
                               an empty line, then every leaf from index <size> on, in order
    seal {…}                   a version of a run's seal
    audit {…}                  an entry of the audit ledger
    leaf {…}                   a leaf of another kind: its entry as such, a commitment to what is not in the file
                               an empty line, then the newer checkpoint: a C2SP signed note

Hashes are base64; what follows a word is canonical JSON (RFC 8785), byte for byte what was hashed behind the tag of its
kind. The older root is made of the peaks, and peaks and leaves together give the newer root: so the leaves are these,
all of them and in this order. Times stand in the records; that nothing from before the second checkpoint still waited
for its place when it was signed, only the server can tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from spine.contracts.records import SealRecord
from spine.services.canonical_json import Scalar
from spine.services.proof.hashing import seal_content
from spine.services.proof.leaves import leaf_content, ledger_content
from spine.services.proof.note import encode_base64

PERIOD_FORMAT = "hoc-spine/period-export@v1"
SEAL_WORD, AUDIT_WORD, LEAF_WORD = "seal", "audit", "leaf"


class Before(NamedTuple):
    """The tree that the period begins with: its size, its peaks, largest first, and the checkpoint that signs it."""

    size: int
    peaks: Sequence[bytes]
    note: str


def build_period(before: Before, leaves: Iterable[str], note: str) -> str:
    """The file's text; `leaves` are lines as the functions below write them, `note` is the newer checkpoint.

    It is not verified here. A tree of no leaves has no checkpoint: its note is empty.
    """
    lines = [PERIOD_FORMAT, f"after {before.size}", *map(encode_base64, before.peaks), ""]
    return "\n".join([*lines, *([before.note] if before.size else ()), *leaves, "", note])


def seal_line(seal: SealRecord) -> str:
    """The line of a seal's leaf."""
    return f"{SEAL_WORD} {seal_content(seal).decode()}"


def audit_line(row: Mapping[str, Scalar | UUID | datetime]) -> str:
    """The line of the leaf of a ledger entry; `row` holds every column but the tenant's."""
    return f"{AUDIT_WORD} {ledger_content(row).decode()}"


def leaf_line(kind: str, key: UUID, version: int, content_hash: bytes) -> str:
    """The line of a leaf of another kind."""
    return f"{LEAF_WORD} {leaf_content(kind, key, version, content_hash).decode()}"
