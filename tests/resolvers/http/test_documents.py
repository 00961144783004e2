"""Trusted documents over a real socket: every way to name one, and what becomes of any other."""

import asyncio
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from resolvers.http.documents import Known, Texts, TrustedDocuments, asked
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import DocumentMode, Permission, Role
from spine.contracts.errors import DocumentNotFound, DocumentNotTrusted, HocError, Unavailable, ValidationFailed
from spine.contracts.integrations import AddDocuments, NewDocument, RetireDocuments, SetDocumentMode
from spine.settings import Settings
from spine.storage.embedded import EmbeddedPostgres
from tests.resolvers.http.conftest import PLAIN, serving
from tests.resolvers.http.test_view import PATH, bearer, error_of

GRAPHQL = {"accept": "application/graphql-response+json"}
TEXT = "query Who($yes: Boolean!) { viewer { role @include(if: $yes) } }"
OTHER = "{ viewer { tenant } }"
YES = {"yes": True}

Manage = Callable[..., Awaitable[Any]]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def persisted(digest: str, version: object = 1) -> dict[str, Any]:
    return {"persistedQuery": {"version": version, "sha256Hash": digest}}


@pytest.fixture
def manage(runtime: Runtime, principal: Principal) -> Manage:
    """Change the list or the mode as the tenant's owner."""

    async def dispatch(operation: str, request: Any, by: Principal | None = None) -> Any:
        return (await runtime.registry.execute(f"integrations.{operation}", request, by or principal)).unwrap()

    return dispatch


async def add(manage: Manage, *texts: str, by: Principal | None = None) -> None:
    documents = tuple(NewDocument(sha256=sha256(text), text=text) for text in texts)
    await manage("add_documents", AddDocuments(documents), by)


async def set_mode(manage: Manage, mode: DocumentMode) -> None:
    await manage("set_document_mode", SetDocumentMode(mode=mode))


@pytest.fixture
def viewer(event_loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient, key: Callable[..., str]) -> Any:
    """A client that may read, but not explore."""
    headers = bearer(key(Role.VIEWER))
    reader = httpx.AsyncClient(base_url=client.base_url, headers=headers, verify=PLAIN, trust_env=False, timeout=20)
    yield reader
    event_loop.run_until_complete(reader.aclose())


class TestNamingADocument:
    @pytest.mark.parametrize(
        "named",
        [
            {"documentId": f"sha256:{sha256(TEXT)}"},
            {"documentId": sha256(TEXT)},
            {"extensions": persisted(sha256(TEXT))},
            {"query": TEXT, "documentId": sha256(TEXT)},
            {"query": TEXT, "extensions": persisted(sha256(TEXT))},
            {"documentId": sha256(TEXT), "extensions": persisted(sha256(TEXT))},
        ],
    )
    async def test_by_post_and_by_get(self, viewer: httpx.AsyncClient, manage: Manage, named: dict[str, Any]) -> None:
        await add(manage, TEXT)
        params = {name: one if isinstance(one, str) else json.dumps(one) for name, one in named.items()}
        for mode in DocumentMode:
            await set_mode(manage, mode)
            posted = await viewer.post(PATH, json={**named, "variables": YES})
            got = await viewer.get(PATH, params={**params, "variables": json.dumps(YES)})
            for response in (posted, got):
                assert (response.status_code, response.json()["data"]) == (200, {"viewer": {"role": "VIEWER"}})

    async def test_of_several_operations_the_name_says_which(self, viewer: httpx.AsyncClient, manage: Manage) -> None:
        both = "query A { viewer { role } } query B { viewer { tenant } }"
        await add(manage, both)
        asked_for = {"documentId": sha256(both)}
        chosen = await viewer.post(PATH, json={**asked_for, "operationName": "A"})
        assert chosen.json()["data"] == {"viewer": {"role": "VIEWER"}}
        assert error_of(await viewer.post(PATH, json=asked_for))["code"] == "VALIDATION"

    async def test_a_mutation_by_get_stays_refused(self, client: httpx.AsyncClient, manage: Manage) -> None:
        text = "mutation { setDocumentMode(input: {mode: LOG}) { userErrors { code } } }"
        await add(manage, text)
        assert (await client.get(PATH, params={"documentId": sha256(text)})).status_code == 400
        assert (await client.post(PATH, json={"documentId": sha256(text)})).status_code == 200

    async def test_that_is_unknown_is_not_found_and_not_registered(
        self, viewer: httpx.AsyncClient, client: httpx.AsyncClient
    ) -> None:
        """Apollo's clients send the text on PersistedQueryNotFound; the text with its hash registers nothing."""
        for named in ({"documentId": f"sha256:{sha256(TEXT)}"}, {"extensions": persisted(sha256(TEXT))}):
            response = await viewer.post(PATH, json=named, headers=GRAPHQL)
            assert response.status_code == 404
            assert response.headers["content-type"] == GRAPHQL["accept"]
            error = error_of(response)
            assert (error["code"], "PersistedQueryNotFound" in error["message"]) == ("DOCUMENT_NOT_FOUND", False)
            assert "PersistedQueryNotInList" in error["message"]
            both = {"query": TEXT, "variables": YES, "extensions": persisted(sha256(TEXT))}
            assert (await client.post(PATH, json=both)).status_code == 200
            assert (await viewer.post(PATH, json=named)).status_code == 404

    async def test_of_another_tenant_is_not_found_either(
        self, viewer: httpx.AsyncClient, manage: Manage, other: Principal
    ) -> None:
        await add(manage, TEXT, by=other)
        foreign = error_of(await viewer.post(PATH, json={"documentId": sha256(TEXT)}))
        absent = error_of(await viewer.post(PATH, json={"documentId": sha256(OTHER)}))
        assert foreign["message"].replace(sha256(TEXT), sha256(OTHER)) == absent["message"]

    @pytest.mark.parametrize(
        "body",
        [
            {"documentId": 1},
            {"documentId": ""},
            {"documentId": "md5:" + "a" * 32},
            {"documentId": "A" * 64},
            {"extensions": {"persistedQuery": 1}},
            {"extensions": {"persistedQuery": {}}},
            {"extensions": persisted("a" * 64, version=2)},
            {"extensions": persisted("a" * 32)},
            {"query": TEXT, "documentId": sha256(OTHER)},
            {"query": TEXT, "extensions": persisted(sha256(OTHER))},
            {"documentId": sha256(TEXT), "extensions": persisted(sha256(OTHER))},
            {"query": TEXT, "operationName": 1},
            {"query": TEXT, "operationName": ["Who"]},
        ],
    )
    async def test_wrongly_is_a_400(self, client: httpx.AsyncClient, manage: Manage, body: object) -> None:
        await add(manage, TEXT, OTHER)
        response = await client.post(PATH, json=body)
        assert (response.status_code, error_of(response)["code"]) == (400, "VALIDATION")

    async def test_not_at_all_is_a_400(self, client: httpx.AsyncClient) -> None:
        bodies: list[dict[str, Any]] = [{}, {"extensions": {}}, {"extensions": {"persistedQuery": None}}]
        for body in (*bodies, {"documentId": None}):
            assert (await client.post(PATH, json=body)).status_code == 400


class TestTheMode:
    async def test_off_takes_anything(self, viewer: httpx.AsyncClient) -> None:
        assert (await viewer.post(PATH, json={"query": OTHER})).status_code == 200

    async def test_enforce_takes_what_is_in_the_list_byte_by_byte(
        self, viewer: httpx.AsyncClient, manage: Manage
    ) -> None:
        await add(manage, TEXT)
        await set_mode(manage, DocumentMode.ENFORCE)
        assert (await viewer.post(PATH, json={"query": TEXT, "variables": YES})).status_code == 200
        for text in (TEXT + " ", OTHER, "{ __schema { types { name } } }", "this is no GraphQL", ""):
            response = await viewer.post(PATH, json={"query": text, "variables": YES})
            assert (response.status_code, error_of(response)["code"]) == (403, "DOCUMENT_NOT_TRUSTED")
            assert sha256(text) in error_of(response)["message"]
        got = await viewer.get(PATH, params={"query": OTHER})
        assert (got.status_code, error_of(got)["code"]) == (403, "DOCUMENT_NOT_TRUSTED")

    async def test_enforce_lets_those_explore_who_may(
        self, client: httpx.AsyncClient, viewer: httpx.AsyncClient, manage: Manage
    ) -> None:
        await set_mode(manage, DocumentMode.ENFORCE)
        introspection = {"query": "{ __schema { queryType { name } } }"}
        assert (await client.post(PATH, json=introspection)).status_code == 200
        assert (await client.get("/graphql/schema.graphql")).status_code == 200
        refused = await viewer.get("/graphql/schema.graphql")
        assert (refused.status_code, error_of(refused)["code"]) == (403, "FORBIDDEN")

    @pytest.mark.parametrize(
        ("role", "scopes", "taken"),
        [
            (Role.VIEWER, (), False),
            (Role.MEMBER, (), False),
            (Role.ADMIN, (), True),
            (Role.OWNER, (), True),
            (Role.MACHINE, (Permission.RUNS_WRITE,), False),
            (Role.MACHINE, (Permission.SCHEMA_EXPLORE,), True),
        ],
    )
    def test_enforce_is_for_every_role_below_admin(
        self,
        event_loop: asyncio.AbstractEventLoop,
        client: httpx.AsyncClient,
        manage: Manage,
        key: Callable[..., str],
        role: Role,
        scopes: tuple[Permission, ...],
        taken: bool,
    ) -> None:
        event_loop.run_until_complete(add(manage, TEXT))
        event_loop.run_until_complete(set_mode(manage, DocumentMode.ENFORCE))
        headers = bearer(key(role, *scopes))
        other = event_loop.run_until_complete(client.post(PATH, json={"query": OTHER}, headers=headers))
        assert (other.status_code == 200) is taken
        body = {"documentId": sha256(TEXT), "variables": YES}
        known = event_loop.run_until_complete(client.post(PATH, json=body, headers=headers))
        assert known.json()["data"] == {"viewer": {"role": role}}

    async def test_log_takes_anything_and_says_what_enforce_would_refuse(
        self, client: httpx.AsyncClient, viewer: httpx.AsyncClient, manage: Manage, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await add(manage, TEXT)
        await set_mode(manage, DocumentMode.LOG)
        text = "query Canary4711 { viewer { tenant } }"
        await viewer.post(PATH, json={"query": TEXT, "variables": YES})
        await client.post(PATH, json={"query": OTHER})
        assert "document.untrusted" not in "".join(capsys.readouterr())
        response = await viewer.post(PATH, json={"query": text, "operationName": "Canary4711"})
        assert response.status_code == 200
        logged = "".join(capsys.readouterr())
        key_id = viewer.headers["authorization"].split("_")[2]
        for told in ("document.untrusted", sha256(text), "Canary4711", key_id, response.headers["x-request-id"]):
            assert told in logged
        assert "tenant }" not in logged


class TestChanges:
    async def test_are_seen_by_another_server_within_two_seconds(
        self,
        viewer: httpx.AsyncClient,
        manage: Manage,
        postgres: EmbeddedPostgres,
        database_name: str,
        settings: Settings,
    ) -> None:
        await add(manage, TEXT)
        async with another_server(postgres, database_name, settings) as url:
            there = httpx.AsyncClient(base_url=url, headers=viewer.headers, verify=PLAIN, trust_env=False, timeout=20)
            any_text, known = {"query": OTHER}, {"documentId": sha256(TEXT), "variables": YES}
            for client in (viewer, there):
                assert (await client.post(PATH, json=any_text)).status_code == 200
                assert (await client.post(PATH, json=known)).status_code == 200
            await set_mode(manage, DocumentMode.ENFORCE)
            assert await until(there, any_text, 403) < 2
            assert await until(viewer, any_text, 403) < 2
            await manage("retire_documents", RetireDocuments(sha256=(sha256(TEXT),), reason="old"))
            assert await until(there, known, 404) < 2
            await add(manage, TEXT)
            assert await until(there, known, 200) < 2
            await set_mode(manage, DocumentMode.OFF)
            assert await until(there, any_text, 200) < 2
            await there.aclose()


@contextlib.asynccontextmanager
async def another_server(postgres: EmbeddedPostgres, database: str, settings: Settings) -> AsyncIterator[str]:
    """A server with a runtime of its own on the same database, and so with caches of its own."""
    runtime = Runtime(settings, connect=dict(postgres.connection("hoc_app", database).asyncpg_arguments()))
    await runtime.open()
    try:
        async with serving(runtime) as url:
            yield url
    finally:
        await runtime.close()


async def until(client: httpx.AsyncClient, body: object, status: int) -> float:
    """Seconds until the server answers with this status."""
    began = time.monotonic()
    while (await client.post(PATH, json=body)).status_code != status:
        assert time.monotonic() - began < 5
        await asyncio.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture
def stranger(principal: Principal) -> Principal:
    """One of the tenant that may do nothing in particular."""
    return Principal(principal.tenant_id, principal.actor, Role.MACHINE, frozenset(), "key")


class TestTheGate:
    async def test_asks_the_database_once_a_second(
        self, runtime: Runtime, manage: Manage, stranger: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two operations for the first request, none for the second, and the policy alone a second later."""
        await add(manage, TEXT)
        await set_mode(manage, DocumentMode.ENFORCE)
        counted: list[str] = []
        execute = runtime.registry.execute

        async def counting(name: str, *arguments: Any, **named: Any) -> Any:
            counted.append(name)
            return await execute(name, *arguments, **named)

        monkeypatch.setattr(runtime.registry, "execute", counting)
        now = 100.0
        gate = TrustedDocuments(runtime, lambda: now)
        for seconds, operations in ((0.0, 2), (0.5, 2), (0.6, 3), (0.1, 3)):
            now += seconds
            for wanted in (asked({"query": TEXT}), asked({"documentId": sha256(TEXT)})):
                assert await gate.admit(wanted, stranger, "r") == TEXT
            assert len(counted) == operations

    async def test_takes_nothing_when_the_database_cannot_be_asked(
        self, runtime: Runtime, stranger: Principal, principal: Principal
    ) -> None:
        gate = TrustedDocuments(runtime)
        await runtime.database.close()
        for wanted in (asked({"query": TEXT}), asked({"documentId": sha256(TEXT)})):
            with pytest.raises(Unavailable):
                await gate.admit(wanted, stranger, "r")
        assert await gate.admit(asked({"query": TEXT}), principal, "r") == TEXT, "who may explore needs no list"

    async def test_takes_nothing_on_trust_when_the_list_cannot_be_asked(
        self, runtime: Runtime, manage: Manage, stranger: Principal
    ) -> None:
        """The policy is known still, the document is not."""
        await set_mode(manage, DocumentMode.ENFORCE)
        gate = TrustedDocuments(runtime)
        with pytest.raises(DocumentNotTrusted):
            await gate.admit(asked({"query": OTHER}), stranger, "r")
        await runtime.database.close()
        with pytest.raises(Unavailable):
            await gate.admit(asked({"query": TEXT}), stranger, "r")

    async def test_keeps_two_tenants_apart(
        self, runtime: Runtime, manage: Manage, stranger: Principal, other: Principal
    ) -> None:
        await add(manage, TEXT)
        await set_mode(manage, DocumentMode.ENFORCE)
        gate = TrustedDocuments(runtime)
        assert await gate.admit(asked({"documentId": sha256(TEXT)}), stranger, "r") == TEXT
        with pytest.raises(DocumentNotFound):
            await gate.admit(asked({"documentId": sha256(TEXT)}), other, "r")
        theirs = Principal(other.tenant_id, other.actor, Role.MACHINE, frozenset(), "key")
        assert await gate.admit(asked({"query": OTHER}), theirs, "r") == OTHER, "whose mode is off"

    async def test_stands_a_flood_of_ids(self, runtime: Runtime, stranger: Principal) -> None:
        gate = TrustedDocuments(runtime)

        async def attempt() -> HocError | None:
            try:
                await gate.admit(asked({"documentId": secrets.token_hex(32)}), stranger, "r")
            except HocError as error:
                return error
            return None

        refusals = await asyncio.gather(*(attempt() for _ in range(40)))
        assert {type(one) for one in refusals} == {DocumentNotFound}


class TestParameters:
    def test_an_empty_operation_name_is_none(self) -> None:
        assert asked({"query": TEXT, "operationName": ""}).operation_name is None

    def test_other_extensions_are_left_alone(self) -> None:
        assert asked({"query": TEXT, "extensions": {"clientLibrary": {"name": "x"}}}).sha256 is None

    def test_text_beyond_ascii_is_hashed_as_utf_8(self) -> None:
        text = "{ viewer { role } } # \u00f6\U0001f600"
        assert asked({"query": text, "documentId": sha256(text)}).sha256 == sha256(text)

    def test_two_that_differ_are_refused(self) -> None:
        with pytest.raises(ValidationFailed):
            asked({"query": TEXT, "documentId": sha256(OTHER)})


class TestKeptTexts:
    TENANT = UUID(int=1)

    def test_are_bounded_in_number_and_size_and_the_least_used_go_first(self) -> None:
        texts = Texts(most=3, most_characters=100)
        for name in "abc":
            texts.keep(self.TENANT, name, Known(1, name * 10))
        assert texts.get(self.TENANT, "a", 1) is not None
        texts.keep(self.TENANT, "d", Known(1, None))
        assert (len(texts), texts.get(self.TENANT, "b", 1)) == (3, None)
        texts.keep(self.TENANT, "e", Known(1, "e" * 85))
        assert (texts.characters, texts.get(self.TENANT, "a", 1)) == (95, Known(1, "a" * 10))
        texts.keep(self.TENANT, "f", Known(1, "f" * 101))
        assert (len(texts), texts.characters) == (0, 0)

    def test_are_replaced_at_another_revision(self) -> None:
        texts = Texts()
        texts.keep(self.TENANT, "a", Known(1, "text"))
        assert texts.get(self.TENANT, "a", 2) is None
        texts.keep(self.TENANT, "a", Known(2, None))
        assert (texts.get(self.TENANT, "a", 2), texts.characters) == (Known(2, None), 0)
        assert texts.get(UUID(int=2), "a", 2) is None
