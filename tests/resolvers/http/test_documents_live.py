"""Trusted documents over WebSocket and server-sent events: named and judged as over POST."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import DocumentMode, Role
from tests.resolvers.http.socket_client import SocketClient, socket_to
from tests.resolvers.http.test_documents import OTHER, TEXT, YES, Manage, add, manage, persisted, set_mode, sha256
from tests.resolvers.http.test_sockets import RUNS, ingest, url
from tests.resolvers.http.test_streams import STREAM, events
from tests.resolvers.http.test_view import bearer

__all__ = ["manage", "url"]  # fixtures

NAMED: list[dict[str, Any]] = [
    {"documentId": f"sha256:{sha256(TEXT)}"},
    {"documentId": sha256(TEXT)},
    {"extensions": persisted(sha256(TEXT))},
    {"query": TEXT, "documentId": sha256(TEXT)},
    {"query": TEXT},
]


@pytest.fixture
def viewer_key(key: Callable[..., str]) -> str:
    """A key that may read, but not explore."""
    return key(Role.VIEWER)


async def answer(socket: SocketClient, **payload: Any) -> Any:
    """What a query gives, or the errors that refuse it."""
    await socket.send(type="subscribe", id="1", payload=payload)
    message = await socket.receive()
    if message["type"] == "next":
        assert await socket.receive() == {"type": "complete", "id": "1"}
    return message["payload"]


def code(payload: Any) -> str:
    (error,) = payload
    return str(error["extensions"]["code"])


class TestASocket:
    async def test_takes_a_document_however_it_is_named(self, url: str, viewer_key: str, manage: Manage) -> None:
        await add(manage, TEXT)
        await set_mode(manage, DocumentMode.ENFORCE)
        async with socket_to(url) as socket:
            await socket.begin(viewer_key)
            for named in NAMED:
                told = await answer(socket, **named, variables=YES)
                assert told["data"] == {"viewer": {"role": "VIEWER"}}

    async def test_refuses_others_and_goes_on(
        self, url: str, viewer_key: str, owner_key: str, manage: Manage, runtime: Runtime, principal: Principal
    ) -> None:
        await add(manage, RUNS)
        await set_mode(manage, DocumentMode.ENFORCE)
        async with socket_to(url) as socket:
            await socket.begin(viewer_key)
            await socket.send(type="subscribe", id="live", payload={"documentId": sha256(RUNS)})
            assert (await socket.receive())["id"] == "live", "it says at once from where on it follows"
            assert code(await answer(socket, query=OTHER)) == "DOCUMENT_NOT_TRUSTED"
            assert code(await answer(socket, query="{")) == "DOCUMENT_NOT_TRUSTED"
            assert code(await answer(socket, documentId=sha256(OTHER))) == "DOCUMENT_NOT_FOUND"
            assert code(await answer(socket, extensions=persisted(sha256(OTHER)))) == "DOCUMENT_NOT_FOUND"
            for wrong in ({"documentId": 7}, {"documentId": "x"}, {"query": OTHER, "documentId": sha256(RUNS)}):
                assert code(await answer(socket, **wrong)) == "VALIDATION"
            assert code(await answer(socket, extensions={})) == "VALIDATION"
            assert code(await answer(socket, query=None)) == "VALIDATION"
            await ingest(runtime, principal, 1)
            message = await socket.receive()
            assert (message["type"], message["id"]) == ("next", "live")
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            assert "data" in await answer(socket, query=OTHER), "whoever may explore"

    async def test_says_nothing_of_documents_before_the_key(self, url: str) -> None:
        async with socket_to(url) as socket:
            await socket.send(type="subscribe", id="1", payload={"documentId": sha256(TEXT)})
            assert await socket.closed() == 4401

    async def test_keeps_one_id_for_one_operation_also_when_the_second_is_refused(
        self, url: str, viewer_key: str, manage: Manage
    ) -> None:
        await add(manage, RUNS)
        await set_mode(manage, DocumentMode.ENFORCE)
        async with socket_to(url) as socket:
            await socket.begin(viewer_key)
            await socket.send(type="subscribe", id="1", payload={"documentId": sha256(RUNS)})
            await socket.send(type="subscribe", id="1", payload={"query": OTHER})
            assert await socket.closed() == 4409


class TestAStream:
    async def test_takes_a_document_however_it_is_named(
        self, client: httpx.AsyncClient, viewer_key: str, manage: Manage
    ) -> None:
        await add(manage, TEXT)
        await set_mode(manage, DocumentMode.ENFORCE)
        headers = STREAM | bearer(viewer_key)
        for named in NAMED:
            body = {**named, "variables": YES}
            async with client.stream("POST", "/graphql", json=body, headers=headers) as streamed:
                (kind, result), end = [event async for event in events(streamed)]
            assert (kind, result["data"], end) == ("next", {"viewer": {"role": "VIEWER"}}, ("complete", None))

    async def test_of_a_subscription_is_begun_by_its_id(
        self,
        client: httpx.AsyncClient,
        viewer_key: str,
        manage: Manage,
        runtime: Runtime,
        principal: Principal,
    ) -> None:
        await add(manage, RUNS)
        await set_mode(manage, DocumentMode.ENFORCE)
        headers = STREAM | bearer(viewer_key)
        async with client.stream("GET", "/graphql", params={"documentId": sha256(RUNS)}, headers=headers) as streamed:
            assert streamed.status_code == 200
            await ingest(runtime, principal, 1)
            kind, result = await anext(aiter(events(streamed)))
        assert (kind, "runUpdated" in result["data"]) == ("next", True)

    async def test_of_another_document_is_refused_before_it_begins(
        self, client: httpx.AsyncClient, viewer_key: str, manage: Manage
    ) -> None:
        await set_mode(manage, DocumentMode.ENFORCE)
        headers = STREAM | bearer(viewer_key)
        for body, status in (({"query": RUNS}, 403), ({"documentId": sha256(RUNS)}, 404)):
            refused = await client.post("/graphql", json=body, headers=headers)
            assert (refused.status_code, refused.headers["content-type"]) == (status, "application/json")
