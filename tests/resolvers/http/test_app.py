"""The application as a whole: it opens its runtime and closes it, and says when it cannot serve."""

import asyncio
import gc
import time
import weakref
from contextlib import suppress
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.requests import Request

from resolvers.http.app import create_app
from resolvers.http.auth import KEEP_REFUSAL_S, KEEP_S, Authenticator
from spine.bootstrap import Runtime
from spine.contracts.access import ChangeKey
from spine.contracts.actors import Principal
from spine.contracts.errors import HocError, KeyFrozen, Unauthenticated
from spine.settings import Settings
from spine.storage.embedded import EmbeddedPostgres


class TestLife:
    async def test_it_opens_the_runtime_and_closes_it(
        self, postgres: EmbeddedPostgres, database_name: str, settings: Settings
    ) -> None:
        runtime = Runtime(settings, connect=dict(postgres.connection("hoc_app", database_name).asyncpg_arguments()))
        app = create_app(runtime)
        async with app.router.lifespan_context(app):
            assert await runtime.ready() is None
        assert await runtime.ready() is not None


class TestReadiness:
    async def test_it_fails_while_a_migration_pends(self, client: httpx.AsyncClient, superuser: dict[str, Any]) -> None:
        connection = await asyncpg.connect(**superuser)
        version = await connection.fetchval("SELECT version_num FROM alembic_version")
        try:
            await connection.execute("UPDATE alembic_version SET version_num = 'older'")
            response = await client.get("/readyz")
        finally:
            await connection.execute("UPDATE alembic_version SET version_num = $1", version)
            await connection.close()
        assert response.status_code == 503
        assert "migrations pend" in response.json()["status"]
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200

    async def test_it_fails_soon_when_every_connection_is_taken(
        self, client: httpx.AsyncClient, runtime: Runtime, settings: Settings
    ) -> None:
        taken = [await runtime.database.acquire() for _ in range(settings.pool_size)]
        began = time.monotonic()
        assert (await client.get("/readyz")).status_code == 503
        assert time.monotonic() - began < 3
        for connection in taken:
            await runtime.database.release(connection)
        assert (await client.get("/readyz")).status_code == 200

    async def test_it_fails_when_the_database_is_gone(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await runtime.database.close()
        response = await client.get("/readyz")
        assert response.status_code == 503
        answer = await client.post("/graphql", json={"query": "{ viewer { role } }"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


class TestTheKeyCache:
    @pytest.fixture
    def clock(self) -> list[float]:
        return [1000.0]

    @pytest.fixture
    def authenticator(self, runtime: Runtime, clock: list[float]) -> Authenticator:
        return Authenticator(runtime, lambda: clock[0])

    async def test_a_principal_is_kept_for_a_second(
        self,
        authenticator: Authenticator,
        clock: list[float],
        runtime: Runtime,
        principal: Principal,
        owner_key: str,
    ) -> None:
        found = await authenticator.principal(presenting(owner_key), "r")
        assert found.tenant_id == principal.tenant_id
        request = ChangeKey(key_id=found.key_id, reason="test")
        (await runtime.registry.execute("api_keys.freeze_key", request, principal)).unwrap()
        assert await authenticator.principal(presenting(owner_key), "r") is found
        clock[0] += KEEP_S
        with pytest.raises(KeyFrozen):
            await authenticator.principal(presenting(owner_key), "r")

    async def test_a_refusal_is_kept_more_briefly(
        self, authenticator: Authenticator, clock: list[float], runtime: Runtime
    ) -> None:
        request = presenting("hoc_test_aaaaaaaaaaaaaaaa_b")
        with pytest.raises(Unauthenticated):
            await authenticator.principal(request, "r")
        await runtime.database.close()
        with pytest.raises(Unauthenticated):
            await authenticator.principal(request, "r")
        clock[0] += KEEP_REFUSAL_S
        with pytest.raises(HocError, match="database"):
            await authenticator.principal(request, "r")
        await runtime.database.open()

    async def test_a_kept_refusal_holds_nothing_of_the_request_that_it_ended(
        self, authenticator: Authenticator
    ) -> None:
        async def refused() -> weakref.ref[Request]:
            request = presenting("hoc_test_aaaaaaaaaaaaaaaa_b")
            with suppress(Unauthenticated):
                await authenticator.principal(request, "r")
            return weakref.ref(request)

        requests = [await refused(), await refused()]
        gc.collect()
        assert [request() for request in requests] == [None, None]

    async def test_what_the_database_could_not_say_is_not_kept(
        self, authenticator: Authenticator, runtime: Runtime, owner_key: str
    ) -> None:
        await runtime.database.close()
        with pytest.raises(HocError, match="database"):
            await authenticator.principal(presenting(owner_key), "r")
        await runtime.database.open()
        assert (await authenticator.principal(presenting(owner_key), "r")).key_id

    async def test_all_who_ask_at_once_share_one_answer(self, authenticator: Authenticator, owner_key: str) -> None:
        asked = [asyncio.create_task(authenticator.principal(presenting(owner_key), "r")) for _ in range(20)]
        await asyncio.sleep(0)
        asked[0].cancel()
        first, *others = await asyncio.gather(*asked[1:])
        assert all(one is first for one in others)

    async def test_keys_are_remembered_by_their_hash_only(self, authenticator: Authenticator, owner_key: str) -> None:
        await authenticator.principal(presenting(owner_key), "r")
        assert owner_key not in repr(vars(authenticator))


def presenting(key: str) -> Request:
    """A request with this key."""
    headers = [(b"authorization", f"Bearer {key}".encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers})
