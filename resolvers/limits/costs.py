"""A query's points before it is executed, compiled once for each document and operation.

An object is 1 point and a scalar 0; a list is its `first` (or as many ids as are given) times its rows; the wrappers
around rows (connection, edge, page information, a batch of events) are 0. A list without `first` is short and counts as
10, unless its field says how long it may be. A root or batched field adds its operations' own costs, once: a batch is
dispatched once for all parents. Introspection has a fixed price. A request costs at least 1.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    value_from_ast_untyped,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from resolvers.limits.documents import INTROSPECTION
from resolvers.limits.weights import Condition, Size, Weight, provided, shared, times, together, within_page
from schema.events import Batch
from schema.relay import Connection, Edge, PageInfo
from spine.contracts.errors import RegistryError
from spine.contracts.operations import Operation

SHORT_LIST: Final = 10
INTROSPECTION_COST: Final = 100
SIZES: Final = ("first", "ids")
"""Arguments that say how long a list may be."""
WRAPPERS: Final = (Connection, Edge, PageInfo, Batch)
DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF


class Costs:
    """What the fields of a schema cost."""

    def __init__(self, schema: strawberry.Schema, operations: Iterable[Operation]) -> None:
        self._schema = schema._schema  # noqa: SLF001 - Strawberry offers no other way to the executed schema
        self._operations = {one.name: one.cost for one in operations}
        self.units = dict(_units(self._schema))
        """Points of one object by type; a type that is not named is 1."""
        for kind in _roots(self._schema):
            for name, field in kind.fields.items():
                if not self._dispatched(field):
                    raise RegistryError(f"{kind.name}.{name} does not say which operations it dispatches")

    def of(self, document: DocumentNode, operation: str | None) -> Weight:
        """The weight of one operation of a validated document."""
        return _Compiling(self, self._schema, document, operation).weight()

    def unit(self, kind: Any) -> int:
        """Points of one object of a type; 0 of a scalar."""
        return self.units.get(kind.name, 1) if is_composite_type(kind) else 0

    def operations(self, field: GraphQLField) -> int:
        """Points of what a field dispatches."""
        return sum(self._cost(name) for name in self._dispatched(field))

    def _cost(self, name: str) -> int:
        if name not in self._operations:
            raise RegistryError(f"there is no operation {name}")
        return self._operations[name]

    def _dispatched(self, field: GraphQLField) -> tuple[str, ...]:
        metadata = metadata_of(field)
        batch = metadata.get("batch")
        return (batch.operation,) if batch is not None else tuple(metadata.get("operations", ()))


class _Compiling:
    """Compiles one operation; each fragment once."""

    def __init__(self, costs: Costs, schema: GraphQLSchema, document: DocumentNode, operation: str | None) -> None:
        named = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
        self._operation = next(one for one in named if operation in (None, one.name and one.name.value))
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._defaults = {
            one.variable.name.value: value_from_ast_untyped(one.default_value)
            for one in self._operation.variable_definitions or ()
            if one.default_value is not None
        }
        self._costs = costs
        self._schema = schema
        self._known: dict[str, Weight] = {}

    def weight(self) -> Weight:
        root = self._schema.get_root_type(self._operation.operation)
        return self._selections(self._operation.selection_set, root)

    def _selections(self, selections: SelectionSetNode | None, parent: Any) -> Weight:
        nodes = selections.selections if selections is not None else ()
        return together(*(self._selection(node, parent) for node in nodes))

    def _selection(self, node: Any, parent: Any) -> Weight:
        conditions = self._conditions(node)
        if conditions is None:
            return Weight()
        if isinstance(node, FieldNode):
            return provided(conditions, self._field(node, parent))
        if isinstance(node, InlineFragmentNode):
            kind = self._schema.get_type(node.type_condition.name.value) if node.type_condition else parent
            return provided(conditions, self._selections(node.selection_set, kind))
        return provided(conditions, self._spread(node))

    def _spread(self, node: FragmentSpreadNode) -> Weight:
        name = node.name.value
        if name not in self._known:
            definition = self._fragments[name]
            kind = self._schema.get_type(definition.type_condition.name.value)
            self._known[name] = self._selections(definition.selection_set, kind)
        return shared(self._known[name])

    def _field(self, node: FieldNode, parent: Any) -> Weight:
        name = node.name.value
        if name in INTROSPECTION:
            return Weight(INTROSPECTION_COST)
        if name.startswith("__"):
            return Weight()
        field: GraphQLField = parent.fields[name]
        kind = get_named_type(field.type)
        row = together(Weight(self._costs.unit(kind)), self._selections(node.selection_set, kind))
        dispatched = Weight(operations=self._costs.operations(field))
        return together(dispatched, times(self._size(node, field, parent), row))

    def _size(self, node: FieldNode, field: GraphQLField, parent: Any) -> Size:
        """A connection's size is its own field's: that of `nodes` and `edges` within it is one."""
        given = next((one for one in SIZES if one in field.args), None)
        if given is not None:
            return self._given(node, field, given)
        many = is_list_type(get_nullable_type(field.type)) and not is_wrapper(parent)
        return Size(metadata_of(field).get("size", SHORT_LIST) if many else 1)

    def _given(self, node: FieldNode, field: GraphQLField, name: str) -> Size:
        default = within_page(field.args[name].default_value, SHORT_LIST)
        value = next((one.value for one in node.arguments or () if one.name.value == name), None)
        if isinstance(value, VariableNode):
            variable = value.name.value
            return Size(within_page(self._defaults.get(variable), default), variable)
        if value is None or isinstance(value, NullValueNode):
            return Size(default)
        values = getattr(value, "values", None)  # a list of ids, which may hold variables
        return Size(within_page(value_from_ast_untyped(value) if values is None else list(values), default))

    def _conditions(self, node: Any) -> tuple[Condition, ...] | None:
        """The conditions that depend on variables; None when it is never executed."""
        found = []
        for directive in node.directives or ():
            wanted = {"skip": False, "include": True}.get(directive.name.value)
            if wanted is None:
                continue
            (value,) = (one.value for one in directive.arguments)
            if isinstance(value, VariableNode):
                found.append(Condition(value.name.value, wanted, self._defaults.get(value.name.value)))
            elif value_from_ast_untyped(value) is not wanted:
                return None
        return tuple(found)


def metadata_of(field: GraphQLField) -> Mapping[Any, Any]:
    """What our own declaration says of a field."""
    declared = (field.extensions or {}).get(DEFINITION)
    return declared.metadata if isinstance(declared, StrawberryField) else {}


def is_wrapper(kind: Any) -> bool:
    """Whether a type only wraps rows."""
    declared = (kind.extensions or {}).get(DEFINITION)
    if not isinstance(declared, StrawberryObjectDefinition):
        return False
    return (declared.concrete_of.origin if declared.concrete_of is not None else declared.origin) in WRAPPERS


def _units(schema: GraphQLSchema) -> Iterable[tuple[str, int]]:
    for name, kind in schema.type_map.items():
        if name.startswith("__") or is_wrapper(kind):
            yield name, INTROSPECTION_COST if name == "__Schema" else 0
    for kind in _roots(schema):
        yield kind.name, 0


def _roots(schema: GraphQLSchema) -> list[GraphQLObjectType]:
    every = (schema.query_type, schema.mutation_type, schema.subscription_type)
    return [kind for kind in every if kind is not None]
