"""Nothing that a client sends is ever logged, at any level: a canary in each place, then a look at stderr.

Only two things are, by design: the name of an operation that was executed, and an acceptable `x-request-id`.
"""

import gzip
import itertools
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.resolvers.cli.processes import Server
from tests.resolvers.http.conftest import PLAIN
from tests.resolvers.http.otlp_bodies import a_body, a_span, protobuf_of
from tests.resolvers.http.socket_client import socket_to
from tests.spine.storage.embedded.processes import wait_for

CANARY = "canary7e5b"
NUMBERS = itertools.count()
START = """
mutation Start($input: StartRunInput!) { startRun(input: $input) { run { id } userErrors { field message code } } }
"""
RULE = """
mutation Rule($input: CreatePolicyRuleInput!) {
  createPolicyRule(input: $input) { policyRule { id } userErrors { field message code } }
}
"""


def canary() -> str:
    """A new one, so that a hit says which."""
    return f"{CANARY}{next(NUMBERS):03}"


def start(**changes: object) -> dict[str, Any]:
    """A run's start, full of canaries."""
    given = {
        "idempotencyKey": canary(),
        "agentId": canary(),
        "actor": {"kind": "HUMAN", "id": canary()},
        "projectId": canary(),
        "originSystemId": canary(),
        "goal": canary(),
    }
    return {"query": START, "variables": {"input": given | changes}}


def rule(condition: str) -> dict[str, Any]:
    """A rule with this condition."""
    given = {"name": canary(), "condition": condition, "mode": "BLOCK", "consequence": "INCIDENT"}
    return {"query": RULE, "variables": {"input": given}}


DOCUMENTS: list[dict[str, Any]] = [
    {"query": f'{{ runs(filter: {{agentId: "{canary()}"}}) {{ totalCount }} }}'},
    {"query": f'{{ run(id: "{canary()}") {{ id }} }}'},
    {"query": f"{{ {canary()} }}"},
    {"query": f'{{ "{canary()}'},
    {"query": f"query {canary()} {{ nope }}"},
    {"query": "{ viewer { role } }", "operationName": canary()},
    {"query": "{ viewer { role } }", "extensions": {canary(): canary()}, canary(): canary()},
    {"query": "query($first: Int!) { runs(first: $first) { totalCount } }", "variables": {"first": canary()}},
    {"query": "query($id: ID!) { run(id: $id) { id } }", "variables": {"id": canary()}},
    {"query": "query($after: String) { runs(after: $after) { totalCount } }", "variables": {"after": canary()}},
    {"query": "{ viewer { role } }", "variables": canary()},
    {"query": ["not a text", canary()]},
    start(),
    start(goal=f"{canary()}\0"),
    start(agentId=canary() * 1000),
    start(actor={"kind": canary()}),
    rule(f'step.skill_name == "{canary()}"'),
    rule(f"step.{canary()} == 1"),
    rule(f'"{canary()}'),
]
BODIES = [f"{canary()}", f'{{"query": "{canary()}', f'["{canary()}"]', f'"{canary()}"', "[" * 50_000 + canary()]
HEADERS = [
    {"authorization": f"Bearer {canary()}"},
    {"authorization": f"Bearer hoc_live_aaaaaaaaaaaaaaaa_{canary()}"},
    {"authorization": f"Basic {canary()}"},
    {"x-request-id": f"{canary()} is not acceptable"},
    {"cookie": canary(), "user-agent": canary(), "referer": canary(), "x-forwarded-for": canary()},
    {"traceparent": canary(), "tracestate": canary(), "baggage": canary()},
    {"origin": f"https://{canary()}", "sec-fetch-site": "cross-site"},
    {"accept": canary()},
    {"content-type": canary()},
    {"content-encoding": canary()},
]
SPANS = [
    a_span(parentSpanId=..., name=canary()),
    a_span(name=canary(), attributes=[{"key": canary(), "value": {"stringValue": canary()}}]),
    a_span(
        spanId="eee19b7ec3c1b175",
        attributes=[
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.input.messages", "value": {"stringValue": canary()}},
            {"key": "gen_ai.usage.input_tokens", "value": {"stringValue": canary()}},
        ],
        status={"code": 2, "message": canary()},
        events=[{"name": canary(), "timeUnixNano": "1"}],
    ),
    a_span(spanId=canary()),
    a_span(spanId="eee19b7ec3c1b176", name=f"{canary()}\0"),
]


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server that logs all that it ever logs, and a key."""
    path: Path = tmp_path_factory.mktemp("chatty") / "hoc"
    with Server(path, HOC_LOG_LEVEL="debug") as server:
        yield server, server.new_key()


def check(server: Server) -> None:
    """Not one canary is in what the server said."""
    found = [line for line in (server.stderr + server.stdout).splitlines() if CANARY in line]
    assert found == []


class TestNothingIsLogged:
    def test_of_documents_and_variables(self, chatty: tuple[Server, str]) -> None:
        server, key = chatty
        headers = {"authorization": f"Bearer {key}"}
        for document in DOCUMENTS:
            answer = httpx.post(f"{server.url}/graphql", json=document, headers=headers, verify=PLAIN)
            assert answer.status_code in {200, 400}, answer.text
        for body in BODIES:
            assert httpx.post(f"{server.url}/graphql", content=body, headers=headers, verify=PLAIN).status_code == 400
        params = {"query": "query($id: ID!) { run(id: $id) { id } }", "variables": json.dumps({"id": canary()})}
        assert httpx.get(f"{server.url}/graphql", params=params, headers=headers, verify=PLAIN).status_code == 200
        asked = len(DOCUMENTS) + len(BODIES) + 1
        wait_for(lambda: server.stderr.count("request.answered") >= asked, "a line for each request")
        check(server)

    def test_of_headers_and_paths(self, chatty: tuple[Server, str]) -> None:
        server, key = chatty
        for path, body in (("/graphql", DOCUMENTS[0]), ("/v1/traces", a_body(SPANS[0])), (f"/{canary()}", {})):
            for headers in HEADERS:
                httpx.post(
                    f"{server.url}{path}", json=body, headers={"authorization": f"Bearer {key}"} | headers, verify=PLAIN
                )
        for path in ("/metrics", "/graphql/schema.graphql", "/readyz"):
            httpx.get(f"{server.url}{path}?{canary()}", headers={"authorization": f"Bearer {canary()}"}, verify=PLAIN)
        parts = urlsplit(server.url)
        with socket.create_connection((str(parts.hostname), int(parts.port or 0)), 10) as raw:
            raw.sendall(f"{canary()} {canary()}\r\n{canary()}\r\n\r\n".encode())
            assert b"400" in raw.recv(1000)
        check(server)
        assert key not in server.stderr

    async def test_of_sockets(self, chatty: tuple[Server, str]) -> None:
        server, key = chatty
        for payload in ({"authorization": f"Bearer {canary()}"}, {canary(): canary()}, canary()):
            async with socket_to(server.url, additional_headers={"cookie": canary()}) as socket:
                await socket.send(type="connection_init", payload=payload)
                assert await socket.closed() in {4400, 4403}
        after = {"query": "subscription($a: String) { runUpdated(after: $a) { cursor } }", "variables": {"a": canary()}}
        async with socket_to(server.url) as socket:
            await socket.begin(key)
            for number, document in enumerate([*DOCUMENTS, after]):
                if isinstance(document["query"], str) and isinstance(document.get("variables"), dict | None):
                    await socket.subscribe(name=f"{canary()}{number}", **document)
                    assert (await socket.receive())["type"] in {"next", "error", "complete"}
            await socket.send(type=canary())
            assert await socket.closed() == 4400
        with pytest.raises(InvalidStatus):
            async with socket_to(server.url, origin=f"https://{canary()}.example"):
                pass
        check(server)

    def test_of_exports(self, chatty: tuple[Server, str]) -> None:
        server, key = chatty
        body = a_body(*SPANS)
        url, headers = f"{server.url}/v1/traces", {"authorization": f"Bearer {key}"}
        assert httpx.post(url, json=body, headers=headers, verify=PLAIN).status_code == 200
        protobuf = headers | {"content-type": "application/x-protobuf"}
        assert (
            httpx.post(url, content=protobuf_of(a_body(*SPANS[:3])), headers=protobuf, verify=PLAIN).status_code == 200
        )
        for broken in (canary().encode(), gzip.compress(canary().encode())):
            assert httpx.post(url, content=broken, headers=protobuf, verify=PLAIN).status_code == 400
        zipped = headers | {"content-type": "application/json", "content-encoding": "gzip"}
        assert httpx.post(url, content=canary().encode(), headers=zipped, verify=PLAIN).status_code == 400
        check(server)

    def test_of_what_the_figures_say(self, chatty: tuple[Server, str]) -> None:
        server, _ = chatty
        assert CANARY not in httpx.get(f"{server.url}/metrics", verify=PLAIN).text
