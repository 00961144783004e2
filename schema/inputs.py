"""Inputs: GraphQL input types and the contracts' requests that they become.

An input names its contract; at import it must have a field for every field of the contract, so neither drifts. A global
id becomes the key that the contract asks for.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import strawberry
from msgspec import Struct
from msgspec.structs import fields
from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from schema.relay import key_of
from spine.contracts.errors import ValidationFailed

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class KeySpec:
    """The field holds the global id of such an object; the contract's field holds its key."""

    field: str
    kind: str


CONTRACTS: dict[type, type[Struct]] = {}
"""The request that each input becomes."""


def contract_input(contract: type[Struct], *, name: str, omit: tuple[str, ...] = ()) -> Callable[[type[T]], type[T]]:
    """Make the class the GraphQL input of a request; `omit` names fields that come from elsewhere."""

    def decorate(cls: type[T]) -> type[T]:
        description = " ".join((cls.__doc__ or contract.__doc__ or "").split())
        declared = strawberry.input(cls, name=name, description=description)
        targets = set(_targets(declared))
        expected = set(contract.__struct_fields__) - set(omit)
        if targets != expected:
            raise TypeError(f"{name} and {contract.__name__} differ in {sorted(targets ^ expected)}")
        CONTRACTS[declared] = contract
        return declared

    return decorate


def required(description: str) -> Any:
    """A field that must be given."""
    return strawberry.field(description=description)


def optional(description: str) -> Any:
    """A field that may be left out; null means the same."""
    return strawberry.field(description=description, default=strawberry.UNSET)


def required_id(field: str, kind: str, description: str) -> Any:
    """The global id of an object, for the contract's field that holds its key."""
    return strawberry.field(description=description, metadata={"key": KeySpec(field, kind)})


def optional_id(field: str, kind: str, description: str) -> Any:
    """The same, when it may be left out."""
    return strawberry.field(description=description, default=strawberry.UNSET, metadata={"key": KeySpec(field, kind)})


def to_contract(given: Any, *, place: str = "", **fixed: Any) -> Any:
    """The request that an input stands for; what was left out has the contract's default, or is None.

    `place` is where it lies within another input, such as `steps[0].`: errors name fields by their whole path.
    """
    contract = CONTRACTS[type(given)]
    values: dict[str, Any] = {one.name: None for one in fields(contract) if one.required}
    for field in get_object_definition(given, strict=True).fields:
        value = getattr(given, field.python_name)
        if value is None or value is strawberry.UNSET:
            continue
        graphql_name = place + to_camel_case(field.python_name)
        spec: KeySpec | None = field.metadata.get("key")
        if spec is not None:
            values[spec.field] = key_of(value, spec.kind, field=graphql_name)
        else:
            values[field.python_name] = _plain(value, graphql_name)
    return contract(**{**values, **fixed})


def field_name(of_input: type | None, field: str) -> str:
    """The client's name of a field that an error blames by the contract's name, such as `steps[0].started_at`."""
    names: Mapping[str, str] = _targets(of_input) if of_input is not None else {}
    return ".".join(names.get(part) or to_camel_case(part) for part in field.split("."))


def _targets(of_input: type) -> dict[str, str]:
    return {
        spec.field if (spec := field.metadata.get("key")) else field.python_name: to_camel_case(field.python_name)
        for field in get_object_definition(of_input, strict=True).fields
    }


def _plain(value: Any, field: str) -> Any:
    if isinstance(value, list):
        return tuple(_plain(one, f"{field}[{index}]") for index, one in enumerate(value))
    if type(value) in CONTRACTS:
        return to_contract(value, place=f"{field}.")
    if isinstance(value, str) and "\x00" in value:
        raise ValidationFailed("text must not hold U+0000", field=field)
    return value
