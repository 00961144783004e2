"""A client of GraphQL over WebSocket (graphql-transport-ws), message by message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
WAIT_S = 60.0


class SocketClient:
    """One socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        """Send a message."""
        await self.connection.send(orjson.dumps(message).decode())

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(WAIT_S):
            message: dict[str, Any] = orjson.loads(await self.connection.recv())
        return message

    async def begin(self, key: str) -> None:
        """Authenticate."""
        await self.send(type="connection_init", payload={"authorization": f"Bearer {key}"})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, query: str, name: str = "1", **payload: Any) -> None:
        """Begin an operation."""
        await self.send(type="subscribe", id=name, payload={"query": query, **payload})

    async def ask(self, query: str, name: str = "1", **payload: Any) -> dict[str, Any]:
        """The one result of a query or mutation."""
        await self.subscribe(query, name, **payload)
        answer = await self.receive()
        if answer["type"] == "next":
            assert await self.receive() == {"type": "complete", "id": name}
        result: dict[str, Any] = answer["payload"]
        return result

    async def closed(self) -> int:
        """Wait for the end, whatever comes before it, and answer its code."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    await self.connection.recv()
        except ConnectionClosed:
            assert self.connection.close_code is not None
            return self.connection.close_code


@asynccontextmanager
async def socket_to(url: str, **options: Any) -> AsyncIterator[SocketClient]:
    """A socket to the GraphQL endpoint of a server."""
    options.setdefault("subprotocols", [PROTOCOL])
    async with connect(f"{str(url).replace('http', 'ws', 1).rstrip('/')}/graphql", proxy=None, **options) as one:
        yield SocketClient(one)
