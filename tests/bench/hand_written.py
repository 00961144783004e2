"""The console query, and one run of it, by hand: Starlette, asyncpg and orjson, no GraphQL, nothing of the registry.

The baseline of `make bench`. It does what a careful engineer would write for these pages: the same key check (cached
for a second), the same row-security transaction, each table read once, the same verification. It reads less than the
API where its answer needs less (no agent medians, evidence rows once for people and for verification).
"""

import gc
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spine.services.ids import key_of
from tests.bench.hand_written_answer import Json, Row, Rows, answer, answer_run
from tests.bench.hand_written_sql import (
    BEGIN,
    BREACHES,
    COUNT,
    DECISIONS,
    ENVIRONMENTS,
    EVALUATIONS,
    FEEDBACK,
    FIND_KEY,
    INCIDENTS,
    KEY_DETAILS,
    NOBODY,
    RUN,
    RUNS,
    SEALS,
    SIGNALS,
    STEPS,
)
from tests.bench.place import Place

KEEP_S: Final = 1.0
READERS: Final = frozenset({"VIEWER", "MEMBER", "ADMIN", "OWNER"})
MAX_FIRST: Final = 100
POOL_SIZE: Final = 10

Connection = Any
Reader = Callable[[Connection, UUID, Json], Awaitable[bytes]]
"""Answers JSON, given a connection, the tenant and the variables."""


class Keys:
    """Tenants by key, each kept for a second."""

    def __init__(self, pool: "asyncpg.Pool[Any]", pepper: bytes) -> None:
        self._pool = pool
        self._pepper = pepper
        self._known: dict[bytes, tuple[float, UUID | None]] = {}

    async def tenant(self, authorization: str) -> UUID | None:
        """The tenant of `Bearer <key>`; None when the key may not read."""
        presented = authorization.removeprefix("Bearer ").strip()
        digest = hashlib.sha256(presented.encode()).digest()
        until, tenant_id = self._known.get(digest, (0.0, None))
        if until <= time.monotonic():
            tenant_id = await self._find(presented)
            self._known[digest] = (time.monotonic() + KEEP_S, tenant_id)
        return tenant_id

    async def _find(self, presented: str) -> UUID | None:
        parts = presented.split("_")
        if len(parts) != 4:
            return None
        key_id, secret = parts[2:]
        async with self._pool.acquire() as connection:
            await connection.execute(BEGIN.format(NOBODY))
            try:
                found = await connection.fetchrow(FIND_KEY, key_id)
                wanted = hmac.new(self._pepper, f"{key_id}:{secret}".encode(), hashlib.sha256).digest()
                if found is None or found[2] != "ACTIVE" or not hmac.compare_digest(found[1], wanted):
                    return None
                tenant_id: UUID = found[0]
                await connection.execute(f"SET LOCAL app.tenant_id='{tenant_id}'")
                role = await connection.fetchval(KEY_DETAILS, tenant_id, key_id)
            finally:
                await connection.execute("ROLLBACK")
        return tenant_id if role in READERS else None


async def _keep(_connection: object) -> None:
    """Nothing to reset: all settings are local to a transaction."""


async def page(connection: Connection, tenant_id: UUID, variables: Json) -> bytes:
    """The console's page, in one snapshot of the tenant."""
    first: int = variables["first"]
    await connection.execute(BEGIN.format(tenant_id))
    try:
        runs = await connection.fetch(RUNS, tenant_id, first + 1)
        total = await connection.fetchval(COUNT, tenant_id)
        rows = await read_below(connection, tenant_id, runs, total, first)
    finally:
        await connection.execute("ROLLBACK")
    return answer(tenant_id, rows, first)


async def run(connection: Connection, tenant_id: UUID, variables: Json) -> bytes:
    """One run, in one snapshot of the tenant."""
    key = key_of(variables["id"], "Run")
    await connection.execute(BEGIN.format(tenant_id))
    try:
        rows = await read_below(connection, tenant_id, await connection.fetch(RUN, tenant_id, key), 1, 1)
    finally:
        await connection.execute("ROLLBACK")
    return answer_run(tenant_id, rows)


async def read_below(connection: Connection, tenant_id: UUID, runs: Sequence[Row], total: int, first: int) -> Rows:
    """Everything below the first of these runs, a statement a table."""
    keys = [run[0] for run in runs[:first]]
    signals = await connection.fetch(SIGNALS, tenant_id, keys)
    return Rows(
        runs=runs,
        total=total,
        incidents=await connection.fetch(INCIDENTS, tenant_id, keys),
        evaluations=await connection.fetch(EVALUATIONS, tenant_id, keys),
        decisions=await connection.fetch(DECISIONS, tenant_id, keys),
        breaches=await connection.fetch(BREACHES, tenant_id, keys),
        environments=await connection.fetch(ENVIRONMENTS, tenant_id, keys),
        steps=await connection.fetch(STEPS, tenant_id, keys),
        seals=await connection.fetch(SEALS, tenant_id, keys),
        signals=signals,
        feedback=await connection.fetch(FEEDBACK, tenant_id, [signal[2] for signal in signals]),
    )


class Endpoint:
    """`POST {"variables": {...}}` with a bearer key, answered by the reader of the path."""

    def __init__(self, place: Place, readers: Mapping[str, Reader]) -> None:
        self._place = place
        self._readers = readers
        self._pool: asyncpg.Pool[Any]
        self._keys: Keys

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """A pool as large as the API's."""
        pepper = (self._place.data_dir / "key-pepper").read_bytes()
        async with asyncpg.create_pool(**self._place.connect, min_size=1, max_size=POOL_SIZE, reset=_keep) as pool:
            self._pool = pool
            self._keys = Keys(pool, pepper)
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 5, 5)  # as the API has it
            yield

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        tenant_id = await self._keys.tenant(request.headers.get("authorization", ""))
        if tenant_id is None:
            return Response(status_code=401)
        variables = orjson.loads(await request.body())["variables"]
        first = variables.get("first", 1)
        if not isinstance(first, int) or not 1 <= first <= MAX_FIRST:
            return Response(status_code=400)
        async with self._pool.acquire() as connection:
            content = await self._readers[request.url.path](connection, tenant_id, variables)
        return Response(content, media_type="application/json")


def endpoints(place: Place, readers: Mapping[str, Reader]) -> Starlette:
    """An application with a route a reader."""
    endpoint = Endpoint(place, readers)
    return Starlette(
        routes=[Route(path, endpoint.__call__, methods=["POST"]) for path in readers], lifespan=endpoint.lifespan
    )


def create_app(place: Place) -> Starlette:
    """The application."""
    return endpoints(place, {"/graphql": page, "/run": run})
