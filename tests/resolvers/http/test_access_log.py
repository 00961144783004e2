"""The access log over real sockets: every way to read a run leaves one line, without anything of what was read."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.runs import IngestSpans
from spine.contracts.spans import SpanBatch
from tests.resolvers.http.socket_client import socket_to
from tests.resolvers.http.test_sockets import RUNS
from tests.resolvers.http.test_streams import STREAM, events
from tests.resolvers.spans import export
from tests.spine.orchestrator.reported import a_chat, an_agent

CANARY = "canary-7f3a-of-a-payload"
QUERY = "{ runs(first: 5) { nodes { id proof(includePayloads: true) { rawLogs { input output } } } } }"
LOG = """{ accessRecords(first: 50) { nodes {
    requestId readAt keyId actor { kind name } operations runCount runIds payloads
    batch { recordCount hash intact } } } }"""


@pytest.fixture(autouse=True)
def kept(event_loop: asyncio.AbstractEventLoop, runtime: Runtime, principal: Principal) -> None:
    """A run whose payload is a canary, and an access log from then on."""
    chat = a_chat(2, 1, attributes={"gen_ai.input.messages": CANARY, "gen_ai.output.messages": CANARY})
    request = IngestSpans(SpanBatch((an_agent(1), chat), ()))
    event_loop.run_until_complete(runtime.registry.execute("activity.ingest_spans", request, principal))
    runtime.keep_access_log()


async def logged(client: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    """The records, oldest first, as soon as there are so many: a second or so."""
    async with asyncio.timeout(60):
        while True:
            found = (await client.post("/graphql", json={"query": LOG})).json()["data"]["accessRecords"]["nodes"]
            if len(found) >= count:
                return list(reversed(found))
            await asyncio.sleep(0.1)


class TestReading:
    async def test_by_post_get_stream_and_socket_leaves_a_line_each(
        self, client: httpx.AsyncClient, owner_key: str
    ) -> None:
        answer = await client.post("/graphql", json={"query": QUERY}, headers={"x-request-id": "by-post-1"})
        run = answer.json()["data"]["runs"]["nodes"][0]
        assert CANARY in run["proof"]["rawLogs"][0]["input"]
        await client.get("/graphql", params={"query": QUERY}, headers={"x-request-id": "by-get-01"})
        named = {**STREAM, "x-request-id": "by-stream"}
        async with client.stream("POST", "/graphql", json={"query": QUERY}, headers=named) as stream:
            assert [kind async for kind, _ in events(stream)] == ["next", "complete"]
        async with socket_to(str(client.base_url)) as socket:
            await socket.begin(owner_key)
            assert (await socket.ask(QUERY))["data"]["runs"]["nodes"] == [run]
        records = await logged(client, 4)
        assert len(records) == 4
        assert [one["requestId"] for one in records[:3]] == ["by-post-1", "by-get-01", "by-stream"]
        for record in records:
            assert record["operations"] == ["activity.runs", "activity.run_proof"]
            assert (record["runIds"], record["runCount"], record["payloads"]) == ([run["id"]], 1, True)
            assert record["batch"]["intact"]

    async def test_by_a_subscription_leaves_a_line_for_each_event_that_shows_a_run(
        self, client: httpx.AsyncClient, runtime: Runtime, principal: Principal
    ) -> None:
        async with client.stream("POST", "/graphql", json={"query": RUNS}, headers=STREAM) as answer:
            stream = events(answer)
            await anext(stream)
            for expected in (1, 2):
                await runtime.registry.execute("activity.ingest_spans", IngestSpans(export(1)), principal)
                await anext(stream)
                if expected == 1:
                    (record,) = await logged(client, 1)
                    assert record["operations"] == ["activity.runs_by_key"]
        assert len(await logged(client, 2)) == 2

    async def test_leaves_nothing_of_a_payload_in_the_log(
        self, client: httpx.AsyncClient, superuser: dict[str, Any], principal: Principal
    ) -> None:
        named = {"query": f'query Canary {{ runs(filter: {{ text: "{CANARY}" }}) {{ nodes {{ id }} }} x: {QUERY[2:]}'}
        await client.post("/graphql", json=named)
        await logged(client, 1)
        connection = await asyncpg.connect(**superuser)
        for table in ("access_records", "access_batches"):
            query = f"SELECT coalesce(string_agg({table}::text, ''), '') FROM {table} WHERE tenant_id = $1"
            stored = await connection.fetchval(query, principal.tenant_id)
            assert stored
            assert CANARY not in stored
            assert CANARY.encode().hex() not in stored
        await connection.close()

    async def test_does_not_wait_for_the_log(
        self, client: httpx.AsyncClient, superuser: dict[str, Any], runtime: Runtime
    ) -> None:
        connection = await asyncpg.connect(**superuser)
        async with connection.transaction():
            await connection.execute("LOCK TABLE access_batches IN ACCESS EXCLUSIVE MODE")
            for _ in range(5):
                async with asyncio.timeout(2):
                    assert (await client.post("/graphql", json={"query": QUERY})).status_code == 200
            assert runtime.access_log is not None
            assert runtime.access_log.waiting == 5
        await connection.close()
        assert len(await logged(client, 5)) == 5
