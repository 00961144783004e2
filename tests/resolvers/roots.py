"""A request for every root field of the schema, made from its SDL: a new field is tried without being written down."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from schema.relay import global_id
from tests.resolvers.conftest import SCHEMA

GRAPH = build_schema(SCHEMA.as_str())

KINDS = {
    "Limit": "Limit",
    "Rule": "PolicyRule",
    "Signal": "Signal",
    "Incident": "Incident",
    "exportRun": "Run",
    "export": "Export",
}
"""The kind of object that a mutation's ids are of, by a word of its name; Run otherwise."""

ABSENT = {kind: str(global_id(kind, UUID(int=1))) for kind in ("Run", *KINDS.values())}
"""Ids that nobody has."""

EXAMPLES: dict[str, Any] = {"DateTime": "2026-01-31T09:30:00Z", "Decimal": "1", "BigInt": 1}


def roots() -> dict[str, tuple[str, GraphQLField]]:
    """Every root field, with the kind of document that asks for it."""
    assert GRAPH.query_type is not None
    assert GRAPH.mutation_type is not None
    reads = {name: ("query", field) for name, field in GRAPH.query_type.fields.items()}
    assert GRAPH.subscription_type is not None
    writes = {name: ("mutation", field) for name, field in GRAPH.mutation_type.fields.items()}
    return reads | writes | {name: ("subscription", field) for name, field in GRAPH.subscription_type.fields.items()}


def example(of: Any, name: str, ids: Mapping[str, str]) -> Any:
    """A value of an input type, with nothing that may be left out; `ids` are global ids by kind."""
    if isinstance(of, GraphQLNonNull):
        return example(of.of_type, name, ids)
    if isinstance(of, GraphQLList):
        return [example(of.of_type, name, ids)]
    if isinstance(of, GraphQLInputObjectType):
        needed = {key: field for key, field in of.fields.items() if is_required_input_field(field)}
        return {key: example(field.type, name, ids) for key, field in needed.items()}
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    if of.name == "ID":
        return ids[next((kind for word, kind in KINDS.items() if word in name), "Run")]
    return EXAMPLES.get(of.name, "x")


def request(name: str, ids: Mapping[str, str] = ABSENT) -> tuple[str, dict[str, Any]]:
    """A document that asks for a root field with what it requires, and its variables."""
    kind, field = roots()[name]
    needed = {key: one for key, one in field.args.items() if is_required_argument(one)}
    declared = ", ".join(f"${key}: {one.type}" for key, one in needed.items())
    passed = ", ".join(f"{key}: ${key}" for key in needed)
    below = "{ userErrors { code } }" if kind == "mutation" else "{ __typename }"
    below = "" if is_leaf_type(get_named_type(field.type)) else below
    text = f"{kind}{f'({declared})' if needed else ''} {{ {name}{f'({passed})' if needed else ''} {below} }}"
    return text, {key: example(one.type, name, ids) for key, one in needed.items()}
