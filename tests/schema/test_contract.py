"""Contracts and schema say the same, and the schema describes everything."""

import inspect
from enum import StrEnum
from types import NoneType
from typing import Any, get_args

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    is_introspection_type,
    is_specified_scalar_type,
)
from msgspec import Struct
from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from resolvers.schema import build_schema
from schema.batched import batch_fields
from schema.contract import CONTRACT_TYPES, public_fields
from schema.enums import ENUMS
from schema.export import SCHEMA_FILE, sdl
from schema.relay import Node
from spine.contracts import enums, errors, evidence, proof, runs, signals

SCHEMA = build_schema()
CORE: GraphQLSchema = SCHEMA._schema
TYPES = {name: kind for name, kind in CORE.type_map.items() if not is_introspection_type(kind)}
FIELDS = [
    (f"{name}.{field}", one)
    for name, kind in TYPES.items()
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
    for field, one in kind.fields.items()
]

UNSEEN_ENUMS = {
    "LeafKind": "a leaf is shown where its fact is",
    "RefusalKind": "refused spans are counted, not listed",
    "ReservationState": "reservations are the spine's own",
    "Topic": "each subscription has its own",
}
"""Enums of the contracts that no field shows, with the reason."""

OTHERWISE: dict[tuple[type[Struct], str], str] = {
    (evidence.RunEvidence, "incidents"): "incidentsCaused",
    (evidence.RunEvidence, "policies"): "policiesEvaluated",
    (evidence.RunEvidence, "limits"): "limitsHit",
    (evidence.RunEvidence, "decisions"): "decisionsMade",
}
"""Fields that are called otherwise in GraphQL, as the API's readers know them."""


class TestTheCommittedFile:
    def test_it_is_what_the_code_says(self) -> None:
        assert SCHEMA_FILE.read_text("utf-8") == sdl(SCHEMA), "make schema"


class TestDescriptions:
    @pytest.mark.parametrize("name", sorted(TYPES))
    def test_every_type_has_one(self, name: str) -> None:
        assert TYPES[name].description

    @pytest.mark.parametrize(("place", "field"), FIELDS, ids=[place for place, _ in FIELDS])
    def test_every_field_and_argument_has_one(self, place: str, field: GraphQLField) -> None:
        assert field.description, place
        assert all(argument.description for argument in field.args.values())

    def test_every_enum_value_and_input_field_has_one(self) -> None:
        values = [
            (f"{name}.{value}", one.description)
            for name, kind in TYPES.items()
            if isinstance(kind, GraphQLEnumType)
            for value, one in kind.values.items()
        ]
        inputs = [
            (f"{name}.{field}", one.description)
            for name, kind in TYPES.items()
            if isinstance(kind, GraphQLInputObjectType)
            for field, one in kind.fields.items()
        ]
        assert values
        assert inputs
        assert not [place for place, described in (*values, *inputs) if not described]

    def test_every_scalar_of_ours_says_where_it_is_specified(self) -> None:
        own = [kind for kind in TYPES.values() if isinstance(kind, GraphQLScalarType)]
        own = [kind for kind in own if not is_specified_scalar_type(kind)]
        assert {kind.name for kind in own} == {"BigInt", "Date", "DateTime", "Decimal", "JSON"}
        assert all(kind.specified_by_url for kind in own)


class TestResultFields:
    @pytest.mark.parametrize("contract", list(CONTRACT_TYPES))
    def test_every_public_field_is_shown_and_as_nullable_as_it_is(self, contract: type[Struct]) -> None:
        shown = get_object_definition(CONTRACT_TYPES[contract], strict=True)
        kind = CORE.type_map[shown.name]
        assert isinstance(kind, GraphQLObjectType)
        for name, hint, described in public_fields(contract):
            field = kind.fields[OTHERWISE.get((contract, name), to_camel_case(name))]
            assert isinstance(field.type, GraphQLNonNull) is (NoneType not in get_args(hint)), name
            assert described or contract in (evidence.RunEvidence, proof.RunProof)

    def test_no_key_is_shown(self) -> None:
        assert not [place for place, _ in FIELDS if place.endswith((".key", "Key"))]

    def test_a_field_fed_by_a_batch_is_nullable(self) -> None:
        fields = batch_fields(SCHEMA)
        assert len(fields) == 17
        for type_name, field in fields:
            kind = CORE.type_map[type_name]
            assert isinstance(kind, GraphQLObjectType)
            assert not isinstance(kind.fields[to_camel_case(field.python_name)].type, GraphQLNonNull)

    def test_a_leaf_is_a_plain_attribute(self) -> None:
        """Strawberry's fast path: a resolver on a leaf would build an Info for each object of a page."""
        for graphql in CONTRACT_TYPES.values():
            for field in get_object_definition(graphql, strict=True).fields:
                composed = "batch" in field.metadata or field.base_resolver is not None
                assert field.is_basic_field is not composed

    def test_every_node_accepts_its_contract(self) -> None:
        nodes = {contract: graphql for contract, graphql in CONTRACT_TYPES.items() if issubclass(graphql, Node)}
        assert runs.RunSummary in nodes
        for contract, graphql in nodes.items():
            definition = get_object_definition(graphql, strict=True)
            is_type_of = definition.is_type_of
            assert is_type_of is not None
            values: dict[str, Any] = dict.fromkeys(contract.__struct_fields__)
            assert is_type_of(contract(**values), None)  # type: ignore[arg-type]
            assert not is_type_of(object(), None)  # type: ignore[arg-type]


class TestEnums:
    def test_every_enum_of_the_contracts_is_shown_with_the_same_values(self) -> None:
        declared = {
            name: one
            for module in (enums, runs, signals, errors)
            for name, one in inspect.getmembers(module, inspect.isclass)
            if issubclass(one, StrEnum) and one is not StrEnum
        }
        shown = {name: kind for name, kind in TYPES.items() if isinstance(kind, GraphQLEnumType)}
        assert set(declared) - set(UNSEEN_ENUMS) == set(shown)
        for name, kind in shown.items():
            assert set(kind.values) == set(declared[name].__members__)

    def test_what_is_described_is_shown(self) -> None:
        assert {one.__name__ for one in ENUMS} <= set(TYPES)
