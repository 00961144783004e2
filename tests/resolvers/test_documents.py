"""Documents before they become trusted: valid GraphQL against the schema served, and called by their operations."""

import hashlib
from typing import Any

import pytest

from resolvers.document_ids import sha256_of
from resolvers.documents import operation_names
from spine.authority.rbac import MEMBER
from spine.contracts.actors import Principal
from spine.contracts.enums import Role
from spine.contracts.errors import ValidationFailed
from tests.resolvers.conftest import SCHEMA, Answer, Ask
from tests.resolvers.test_mutations import refusals
from tests.resolvers.test_queries import document

ROLE = "query Role { viewer { role } }"


def new(text: str, sha256: str | None = None) -> dict[str, str]:
    return {"sha256": sha256 or hashlib.sha256(text.encode()).hexdigest(), "text": text}


async def add(ask: Ask, *documents: dict[str, str], by: Principal | None = None) -> Answer:
    given = {"input": {"documents": list(documents)}}
    return await ask(document("documents.graphql", "AddTrustedDocuments"), given, by=by)


async def listed(ask: Ask, retired: bool | None = None) -> Any:
    answer = await ask(document("documents.graphql", "TrustedDocuments"), {"retired": retired})
    return answer.data["trustedDocuments"]["nodes"]


class TestNames:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            (ROLE, "Role"),
            ("{ viewer { role } }", None),
            ("query A { viewer { role } } query B { viewer { tenant } }", "A, B"),
            ("query A { viewer { ...V } } fragment V on Viewer { role }", "A"),
        ],
    )
    def test_are_those_of_the_operations(self, text: str, name: str | None) -> None:
        assert operation_names(SCHEMA, text) == name

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("query {", "1:8: Syntax Error"),
            ("{ viewer { rolle } }", "1:12: Cannot query field 'rolle'"),
            ("fragment V on Viewer { role }", "never used"),
            ("{ viewer { role } } { viewer { tenant } }", "anonymous operation must be the only"),
            ("type Query { a: Int }", "not executable"),
            ("query A { viewer { role } } query A { viewer { role } }", "only one operation named 'A'"),
            ("#", "Syntax Error"),
            ("{a" * 5_000, "Syntax Error"),
            ("{" + " a" * 2_000 + "}", "more than 2000 tokens"),
            (
                "{ " + " ".join(f"a{n}: __typename" for n in range(21)) + " }",
                "the number of aliases: 21 is over the limit of 20",
            ),
        ],
    )
    def test_are_given_to_valid_documents_only(self, text: str, told: str) -> None:
        with pytest.raises(ValidationFailed) as caught:
            operation_names(SCHEMA, text)
        assert told in caught.value.message

    def test_an_id_is_a_sha256_with_its_prefix_or_without(self) -> None:
        assert sha256_of("a" * 64, "id") == sha256_of("sha256:" + "a" * 64, "id") == "a" * 64
        for wrong in (None, 1, "", "md5:" + "a" * 32, "A" * 64, "sha256:" + "a" * 63, "a" * 64 + "\n"):
            with pytest.raises(ValidationFailed, match="id must be"):
                sha256_of(wrong, "id")


class TestAdding:
    async def test_names_each_document_itself(self, ask: Ask) -> None:
        answer = await add(ask, new(ROLE), new("{ viewer { tenant } }"))
        shown = answer.data["addTrustedDocuments"]
        assert shown["userErrors"] == []
        assert [one["name"] for one in shown["trustedDocuments"]] == ["Role", None]
        assert [one["text"] for one in await listed(ask) if one["name"] == "Role"] == [ROLE]

    async def test_says_which_document_is_not_valid(self, ask: Ask) -> None:
        answer = await add(ask, new(ROLE), new("{ nothing }"))
        assert refusals(answer) == [("documents[1].text", "VALIDATION")]
        assert await listed(ask) == []

    async def test_says_which_document_is_not_what_its_sha256_says(self, ask: Ask) -> None:
        assert refusals(await add(ask, new(ROLE, "a" * 64))) == [("documents[0].sha256", "VALIDATION")]

    async def test_takes_no_document_too_many_or_too_large(self, ask: Ask) -> None:
        assert refusals(await add(ask)) == [("documents", "VALIDATION")]
        assert refusals(await add(ask, *[new(ROLE)] * 101)) == [("documents", "TOO_LARGE")]
        long = ROLE + "#" * 100_000
        assert refusals(await add(ask, new(long))) == [("documents[0].text", "TOO_LARGE")]

    async def test_is_for_those_who_manage_documents(self, ask: Ask, principal: Principal) -> None:
        member = Principal(principal.tenant_id, principal.actor, Role.MEMBER, MEMBER, "key")
        assert refusals(await add(ask, new("{ nothing }"), by=member)) == [(None, "FORBIDDEN")]


class TestRetiring:
    async def test_shows_since_when_it_is_refused(self, ask: Ask) -> None:
        await add(ask, new(ROLE))
        given = {"input": {"sha256": [new(ROLE)["sha256"]], "reason": "old"}}
        answer = await ask(document("documents.graphql", "RetireTrustedDocuments"), given)
        (shown,) = answer.data["retireTrustedDocuments"]["trustedDocuments"]
        assert shown["retiredAt"] is not None
        assert await listed(ask, retired=False) == []
        assert [one["id"] for one in await listed(ask, retired=True)] == [shown["id"]]
        again = await ask(document("documents.graphql", "RetireTrustedDocuments"), given)
        assert refusals(again) == [("sha256", "CONFLICT")]


class TestTheMode:
    async def test_is_set_and_shown(self, ask: Ask) -> None:
        given = {"input": {"mode": "LOG", "reason": "a rehearsal"}}
        answer = await ask(document("documents.graphql", "SetDocumentMode"), given)
        assert answer.data["setDocumentMode"] == {"documentMode": "LOG", "userErrors": []}
        shown = await ask(document("documents.graphql", "CurrentDocumentMode"))
        assert shown.data == {"viewer": {"documentMode": "LOG"}}
