"""GraphQL over server-sent events (graphql-sse, distinct connections): what a stream needs beyond Strawberry's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
from starlette.requests import Request

from resolvers.context import RequestContext
from resolvers.errors import extensions
from resolvers.http.auth import Authenticator, bearer
from resolvers.http.watching import refusal
from resolvers.observing import note_code
from spine.contracts.errors import HocError

MEDIA_TYPE = "text/event-stream"


def wanted(accept: str | None) -> bool:
    """Whether the client asks for a stream."""
    return any(part.partition(";")[0].strip().lower() == MEDIA_TYPE for part in (accept or "").split(","))


async def lasting(
    chunks: AsyncIterator[Any],
    context: RequestContext,
    authenticator: Authenticator,
    request: Request,
    request_id: str,
) -> AsyncIterator[Any]:
    """The stream's chunks, for as long as its key may be used; its context is closed however it ends."""
    presented = bearer(request.headers.get("authorization"))
    watch = asyncio.create_task(refusal(authenticator, presented, request_id))
    upcoming: asyncio.Task[Any] | None = None
    try:
        while True:
            upcoming = asyncio.ensure_future(anext(chunks))
            await asyncio.wait({upcoming, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                yield last_words(watch.result(), request_id)
                return
            try:
                yield upcoming.result()
            except StopAsyncIteration:
                return
    finally:
        watch.cancel()
        if upcoming is not None and not upcoming.done():
            upcoming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await upcoming
        await context.close()


def last_words(error: HocError, request_id: str) -> bytes:
    """The error as the stream's last result, and its end."""
    note_code(error.code)
    body = {"data": None, "errors": [{"message": error.message, "extensions": extensions(error.code, request_id)}]}
    return b"event: next\r\ndata: " + orjson.dumps(body) + b"\r\n\r\nevent: complete\r\ndata: \r\n\r\n"
