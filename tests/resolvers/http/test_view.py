"""The GraphQL endpoint over a real socket."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from schema.export import SCHEMA_FILE
from spine.bootstrap import Runtime
from spine.contracts.access import ChangeKey
from spine.contracts.actors import Principal
from spine.contracts.enums import Role
from tests.resolvers.http.conftest import MAX_BODY

VIEWER = {"query": "{ viewer { tenant role } }"}
PATH = "/graphql"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The only error of an answer, with its extensions on top."""
    (error,) = response.json()["errors"]
    return {**error, **error["extensions"]}


class TestQueries:
    async def test_a_query_by_post(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PATH, json=VIEWER)
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.json()["data"]["viewer"]["role"] == "OWNER"

    async def test_a_query_by_get(self, client: httpx.AsyncClient) -> None:
        query = "query($id: ID!) { node(id: $id) { id } }"
        response = await client.get(PATH, params={"query": query, "variables": '{"id": "x"}'})
        assert response.status_code == 200
        assert error_of(response)["code"] == "VALIDATION"

    async def test_a_mutation_by_get_is_refused(self, client: httpx.AsyncClient) -> None:
        query = 'mutation { disableLimit(input: {id: "x", reason: "r"}) { userErrors { code } } }'
        assert (await client.get(PATH, params={"query": query})).status_code == 400

    async def test_suggestions_are_off(self, client: httpx.AsyncClient) -> None:
        error = error_of(await client.post(PATH, json={"query": "{ viewerr { role } }"}))
        assert error["code"] == "VALIDATION"
        assert "mean" not in error["message"]

    async def test_what_it_does_not_offer_is_not_to_be_had(self, client: httpx.AsyncClient) -> None:
        response = await client.get(PATH, headers={"accept": "image/png"})
        assert response.status_code == 406
        assert response.headers["content-type"] == "application/json"


class TestRequestIds:
    async def test_a_request_has_an_id_and_its_error_the_same(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PATH, json={"query": "{ nothing }"})
        assert error_of(response)["requestId"] == response.headers["x-request-id"]

    async def test_the_callers_id_is_kept_when_it_is_harmless(self, client: httpx.AsyncClient) -> None:
        for sent, kept in (("abc-12345", True), ("x", False), ("a b c d e f g", False), ("y" * 65, False)):
            response = await client.post(PATH, json=VIEWER, headers={"x-request-id": sent})
            assert (response.headers["x-request-id"] == sent) is kept


class TestBadRequests:
    @pytest.mark.parametrize("body", [b"", b"{", b'"x"', b"1", b"null", b"[]", b"\xff", b"[" * 9_000, b"{}"])
    async def test_a_body_that_is_no_request_is_a_400(self, client: httpx.AsyncClient, body: bytes) -> None:
        response = await client.post(PATH, content=body, headers={"content-type": "application/json"})
        assert response.status_code == 400
        assert error_of(response)["code"] == "VALIDATION"

    @pytest.mark.parametrize(
        "body", [{"query": 1}, {"query": "{ viewer { role } }", "variables": []}, {"query": "{a}", "extensions": 1}]
    )
    async def test_a_request_of_wrong_types_is_a_400(self, client: httpx.AsyncClient, body: object) -> None:
        assert (await client.post(PATH, json=body)).status_code == 400

    async def test_another_content_type_is_refused(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PATH, content=b"{}", headers={"content-type": "text/plain"})
        assert response.status_code == 400

    async def test_another_method_is_refused(self, client: httpx.AsyncClient) -> None:
        response = await client.put(PATH, json=VIEWER)
        assert response.status_code == 405
        assert response.headers["allow"] == "GET, POST"

    async def test_too_large_a_body_is_a_413(self, client: httpx.AsyncClient) -> None:
        body = orjson.dumps({"query": "#" + "x" * MAX_BODY})
        response = await client.post(PATH, content=body, headers={"content-type": "application/json"})
        assert response.status_code == 413
        assert error_of(response)["code"] == "TOO_LARGE"

    async def test_also_when_it_does_not_say_how_large_it_is(self, client: httpx.AsyncClient) -> None:
        async def parts() -> Any:
            for _ in range(30):
                yield b" " * 1000

        response = await client.post(PATH, content=parts(), headers={"content-type": "application/json"})
        assert response.status_code == 413


class TestAuthentication:
    @pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer hoc_test_x_y", "Bearer " + "k" * 300])
    async def test_without_a_valid_key_nothing_is_parsed(self, client: httpx.AsyncClient, header: str | None) -> None:
        headers = {"content-type": "application/json"} | ({} if header is None else {"authorization": header})
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as nobody:
            response = await nobody.post(PATH, content=b"this is not JSON", headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert error_of(response)["code"] == "UNAUTHENTICATED"

    async def test_a_frozen_key_is_told_so(
        self, client: httpx.AsyncClient, runtime: Runtime, principal: Principal, owner_key: str
    ) -> None:
        await change_key(runtime, principal, "freeze_key", owner_key)
        response = await client.post(PATH, json=VIEWER)
        assert response.status_code == 403
        assert error_of(response)["code"] == "FROZEN"

    async def test_a_revoked_key_is_refused_within_two_seconds(
        self, client: httpx.AsyncClient, runtime: Runtime, principal: Principal, owner_key: str
    ) -> None:
        assert (await client.post(PATH, json=VIEWER)).status_code == 200
        await change_key(runtime, principal, "revoke_key", owner_key)
        revoked_at = time.monotonic()
        while (await client.post(PATH, json=VIEWER)).status_code == 200:  # noqa: ASYNC110 - time is what is tested
            await asyncio.sleep(0.05)
        assert time.monotonic() - revoked_at < 2


class TestRights:
    @pytest.fixture
    def viewer_key(self, key: Callable[..., str]) -> str:
        return key(Role.VIEWER)

    async def test_a_denied_write_is_a_user_error(self, client: httpx.AsyncClient, viewer_key: str) -> None:
        query = """mutation { createLimit(input: {name: "l", limitType: FAILURES, maxValue: "3"}) {
            limit { id } userErrors { code message } } }"""
        response = await client.post(PATH, json={"query": query}, headers=bearer(viewer_key))
        payload = response.json()["data"]["createLimit"]
        assert payload["limit"] is None
        assert [error["code"] for error in payload["userErrors"]] == ["FORBIDDEN"]

    async def test_the_schema_is_served_to_any_role_and_to_nobody_else(
        self, client: httpx.AsyncClient, viewer_key: str
    ) -> None:
        response = await client.get("/graphql/schema.graphql", headers=bearer(viewer_key))
        assert response.status_code == 200
        assert response.text == SCHEMA_FILE.read_text("utf-8")
        assert (await client.get("/graphql/schema.graphql", headers=bearer("x"))).status_code == 401

    async def test_health_needs_no_key(self, client: httpx.AsyncClient) -> None:
        for path in ("/healthz", "/readyz"):
            assert (await client.get(path, headers={"authorization": ""})).status_code == 200


async def change_key(runtime: Runtime, principal: Principal, change: str, key: str) -> None:
    """Freeze or revoke a key, given whole."""
    request = ChangeKey(key_id=key.split("_")[2], reason="test")
    (await runtime.registry.execute(f"api_keys.{change}", request, principal)).unwrap()
