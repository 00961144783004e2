"""OTLP over a real socket: what the specification promises to exporters."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from spine.contracts.enums import Permission, Role
from tests.resolvers.http.conftest import MAX_EXPORT
from tests.resolvers.http.otlp_bodies import a_body, a_span, protobuf_of

PATH = "/v1/traces"
JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}
GOOD = a_body(a_span(parentSpanId=...))
BAD = a_body(a_span(parentSpanId=...), a_span(spanId="00"))


async def run_count(client: httpx.AsyncClient) -> int:
    """How many runs the tenant has."""
    response = await client.post("/graphql", json={"query": "{ runs { totalCount } }"})
    return int(response.json()["data"]["runs"]["totalCount"])


class TestTaking:
    async def test_json(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PATH, json=GOOD)
        assert (response.status_code, response.json()) == (200, {})
        assert response.headers["content-type"] == "application/json"
        assert await run_count(client) == 1

    async def test_protobuf(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PATH, content=protobuf_of(GOOD), headers=PROTOBUF)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"] == "application/x-protobuf"
        assert await run_count(client) == 1

    async def test_gzip(self, client: httpx.AsyncClient) -> None:
        headers = JSON | {"content-encoding": "gzip"}
        response = await client.post(PATH, content=gzip.compress(orjson.dumps(GOOD)), headers=headers)
        assert response.status_code == 200
        assert await run_count(client) == 1

    async def test_a_span_that_cannot_be_read_is_refused_alone(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PATH, json=BAD)
        assert response.status_code == 200
        assert response.json()["partialSuccess"]["rejectedSpans"] == "1"
        answer = ExportTraceServiceResponse()
        answer.ParseFromString((await client.post(PATH, content=protobuf_of(BAD), headers=PROTOBUF)).content)
        assert answer.partial_success.rejected_spans == 1
        assert "span id" in answer.partial_success.error_message
        assert await run_count(client) == 1

    async def test_the_sdks_own_exporter(self, client: httpx.AsyncClient, owner_key: str) -> None:
        def export() -> None:
            exporter = OTLPSpanExporter(f"{client.base_url}{PATH}", headers={"Authorization": f"Bearer {owner_key}"})
            provider = TracerProvider()
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            with provider.get_tracer("tests").start_as_current_span("invoke_agent") as agent:
                agent.set_attribute("gen_ai.operation.name", "invoke_agent")
                agent.set_attribute("gen_ai.agent.name", "Booker")
            provider.shutdown()

        await asyncio.to_thread(export)
        response = await client.post("/graphql", json={"query": "{ runs { nodes { agentName status } } }"})
        assert response.json()["data"]["runs"]["nodes"] == [{"agentName": "Booker", "status": "SUCCEEDED"}]


class TestRefusing:
    @pytest.mark.parametrize(
        ("content", "headers", "status"),
        [
            (b"{", JSON, 400),
            (b"\xff\xff", PROTOBUF, 400),
            (b"no gzip", JSON | {"content-encoding": "gzip"}, 400),
            (b"", {"content-type": "text/plain"}, 415),
            (b"", {}, 415),
            (b"{}", JSON | {"content-encoding": "br"}, 415),
            (b" " * (MAX_EXPORT + 1), JSON, 413),
            (gzip.compress(b" " * 10_000_000), JSON | {"content-encoding": "gzip"}, 413),
        ],
    )
    async def test_what_cannot_be_taken_is_answered_with_a_status(
        self, client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
    ) -> None:
        response = await client.post(PATH, content=content, headers=headers)
        assert response.status_code == status
        assert status_of(response).message
        assert response.headers["x-request-id"]

    async def test_grpc_is_told_how_to_switch(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PATH, content=b"", headers={"content-type": "application/grpc+proto"})
        assert response.status_code == 415
        assert "http/protobuf" in status_of(response).message

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_another_method_is_a_405(self, client: httpx.AsyncClient, method: str) -> None:
        response = await client.request(method, PATH)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")

    async def test_without_a_key_nothing_is_read(self, client: httpx.AsyncClient) -> None:
        response = await client.post(PATH, content=b"{", headers=JSON | {"authorization": "Bearer x"})
        assert (response.status_code, status_of(response).code) == (401, 16)

    @pytest.fixture
    def reading_key(self, key: Callable[..., str]) -> str:
        return key(Role.MACHINE, Permission.RUNS_READ)

    async def test_a_key_that_may_only_read_is_forbidden(self, client: httpx.AsyncClient, reading_key: str) -> None:
        response = await client.post(PATH, json=GOOD, headers={"authorization": f"Bearer {reading_key}"})
        assert (response.status_code, status_of(response).code) == (403, 7)


class TestOverload:
    async def test_more_exports_than_the_setting_allows_come_again_later(self, client: httpx.AsyncClient) -> None:
        going_on = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"{"
            await going_on.wait()
            yield b"}"

        waiting = [asyncio.create_task(client.post(PATH, content=slow(), headers=JSON)) for _ in range(2)]
        await asyncio.sleep(0.3)
        refused = await client.post(PATH, json=GOOD)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        going_on.set()
        assert [response.status_code for response in await asyncio.gather(*waiting)] == [200, 200]
        assert (await client.post(PATH, json=GOOD)).status_code == 200

    async def test_a_database_that_does_not_answer_is_a_503(
        self, client: httpx.AsyncClient, superuser: dict[str, Any]
    ) -> None:
        connection = await asyncpg.connect(**superuser)
        try:
            await connection.execute("REVOKE SELECT ON traces FROM hoc_app")
            response = await client.post(PATH, json=GOOD)
        finally:
            await connection.execute("GRANT SELECT ON traces TO hoc_app")
            await connection.close()
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert status_of(response).code == 14
        assert "traces" not in status_of(response).message


def status_of(response: httpx.Response) -> Any:
    """The google.rpc.Status of an answer, in whichever encoding."""
    status = Status()
    if response.headers["content-type"] == "application/json":
        body = response.json()
        status.code, status.message = body["code"], body["message"]
    else:
        status.ParseFromString(response.content)
    return status
