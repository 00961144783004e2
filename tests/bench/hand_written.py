"""The console query by hand: Starlette, asyncpg and orjson, no GraphQL and nothing of the registry.

The baseline of `make bench`. It does what a careful engineer would write for this one page: the same key check (cached
for a second), the same row-security transaction, each table read once, the same verification. It reads less than the
API where its answer needs less (no agent medians, evidence rows once for people and for verification).
"""

import gc
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.hand_written_answer import Rows, answer
from tests.bench.hand_written_sql import (
    BEGIN,
    BREACHES,
    COUNT,
    DECISIONS,
    EVALUATIONS,
    FEEDBACK,
    FIND_KEY,
    INCIDENTS,
    KEY_DETAILS,
    NOBODY,
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


async def read(connection: Connection, tenant_id: UUID, first: int) -> Rows:
    """Everything that the page needs, in one snapshot of the tenant."""
    await connection.execute(BEGIN.format(tenant_id))
    try:
        runs = await connection.fetch(RUNS, tenant_id, first + 1)
        keys = [run[0] for run in runs[:first]]
        signals = await connection.fetch(SIGNALS, tenant_id, keys)
        return Rows(
            runs=runs,
            total=await connection.fetchval(COUNT, tenant_id),
            incidents=await connection.fetch(INCIDENTS, tenant_id, keys),
            evaluations=await connection.fetch(EVALUATIONS, tenant_id, keys),
            decisions=await connection.fetch(DECISIONS, tenant_id, keys),
            breaches=await connection.fetch(BREACHES, tenant_id, keys),
            steps=await connection.fetch(STEPS, tenant_id, keys),
            seals=await connection.fetch(SEALS, tenant_id, keys),
            signals=signals,
            feedback=await connection.fetch(FEEDBACK, tenant_id, [signal[2] for signal in signals]),
        )
    finally:
        await connection.execute("ROLLBACK")


class Console:
    """The endpoint: `POST {"variables": {"first": n}}` with a bearer key."""

    def __init__(self, place: Place) -> None:
        self._place = place
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
            gc.set_threshold(50_000, 20, 100)  # as the API has it
            yield

    async def __call__(self, request: Request) -> Response:
        """Answer one page."""
        tenant_id = await self._keys.tenant(request.headers.get("authorization", ""))
        if tenant_id is None:
            return Response(status_code=401)
        first = orjson.loads(await request.body())["variables"]["first"]
        if not isinstance(first, int) or not 1 <= first <= MAX_FIRST:
            return Response(status_code=400)
        async with self._pool.acquire() as connection:
            rows = await read(connection, tenant_id, first)
        page = answer(tenant_id, rows, first)
        return Response(orjson.dumps(page), media_type="application/json")


def create_app(place: Place) -> Starlette:
    """The application."""
    console = Console(place)
    return Starlette(routes=[Route("/graphql", console.__call__, methods=["POST"])], lifespan=console.lifespan)
