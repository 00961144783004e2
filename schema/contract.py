"""`contract_type`: a contract's Struct as a GraphQL type, so that result fields are declared once, in the contract.

Every public field (not `key` or `*_key`) becomes a plain attribute field with its description. Resolvers return the
contract's objects themselves; only types that implement an interface need telling that such an object is theirs.
"""

import inspect
from collections.abc import Callable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import strawberry
from msgspec import Meta, Struct
from strawberry.types.base import has_object_definition

T = TypeVar("T")

CONTRACT_TYPES: dict[type[Struct], type] = {}
"""The GraphQL type of each contract; nested contracts are declared before those that hold them."""


def contract_type(
    contract: type[Struct], *, name: str, omit: tuple[str, ...] = (), ids: tuple[str, ...] = ()
) -> Callable[[type[T]], type[T]]:
    """Make the class a GraphQL type of this contract.

    `omit` names fields that the class declares itself or leaves out; `ids` names those that hold global ids.
    """

    def decorate(cls: type[T]) -> type[T]:
        own = inspect.get_annotations(cls)
        added: dict[str, Any] = {}
        for field, hint, description in public_fields(contract):
            if field in omit:
                continue
            added[field] = _annotation(hint, is_id=field == "id" or field in ids)
            setattr(cls, field, strawberry.field(description=description))
        cls.__annotations__ = {**added, **own}
        if any(has_object_definition(base) for base in cls.__mro__[1:]):
            accepted = (cls, contract)
            cls.is_type_of = staticmethod(lambda value, _info: isinstance(value, accepted))  # type: ignore[attr-defined]
        described = " ".join((cls.__doc__ or contract.__doc__ or "").split())
        CONTRACT_TYPES[contract] = strawberry.type(cls, name=name, description=described)
        return cls

    return decorate


def public_fields(contract: type[Struct]) -> Iterator[tuple[str, Any, str]]:
    """Name, type and description of each field that clients may see."""
    for field, hint in get_type_hints(contract, include_extras=True).items():
        if field == "key" or field.endswith("_key"):
            continue
        inner, description = hint, ""
        if get_origin(hint) is Annotated:
            inner, *extras = get_args(hint)
            description = next((extra.description or "" for extra in extras if isinstance(extra, Meta)), "")
        yield field, inner, description


def _annotation(hint: Any, *, is_id: bool) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        present = [_annotation(one, is_id=is_id) for one in arguments if one is not NoneType]
        return Union[(*present, None)]
    if origin is tuple:
        return list[_annotation(arguments[0], is_id=is_id)]  # type: ignore[misc]
    if is_id and hint is str:
        return strawberry.ID
    if isinstance(hint, type) and issubclass(hint, Struct):
        return CONTRACT_TYPES[hint]
    return hint
