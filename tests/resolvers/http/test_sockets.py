"""GraphQL over WebSocket, message by message, on a real socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from resolvers.http import protocol
from spine.bootstrap import Runtime
from spine.contracts.access import ChangeKey, CreateKey
from spine.contracts.actors import Principal
from spine.contracts.enums import Permission, Role
from spine.contracts.runs import IngestSpans
from tests.resolvers.http.conftest import MAX_BODY, serving
from tests.resolvers.http.socket_client import WAIT_S, socket_to
from tests.resolvers.spans import export

VIEWER = "{ viewer { tenant } }"
RUNS = "subscription { runUpdated { cursor events { kind runId run { agentId } } } }"
START = """mutation { startRun(input: { idempotencyKey: "s" agentId: "a" actor: { kind: HUMAN id: "x" } projectId: "p"
    originSystemId: "o" }) { run { status } userErrors { code } } }"""


@pytest.fixture
def url(client: httpx.AsyncClient) -> str:
    """The running server."""
    return str(client.base_url)


async def ingest(runtime: Runtime, by: Principal, count: int) -> None:
    (await runtime.registry.execute("activity.ingest_spans", IngestSpans(export(count)), by)).unwrap()


class TestTheProtocol:
    async def test_a_valid_key_is_acknowledged_in_any_spelling_of_its_name(self, url: str, owner_key: str) -> None:
        for name in ("authorization", "Authorization", "AUTHORIZATION"):
            async with socket_to(url) as socket:
                await socket.send(type="connection_init", payload={name: f"Bearer {owner_key}"})
                assert await socket.receive() == {"type": "connection_ack"}

    async def test_the_handshakes_header_will_do(self, url: str, owner_key: str) -> None:
        async with socket_to(url, additional_headers={"authorization": f"Bearer {owner_key}"}) as socket:
            await socket.send(type="connection_init")
            assert await socket.receive() == {"type": "connection_ack"}

    @pytest.mark.parametrize(
        "payload", [{}, {"authorization": "Bearer hoc_test_wrong"}, {"authorization": 7}, {"authorization": "Basic x"}]
    )
    async def test_no_valid_key_is_4403(self, url: str, payload: dict[str, Any]) -> None:
        async with socket_to(url) as socket:
            await socket.send(type="connection_init", payload=payload)
            assert await socket.closed() == 4403

    async def test_an_operation_before_the_key_is_4401(self, url: str) -> None:
        async with socket_to(url) as socket:
            await socket.subscribe(VIEWER)
            assert await socket.closed() == 4401

    async def test_no_word_within_five_seconds_is_4408(self, url: str) -> None:
        async with socket_to(url) as socket:
            assert await socket.closed() == 4408

    async def test_a_second_beginning_is_4429(self, url: str, owner_key: str) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            await socket.send(type="connection_init", payload={"authorization": f"Bearer {owner_key}"})
            assert await socket.closed() == 4429

    async def test_the_same_id_twice_is_4409(self, url: str, owner_key: str) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            await socket.subscribe(RUNS)
            await socket.subscribe(RUNS)
            assert await socket.closed() == 4409

    @pytest.mark.parametrize(
        "message",
        [
            b"\x00",
            "nonsense",
            "7",
            "[]",
            '"x"',
            "{}",
            '{"type": "unknown"}',
            '{"type": "subscribe"}',
            '{"type": "subscribe", "id": "1", "payload": []}',
            '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
            '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
            '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
            '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
            '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 7}}',
            "[" * 10_000,
        ],
    )
    async def test_what_is_no_message_is_4400(self, url: str, owner_key: str, message: str | bytes) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            await socket.connection.send(message)
            assert await socket.closed() == 4400

    async def test_a_message_that_is_too_large_is_1009(self, url: str, owner_key: str) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            await socket.connection.send("x" * (MAX_BODY + 1))
            assert await socket.closed() == 1009

    async def test_another_subprotocol_is_4406(self, url: str) -> None:
        async with socket_to(url, subprotocols=["graphql-ws"]) as socket:
            assert await socket.closed() == 4406

    async def test_a_page_of_another_origin_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with socket_to(url, origin="https://elsewhere.example"):
                pass
        assert refused.value.response.status_code == 403

    async def test_a_ping_is_answered(self, url: str, owner_key: str) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            await socket.send(type="ping")
            assert await socket.receive() == {"type": "pong"}


class TestOperations:
    async def test_queries_and_mutations_have_one_result(self, url: str, owner_key: str) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            assert set((await socket.ask(VIEWER))["data"]["viewer"]) == {"tenant"}
            started = (await socket.ask(START))["data"]["startRun"]
            assert started == {"run": {"status": "RUNNING"}, "userErrors": []}

    @pytest.mark.parametrize("document", ["{", "{ nothing }", "query A { __typename } query B { __typename }", ""])
    async def test_a_refused_document_is_an_error_of_its_operation_and_others_go_on(
        self, url: str, owner_key: str, runtime: Runtime, principal: Principal, document: str
    ) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            await socket.subscribe(RUNS, "live")
            assert (await socket.receive())["id"] == "live"
            await socket.subscribe(document, "bad")
            error = await socket.receive()
            assert (error["id"], error["type"]) == ("bad", "error")
            assert error["payload"][0]["extensions"]["code"] == "VALIDATION"
            await ingest(runtime, principal, 1)
            assert (await socket.receive())["id"] == "live"

    async def test_a_field_that_fails_is_told_with_its_code(self, url: str, owner_key: str) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            answer = await socket.ask('{ run(id: "eA") { id } }')
            assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == ({"run": None}, "VALIDATION")

    async def test_a_completed_operation_ends_and_its_id_is_free(
        self, url: str, owner_key: str, runtime: Runtime
    ) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            for _ in range(3):
                await socket.subscribe(RUNS)
                await socket.receive()
                assert runtime.hub.followers == 1
                await socket.send(type="complete", id="1")
            await no_followers(runtime)

    async def test_more_operations_than_allowed_are_refused(self, url: str, owner_key: str, runtime: Runtime) -> None:
        most = runtime.settings.max_socket_operations
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            for number in range(most):
                await socket.subscribe(RUNS, str(number))
                await socket.receive()
            await socket.subscribe(RUNS, "one more")
            refused = await socket.receive()
            assert (refused["id"], refused["type"]) == ("one more", "error")
            assert runtime.hub.followers == most

    async def test_more_sockets_of_a_key_than_allowed_are_refused_until_one_closes(
        self, url: str, owner_key: str, runtime: Runtime
    ) -> None:
        runtime.settings.max_sockets = 1
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            async with socket_to(url) as another:
                await another.send(type="connection_init", payload={"authorization": f"Bearer {owner_key}"})
                assert await another.closed() == 1013
        await asyncio.sleep(0.1)
        async with socket_to(url) as socket:
            await socket.begin(owner_key)

    async def test_a_client_that_goes_leaves_nothing_behind(self, url: str, owner_key: str, runtime: Runtime) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            await socket.subscribe(RUNS)
            await socket.receive()
            socket.connection.transport.abort()
        await no_followers(runtime)

    async def test_a_waiting_subscription_holds_no_connection_of_the_pool(
        self, url: str, owner_key: str, runtime: Runtime, principal: Principal
    ) -> None:
        async with socket_to(url) as socket:
            await socket.begin(owner_key)
            for number in range(runtime.settings.pool_size + 2):
                await socket.subscribe(RUNS, str(number))
                await socket.receive()
            await ingest(runtime, principal, 2)
            seen = {(await socket.receive())["id"] for _ in range(runtime.settings.pool_size + 2)}
            assert len(seen) == runtime.settings.pool_size + 2
            assert (await socket.ask(VIEWER, "q"))["data"]


async def no_followers(runtime: Runtime) -> None:
    """Wait until nobody follows."""
    async with asyncio.timeout(WAIT_S):
        while runtime.hub.followers:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


async def test_a_peer_that_answers_no_ping_is_dropped(
    runtime: Runtime, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PING_S", 0.3)
    request = CreateKey(name="k", role=Role.OWNER)
    made = (await runtime.registry.execute("api_keys.create_key", request, principal)).unwrap()
    async with serving(runtime) as url, socket_to(url) as there, socket_to(url) as gone:
        for socket in (there, gone):
            await socket.begin(made.key)
            await socket.subscribe(RUNS)
            await socket.receive()
        assert runtime.hub.followers == 2
        gone.connection.transport.pause_reading()
        async with asyncio.timeout(WAIT_S):
            while runtime.hub.followers == 2:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        assert runtime.hub.followers == 1, "whoever answers stays"
        gone.connection.transport.abort()


class TestAKeyThatMayNotBeUsedAnyMore:
    @pytest.fixture
    def victim(self, key: Callable[..., str]) -> str:
        """Another key of the tenant."""
        return key()

    @pytest.mark.parametrize("change", ["api_keys.revoke_key", "api_keys.freeze_key"])
    async def test_closes_its_sockets_within_two_seconds_and_no_others(
        self, url: str, victim: str, owner_key: str, runtime: Runtime, principal: Principal, change: str
    ) -> None:
        async with socket_to(url) as kept, socket_to(url) as refused:
            await kept.begin(owner_key)
            await refused.begin(victim)
            await refused.subscribe(RUNS)
            await refused.receive()
            request = ChangeKey(key_id=victim.split("_")[2], reason="lost")
            (await runtime.registry.execute(change, request, principal)).unwrap()
            async with asyncio.timeout(2):
                assert await refused.closed() == 4403
            await no_followers(runtime)
            assert (await kept.ask(VIEWER))["data"]

    async def test_of_a_role_that_may_not_read_runs_cannot_follow_them(
        self, url: str, runtime: Runtime, principal: Principal
    ) -> None:
        request = CreateKey(name="m", role=Role.MACHINE, scopes=(Permission.RUNS_WRITE,))
        made = (await runtime.registry.execute("api_keys.create_key", request, principal)).unwrap()
        async with socket_to(url) as socket:
            await socket.begin(made.key)
            answer = await socket.ask(RUNS)
            assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (None, "FORBIDDEN")
