"""The protocol between a log and its witnesses (C2SP tlog-witness): what is sent, and what is refused. Pure.

A log sends its newest checkpoint with the proof that it continues the one that the witness cosigned before. A witness
remembers that one alone, and it is enough: whatever it cosigns continues all that it cosigned before.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple, Self

from spine.services.proof.checkpoint import Checkpoint, decimal
from spine.services.proof.cosignature import CosignatureVerifier
from spine.services.proof.merkle import EMPTY_ROOT, HASH_BYTES, ProofError, verify_consistency
from spine.services.proof.note import (
    Note,
    NoteError,
    NoteVerifier,
    Signature,
    decode_base64,
    encode_base64,
    open_note,
    split_note,
)

PATH = "/add-checkpoint"
SIZE_MEDIA_TYPE = "text/x.tlog.size"
MAX_PROOF_LINES = 63
MAX_SUBMISSION_BYTES = 100_000
"""More than 63 hashes and a checkpoint with 16 signatures of 5,000 bytes, which the specification lets a log send."""

URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")

Logs = Mapping[str, Sequence[NoteVerifier]]
"""The keys of each log that is witnessed, by its origin."""


class Refused(Exception):
    """A submission that is not cosigned: HTTP's status, why, and for a CONFLICT the size that the witness knows."""

    def __init__(self, status: HTTPStatus, reason: str, known_size: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.known_size = known_size


class WitnessAddress(NamedTuple):
    """A witness's key and where it listens."""

    vkey: str
    url: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `vkey url`; raises NoteError when it is something else."""
        vkey, _, url = text.strip().partition(" ")
        CosignatureVerifier.parse(vkey)
        if URL.fullmatch(url.strip()) is None:
            raise NoteError("a witness is given as its vkey, a space, and its URL")
        return cls(vkey, url.strip().rstrip("/"))

    @property
    def name(self) -> str:
        """The name in its key."""
        return self.vkey.partition("+")[0]


class Submission(NamedTuple):
    """What a log sends: the size that it believes the witness knows, the proof from there, the checkpoint's note."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    def body(self) -> bytes:
        """The request's body."""
        lines = (f"old {self.old_size}", *map(encode_base64, self.proof), "", self.note)
        return "\n".join(lines).encode()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """A submission from a request's body; raises Refused when it is not exactly what a log writes."""
        try:
            head, separator, note = body.decode().partition("\n\n")
            first, *proof = head.split("\n")
            old_size, hashes = _old_size(first), tuple(map(_hash, proof))
        except (NoteError, UnicodeDecodeError) as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        if not separator or len(hashes) > MAX_PROOF_LINES:
            raise Refused(HTTPStatus.BAD_REQUEST, f"at most {MAX_PROOF_LINES} hashes, an empty line, and a note")
        return cls(old_size, hashes, note)


def open_submission(submission: Submission, logs: Logs) -> tuple[Note, Checkpoint]:
    """The checkpoint that one of the log's keys has signed; raises Refused when it must not even be considered."""
    origin = submission.note.partition("\n")[0]
    if origin not in logs:
        raise Refused(HTTPStatus.NOT_FOUND, "this log is not witnessed here")
    try:
        checkpoint = Checkpoint.parse(split_note(submission.note)[0])
    except NoteError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
    try:
        note = open_note(submission.note, logs[origin])
    except NoteError as error:
        raise Refused(HTTPStatus.FORBIDDEN, str(error)) from error
    if submission.old_size > checkpoint.size:
        raise Refused(HTTPStatus.BAD_REQUEST, "the old size is larger than the checkpoint's")
    return note, checkpoint


def demand_successor(submission: Submission, checkpoint: Checkpoint, known: Checkpoint | None) -> None:
    """Check that a checkpoint continues the one that was cosigned last, None for none yet; raises Refused.

    The same size with another root is a proof that fails: sizes agree, so asking again can't help.
    """
    known_size, known_root = (0, EMPTY_ROOT) if known is None else (known.size, known.root)
    if submission.old_size != known_size:
        raise Refused(HTTPStatus.CONFLICT, f"the last size that was cosigned is {known_size}", known_size)
    try:
        if known_size == 0:
            _demand_beginning(submission, checkpoint)
        else:
            verify_consistency(known_size, checkpoint.size, known_root, checkpoint.root, submission.proof)
    except ProofError as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def read_cosignatures(text: str, answer: str, verifiers: Sequence[NoteVerifier]) -> tuple[Signature, ...]:
    """The signatures of known witnesses in a witness's answer to a checkpoint's text; raises NoteError for none."""
    note = open_note(f"{text}\n{answer}", verifiers)
    if note.text != text:
        raise NoteError("the witness has signed something else")
    return note.signatures


def _demand_beginning(submission: Submission, checkpoint: Checkpoint) -> None:
    """Everything continues the empty tree; only the empty tree has its root."""
    if submission.proof:
        raise ProofError("the proof from an empty tree is empty")
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise ProofError("the root of an empty tree is the hash of nothing")


def _old_size(line: str) -> int:
    word, _, size = line.partition(" ")
    if word != "old":
        raise NoteError("the first line says the old size")
    return decimal(size)


def _hash(line: str) -> bytes:
    content = decode_base64(line)
    if len(content) != HASH_BYTES:
        raise NoteError(f"a hash of a proof has {HASH_BYTES} bytes")
    return content
