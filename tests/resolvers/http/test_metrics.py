"""Metrics over a real socket: who may read them, and what a request leaves in them."""

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.requests import Request

from resolvers.http.metrics import MetricsEndpoint, OperationNames, is_local
from spine.bootstrap import Runtime
from spine.settings import Settings
from tests.figures import growth
from tests.resolvers.http.conftest import serving
from tests.resolvers.http.otlp_bodies import a_body, a_span
from tests.resolvers.http.socket_client import socket_to
from tests.resolvers.http.test_sockets import no_followers

NAMED = {"query": "query MetricsOfMine { viewer { tenant } }"}


def asking(host: str | None, **headers: str) -> Request:
    """A request of a peer."""
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = None if host is None else (host, 1)
    return Request({"type": "http", "method": "GET", "path": "/metrics", "headers": given, "client": client})


class TestWhoMayRead:
    async def test_this_machine_when_there_is_no_token(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/metrics", headers={"authorization": ""})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = {family.name for family in text_string_to_metric_families(response.text)}
        assert {
            "hoc_graphql_requests",
            "hoc_operations",
            "hoc_pool_connections_used",
            "process_cpu_seconds",
        } <= families

    async def test_nobody_through_a_proxy_on_this_machine(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"})
        assert response.status_code == 403
        assert "hoc_" not in response.text

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    async def test_a_peer_of_this_machine(self, host: str) -> None:
        assert is_local(asking(host))

    @pytest.mark.parametrize("host", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "", None])
    async def test_no_other_peer_whatever_its_headers_say(self, host: str | None) -> None:
        assert not is_local(asking(host))
        response = await MetricsEndpoint(None)(asking(host, x_forwarded_for="127.0.0.1", forwarded="for=127.0.0.1"))
        assert response.status_code == 403

    @pytest.mark.parametrize("given", ["", "Bearer wrong", "s3cret", "Bearer s3cret ", "Basic s3cret", "Bearer é"])
    async def test_nobody_without_the_token_where_there_is_one(self, given: str) -> None:
        response = await MetricsEndpoint(SecretStr("s3cret"))(asking("127.0.0.1", authorization=given))
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"

    async def test_whoever_has_the_token_from_anywhere(self) -> None:
        endpoint = MetricsEndpoint(SecretStr("s3cret"))
        assert (await endpoint(asking("10.0.0.1", authorization="Bearer s3cret"))).status_code == 200

    async def test_the_setting_is_what_is_asked_for(self, runtime: Runtime) -> None:
        runtime.settings = Settings(**runtime.settings.model_dump() | {"metrics_token": "s3cret"})
        async with serving(runtime) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.get("/metrics")).status_code == 401
            answer = await client.get("/metrics", headers={"authorization": "Bearer s3cret"})
            assert answer.status_code == 200

    async def test_openmetrics_for_who_prefers_it(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
        assert response.headers["content-type"].startswith("application/openmetrics-text")
        assert response.text.endswith("# EOF\n")


class TestWhatIsCounted:
    async def test_a_query_by_name_with_what_it_cost(self, client: httpx.AsyncClient) -> None:
        requests = growth("hoc_graphql_requests_total", operation="MetricsOfMine", code="OK")
        seconds = growth("hoc_graphql_request_duration_seconds_count", operation="MetricsOfMine")
        statements, trips = growth("hoc_graphql_statements_sum"), growth("hoc_graphql_round_trips_sum")
        assert (await client.post("/graphql", json=NAMED)).status_code == 200
        assert (requests(), seconds()) == (1, 1)
        assert statements() == 5  # 3 open the snapshot, 1 reads, 1 ends it
        assert trips() == 3

    async def test_a_document_that_is_refused_under_no_name_of_its_own(self, client: httpx.AsyncClient) -> None:
        refused = growth("hoc_graphql_requests_total", operation="(none)", code="VALIDATION")
        await client.post("/graphql", json={"query": "query RefusedOne { nope }"})
        await client.post("/graphql", json={"query": "query RefusedTwo {"})
        await client.post("/graphql", content=b"[]")
        assert refused() == 3
        assert "RefusedOne" not in (await client.get("/metrics")).text

    async def test_a_refused_key(self, client: httpx.AsyncClient) -> None:
        refusals = growth("hoc_auth_refusals_total", code="UNAUTHENTICATED")
        requests = growth("hoc_graphql_requests_total", operation="(none)", code="UNAUTHENTICATED")
        for given in ("", "Bearer nobody"):
            await client.post("/graphql", json=NAMED, headers={"authorization": given})
        assert (refusals(), requests()) == (2, 2)

    async def test_an_export_by_status(self, client: httpx.AsyncClient) -> None:
        taken, odd = (growth("hoc_otlp_exports_total", status=one) for one in ("200", "405"))
        timed = growth("hoc_otlp_export_duration_seconds_count")
        assert (await client.post("/v1/traces", json=a_body(a_span()))).status_code == 200
        await client.get("/v1/traces")
        assert (taken(), odd(), timed()) == (1, 1, 2)

    async def test_sockets_and_what_is_followed_over_them(
        self, client: httpx.AsyncClient, owner_key: str, runtime: Runtime
    ) -> None:
        sockets, feeds = growth("hoc_websockets_open"), growth("hoc_feeds_open")
        asked = growth("hoc_graphql_requests_total", operation="AskedThere", code="OK")
        followed = growth("hoc_graphql_requests_total", operation="FollowedThere", code="OK")
        timed = growth("hoc_graphql_request_duration_seconds_count", operation="FollowedThere")
        async with socket_to(str(client.base_url)) as socket:
            await socket.begin(owner_key)
            await socket.ask("query AskedThere { viewer { tenant } }")
            await socket.subscribe("subscription FollowedThere { runUpdated { cursor } }", "2")
            await socket.receive()
            assert (sockets(), feeds(), asked(), followed()) == (1, 1, 1, 0)
        await no_followers(runtime)
        while sockets():  # noqa: ASYNC110 - the end of a socket is no event here
            await asyncio.sleep(0.01)
        assert (feeds(), followed(), timed()) == (0, 1, 0)

    async def test_a_key_that_is_refused_on_a_socket(self, client: httpx.AsyncClient) -> None:
        refusals = growth("hoc_auth_refusals_total", code="UNAUTHENTICATED")
        async with socket_to(str(client.base_url)) as socket:
            await socket.send(type="connection_init", payload={"authorization": "Bearer nobody"})
            assert await socket.closed() == 4403
        assert refusals() == 1

    async def test_names_of_operations_up_to_a_bound(self) -> None:
        names = OperationNames(most=2)
        assert [names.label(name) for name in ("A", "B", "C", "A", "", None)] == [
            "A",
            "B",
            "(other)",
            "A",
            "(anonymous)",
            "(none)",
        ]
