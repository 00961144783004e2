"""A query's points: objects times their lists, operations once, reckoned before anything is executed."""

from typing import Any

import pytest
import strawberry
from graphql import OperationDefinitionNode, parse, validate
from strawberry.schema.config import StrawberryConfig

from resolvers.errors import Schema
from resolvers.limits.costs import INTROSPECTION_COST, SHORT_LIST, Costs
from resolvers.schema import Query, build_schema
from schema.export import SCHEMA_FILE
from schema.fields import field
from schema.scalars import SCALARS
from spine.bootstrap import catalogue
from spine.contracts.errors import RegistryError
from tests.resolvers.conftest import SCHEMA
from tests.resolvers.limits.conftest import AskUnder, codes
from tests.resolvers.limits.test_documents import SHIPPED, spread

COSTS = Costs(SCHEMA, catalogue())
PRICES = {one.name: one.cost for one in catalogue()}
CONSOLE = (SCHEMA_FILE.parent / "operations" / "console.graphql").read_text("utf-8")
RUNS = PRICES["activity.runs"]
MOST = 10_000


def cost(document: str, operation: str | None = None, **variables: Any) -> int:
    """The points of an operation of a valid document."""
    parsed = parse(document)
    assert validate(SCHEMA._schema, parsed) == []
    return COSTS.of(parsed, operation).total(variables)


class TestObjects:
    @pytest.mark.parametrize(
        ("document", "points"),
        [
            ("{ __typename }", 0),
            ("{ viewer { tenant role } }", PRICES["account.viewer"] + 1),
            ("{ viewer { actor { id name } } }", PRICES["account.viewer"] + 2),
            ("{ runs(first: 30) { totalCount pageInfo { endCursor } } }", RUNS + 30),
            ("{ runs(first: 30) { nodes { id } } }", RUNS + 30),
            ("{ runs { nodes { id } } }", RUNS + 20),
            ("{ runs(first: 30) { nodes { id } edges { cursor node { id } } } }", RUNS + 60),
            ("{ runs(first: 100000) { nodes { id } } }", RUNS + 100),
            ("{ runs(first: -1) { nodes { id } } }", RUNS),
            ("{ operations { name } }", PRICES["spine.operations"] + SHORT_LIST),
            ('{ nodes(ids: ["a", "b", "c"]) { id } }', 7 + 3),
            ("{ __schema { types { name fields { name } } } }", INTROSPECTION_COST),
        ],
    )
    def test_are_one_point_each_and_scalars_none(self, document: str, points: int) -> None:
        if "totalCount" in document:
            points -= 30  # no row is selected
        assert cost(document) == points

    def test_below_a_list_are_multiplied_and_a_batch_operation_is_not(self) -> None:
        document = "{ runs(first: 50) { nodes { signals(first: 4) { nodes { feedback { acknowledged } } } } } }"
        operations = RUNS + PRICES["activity.signals_for_runs"] + PRICES["activity.signal_feedback"]
        assert cost(document) == operations + 50 * (1 + 4 * (1 + 1))

    def test_of_a_list_that_says_how_long_it_may_be(self) -> None:
        document = "{ runs(first: 10) { nodes { evidence { sources { domain } } } } }"
        assert cost(document) == RUNS + PRICES["activity.run_evidence"] + 10 * (1 + 1 + 3)

    def test_of_a_write_are_its_operation_and_what_is_shown(self) -> None:
        document = 'mutation { disableLimit(input: {id: "x", reason: "y"}) { limit { id } } }'
        assert cost(document) == PRICES["controls.disable_limit"] + PRICES["controls.limits_by_key"] + 2

    def test_of_a_subscription_are_its_operations_and_one_batch(self) -> None:
        document = "subscription { runUpdated(first: 10) { cursor events { run { id } } } }"
        dispatched = ("activity.run_updates", "activity.runs_among", "activity.runs_by_key")
        assert cost(document) == sum(PRICES[name] for name in dispatched) + 10 * 2


class TestVariables:
    @pytest.mark.parametrize(
        ("given", "rows"), [({"n": 7}, 7), ({}, 5), ({"n": 7.0}, 7), ({"n": 10**9}, 100), ({"n": "x"}, 5)]
    )
    def test_say_how_long_a_list_is(self, given: dict[str, Any], rows: int) -> None:
        assert cost("query($n: Int! = 5) { runs(first: $n) { nodes { id } } }", **given) == RUNS + rows

    def test_give_as_many_objects_as_ids(self) -> None:
        document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
        assert cost(document, ids=["a"] * 40) - cost(document, ids=["a"]) == 39

    def test_skip_and_include_what_they_say(self) -> None:
        document = """query($evidence: Boolean!, $bare: Boolean = true) { runs(first: 10) { nodes {
            evidence @include(if: $evidence) { computedAt } ... @skip(if: $bare) { proof { verifiedAt } }
            signals @include(if: false) { nodes { id } } parentRun @skip(if: true) { id } } } }"""
        evidence, proof = PRICES["activity.run_evidence"] + 10, PRICES["activity.run_proof"] + 10
        assert cost(document, evidence=False) == RUNS + 10
        assert cost(document, evidence=True) == RUNS + 10 + evidence
        assert cost(document, evidence=True, bare=False) == RUNS + 10 + evidence + proof


class TestFragments:
    def test_cost_what_stands_in_them_wherever_they_are_spread(self) -> None:
        document = """query($n: Int!) { a: runs(first: 2) { ...Rows } b: runs(first: $n) { ...Rows } }
            fragment Rows on RunConnection { nodes { id signals(first: 3) { nodes { id } } } }"""
        assert cost(document, n=5) == 2 * (RUNS + PRICES["activity.signals_for_runs"]) + 7 * 4

    def test_that_double_18_times_are_reckoned_once(self) -> None:
        document = spread(18, "runs(first: $n) { nodes { id } }").replace("{", "query($n: Int!) {", 1)
        assert cost(document, n=1) == 2**18 * (RUNS + 1)


class TestLimit:
    def test_lets_the_console_pass_at_100_and_not_15_of_it(self) -> None:
        assert 8_000 < cost(CONSOLE, first=100) < MOST
        below = CONSOLE[CONSOLE.index("    totalCount") : CONSOLE.rindex("  }")]
        aliases = " ".join(f"a{n}: runs(first: $first) {{ ...Page }}" for n in range(15))
        many = f"query($first: Int!) {{ {aliases} }} fragment Page on RunConnection {{ {below} }}"
        assert cost(many, first=100) > 10 * MOST

    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
    def test_lets_every_shipped_document_pass_at_100(self, path: Any) -> None:
        text = path.read_text("utf-8")
        for one in parse(text).definitions:
            if isinstance(one, OperationDefinitionNode) and one.name is not None:
                assert 1 <= cost(text, one.name.value, first=100) < MOST

    async def test_is_said_with_the_cost(self, ask_under: AskUnder) -> None:
        document = "{ " + " ".join(f"a{n}: runs(first: 100) {{ nodes {{ ...R }} }}" for n in range(15)) + " } "
        document += "fragment R on Run { signals(first: 100) { nodes { id } } }"
        answer = await ask_under(build_schema(), document)
        assert (answer.data, codes(answer)) == (None, ["QUERY_TOO_COMPLEX"])
        points = cost(document)
        assert answer.errors[0].message == f"the cost in points: {points} is over the limit of {MOST}"
        assert answer.extensions["cost"] == {"requested": points, "actual": 0, "remaining": 50_000}


class TestDeclarations:
    def test_a_root_field_that_does_not_say_what_it_dispatches_stops_the_start(self) -> None:
        @strawberry.type
        class Forgetful(Query):
            @field("Forgotten.", str)
            async def forgotten(self) -> str:
                return ""

        schema = Schema(query=Forgetful, config=StrawberryConfig(scalar_map=SCALARS))
        with pytest.raises(RegistryError, match=r"Forgetful\.forgotten does not say which operations it dispatches"):
            Costs(schema, catalogue())

    def test_every_declared_operation_is_registered(self) -> None:
        kinds = [kind for kind in SCHEMA._schema.type_map.values() if hasattr(kind, "fields")]
        outputs = [one for kind in kinds for one in kind.fields.values() if hasattr(one, "args")]
        assert sum(COSTS.operations(one) > 0 for one in outputs) > 30


@pytest.mark.usefixtures("governed")
class TestActualCost:
    async def test_is_what_was_returned_and_dispatched(self, ask_under: AskUnder) -> None:
        answer = await ask_under(SCHEMA, "{ runs(first: 100) { nodes { id signals(first: 1) { nodes { id } } } } }")
        operations = RUNS + PRICES["activity.signals_for_runs"]
        assert answer.extensions["cost"]["requested"] == operations + 200
        assert answer.extensions["cost"]["actual"] == operations + 50 * 2  # the tenant has 50 runs

    @pytest.mark.parametrize("first", [1, 50])
    async def test_is_never_more_than_was_asked_for(self, ask_under: AskUnder, first: int) -> None:
        shown = (await ask_under(SCHEMA, CONSOLE, {"first": first})).extensions["cost"]
        assert 0 < shown["actual"] <= shown["requested"]

    async def test_is_at_least_one_point(self, ask_under: AskUnder) -> None:
        shown = (await ask_under(SCHEMA, "{ __typename }")).extensions["cost"]
        assert (shown["requested"], shown["actual"]) == (1, 1)

    async def test_of_what_was_not_executed_is_nothing(self, ask_under: AskUnder) -> None:
        for document in ("{", "{ nothing }", "query($n: Int!) { runs(first: $n) { nodes { id } } }"):
            answer = await ask_under(SCHEMA, document)
            assert codes(answer) == ["VALIDATION"]
            assert answer.extensions["cost"]["actual"] <= 1
