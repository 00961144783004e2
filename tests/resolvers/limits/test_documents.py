"""What a document may look like: each limit at n and at n + 1, and documents that unfold to huge ones."""

from typing import Any

import pytest
from graphql import GraphQLError, get_introspection_query, parse
from strawberry.schema.schema import validate_document

from resolvers.limits import documents, extension
from resolvers.limits.bounds import Bounds
from resolvers.limits.documents import MAX_REPEATS, document_errors
from resolvers.schema import build_schema
from schema.export import SCHEMA_FILE
from tests.resolvers.limits.conftest import AskUnder, codes

BOUNDS = Bounds()
SHIPPED = sorted((SCHEMA_FILE.parent / "operations").glob("*.graphql"))


def nested(depth: int) -> str:
    """Fields of this depth."""
    return "{ a " * depth + "}" * depth


def spread(levels: int, leaf: str) -> str:
    """A document that spreads `leaf` 2^levels times."""
    chain = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(levels))
    return f"{{ ...F0 }} {chain} fragment F{levels} on Query {{ {leaf} }}"


def refusals(document: str) -> list[str]:
    """What is said against a document."""
    return [error.message for error in document_errors(parse(document), BOUNDS)]


class TestLimits:
    @pytest.mark.parametrize(
        ("made", "limit", "what"),
        [
            (nested, 12, "the depth of fields"),
            (lambda n: "{ a " * (n - 1) + "{ ...F }" + "}" * (n - 1) + "fragment F on A { a }", 12, "depth of fields"),
            (lambda n: "{ __schema " + nested(n - 1) + "}", 20, "the depth of introspection"),
            (lambda n: "{ a " + "".join(f"b{i}: b " for i in range(n)) + "}", 20, "the number of aliases"),
            (lambda n: "{ ...F } fragment F on A {" + "".join(f"b{i}: b " for i in range(n)) + "}", 20, "aliases"),
            (lambda n: "{ a " + "".join(f"b{i} @include(if: true) " for i in range(n)) + "}", 50, "directives"),
            (lambda n: "query " + "@x " * n + "{ a }", 50, "directives"),
            (lambda n: "{ " + "a " * n + "}", MAX_REPEATS, "times that one field"),
            (lambda n: "{ " + "... { a { b } } " * n + "}", MAX_REPEATS, "times that one field"),
        ],
    )
    def test_let_n_pass_and_refuse_one_more(self, made: Any, limit: int, what: str) -> None:
        assert refusals(made(limit)) == []
        (refusal,) = refusals(made(limit + 1))
        assert what in refusal
        assert refusal.endswith(f"{limit + 1} is over the limit of {limit}")

    async def test_of_tokens_stop_the_parser(self, ask_under: AskUnder) -> None:
        schema = build_schema(Bounds(max_tokens=20))
        passing = "{ viewer { " + "role " * 15 + "}}"  # one token more begins and one ends the document
        assert codes(await ask_under(schema, passing)) == []
        refused = await ask_under(schema, passing.replace("role", "role role role", 1))
        assert codes(refused) == ["QUERY_TOO_COMPLEX"]
        assert "number of tokens" in refused.errors[0].message

    def test_hold_for_each_operation_of_a_document(self) -> None:
        assert len(refusals(f"query A {nested(13)} query B {nested(13)} query C {nested(12)}")) == 2

    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
    def test_let_every_shipped_document_pass(self, path: Any) -> None:
        assert refusals(path.read_text("utf-8")) == []

    def test_let_introspection_pass(self) -> None:
        assert refusals(get_introspection_query()) == []


class TestFragments:
    def test_are_measured_once_however_often_they_are_spread(self) -> None:
        assert refusals(spread(18, "a: b"))[0].startswith(f"the number of aliases: {2**18}")
        assert refusals(spread(500, "a @x")) != []

    def test_that_nest_without_end_are_left_to_validation(self) -> None:
        assert refusals("{ ...F } fragment F on Query { a { ...F } }") == []

    def test_that_are_not_there_are_left_to_validation(self) -> None:
        assert refusals("{ ...F }") == []

    def test_that_hide_a_depth_beyond_pythons_are_refused(self) -> None:
        """Validation would recurse through all of it."""
        chain = "".join(f"fragment F{n} on Query {{ a {{ a {{ ...F{n + 1} }} }} }} " for n in range(400))
        assert len(refusals(f"{{ ...F0 }} {chain} fragment F400 on Query {{ a }}")) == 1


def validations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The documents that are validated from now on."""
    validated: list[Any] = []

    def noted(graph: Any, document: Any, rules: Any) -> list[GraphQLError]:
        validated.append(document)
        return validate_document(graph, document, rules)

    monkeypatch.setattr(extension, "validate_document", noted)
    return validated


class TestCaches:
    async def test_a_document_is_measured_and_validated_once(
        self, ask_under: AskUnder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        measured: list[Any] = []
        validated = validations(monkeypatch)
        measure = documents._Measuring.operation

        def counted(self: Any, one: Any) -> Any:
            measured.append(one)
            return measure(self, one)

        monkeypatch.setattr(documents._Measuring, "operation", counted)
        schema = build_schema()
        for _ in range(5):
            assert codes(await ask_under(schema, "{ viewer { tenant role actor { id } } }")) == []
        assert (len(measured), len(validated)) == (1, 1)

    async def test_a_document_that_is_refused_is_never_validated(
        self, ask_under: AskUnder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        validated = validations(monkeypatch)
        for _ in range(3):
            assert codes(await ask_under(build_schema(), nested(13))) == ["QUERY_TOO_COMPLEX"]
        assert validated == []

    def test_a_document_is_forgotten_when_many_others_have_come(self) -> None:
        made: list[str | None] = []
        kept = documents.ByDocument(lambda _document, operation: made.append(operation))
        first = parse("{ a }")
        kept.of(first, "first")
        for number in range(documents.KEPT):
            kept.of(parse("{ a }"), str(number))
        kept.of(first, "first")
        assert made.count("first") == 2
