"""What the editor's routes answer, and that GraphQL's own clients notice nothing of them."""

import re

import httpx
import pytest

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def anyone(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client without a key."""
    del client.headers["authorization"]
    return client


class TestThePage:
    async def test_it_is_open_and_not_kept(self, anyone: httpx.AsyncClient) -> None:
        response = await anyone.get("/graphiql")
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"

    async def test_it_runs_and_asks_nothing_but_its_own_origin(self, anyone: httpx.AsyncClient) -> None:
        response = await anyone.get("/graphiql")
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "connect-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|//", response.text) == []

    async def test_the_servers_address_leads_to_it(self, anyone: httpx.AsyncClient) -> None:
        response = await anyone.get("/")
        assert (response.status_code, response.headers["location"]) == (303, "graphiql")


class TestItsFiles:
    async def test_each_may_be_kept_for_good(self, anyone: httpx.AsyncClient) -> None:
        page = (await anyone.get("/graphiql")).text
        paths = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(paths) > 9
        for path in paths:
            response = await anyone.get(f"/{path}")
            assert response.status_code == 200
            assert "immutable" in response.headers["cache-control"]
            assert response.headers["content-type"].partition(";")[0] in {
                "text/javascript",
                "text/css",
                "image/svg+xml",
            }

    @pytest.mark.parametrize("path", ["0/page.js", "{}/other.js", "{}/page.html", "{}/..%2fassets.py", "{}/"])
    async def test_nothing_else_is_there(self, anyone: httpx.AsyncClient, path: str) -> None:
        page = (await anyone.get("/graphiql")).text
        version = page.partition("graphiql/assets/")[2].partition("/")[0]
        response = await anyone.get(f"/graphiql/assets/{path.format(version)}")
        assert response.status_code == 404
        assert "cache-control" not in response.headers or "immutable" not in response.headers["cache-control"]

    async def test_the_examples_are_open_like_the_documents_that_they_are(self, anyone: httpx.AsyncClient) -> None:
        response = await anyone.get("/graphiql/examples.json")
        assert response.json()["groups"][0]["examples"][0]["name"] == "Console"


class TestGraphQL:
    async def test_a_browser_that_opens_it_as_a_page_is_led_on(self, anyone: httpx.AsyncClient) -> None:
        response = await anyone.get("/graphql", headers={"accept": BROWSER})
        assert (response.status_code, response.headers["location"]) == (303, "graphiql")

    @pytest.mark.parametrize(
        "accept",
        ["*/*", "application/json", "text/html, application/json", "text/html, application/graphql-response+json"],
    )
    async def test_whoever_takes_json_gets_it(self, client: httpx.AsyncClient, accept: str) -> None:
        response = await client.get("/graphql?query={viewer{tenant}}", headers={"accept": accept})
        assert response.status_code == 200
        assert response.json()["data"]["viewer"]

    async def test_a_refusal_stays_json(self, anyone: httpx.AsyncClient) -> None:
        response = await anyone.get("/graphql?query={viewer{tenant}}", headers={"accept": "*/*"})
        assert response.status_code == 401

    async def test_what_is_posted_is_never_led_on(self, anyone: httpx.AsyncClient) -> None:
        response = await anyone.post("/graphql", json={"query": "{viewer{tenant}}"}, headers={"accept": BROWSER})
        assert response.status_code == 401
