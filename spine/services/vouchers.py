"""Asking outsiders to vouch for a checkpoint: witnesses (C2SP tlog-witness) and a time stamping authority (RFC 3161).

Their answers are bounded, and are verified before anybody relies on them: a line that is kept is a line that holds.
"""

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx

from spine.services.proof.checkpoint import decimal
from spine.services.proof.cosignature import CosignatureVerifier
from spine.services.proof.note import NoteError, Signature, split_note
from spine.services.proof.timestamp import (
    MAX_TOKEN_BYTES,
    QUERY_MEDIA_TYPE,
    REPLY_MEDIA_TYPE,
    TimestampError,
    query,
    stamped_at,
)
from spine.services.proof.witness import PATH, SIZE_MEDIA_TYPE, Submission, WitnessAddress, read_cosignatures

TIMEOUT_S = 10.0
SHOWN_CHARS = 200


class Unreachable(Exception):
    """Nobody answered, or what answered is broken: asking again later may help."""


class NotVouched(Exception):
    """The answer is no: something about this log is wrong, and people should look at it."""


class Known(NamedTuple):
    """A witness remembers another size than it was told."""

    size: int


class Authority(NamedTuple):
    """Where a time stamping authority listens, and the certificates that its stamps must lead to."""

    url: str
    roots: tuple[Any, ...]


class Stamp(NamedTuple):
    """An authority's whole answer, and when it says that it saw the note."""

    token: bytes
    at: datetime


async def ask_witness(http: httpx.AsyncClient, witness: WitnessAddress, submission: Submission) -> Signature | Known:
    """The witness's cosignature on a checkpoint, or the size that it knows; raises Unreachable, NotVouched."""
    status, media_type, body = await _post(http, f"{witness.url}{PATH}", submission.body(), "text/plain")
    answer = body.decode(errors="replace")
    try:
        if status == HTTPStatus.CONFLICT and media_type == SIZE_MEDIA_TYPE:
            return Known(decimal(answer.removesuffix("\n")))
        if status != HTTPStatus.OK:
            raise _failure(status, answer)
        text, _ = split_note(submission.note)
        return read_cosignatures(text, answer, [CosignatureVerifier.parse(witness.vkey)])[0]
    except NoteError as error:
        raise Unreachable(f"what it answers is no cosignature: {error}") from error


async def ask_authority(http: httpx.AsyncClient, authority: Authority, note: str) -> Stamp:
    """A stamp on a note; raises Unreachable, NotVouched."""
    asked = query(note)
    status, media_type, body = await _post(http, authority.url, asked.body, QUERY_MEDIA_TYPE)
    if status != HTTPStatus.OK:
        raise _failure(status, body.decode(errors="replace"))
    if media_type != REPLY_MEDIA_TYPE:
        raise Unreachable(f"what it answers is {media_type[:SHOWN_CHARS] or 'of no media type'}")
    try:
        return Stamp(body, stamped_at(body, note, authority.roots, nonce=asked.nonce))
    except TimestampError as error:
        raise NotVouched(str(error)) from error


def _failure(status: int, answer: str) -> Unreachable | NotVouched:
    """A client's fault is the log's; anything else may pass."""
    said = f"HTTP {status}: {answer.strip()[:SHOWN_CHARS]}"
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
    return Unreachable(said) if passing else NotVouched(said)


async def _post(http: httpx.AsyncClient, url: str, content: bytes, media_type: str) -> tuple[int, str, bytes]:
    """Status, media type and body of the answer; raises Unreachable when it is not there in time, or has no end."""
    headers = {"content-type": media_type, "accept-encoding": "identity"}
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            http.stream("POST", url, content=content, headers=headers) as response,
        ):
            body = await _bounded(response)
    except TimeoutError as error:
        raise Unreachable(f"no answer within {TIMEOUT_S:g} s") from error
    except httpx.HTTPError as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    return response.status_code, response.headers.get("content-type", "").partition(";")[0].strip(), body


async def _bounded(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_TOKEN_BYTES:
            raise Unreachable("its answer has no end")
    return body
