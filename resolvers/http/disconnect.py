"""A client that went away: what was being done for it is cancelled, down to the statement in the database.

The server says so on `receive`, which is also where a body comes from; so nobody listens there until the body is read.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive


class Connected:
    """One request whose client is watched as soon as its body has come."""

    def __init__(self, request: Request) -> None:
        self.request = Request(request.scope, self._read)
        self._receive: Receive = request.receive
        self._complete = asyncio.Event()
        if request.method == "GET":
            self._complete.set()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Cancel the block when the client goes away, and raise ClientDisconnect in its place."""
        try:
            async with asyncio.timeout(None) as cut:
                watching = asyncio.create_task(self._watch(cut))
                try:
                    yield
                finally:
                    watching.cancel()
                    await asyncio.wait({watching})
        except TimeoutError:
            if not cut.expired():
                raise
            raise ClientDisconnect from None

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
