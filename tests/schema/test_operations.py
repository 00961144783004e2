"""The shipped documents: each validates, and together they use every root field."""

from pathlib import Path

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)

from schema.export import SCHEMA_FILE

FOLDER = SCHEMA_FILE.parent / "operations"
DOCUMENTS = sorted(FOLDER.glob("*.graphql"))


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA_FILE.read_text("utf-8"))


def operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_valid(path: Path, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(path.read_text("utf-8"))) == []


def test_operation_names_are_unique() -> None:
    names = [one.name.value for path in DOCUMENTS for one in operations(parse(path.read_text())) if one.name]
    assert len(names) == len(set(names))


def test_no_operation_is_called_as_an_enum_or_input_which_would_clash_in_generated_clients(
    schema: GraphQLSchema,
) -> None:
    names = {one.name.value for path in DOCUMENTS for one in operations(parse(path.read_text())) if one.name}
    kinds = (GraphQLEnumType, GraphQLInputObjectType)
    assert names.isdisjoint(name for name, kind in schema.type_map.items() if isinstance(kind, kinds))


def test_every_root_field_is_shown_in_use(schema: GraphQLSchema) -> None:
    kinds = (schema.query_type, schema.mutation_type, schema.subscription_type)
    roots = {name for kind in kinds if kind is not None for name in kind.fields}
    used = {
        field.name.value
        for path in DOCUMENTS
        for one in operations(parse(path.read_text("utf-8")))
        for field in one.selection_set.selections
        if isinstance(field, FieldNode)
    }
    assert roots - used == {"nodes"}  # `node` stands for both


def test_the_console_asks_for_its_page_in_one_query() -> None:
    (console,) = operations(parse((FOLDER / "console.graphql").read_text("utf-8")))
    assert console.name is not None
    assert console.name.value == "Console"
    assert [one.name.value for one in console.selection_set.selections if isinstance(one, FieldNode)] == ["runs"]
