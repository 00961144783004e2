"""A client that went away: what was being done for it is cancelled, down to the statement in the database.

The server says so on `receive`, which is also where a body comes from; so nobody listens there until the body is read.
Nor in the first moment, in which most requests are answered: a task that listens costs a tenth of a small one.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

T = TypeVar("T")

MOMENT_S: Final = 0.05


class Connected:
    """One request whose client is watched as soon as its body has come, if its answer takes longer than a moment."""

    def __init__(self, request: Request) -> None:
        self.request = Request(request.scope, self._read)
        self._receive: Receive = request.receive
        self._complete = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        if request.method == "GET":
            self._complete.set()

    async def watched(self, answer: Awaitable[T]) -> T:
        """What is awaited; it is cancelled when the client goes away, and ClientDisconnect raised in its place."""
        try:
            async with asyncio.timeout(None) as cut:
                late = asyncio.get_running_loop().call_later(MOMENT_S, self._begin, cut)
                try:
                    return await answer
                finally:
                    late.cancel()
                    if self._watching is not None:
                        self._watching.cancel()
                        await asyncio.wait({self._watching})
        except TimeoutError:
            if not cut.expired():
                raise
            raise ClientDisconnect from None

    def _begin(self, cut: asyncio.Timeout) -> None:
        self._watching = asyncio.create_task(self._watch(cut))

    async def _read(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._complete.set()
        return message

    async def _watch(self, cut: asyncio.Timeout) -> None:
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        cut.reschedule(asyncio.get_running_loop().time())
