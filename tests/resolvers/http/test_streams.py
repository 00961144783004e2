"""GraphQL over server-sent events, byte by byte, on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from spine.bootstrap import Runtime
from spine.contracts.access import ChangeKey, CreateKey
from spine.contracts.actors import Principal
from spine.contracts.enums import Role
from spine.contracts.runs import IngestSpans
from tests.resolvers.http.test_sockets import RUNS, VIEWER, no_followers
from tests.resolvers.spans import export

STREAM = {"accept": "text/event-stream"}
NEW = CreateKey(name="victim", role=Role.OWNER)


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """Each event of a stream, with its data; comments are left out."""
    kind = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data:"):
            text = line.removeprefix("data:").strip()
            yield kind, orjson.loads(text) if text else None


async def whole(client: httpx.AsyncClient, query: str) -> list[tuple[str, Any]]:
    """Every event of a stream that ends."""
    async with client.stream("POST", "/graphql", json={"query": query}, headers=STREAM) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.status_code == 200
        return [event async for event in events(answer)]


class TestAStream:
    async def test_of_a_query_has_one_result_and_ends(self, client: httpx.AsyncClient) -> None:
        (kind, result), end = await whole(client, VIEWER)
        assert (kind, set(result["data"]["viewer"]), end) == ("next", {"tenant"}, ("complete", None))

    async def test_is_asked_for_by_get_too(self, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/graphql", params={"query": VIEWER}, headers=STREAM) as answer:
            assert [kind async for kind, _ in events(answer)] == ["next", "complete"]

    async def test_a_mutation_by_get_is_refused(self, client: httpx.AsyncClient) -> None:
        query = 'mutation { retirePolicyRule(input: { id: "x", reason: "y" }) { userErrors { code } } }'
        async with client.stream("GET", "/graphql", params={"query": query}, headers=STREAM) as answer:
            (kind, result), *_ = [event async for event in events(answer)]
        assert (kind, result.get("data")) == ("next", None)
        assert result["errors"][0]["extensions"]["code"] == "VALIDATION"

    @pytest.mark.parametrize("document", ["{", "{ nothing }", "subscription { runUpdated(first: 0) { cursor } }"])
    async def test_of_what_is_refused_says_why_and_ends(self, client: httpx.AsyncClient, document: str) -> None:
        (kind, result), end = await whole(client, document)
        assert (kind, end) == ("next", ("complete", None))
        assert result["errors"][0]["extensions"]["code"] == "VALIDATION"

    async def test_without_a_key_is_401_before_anything_is_read(self, client: httpx.AsyncClient) -> None:
        headers = {**STREAM, "authorization": "Bearer wrong"}
        answer = await client.post("/graphql", content=b"{", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json")

    async def test_of_a_subscription_goes_on_until_the_client_goes(
        self, client: httpx.AsyncClient, runtime: Runtime, principal: Principal
    ) -> None:
        async with client.stream("POST", "/graphql", json={"query": RUNS}, headers=STREAM) as answer:
            stream = events(answer)
            _, start = await anext(stream)
            assert start["data"]["runUpdated"]["events"] == []
            (await runtime.registry.execute("activity.ingest_spans", IngestSpans(export(2)), principal)).unwrap()
            _, update = await anext(stream)
            changed = update["data"]["runUpdated"]["events"]
            assert {one["run"]["agentId"] for one in changed} == {"agent-0", "agent-1"}
            assert runtime.hub.followers == 1
        await no_followers(runtime)

    @pytest.mark.parametrize("change", ["api_keys.revoke_key", "api_keys.freeze_key"])
    async def test_ends_within_two_seconds_when_its_key_may_not_be_used_any_more(
        self, client: httpx.AsyncClient, runtime: Runtime, principal: Principal, change: str
    ) -> None:
        made = (await runtime.registry.execute("api_keys.create_key", NEW, principal)).unwrap()
        headers = {**STREAM, "authorization": f"Bearer {made.key}"}
        async with client.stream("POST", "/graphql", json={"query": RUNS}, headers=headers) as answer:
            stream = events(answer)
            await anext(stream)
            request = ChangeKey(key_id=made.key_id, reason="lost")
            (await runtime.registry.execute(change, request, principal)).unwrap()
            async with asyncio.timeout(2):
                rest = [event async for event in stream]
        assert [kind for kind, _ in rest] == ["next", "complete"]
        assert rest[0][1]["errors"][0]["extensions"]["code"] in {"UNAUTHENTICATED", "FROZEN"}
        await no_followers(runtime)
