"""How each field of an operation is had: the operation as a tree, with everything that does not depend on values.

Strawberry's field objects say it: an attribute, a plain resolver, a batched field, or anything else, which keeps
Strawberry's own wrapper. So a field that is added later needs nothing more than its declaration.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Any, Final

from graphql import (
    Executor,
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    ValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_non_null_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_fields
from graphql.execution.executor import to_nodes
from msgspec import Struct
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from schema.batched import BatchSpec

DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF
MOST_FIELDS: Final = 1_000
"""Places of a plan; a document that spreads fragments in fragments has far more than it is long."""
CONDITIONS: Final = ("skip", "include")


class NotCovered(Exception):
    """The operation has something that plans do not cover; the message says what."""


class How(Enum):
    """How a field's value is had."""

    TYPENAME = auto()
    ATTRIBUTE = auto()
    EVENT = auto()
    """The root field of a subscription: the event itself."""
    RESOLVER = auto()
    """A plain function, called in place."""
    BATCH = auto()
    """From a batch operation, for all parents at once."""
    AWAITED = auto()
    """A plain coroutine function."""
    CALL = auto()
    """Whatever else: through Strawberry's wrapper, and awaited."""


LATER: Final = (How.BATCH, How.AWAITED, How.CALL)
"""Had in the next wave, not where the parent is made."""
WRAPPERS: Final = {"_resolver": How.RESOLVER, "_async_resolver": How.AWAITED}
"""What Strawberry wraps plain functions in, which do no more than they do here."""


class Field(Struct, frozen=True, eq=False):
    """A field in its place; `below` has what is selected of each type that its objects may have.

    `fixed` says that its arguments name no variable, `fixed_below` that those below it don't either: what is made of
    them is the same in every execution.
    """

    key: str
    how: How
    parent: GraphQLObjectType
    details: FieldDetailsList
    nodes: list[FieldNode]
    definition: GraphQLField
    declared: StrawberryField | None
    below: "Mapping[str, Selection]"
    fixed: bool
    fixed_below: bool

    @property
    def later(self) -> bool:
        """Whether it is had in the next wave."""
        return self.how in LATER

    @property
    def needs_path(self) -> bool:
        """Whether its own path is needed even when all goes well."""
        if self.later or self.how is How.RESOLVER or is_abstract_type(get_named_type(self.definition.type)):
            return True
        return any(one.needs_path for one in self.below.values())

    @property
    def batch(self) -> BatchSpec:
        """What feeds a batched field."""
        assert self.declared is not None  # noqa: S101 - a batched field is a Strawberry field
        spec: BatchSpec = self.declared.metadata["batch"]
        return spec


class Selection(Struct, frozen=True, eq=False):
    """The fields of one object, in the order of the answer."""

    kind: GraphQLObjectType
    fields: tuple[Field, ...]

    @property
    def needs_path(self) -> bool:
        """Whether the path of such an object is needed even when all goes well."""
        return any(one.needs_path for one in self.fields)


class Classifying:
    """Classifies the fields of one operation, at the values that its conditions have now."""

    def __init__(self, executor: Executor[Any]) -> None:
        self._executor = executor
        self._fields = 0

    def root(self) -> Selection:
        """The operation's fields; raises NotCovered."""
        executor = self._executor
        kind: Any = executor.schema.get_root_type(executor.operation.operation)
        collected = collect_fields(
            executor.schema,
            executor.fragments,
            executor.variable_values,
            kind,
            executor.operation,
            executor.hide_suggestions,
        )
        return self._selection(kind, collected.grouped_field_set, is_root=True)

    def _selection(self, kind: GraphQLObjectType, grouped: GroupedFieldSet, *, is_root: bool = False) -> Selection:
        self._fields += len(grouped)
        if self._fields > MOST_FIELDS:
            raise NotCovered("too many fields")
        return Selection(kind, tuple(self._field(kind, *one, is_root=is_root) for one in grouped.items()))

    def _field(self, parent: GraphQLObjectType, key: str, details: FieldDetailsList, *, is_root: bool) -> Field:
        definition = self._executor.schema.get_field(parent, details[0].node.name.value)
        if definition is None:
            raise NotCovered("an unknown field")
        declared = (definition.extensions or {}).get(DEFINITION)
        how = _how(details[0].node.name.value, definition, declared)
        if how in LATER and is_non_null_type(definition.type) and not is_root:
            raise NotCovered("a field below the root that is awaited and may not be null")
        below = self._below(definition, details)
        fixed = not any(_varies(one.value) for detail in details for one in detail.node.arguments or ())
        fixed_below = fixed and all(one.fixed_below for selection in below.values() for one in selection.fields)
        return Field(key, how, parent, details, to_nodes(details), definition, declared, below, fixed, fixed_below)

    def _below(self, definition: GraphQLField, details: FieldDetailsList) -> Mapping[str, Selection]:
        kind: Any = get_named_type(definition.type)
        if is_leaf_type(kind):
            return {}
        if is_object_type(kind):
            return {kind.name: self._subfields(kind, details)}
        if not _is_told_by_class(kind):
            raise NotCovered("an abstract type that has a way of its own to tell objects apart")
        return {one.name: self._subfields(one, details) for one in self._executor.schema.get_possible_types(kind)}

    def _subfields(self, kind: GraphQLObjectType, details: FieldDetailsList) -> Selection:
        return self._selection(kind, self._executor.collect_subfields(kind, details).grouped_field_set)


def _how(name: str, definition: GraphQLField, declared: Any) -> How:
    if name == "__typename":
        return How.TYPENAME
    if not isinstance(declared, StrawberryField):
        raise NotCovered("introspection")
    if declared.is_subscription:
        return How.EVENT
    plain = not declared.extensions
    if plain and "batch" in declared.metadata:
        return How.BATCH
    made: Callable[..., Any] | None = definition.resolve
    wrapper = getattr(made, "__name__", "")
    if declared.is_basic_field and wrapper == "_get_basic_result" and declared.default_resolver is getattr:
        return How.ATTRIBUTE
    return WRAPPERS.get(wrapper, How.CALL) if plain else How.CALL


def _varies(value: ValueNode) -> bool:
    """Whether a value in the document depends on a variable."""
    if isinstance(value, ListValueNode):
        return any(map(_varies, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_varies(one.value) for one in value.fields)
    return isinstance(value, VariableNode)


def _is_told_by_class(kind: Any) -> bool:
    """Whether an abstract type's objects are told apart by their classes: Strawberry's way, unless one is declared."""
    declared = (kind.extensions or {}).get(DEFINITION)
    return isinstance(declared, StrawberryObjectDefinition) and declared.resolve_type is None


class _Directives(Visitor):
    """Collects the variables that say whether something is executed, and finds directives that say anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()
        self.others = False

    def enter_directive(self, node: Any, *_: Any) -> None:
        """Look at one."""
        if node.name.value not in CONDITIONS:
            self.others = True
        values = (one.value for one in node.arguments or ())
        self.variables.update(one.name.value for one in values if isinstance(one, VariableNode))


def conditions(operation: OperationDefinitionNode, fragments: Iterable[Any]) -> tuple[str, ...]:
    """The variables whose values say what is executed; raises NotCovered for an operation that no plan can serve."""
    if operation.operation is OperationType.MUTATION:
        raise NotCovered("a mutation")
    found = _Directives()
    for node in (operation, *fragments):
        visit(node, found)
    if found.others:
        raise NotCovered("a directive other than @skip and @include")
    return tuple(sorted(found.variables))
