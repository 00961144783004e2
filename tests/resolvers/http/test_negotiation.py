"""GraphQL over HTTP: media types, statuses, ambiguous documents, and the headers of every answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from resolvers.http.media import GRAPHQL, JSON, preferred
from spine.bootstrap import Runtime
from spine.settings import Settings
from tests.resolvers.http.conftest import serving

VIEWER = "{ viewer { tenant } }"
REFUSED = ["{ viewer {", "{ absent }", "query($first: Int!) { runs(first: $first) { totalCount } }"]
"""A document that does not parse, one that is not valid, one whose variable is missing."""


class TestPreferred:
    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            (None, JSON),
            ("", JSON),
            ("*/*", JSON),
            ("application/*", JSON),
            (GRAPHQL, GRAPHQL),
            (f"{GRAPHQL}, {JSON}", JSON),
            (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
            (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8; q=0.5", GRAPHQL),
            (f"{JSON};q=0, */*", GRAPHQL),
            ("text/html", None),
            (f"{JSON};q=0", None),
            (f"{JSON};q=nonsense", None),
            ("APPLICATION/JSON", JSON),
        ],
    )
    def test_the_clients_weights_decide(self, accept: str | None, expected: str | None) -> None:
        assert preferred(accept) == expected


class TestStatuses:
    async def ask(self, client: httpx.AsyncClient, key: str, accept: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}", "accept": accept}
        return await client.post("/graphql", json=body, headers=headers)

    @pytest.mark.parametrize("document", REFUSED)
    async def test_what_was_never_executed_is_400_without_data_where_the_type_says_so(
        self, client: httpx.AsyncClient, owner_key: str, document: str
    ) -> None:
        answer = await self.ask(client, owner_key, GRAPHQL, {"query": document})
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (400, GRAPHQL)
        assert set(answer.json()) == {"errors", "extensions"}
        assert answer.json()["errors"][0]["extensions"]["code"] == "VALIDATION"

    @pytest.mark.parametrize("document", REFUSED)
    async def test_and_200_without_data_under_application_json(
        self, client: httpx.AsyncClient, owner_key: str, document: str
    ) -> None:
        answer = await self.ask(client, owner_key, JSON, {"query": document})
        assert (answer.status_code, answer.headers["content-type"]) == (200, JSON)
        assert set(answer.json()) == {"errors", "extensions"}
        assert answer.json()["errors"][0]["extensions"]["requestId"] == answer.headers["x-request-id"]

    async def test_a_field_that_fails_is_200_with_data_under_both(
        self, client: httpx.AsyncClient, owner_key: str
    ) -> None:
        for accept in (JSON, GRAPHQL):
            answer = await self.ask(client, owner_key, accept, {"query": '{ run(id: "eA") { id } }'})
            assert (answer.status_code, answer.json()["data"]) == (200, {"run": None})

    async def test_what_cannot_be_answered_as_asked_is_406(self, client: httpx.AsyncClient, owner_key: str) -> None:
        answer = await self.ask(client, owner_key, "text/html", {"query": VIEWER})
        assert answer.status_code == 406
        assert answer.json()["errors"][0]["extensions"]["code"] == "VALIDATION"

    async def test_an_ambiguous_document_is_refused_and_a_named_operation_runs(
        self, client: httpx.AsyncClient, owner_key: str
    ) -> None:
        body = {"query": f"query A {VIEWER} query B {{ __typename }}"}
        for _ in range(2):  # the second time from the caches
            refused = await self.ask(client, owner_key, GRAPHQL, body)
            assert (refused.status_code, set(refused.json())) == (400, {"errors", "extensions"})
            named = await self.ask(client, owner_key, GRAPHQL, {**body, "operationName": "B"})
            assert named.json()["data"] == {"__typename": "Query"}


class TestHeaders:
    @pytest.mark.parametrize("path", ["/graphql", "/graphql/schema.graphql", "/v1/traces", "/healthz", "/absent"])
    async def test_every_answer_is_guarded(self, client: httpx.AsyncClient, path: str) -> None:
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]

    async def test_no_other_origin_is_let_in_unless_it_is_named(self, client: httpx.AsyncClient) -> None:
        asked = {"origin": "https://console.example", "access-control-request-method": "POST"}
        answer = await client.options("/graphql", headers=asked)
        assert "access-control-allow-origin" not in answer.headers


def test_a_named_origin_is_let_in_and_others_are_not(
    event_loop: asyncio.AbstractEventLoop, runtime: Runtime, settings: Settings, key: Callable[..., str]
) -> None:
    named = Settings(data_dir=settings.data_dir, cors_origins="https://a.example, https://b.example")  # type: ignore[arg-type]
    assert named.cors_origins == ("https://a.example", "https://b.example")
    runtime.settings = runtime.settings.model_copy(update={"cors_origins": named.cors_origins})
    authorization = {"authorization": f"Bearer {key()}"}

    async def asked(url: str, origin: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=url) as client:
            return await client.post("/graphql", json={"query": VIEWER}, headers={**authorization, "origin": origin})

    async def both() -> list[str | None]:
        async with serving(runtime) as url:
            answers = [await asked(url, origin) for origin in ("https://b.example", "https://c.example")]
            return [answer.headers.get("access-control-allow-origin") for answer in answers]

    assert event_loop.run_until_complete(both()) == ["https://b.example", None]
