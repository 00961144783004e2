"""A plan: Python made once from an operation, which builds the answer's dicts in place.

Each function (`unit`) of a plan takes a value, its path and the executor, and answers the completed value; one is the
root's, one each deferred field's. What is usual costs a comparison: a leaf of the class that its type has, an object of
a class that was seen before. Anything else goes to a method of the executor, which knows what graphql-core does then.
A null that a type forbids is raised as the error that graphql-core would raise, and caught where null is allowed.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLString,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.pyutils import Path
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from msgspec import Struct
from strawberry.types.scalar import identity

from resolvers.execution.classify import Field, How, NotCovered, Selection
from resolvers.execution.code import Code, Names
from resolvers.limits.meter import LOOK
from schema.scalars import NATIVE
from spine.contracts.loading import Arguments

Unit = Callable[[Any, Path | None, Any], Any]

UNUSUAL: Final[Mapping[Any, str]] = {
    GraphQLString: "{0}.__class__ is not str",
    GraphQLID: "{0}.__class__ is not str",
    GraphQLBoolean: "{0}.__class__ is not bool",
    GraphQLInt: f"{{0}}.__class__ is not int or not {GRAPHQL_MIN_INT} <= {{0}} <= {GRAPHQL_MAX_INT}",
    GraphQLFloat: "{0}.__class__ is not float or {0} - {0} != 0.0",
}
"""When a value of GraphQL's own scalars is not what is written as it is."""


class Place(Struct, frozen=True, eq=False):
    """Where a value stands: its field, and its type, which in a list is that of the item."""

    field: Field
    type: Any


class Caller(Struct, frozen=True, eq=False):
    """How a plain resolver is called: what it takes, and classes that it answered in place and that are not awaited."""

    field: Field
    function: Callable[..., Any]
    takes_self: bool
    source_names: tuple[str, ...]
    info_name: str | None
    plain: set[type]

    @classmethod
    def of(cls, field: Field) -> "Caller":
        """As Strawberry would call it."""
        declared: Any = field.declared
        made = declared.base_resolver
        sources = tuple(one.name for one in (made.parent_parameter, made.root_parameter) if one)
        info = made.info_parameter.name if made.info_parameter else None
        return cls(field, made.wrapped_func, bool(made.self_parameter), sources, info, set())


class Kinds(Struct, eq=False):
    """The units of an abstract type's object types by name, and of classes that were told apart before."""

    units: dict[str, Unit]
    known: dict[type, Unit]


class Step(Struct, frozen=True, eq=False):
    """A deferred field, the unit that completes its value, and how a plain coroutine function is called."""

    field: Field
    complete: Unit
    caller: Caller | None


class Plan:
    """A compiled operation. `alone` says that at most one root field is awaited; `credit` is left for replays.

    `given` and `wanted` keep the arguments and the look-ahead of fields that have the same ones in every execution.
    """

    __slots__ = ("alone", "credit", "given", "root", "source", "steps", "wanted")

    def __init__(self, root: Unit, steps: tuple[Step, ...], source: str, *, alone: bool, credit: float) -> None:
        self.root = root
        self.steps = steps
        self.source = source
        self.alone = alone
        self.credit = credit
        self.given: dict[Field, dict[str, Any]] = {}
        self.wanted: dict[Field, Arguments] = {}


class Compiling:
    """Compiles one operation; `units` says what an object of a type counts, `seen` which classes its objects have.

    Answers that go straight to orjson are `native`: moments stay what they are.
    """

    def __init__(self, units: Mapping[str, int], seen: dict[str, set[type]], *, native: bool) -> None:
        self._units = units
        self._native = NATIVE if native else {}
        self._seen = seen
        self._names = Names(Path=Path, GraphQLError=GraphQLError)
        self._functions: list[str] = []
        self._deferred: list[tuple[Field, str]] = []
        self._kinds: list[tuple[Kinds, dict[str, str]]] = []

    def plan(self, root: Selection, credit: float) -> Plan:
        """The plan; NotCovered when Python can't nest as deep as the operation does."""
        name = self._unit(lambda code: self._selected(code, root, "x", "P"))
        source = "\n".join(self._functions)
        try:
            exec(compile(source, "<plan>", "exec"), self._names.values)  # noqa: S102 - all names in it are GraphQL's or ours
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise NotCovered("too deep") from error
        units = self._names.values
        for kinds, named in self._kinds:
            kinds.units = {kind: units[unit] for kind, unit in named.items()}
        steps = tuple(
            Step(field, units[unit], Caller.of(field) if field.how is How.AWAITED else None)
            for field, unit in self._deferred
        )
        alone = sum(one.later for one in root.fields) <= 1
        return Plan(units[name], steps, source, alone=alone, credit=credit)

    def _unit(self, write: Callable[[Code], None]) -> str:
        """A function around the code that completes its `x`; answers its name."""
        name, code = self._names.fresh("unit"), Code()
        with code.block(f"def {name}(x, P, run):"):
            code.add("later = run.later")
            code.add("made = 0")
            with code.block("try:"):
                write(code)
            with code.block("finally:"):
                code.add("run.meter.made(made)")
            code.add("return x")
        self._functions.append(code.text())
        return name

    def _value(self, code: Code, field: Field, of: Any, x: str, path: str) -> None:
        """Complete the variable in place."""
        inner = of.of_type if is_non_null_type(of) else of
        if is_leaf_type(inner):
            self._leaf(code, field, of, x, path)
        elif inner is not of:
            self._composite(code, field, of, x, path)
        else:
            with code.block(f"if {x} is not None:"):
                with code.block("try:"):
                    self._composite(code, field, of, x, path)
                with code.block("except GraphQLError as error:"):
                    code.add(f"{x} = run.nulled(error, {path})")

    def _composite(self, code: Code, field: Field, of: Any, x: str, path: str) -> None:
        inner = of.of_type if is_non_null_type(of) else of
        place = self._names.constant("place", Place(field, of))
        if is_list_type(inner):
            self._list(code, field, inner.of_type, x, path, place)
        elif is_object_type(inner):
            self._object(code, field.below[inner.name], x, path, place)
        else:
            kinds = Kinds({}, {})
            self._kinds.append((kinds, {kind: self._kind(field, of, one) for kind, one in field.below.items()}))
            table = self._names.constant("kinds", kinds)
            code.add(f"{x} = run.unit_of({place}, {table}, {x}, {path})({x}, {path}, run)")

    def _kind(self, field: Field, of: Any, selection: Selection) -> str:
        place = self._names.constant("place", Place(field, of))
        return self._unit(lambda code: self._object(code, selection, "x", "P", place))

    def _list(self, code: Code, field: Field, of: Any, x: str, path: str, place: str) -> None:
        made, item = self._names.fresh("list"), self._names.fresh("item")
        code.add(f"if {x}.__class__ is not list and {x}.__class__ is not tuple: {x} = run.items({place}, {x}, {path})")
        code.add(f"{made} = []")
        with code.block(f"for {item} in {x}:"):
            self._value(code, field, of, item, f"Path({path}, len({made}), None)")
            code.add(f"{made}.append({item})")
        code.add(f"{x} = {made}")

    def _object(self, code: Code, selection: Selection, x: str, path: str, place: str) -> None:
        seen = self._names.constant("seen", self._seen.setdefault(selection.kind.name, set()))
        kind = self._names.constant("kind", selection.kind)
        code.add(f"if {x}.__class__ not in {seen}: run.admit({place}, {kind}, {seen}, {x}, {path})")
        self._counted(code, selection.kind)
        self._selected(code, selection, x, path)

    def _counted(self, code: Code, kind: GraphQLObjectType) -> None:
        points = self._units.get(kind.name, 1)
        if points:
            code.add(f"made += {points}")
            code.add(f"if not made & {LOOK}: run.look()")

    def _selected(self, code: Code, selection: Selection, x: str, path: str) -> None:
        """Make the dict of an object; deferred fields have their place in it and are put off."""
        if selection.needs_path and not path.isidentifier():
            code.add(f"{(bound := self._names.fresh('path'))} = {path}")
            path = bound
        pairs = [f"{one.key!r}: {self._field(code, selection, one, x, path)}" for one in selection.fields]
        made = self._names.fresh("dict")
        code.add(f"{made} = {{{', '.join(pairs)}}}")
        for one in selection.fields:
            if one.later:
                self._put_off(code, one, x, made, path)
        code.add(f"{x} = {made}")

    def _field(self, code: Code, selection: Selection, field: Field, x: str, parent: str) -> str:
        """The expression of a field's value."""
        if field.how is How.TYPENAME:
            return repr(selection.kind.name)
        if field.later:
            return "None"
        path = f"Path({parent}, {field.key!r}, {selection.kind.name!r})"
        value = self._names.fresh("x")
        if field.how is How.ATTRIBUTE:
            assert field.declared is not None  # noqa: S101 - as classified
            code.add(f"{value} = {x}.{field.declared.python_name}")
        elif field.how is How.EVENT:
            code.add(f"{value} = {x}")
        else:
            code.add(f"{(bound := self._names.fresh('path'))} = {path}")
            path = bound
            code.add(f"{value} = run.resolve({self._names.constant('caller', Caller.of(field))}, {x}, {path})")
        self._value(code, field, field.definition.type, value, path)
        return value

    def _put_off(self, code: Code, field: Field, x: str, made: str, path: str) -> None:
        index = len(self._deferred)
        self._deferred.append((field, ""))
        if field.how is How.BATCH:
            key = self._names.fresh("key")
            code.add(f"{key} = {x}.{field.batch.key}")
            code.add(f"if {key} is not None: later[{index}].append(({key}, {made}, {path}))")
        else:
            code.add(f"later[{index}].append(({x}, {made}, {path}))")
        unit = self._unit(lambda code: self._value(code, field, field.definition.type, "x", "P"))
        self._deferred[index] = field, unit

    def _leaf(self, code: Code, field: Field, of: Any, x: str, path: str) -> None:
        required = is_non_null_type(of)
        kind = of.of_type if required else of
        unusual = f"run.unusual({self._names.constant('place', Place(field, of))}, {x}, {path})"
        present = "" if required else f"{x} is not None and "
        if kind in UNUSUAL:
            code.add(f"if {present}({UNUSUAL[kind].format(x)}): {x} = {unusual}")
        elif kind.name in self._native:
            usual = self._names.constant("class", self._native[kind.name])
            code.add(f"if {present}{x}.__class__ is not {usual}: {x} = {unusual}")
        elif kind.coerce_output_value is identity:
            code.add(f"if {present}{x}.__class__ is not int: {x} = {unusual}")
        elif isinstance(kind, GraphQLEnumType):
            written = {one.value: kind.coerce_output_value(one.value) for one in kind.values.values()}
            code.add(
                f"{'' if required else f'if {x} is not None: '}{x} = "
                f"{self._names.constant('names', written)}.get({x}) or {unusual}"
            )
        else:
            self._scalar(code, kind, x, unusual, required=required)

    def _scalar(self, code: Code, kind: Any, x: str, unusual: str, *, required: bool) -> None:
        write, value = self._names.constant("write", kind.coerce_output_value), self._names.fresh("x")
        with nullcontext() if required else code.block(f"if {x} is not None:"):
            code.add(f"try: {value} = {write}({x})")
            code.add(f"except Exception: {value} = None")
            code.add(f"{x} = {unusual} if {value} is None else {value}")
