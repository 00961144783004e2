"""Limits over HTTP: what is refused is refused quickly and said in its status, and others are served meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from resolvers.http.media import GRAPHQL, JSON
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.runs import StartRun
from spine.settings import Settings
from tests.resolvers.http.socket_client import socket_to
from tests.resolvers.http.test_streams import STREAM, events
from tests.resolvers.limits.test_documents import nested, spread

Ask = Callable[..., Awaitable["Told"]]

VIEWER = "{ viewer { tenant } }"
RUNS = "runs(first: 100) { nodes { signals(first: 100) { nodes { id } } } }"
BOMB = spread(18, "runs(first: $n) { nodes { id } }").replace("{", "query($n: Int!) {", 1)
PRICES = "{ " + " ".join(f"a{n}: modelPrices(first: 95) {{ nodes {{ model }} }}" for n in range(19)) + " }"
NESTED = "{signals(first:3){nodes{" + "run{signals(first:3){nodes{" * 9 + "id" + "}}}" * 9 + "}}}"
"""The nested query that stopped a worker: 290 bytes, 3^10 signals."""

HOSTILE = {
    "the nested query": (NESTED, {}),
    "15 aliases of a page": ("{ " + " ".join(f"a{n}: {RUNS}" for n in range(15)) + " }", {}),
    "60 directives": ("{ viewer { " + "role @include(if: true) " * 60 + "} }", {}),
    "a bomb of fragments": (BOMB, {"n": 1}),
    "too many tokens": ("{ " + "viewer { role } " * 600 + "}", {}),
    "too many aliases": ("{ " + " ".join(f"a{n}: __typename" for n in range(21)) + " }", {}),
    "too deep": (nested(13), {}),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The database is more patient than an execution, and a key is soon poor."""
    return Settings(
        data_dir=tmp_path / "hoc",
        key_environment="test",
        source_timeout_ms=60_000,
        statement_timeout_ms=60_000,
        deadline_s=4.0,
        points_per_key=10_000,
        points_per_second=1,
    )


class Told:
    """What a client was told of its one operation."""

    def __init__(self, answer: dict[str, Any] | list[Any], response: httpx.Response | None = None) -> None:
        result: dict[str, Any] = answer if isinstance(answer, dict) else {"errors": answer}
        self.data: Any = result.get("data")
        self.errors: list[Any] = result.get("errors") or []
        self.codes = [error["extensions"]["code"] for error in self.errors]
        self.cost = result.get("extensions", {}).get("cost")
        self.response = response


class Over:
    """One client, over one transport."""

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self._client = client
        self._key = key

    async def post(self, query: str, variables: dict[str, Any] | None = None, accept: str = GRAPHQL) -> Told:
        body = {"query": query, "variables": variables}
        response = await self._client.post("/graphql", json=body, headers={"accept": accept})
        return Told(response.json(), response)

    async def get(self, query: str, variables: dict[str, Any] | None = None, accept: str = GRAPHQL) -> Told:
        params = {"query": query, "variables": orjson.dumps(variables or {}).decode()}
        response = await self._client.get("/graphql", params=params, headers={"accept": accept})
        return Told(response.json(), response)

    async def stream(self, query: str, variables: dict[str, Any] | None = None) -> Told:
        body = {"query": query, "variables": variables}
        async with self._client.stream("POST", "/graphql", json=body, headers=STREAM) as response:
            (_, result), _ = [event async for event in events(response)]
        return Told(result)

    async def socket(self, query: str, variables: dict[str, Any] | None = None) -> Told:
        async with socket_to(str(self._client.base_url)) as socket:
            await socket.begin(self._key)
            return Told(await socket.ask(query, variables=variables or {}))


@pytest.fixture
def over(client: httpx.AsyncClient, owner_key: str) -> Over:
    """The owner, over any transport."""
    return Over(client, owner_key)


@pytest.fixture(params=["post", "get", "stream", "socket"])
def ask_over(request: pytest.FixtureRequest, over: Over) -> Ask:
    """Ask over each transport."""
    ways: dict[str, Ask] = {"post": over.post, "get": over.get, "stream": over.stream, "socket": over.socket}
    return ways[request.param]


@contextlib.asynccontextmanager
async def locked(superuser: dict[str, Any], table: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Hold a table; the connection sees who waits for it."""
    connection = await asyncpg.connect(**superuser)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def start_run(runtime: Runtime, principal: Principal, key: str) -> None:
    """Something happens."""
    started = StartRun(idempotency_key=key, agent_id="a", actor=principal.actor, origin_system_id="test")
    (await runtime.registry.execute("activity.start_run", started, principal)).unwrap()


async def waiting(connection: "asyncpg.Connection[Any]") -> int:
    """How many of the server's statements wait for a lock."""
    query = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'hoc_app' AND wait_event_type = 'Lock'"""
    return int(await connection.fetchval(query))


async def until(wanted: int, connection: "asyncpg.Connection[Any]") -> None:
    """Wait until so many statements wait."""
    async with asyncio.timeout(5):
        while await waiting(connection) != wanted:  # noqa: ASYNC110 - PostgreSQL offers no event
            await asyncio.sleep(0.02)


class TestHostileDocuments:
    @pytest.mark.parametrize("what", HOSTILE)
    async def test_are_refused_while_others_are_served(
        self, ask_over: Ask, client: httpx.AsyncClient, what: str
    ) -> None:
        query, variables = HOSTILE[what]
        refused, served = await asyncio.gather(
            ask_over(query, variables),
            asyncio.gather(*(client.post("/graphql", json={"query": VIEWER}) for _ in range(5))),
        )
        assert (refused.data, refused.codes) == (None, ["QUERY_TOO_COMPLEX"])
        assert [one.json().get("errors") for one in served] == [None] * 5

    async def test_are_the_clients_fault(self, over: Over) -> None:
        for ask in (over.post, over.get):
            for query, variables in HOSTILE.values():
                refused = await ask(query, variables)
                assert refused.response is not None
                assert refused.response.status_code == 400

    def test_are_short(self) -> None:
        assert len(NESTED) < 305


class TestHostileBodies:
    @pytest.mark.parametrize(
        ("body", "status"), [(b" " * 20_000_000, 413), (b"[" * 50_000, 400), (b'{"query":' + b"[" * 50_000, 400)]
    )
    async def test_are_refused_while_others_are_served(
        self, client: httpx.AsyncClient, body: bytes, status: int
    ) -> None:
        headers = {"content-type": "application/json"}
        refused, *served = await asyncio.gather(
            client.post("/graphql", content=body, headers=headers),
            *(client.post("/graphql", json={"query": VIEWER}) for _ in range(5)),
        )
        assert refused.status_code == status
        assert [one.json().get("errors") for one in served] == [None] * 5

    async def test_that_never_end_keep_nobody_out(self, client: httpx.AsyncClient, owner_key: str) -> None:
        address = (client.base_url.host, client.base_url.port)
        unfinished = [await asyncio.open_connection(*address) for _ in range(50)]
        head = f"POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {owner_key}\r\ncontent-length: 100\r\n"
        for _, writer in unfinished:
            writer.write(f"{head}content-type: application/json\r\n\r\n{{".encode())
        await asyncio.gather(*(writer.drain() for _, writer in unfinished))
        served = await asyncio.gather(*(client.post("/graphql", json={"query": VIEWER}) for _ in range(5)))
        assert [one.json().get("errors") for one in served] == [None] * 5
        for _, writer in unfinished:
            writer.close()


class TestCost:
    async def test_is_told_over_each_transport(self, ask_over: Ask) -> None:
        told = await ask_over(VIEWER)
        assert told.cost == {"requested": 2, "actual": 2, "remaining": pytest.approx(9_998, abs=3)}


class TestAKeyWithoutPoints:
    async def test_is_refused_over_each_transport(self, over: Over, ask_over: Ask) -> None:
        while (await over.post(PRICES)).data:
            pass
        assert (await ask_over(PRICES)).codes == ["RATE_LIMITED"]

    async def test_is_told_when_to_come_again(self, over: Over) -> None:
        while (await over.post(PRICES)).data:
            pass
        for ask, accept, status in ((over.post, GRAPHQL, 429), (over.get, GRAPHQL, 429), (over.post, JSON, 200)):
            told = await ask(PRICES, accept=accept)
            assert told.response is not None
            assert told.response.status_code == status
            seconds = int(told.response.headers["retry-after"])
            assert seconds - 1 < told.errors[0]["extensions"]["retryAfterMs"] / 1_000 <= seconds
            assert told.cost["actual"] == 0


class TestDeadline:
    async def test_ends_the_statement_over_each_transport(self, ask_over: Ask, superuser: dict[str, Any]) -> None:
        async with locked(superuser, "runs") as connection:
            told = await ask_over("{ runs { nodes { id } } }")
            assert (told.data, told.codes) == (None, ["EXECUTION_TIMEOUT"])
            assert await waiting(connection) == 0

    async def test_is_a_504_where_the_media_type_lets_it(self, over: Over, superuser: dict[str, Any]) -> None:
        async with locked(superuser, "runs"):
            for accept, status in ((GRAPHQL, 504), (JSON, 200)):
                told = await over.post("{ runs { nodes { id } } }", accept=accept)
                assert told.response is not None
                assert told.response.status_code == status

    async def test_is_each_events_of_a_subscription_own(
        self,
        client: httpx.AsyncClient,
        owner_key: str,
        superuser: dict[str, Any],
        runtime: Runtime,
        principal: Principal,
    ) -> None:
        """An event that can't be shown in time is an error of its own; the next one comes as if nothing had been."""
        query = "subscription { runUpdated { events { run { signals { totalCount } } } } }"
        async with socket_to(str(client.base_url)) as socket:
            await socket.begin(owner_key)
            await socket.subscribe(query)
            assert (await socket.receive())["payload"]["data"]["runUpdated"]["events"] == []
            async with locked(superuser, "signals"):
                await start_run(runtime, principal, "1")
                late = await socket.receive()
                assert Told(late["payload"]).codes == ["EXECUTION_TIMEOUT"]
            await start_run(runtime, principal, "2")
            told = Told((await socket.receive())["payload"])
            assert told.codes == []
            assert told.data["runUpdated"]["events"][0]["run"]["signals"]["totalCount"] == 0
            assert told.cost["actual"] <= told.cost["requested"]


class TestAClientThatGoesAway:
    @pytest.mark.parametrize("method", ["POST", "GET"])
    async def test_takes_its_statement_with_it(
        self, client: httpx.AsyncClient, owner_key: str, superuser: dict[str, Any], method: str
    ) -> None:
        body = b'{"query": "{ runs { nodes { id } } }"}'
        target = (
            "/graphql?query=%7B%20runs%20%7B%20nodes%20%7B%20id%20%7D%20%7D%20%7D" if method == "GET" else "/graphql"
        )
        size = len(body) if method == "POST" else 0
        head = (
            f"{method} {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {owner_key}\r\ncontent-length: {size}\r\n"
        )
        async with locked(superuser, "runs") as connection:
            _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
            writer.write(head.encode() + b"content-type: application/json\r\n\r\n" + body[:size])
            await until(1, connection)
            writer.close()
            async with asyncio.timeout(3.5):  # which is before the deadline
                await until(0, connection)

    async def test_in_the_middle_of_its_body_is_forgotten(self, client: httpx.AsyncClient, owner_key: str) -> None:
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        head = f"POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {owner_key}\r\ncontent-length: 100\r\n"
        writer.write(f"{head}content-type: application/json\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()
        assert (await client.post("/graphql", json={"query": VIEWER})).status_code == 200
