"""The examples are the shipped documents, all of them, with variables that their operations take."""

from typing import Any

import orjson
import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, get_variable_values, parse, validate

from resolvers.http.graphiql import examples
from resolvers.http.graphiql.examples import DOCUMENTS, LOOKUPS, PREFIX, VARIABLES, Example
from schema.export import SCHEMA_FILE

ALL = [example for group in examples.groups() for example in group.examples]
MADE_IN_THE_PAGE = {"$now": "2026-01-01T00:00:00Z", "$nextWeek": "2026-01-08T00:00:00Z", "$unique": f"{PREFIX}1"}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA_FILE.read_text("utf-8"))


def filled(value: Any) -> Any:
    """Variables as the page would fill them in."""
    if isinstance(value, dict):
        return {name: filled(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if isinstance(value, str) and value.startswith("$"):
        return MADE_IN_THE_PAGE[value] if value in MADE_IN_THE_PAGE else LOOKUPS[value].missing
    return value


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_an_example_is_valid_with_its_variables(example: Example, schema: GraphQLSchema) -> None:
    document = parse(example.query)
    assert validate(schema, document) == []
    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    assert operation.operation.value == example.kind
    given = get_variable_values(schema, operation.variable_definitions or (), filled(example.variables))
    assert not isinstance(given, list), given


@pytest.mark.parametrize("name", sorted(LOOKUPS))
def test_a_lookup_is_valid(name: str, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(LOOKUPS[name].query)) == []


def test_every_operation_is_an_example_and_no_variables_are_left_over() -> None:
    written = {
        one.name.value
        for path in DOCUMENTS.glob("*.graphql")
        for one in parse(path.read_text("utf-8")).definitions
        if isinstance(one, OperationDefinitionNode) and one.name
    }
    assert {example.name for example in ALL} == written
    assert set(VARIABLES) <= written


def test_every_group_says_what_it_is_about_and_the_console_comes_first() -> None:
    groups = examples.groups()
    assert all(group.title.endswith(".") for group in groups)
    assert groups[0].examples[0].name == "Console"


def test_the_page_gets_all_of_it() -> None:
    listed = orjson.loads(examples.listed())
    assert sum(len(group["examples"]) for group in listed["groups"]) == len(ALL)
    assert set(listed["lookups"]) == set(LOOKUPS)
    assert listed["prefix"] == PREFIX
