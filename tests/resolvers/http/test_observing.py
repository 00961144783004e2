"""One line for each request, and its id on every line that is logged while it is answered."""

import asyncio
import uuid
from collections.abc import Iterator, MutableMapping
from typing import Any

import httpx
import pytest
import structlog
from opentelemetry import trace
from starlette.types import Message, Receive, Scope, Send
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from resolvers.http.observing import Observing
from resolvers.observing import current
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from tests.figures import growth
from tests.resolvers.http.otlp_bodies import a_body, a_span
from tests.resolvers.http.socket_client import socket_to

Line = MutableMapping[str, Any]


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """What is logged during the test."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as captured:
        yield captured


def answered(lines: list[Line]) -> Line:
    """The only line of a request."""
    (line,) = [line for line in lines if line["event"] == "request.answered"]
    return line


class TestTheLine:
    async def test_of_a_query(self, client: httpx.AsyncClient, principal: Principal, lines: list[Line]) -> None:
        body = {"query": "query Mine { viewer { tenant } }"}
        response = await client.post("/graphql", json=body, headers={"x-request-id": "request-0001"})
        assert response.headers["x-request-id"] == "request-0001"
        line = answered(lines)
        assert 0 < line.pop("duration_ms") < 10_000
        assert len(line.pop("key_id")) == 16
        assert line == {
            "event": "request.answered",
            "log_level": "info",
            "endpoint": "graphql",
            "operation": "Mine",
            "code": "OK",
            "status": 200,
            "statements": 5,
            "tenant_id": str(principal.tenant_id),
            "request_id": "request-0001",
        }

    async def test_of_an_error_says_its_code(self, client: httpx.AsyncClient, lines: list[Line]) -> None:
        body = {"query": 'mutation { disableLimit(input: {id: "x", reason: "r"}) { userErrors { code } } a: nope }'}
        await client.post("/graphql", json=body)
        assert (answered(lines)["code"], answered(lines)["operation"]) == ("VALIDATION", None)

    async def test_of_a_stranger_names_nobody(self, client: httpx.AsyncClient, lines: list[Line]) -> None:
        await client.post("/graphql", json={}, headers={"authorization": "Bearer nobody"})
        line = answered(lines)
        assert (line["code"], line["status"], line["tenant_id"], line["key_id"]) == ("UNAUTHENTICATED", 401, None, None)
        assert line["request_id"] in {line["request_id"] for line in lines if line["event"] == "operation.refused"}

    async def test_of_an_export(self, client: httpx.AsyncClient, principal: Principal, lines: list[Line]) -> None:
        await client.post("/v1/traces", json=a_body(a_span()))
        line = answered(lines)
        assert (line["endpoint"], line["code"], line["status"]) == ("otlp", "OK", 200)
        assert line["tenant_id"] == str(principal.tenant_id)

    async def test_of_an_operation_name_without_end_is_short(
        self, client: httpx.AsyncClient, lines: list[Line]
    ) -> None:
        await client.post("/graphql", json={"query": f"query {'x' * 10_000} {{ viewer {{ tenant }} }}"})
        assert answered(lines)["operation"] == "x" * 80

    async def test_is_not_written_for_probes(self, client: httpx.AsyncClient, lines: list[Line]) -> None:
        for path in ("/healthz", "/readyz", "/metrics"):
            await client.get(path)
        assert lines == []

    async def test_of_each_of_many_requests_at_once_is_its_own(
        self, client: httpx.AsyncClient, lines: list[Line]
    ) -> None:
        async def ask(number: int) -> None:
            body = {"query": f"query Q{number} {{ viewer {{ tenant }} }}"}
            await client.post("/graphql", json=body, headers={"x-request-id": f"request-{number:04}"})

        await asyncio.gather(*(ask(number) for number in range(20)))
        found = {line["request_id"]: line["operation"] for line in lines if line["event"] == "request.answered"}
        assert found == {f"request-{number:04}": f"Q{number}" for number in range(20)}

    async def test_of_an_operation_on_a_socket_is_its_own(
        self, client: httpx.AsyncClient, owner_key: str, principal: Principal, lines: list[Line]
    ) -> None:
        async with socket_to(str(client.base_url)) as socket:
            await socket.begin(owner_key)
            await socket.ask("query There { viewer { tenant } }")
            await socket.ask("{ nope }", "2")
        found = [line for line in lines if line["event"] == "request.answered"]
        assert [(line["operation"], line["code"], line["status"], line["statements"]) for line in found] == [
            ("There", "OK", 101, 5),
            (None, "VALIDATION", 101, 0),
        ]
        assert {line["tenant_id"] for line in found} == {str(principal.tenant_id)}
        assert len({line["request_id"] for line in found}) == 2


class TestAFault:
    async def test_is_counted_and_its_id_is_the_answers(
        self, client: httpx.AsyncClient, runtime: Runtime, lines: list[Line]
    ) -> None:
        crashes = growth("hoc_crashes_total", endpoint="graphql")
        del runtime.registry
        response = await client.post("/graphql", json={"query": "{ viewer { tenant } }"})
        assert response.status_code == 500
        line = answered(lines)
        assert (line["code"], line["status"]) == ("INTERNAL", 500)
        assert response.json()["errors"][0]["extensions"]["requestId"] == line["request_id"]
        assert crashes() == 1


class TestAClientThatLeft:
    async def test_is_told_apart(self, lines: list[Line]) -> None:
        async def gone(_scope: Scope, _receive: Receive, _send: Send) -> None:
            await asyncio.sleep(0)

        await run(gone)
        assert (answered(lines)["code"], answered(lines)["status"]) == ("DISCONNECTED", None)
        assert current.get() is None
        assert get_contextvars() == {}


class TestTheCallersTrace:
    async def test_is_gone_on_with_only_when_traces_are_configured(self) -> None:
        found: list[trace.SpanContext] = []

        async def looking(_scope: Scope, _receive: Receive, _send: Send) -> None:
            found.append(trace.get_current_span().get_span_context())

        caller = uuid.uuid4().hex
        headers = [(b"traceparent", f"00-{caller}-b7ad6b7169203331-01".encode())]
        await run(looking, headers=headers)
        await run(looking, headers=headers, tracing=True)
        assert [context.is_valid for context in found] == [False, True]
        assert f"{found[1].trace_id:032x}" == caller


async def run(app: Any, *, headers: Any = (), tracing: bool = False) -> None:
    """One request through the middleware alone."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None: ...

    scope = {"type": "http", "path": "/graphql", "headers": list(headers)}
    await Observing(app, tracing=tracing)(scope, receive, send)
