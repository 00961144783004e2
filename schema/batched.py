"""`batched(...)`: a nested field, declared by the batch operation that feeds it.

One declaration gives the resolver, the dataloader (made by the request's context from the operation's entry) and, at
start-up, the check that operation and field agree. The field is nullable: a parent whose value cannot be had gets null
and an error with its path, and the page stands.
"""

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Annotated, Any

import strawberry
from strawberry.types.base import StrawberryOptional, get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from schema.contract import CONTRACT_TYPES
from schema.relay import Connection, check_first, nested_view, split_cursor
from schema.selection import raw, single_parent
from spine.contracts.errors import RegistryError, ValidationFailed
from spine.contracts.loading import Arguments, Loading
from spine.contracts.operations import Operation
from spine.contracts.paging import MAX_PAGE, NestedPage

LookAhead = Callable[[strawberry.Info, Mapping[str, Any]], Mapping[str, Hashable]]
Shape = Callable[[Any, strawberry.Info, Mapping[str, Any]], Any]


@dataclasses.dataclass(frozen=True)
class BatchSpec:
    """What feeds a field: the operation, the parent's attribute that is its key, the request fields it fills.

    `look_ahead` turns the query below the field into fields of the operation's request; `shape` makes what the field
    answers of what was loaded.
    """

    operation: str
    key: str
    fills: tuple[str, ...]
    look_ahead: LookAhead | None
    shape: Shape | None

    def wanted(self, info: strawberry.Info, given: Mapping[str, Any]) -> Arguments:
        """What look-ahead finds; the same for all parents of a field."""
        return tuple(sorted(self.look_ahead(info, given).items())) if self.look_ahead is not None else ()


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a batched field."""

    name: str
    type: Any
    default: Any
    description: str


class BatchField(StrawberryField):
    """A field whose type is the class's annotation, and whose `metadata["batch"]` says what feeds it."""

    def __init__(self, resolver: Callable[..., Any], spec: BatchSpec, description: str) -> None:
        super().__init__(description=description, metadata={"batch": spec})
        self.base_resolver = StrawberryResolver(resolver)


def batched(
    operation: str,
    *,
    key: str,
    description: str,
    arguments: tuple[Argument, ...] = (),
    fills: tuple[str, ...] = (),
    look_ahead: LookAhead | None = None,
    shape: Shape | None = None,
) -> Any:
    """Declare a nested field; a parent whose key is None has null.

    `look_ahead` turns the query below the field into fields of the operation's request (`fills` names them); `shape`
    makes what the field answers of what was loaded.
    """
    spec = BatchSpec(operation, key, fills, look_ahead, shape)

    def resolve(root: Any, info: strawberry.Info, **given: Any) -> Awaitable[Any] | None:
        parent_key = getattr(root, key)
        if parent_key is None:
            return None
        context: Loading = info.context
        wanted = _selection(context, info, given, spec) if look_ahead is not None else ()
        loaded = context.load(operation, parent_key, wanted)
        return _shaped(loaded, shape, info, given) if shape is not None else loaded

    resolve.__signature__ = _signature(arguments)  # type: ignore[attr-defined]
    resolve.__annotations__ = {name: one.annotation for name, one in _signature(arguments).parameters.items()}
    return BatchField(resolve, spec, description)


async def _shaped(loaded: Awaitable[Any], shape: Shape, info: strawberry.Info, given: Mapping[str, Any]) -> Any:
    return shape(await loaded, info, given)


def _signature(arguments: tuple[Argument, ...]) -> inspect.Signature:
    parameter = inspect.Parameter
    fixed = [
        parameter("root", parameter.POSITIONAL_OR_KEYWORD, annotation=Any),
        parameter("info", parameter.POSITIONAL_OR_KEYWORD, annotation=strawberry.Info),
    ]
    own = [
        parameter(
            one.name,
            parameter.KEYWORD_ONLY,
            annotation=Annotated[one.type, strawberry.argument(description=one.description)],
            default=one.default,
        )
        for one in arguments
    ]
    return inspect.Signature([*fixed, *own])


def _selection(context: Loading, info: strawberry.Info, given: Mapping[str, Any], spec: BatchSpec) -> Arguments:
    """What look-ahead finds, computed once per place in the query: fragments put one node in several places."""
    place = (*map(id, raw(info).field_nodes), single_parent(info))
    found = context.selections.get(place)
    if found is None:
        found = context.selections[place] = spec.wanted(info, given)
    return found


def page_arguments(first: int) -> tuple[Argument, ...]:
    """`first` and `after` of a list below a parent."""
    return (
        Argument("first", int, first, f"How many rows, 1 to {MAX_PAGE}."),
        Argument("after", str | None, strawberry.UNSET, "Go on after this cursor; under a single parent only."),
    )


def check_after(info: strawberry.Info, after: str | None) -> None:
    """A nested list goes on under a single parent only; ValidationFailed otherwise."""
    if after and not single_parent(info):
        raise ValidationFailed("after is for a list below a single object, not below each of a list", field="after")


def rows_wanted(info: strawberry.Info, given: Mapping[str, Any], default: int) -> int:
    """How many rows must be loaded for a page: those up to its end, when it starts at a cursor.

    Up to a page more, because rows that were added since, before the cursor's row, move it down.
    """
    first = given.get("first", default)
    if not isinstance(first, int) or not 1 <= first <= MAX_PAGE:
        return 1  # the list itself answers that it is out of range
    after = given.get("after")
    if not after or not single_parent(info):
        return first
    try:
        return first + split_cursor(after)[0] + MAX_PAGE
    except ValidationFailed:
        return first


def batched_list(operation: str, *, key: str, description: str, first: int) -> Any:
    """Declare a nested list that an operation bounds by its request's `first`."""

    def look_ahead(info: strawberry.Info, given: Mapping[str, Any]) -> Mapping[str, Hashable]:
        check_first(given["first"])
        check_after(info, given.get("after"))
        return {"first": rows_wanted(info, given, first)}

    def shape(page: NestedPage[Any], _info: strawberry.Info, given: Mapping[str, Any]) -> Any:
        return nested_view(page, given["first"], given.get("after"))

    return batched(
        operation,
        key=key,
        description=description,
        arguments=page_arguments(first),
        fills=("first",),
        look_ahead=look_ahead,
        shape=shape,
    )


def check_batched_fields(schema: strawberry.Schema, operations: Mapping[str, Operation]) -> None:
    """Raise RegistryError, naming the field, when its operation is absent, no batch, or answers something else."""
    for type_name, field in batch_fields(schema):
        spec: BatchSpec = field.metadata["batch"]
        place = f"{type_name}.{field.python_name}"
        operation = operations.get(spec.operation)
        if operation is None:
            raise RegistryError(f"{place}: there is no operation {spec.operation}")
        if operation.batch_key is None:
            raise RegistryError(f"{place}: {spec.operation} is not a batch operation")
        if operation.result != expected_result(field):
            raise RegistryError(f"{place}: {spec.operation} answers {operation.result}, not {expected_result(field)}")
        unknown = set(spec.fills) - set(operation.request.__struct_fields__)
        if unknown:
            raise RegistryError(f"{place}: the request of {spec.operation} has no {', '.join(sorted(unknown))}")


def batch_fields(schema: strawberry.Schema) -> list[tuple[str, StrawberryField]]:
    """Every batched field of the schema, with the name of its type."""
    return [
        (name, field)
        for name, concrete in sorted(schema.schema_converter.type_map.items())
        if (definition := get_object_definition(getattr(concrete.definition, "origin", None)))
        for field in definition.fields
        if "batch" in field.metadata
    ]


def expected_result(field: StrawberryField) -> Any:
    """The contract that a field's operation must answer for one key."""
    contracts = {graphql: contract for contract, graphql in CONTRACT_TYPES.items()}
    of_type: Any = field.type.of_type if isinstance(field.type, StrawberryOptional) else field.type
    of_type = getattr(of_type, "resolve_type", lambda: of_type)()
    definition = get_object_definition(of_type, strict=True)
    if definition.concrete_of is not None and definition.concrete_of.origin is Connection:
        row: Any = next(iter(definition.type_var_map.values()))
        row = getattr(row, "resolve_type", lambda: row)()
        generic: Any = NestedPage
        return generic[contracts[row]]
    return contracts[of_type]
