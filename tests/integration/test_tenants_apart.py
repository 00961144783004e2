"""Two tenants, every root field, every way in: what one has never shows in an answer to the other."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest

from spine.bootstrap import Runtime
from spine.contracts.access import CreateKey
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, Consequence, LimitType, Role, RuleMode
from spine.contracts.exports import ExportRun
from spine.contracts.governance import CreateLimit, CreatePolicyRule
from spine.contracts.integrations import AddDocuments, NewDocument
from spine.contracts.runs import IngestSpans, StartRun
from tests.resolvers.http.conftest import PLAIN, serving
from tests.resolvers.http.socket_client import socket_to
from tests.resolvers.roots import ABSENT, request, roots
from tests.resolvers.spans import export

SUBSCRIPTIONS = ("runUpdated", "signalRaised", "incidentChanged", "auditEntryAppended")
IDS = """{ runs { nodes { id } } signals { nodes { id } } incidents { nodes { id } } policyRules { nodes { id } }
    limits { nodes { id } } exports { nodes { id } } }"""
KINDS = {
    "runs": "Run",
    "signals": "Signal",
    "incidents": "Incident",
    "policyRules": "PolicyRule",
    "limits": "Limit",
    "exports": "Export",
}
CANARY = "canary-of-the-first"
TEXT = f"{{ viewer {{ role }} }} # {CANARY}"
DOCUMENT = NewDocument(sha256=hashlib.sha256(TEXT.encode()).hexdigest(), text=TEXT, name=CANARY)

Answer = Callable[[str, dict[str, Any]], Awaitable[bytes]]


async def fill(runtime: Runtime, by: Principal) -> None:
    """Give the tenant one of everything, with the canary in every name."""
    actor = Actor(ActorKind.HUMAN, CANARY, CANARY)
    for name, given in (
        (
            "policies.create_rule",
            CreatePolicyRule(
                name=CANARY,
                condition='step.skill_name == "book_flight"',
                mode=RuleMode.BLOCK,
                consequence=Consequence.INCIDENT,
            ),
        ),
        ("controls.create_limit", CreateLimit(name=CANARY, limit_type=LimitType.TOKENS_TOTAL, max_value=Decimal(50))),
        ("activity.ingest_spans", IngestSpans(export(3, failed=True))),
        ("integrations.add_documents", AddDocuments((DOCUMENT,))),
    ):
        (await runtime.registry.execute(name, given, by)).unwrap()
    start = StartRun(idempotency_key=CANARY, agent_id=CANARY, actor=actor, origin_system_id=CANARY, goal=CANARY)
    run = (await runtime.registry.execute("activity.start_run", start, by)).unwrap().run_key
    (await runtime.registry.execute("activity.export_run", ExportRun(run_key=run), by)).unwrap()


async def key_of(runtime: Runtime, by: Principal) -> str:
    made = await runtime.registry.execute("api_keys.create_key", CreateKey(name="owner", role=Role.OWNER), by)
    return str(made.unwrap().key)


@asynccontextmanager
async def ways_in(url: str, key: str) -> AsyncIterator[dict[str, Answer]]:
    """Every transport, each as a function from a document to the bytes that come back."""
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, verify=PLAIN, trust_env=False, timeout=20) as client:

        async def post(query: str, variables: dict[str, Any]) -> bytes:
            return (await client.post("/graphql", json={"query": query, "variables": variables})).content

        async def get(query: str, variables: dict[str, Any]) -> bytes:
            params = {"query": query, "variables": orjson.dumps(variables).decode()}
            return (await client.get("/graphql", params=params)).content

        async def stream(query: str, variables: dict[str, Any]) -> bytes:
            body = {"query": query, "variables": variables}
            accept = {"accept": "text/event-stream"}
            found = b""
            async with client.stream("POST", "/graphql", json=body, headers=accept) as answer:
                async for part in answer.aiter_bytes():
                    found += part
                    if b"\r\n\r\n" in found:
                        break
            return found

        async def socket(query: str, variables: dict[str, Any]) -> bytes:
            async with socket_to(url) as one:
                await one.begin(key)
                await one.subscribe(query, variables=variables)
                return orjson.dumps(await one.receive())

        yield {"POST": post, "GET": get, "SSE": stream, "WebSocket": socket}


def without_names(answer: bytes, ids: dict[str, str]) -> bytes:
    """The answer without what differs of itself: request ids, the points that are left, the ids that were asked for."""
    text = re.sub(rb'"requestId":"[^"]*"|"remaining":\d+', b"", answer)
    for one in ids.values():
        text = text.replace(one.encode(), b"ID")
    return re.sub(rb"[0-9a-f]{8}-[0-9a-f-]{27}", b"KEY", text)


@pytest.mark.parametrize("name", sorted(roots()))
async def test_a_foreign_object_answers_as_an_absent_one_whatever_the_way_in(
    runtime: Runtime, principal: Principal, other: Principal, name: str
) -> None:
    await fill(runtime, principal)
    theirs = await key_of(runtime, other)
    kind, _ = roots()[name]
    async with serving(runtime) as url:
        async with ways_in(url, await key_of(runtime, principal)) as own:
            found = orjson.loads(await own["POST"](IDS, {}))["data"]
        ids = {KINDS[field]: page["nodes"][0]["id"] for field, page in found.items() if field in KINDS}
        secret = [CANARY, *(node["id"] for page in found.values() for node in page["nodes"])]
        async with ways_in(url, theirs) as ways:
            for way, ask in ways.items():
                foreign = await ask(*request(name, ids))
                absent = await ask(*request(name, ABSENT))
                shown = without_names(foreign, ids)
                if kind != "mutation" or way != "GET":
                    assert b"errors" in foreign or b"data" in foreign, (way, foreign)
                if not name.startswith(("start", "create", "set")):  # those make something new each time
                    assert shown == without_names(absent, ABSENT), way
                assert not [one for one in secret if one.encode() in shown], way


async def test_events_of_one_tenant_reach_no_other_whatever_the_way_in(
    runtime: Runtime, principal: Principal, other: Principal
) -> None:
    mine, theirs = await key_of(runtime, principal), await key_of(runtime, other)
    async with serving(runtime) as url, socket_to(url) as own, socket_to(url) as foreign:
        for socket, key in ((own, mine), (foreign, theirs)):
            await socket.begin(key)
            for field in SUBSCRIPTIONS:
                await socket.subscribe(f"subscription {{ {field} {{ events {{ kind cursor }} }} }}", field)
            for _ in SUBSCRIPTIONS:
                assert next(iter((await socket.receive())["payload"]["data"].values())) == {"events": []}
        await fill(runtime, principal)
        seen: set[str] = set()
        while seen != set(SUBSCRIPTIONS):
            seen.add((await own.receive())["id"])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await foreign.receive()
        token = secrets.token_hex(4)
        actor = Actor(ActorKind.HUMAN, token, None)
        start = StartRun(idempotency_key=token, agent_id=token, actor=actor, origin_system_id="x")
        (await runtime.registry.execute("activity.start_run", start, other)).unwrap()
        assert {(await foreign.receive())["id"] for _ in range(2)} == {"runUpdated", "auditEntryAppended"}
