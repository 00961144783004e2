"""What every route needs of a request: its id, a body that can't grow or last without end, and the status of an error.

The server itself waits for a body forever: a few clients that send one byte a minute would keep every export out.
"""

import asyncio
import re
from secrets import token_hex
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from spine.contracts.errors import ErrorCode, HocError, TooLarge, ValidationFailed

REQUEST_ID: Final = "x-request-id"
_HEADER: Final = REQUEST_ID.encode()
_KEPT: Final = "hoc.request_id"
_ACCEPTABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")

STATUS: Final = {
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FROZEN: 403,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.VALIDATION: 400,
    ErrorCode.RUN_VALIDATION_FAILURE: 400,
    ErrorCode.CONDITION_INVALID: 400,
    ErrorCode.EVIDENCE_CONTEXT_INVALID: 400,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.CONFLICT: 409,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.POLICY_DENIED: 403,
    ErrorCode.INVARIANT_VIOLATION: 409,
    ErrorCode.CURSOR_EXPIRED: 410,
    ErrorCode.RESUME: 503,
    ErrorCode.DOCUMENT_NOT_FOUND: 404,
    ErrorCode.DOCUMENT_NOT_TRUSTED: 403,
    ErrorCode.UNREADABLE: 500,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.QUERY_TOO_COMPLEX: 400,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.EXECUTION_TIMEOUT: 504,
    ErrorCode.UNKNOWN_OPERATION: 500,
    ErrorCode.INTERNAL: 500,
}
"""The HTTP status of each code."""


def request_id_of(scope: Scope) -> str:
    """The caller's `x-request-id` when it is harmless, else a new one; the same whenever it is asked for."""
    if _KEPT not in scope:
        scope[_KEPT] = _given_id(scope) or token_hex(16)
    return str(scope[_KEPT])


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == _HEADER and _ACCEPTABLE_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("ascii"))
    return None


def headers_of(error: HocError, request_id: str) -> dict[str, str]:
    """The headers of an error's answer: how to authenticate, or when to come again."""
    headers = {REQUEST_ID: request_id}
    if STATUS[error.code] == 401:  # noqa: PLR2004 - the number is its own name
        headers["www-authenticate"] = "Bearer"
    if error.code is ErrorCode.UNAVAILABLE:
        headers["retry-after"] = "1"
    return headers


def bounded(request: Request, limit: int, seconds: float) -> Request:
    """The same request; its body raises TooLarge beyond `limit` bytes, ValidationFailed when it takes too long."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise TooLarge("the body, in bytes,", limit)
    return Request(request.scope, _counted(request.receive, limit, seconds))


async def whole_body(request: Request) -> bytes:
    """All of a bounded request's body, without the generators that Starlette reads it by."""
    parts = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _counted(receive: Receive, limit: int, seconds: float) -> Receive:
    taken = 0
    deadline = asyncio.get_running_loop().time() + seconds

    async def counted() -> Message:
        nonlocal taken
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise ValidationFailed(f"the body did not arrive within {seconds:g} seconds") from None
        taken += len(message.get("body", b""))
        if taken > limit:
            raise TooLarge("the body, in bytes,", limit)
        return message

    return counted
