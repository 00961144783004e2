"""How many statements and network round trips one console query takes, counted on asyncpg's own connections."""

from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
from msgspec import Struct, structs

from tests.bench.console import console_body
from tests.bench.place import Place
from tests.bench.serving import app_of

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

REPEATED = 3


class Counts(Struct):
    """Round trips, and the statements in them: several may share a round trip (`BEGIN;SET ...`)."""

    statements: int = 0
    round_trips: int = 0


async def count(name: str, place: Place, key: str, first: int) -> Counts:
    """The counts of one request of a server that has answered it before (key and plans are known).

    The least of some: what a server does beside its requests falls into one or the other.
    """
    counts = Counts()

    def counted(query: Any) -> None:
        counts.round_trips += 1
        counts.statements += sum(1 for part in query.query.split(";") if part.strip())

    class CountingConnection(Connection):
        """A connection that reports everything it sends."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.add_query_logger(counted)

    connect = {**place.connect, "connection_class": CountingConnection}
    app = app_of(name, structs.replace(place, connect=connect))
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    body = console_body(first)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench", headers=headers) as client,
    ):
        counted_once: list[Counts] = []
        for _ in range(1 + REPEATED):
            counts.statements = counts.round_trips = 0
            (await client.post("/graphql", content=body)).raise_for_status()
            counted_once.append(structs.replace(counts))
    return min(counted_once[1:], key=lambda one: one.round_trips)
