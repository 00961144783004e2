"""Time stamps (RFC 3161) on checkpoints: an authority that knows nothing of logs says when it saw one.

What is stamped is the note as the log's key alone signed it, so cosignatures may be added to it later. Importing this
takes longer than verifying a bundle: whoever needs no stamps should not.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from spine.services.proof.note import NoteVerifier, open_note

QUERY_MEDIA_TYPE = "application/timestamp-query"
REPLY_MEDIA_TYPE = "application/timestamp-reply"
MAX_TOKEN_BYTES = 100_000


class TimestampError(Exception):
    """A stamp that is refused, or certificates that can't be read; the message says why."""


class Query(NamedTuple):
    """What an authority is asked, and the number that its answer must repeat."""

    body: bytes
    nonce: int | None


def stamped_note(note: str, log: NoteVerifier) -> str:
    """The note as the log's key alone signed it; raises NoteError when it did not."""
    opened = open_note(note, [log])
    return f"{opened.text}\n{opened.signatures[0].line()}"


def query(note: str) -> Query:
    """The question for a stamp on this note, with the certificate in the answer."""
    request = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    return Query(request.as_bytes(), request.nonce)


def read_roots(pem: bytes) -> list[x509.Certificate]:
    """The certificates that are trusted; raises TimestampError when there are none."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TimestampError("no certificate can be read") from error


def stamped_at(token: bytes, note: str, roots: Sequence[x509.Certificate], *, nonce: int | None = None) -> datetime:
    """When an authority under one of the roots saw this note, in UTC; `token` is its whole answer.

    The certificates must have been valid then, not now. Raises TimestampError when anything does not hold.
    """
    response = _decoded(token)
    builder = VerifierBuilder(roots=list(roots), nonce=nonce)
    try:
        builder.build().verify_message(response, note.encode())
    except (VerificationError, ValueError) as error:
        raise TimestampError(f"the time stamp does not hold: {error}") from error
    return response.tst_info.gen_time


def _decoded(token: bytes) -> TimeStampResponse:
    if len(token) > MAX_TOKEN_BYTES:
        raise TimestampError(f"a time stamp has at most {MAX_TOKEN_BYTES} bytes")
    try:
        return decode_timestamp_response(token)
    except ValueError as error:
        raise TimestampError("this is no time stamp") from error
