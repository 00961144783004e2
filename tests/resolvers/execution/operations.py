"""Operations made at random from the schema: valid ones, with everything that a document may hold.

The same seed makes the same operation, so that a difference can be looked at again.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
)
from msgspec import Struct

COUNTS = (2, 2, 2, 2, 3, 3, 3, 1000)
"""What `first` is, now and then out of range."""
CURSORS = (None, None, None, "bad")
LEAVES = {
    "BigInt": (0, 1, 2),
    "Boolean": (True, False),
    "Int": (1, 2, 3),
    "String": ("x",),
    "DateTime": ("2026-01-31T09:30:00Z",),
}
DEEPEST = 6


class Operation(Struct, frozen=True):
    """A document, the values of its variables, and which of its operations is meant."""

    text: str
    variables: Mapping[str, Any]
    name: str | None = None


class Making:
    """Makes one operation."""

    def __init__(self, schema: GraphQLSchema, seed: int, ids: Sequence[str]) -> None:
        self._schema = schema
        self._random = Random(seed)  # noqa: S311 - reproducible, not secret
        self._ids = (*ids, "bad")
        self._names = 0
        self._declared: list[str] = []
        self._values: dict[str, Any] = {}
        self._fragments: list[str] = []

    def operation(self) -> Operation:
        """A query; now and then one of two, which its name chooses."""
        body = self._selection(self._schema.query_type, DEEPEST, most=2)
        head = f"query Asked({', '.join(self._declared)})" if self._declared else "query Asked"
        parts = [f"{head} {body}", *self._fragments]
        if self._once_in(8):
            parts.insert(0, "query Other { other: __typename }")
        self._random.shuffle(parts)
        return Operation("\n".join(parts), self._values, "Asked")

    def _once_in(self, times: int) -> bool:
        return self._random.randrange(times) == 0

    def _fresh(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _selection(self, kind: Any, depth: int, most: int = 4) -> str:
        """A selection of this type; what can't be merged has aliases of its own."""
        taken: set[str] = set()
        parts = [self._part(kind, depth, taken) for _ in range(self._random.randint(1, most))]
        if self._once_in(10):
            parts.append(parts[0])
        return "{ " + " ".join(parts) + " }"

    def _part(self, kind: Any, depth: int, taken: set[str]) -> str:
        if is_abstract_type(kind) and not self._once_in(3):
            kind = self._random.choice(self._schema.get_possible_types(kind))
            return f"... on {kind.name}{self._condition()} {self._apart(kind, depth)}"
        if self._once_in(12) and depth > 1:
            return f"... {self._condition()} {self._apart(kind, depth)}"
        if self._once_in(12) and depth > 1:
            name = self._fresh("Part")
            self._fragments.append(f"fragment {name} on {kind.name} {self._apart(kind, depth)}")
            return f"...{name}{self._condition()}"
        return self._one_of(kind, depth, taken)

    def _apart(self, kind: Any, depth: int) -> str:
        """A selection that is merged with another, so that each of its fields has an alias of its own."""
        fields = [f"{self._fresh('f')}: {self._plain(kind, depth - 1)}" for _ in range(self._random.randint(1, 3))]
        return "{ " + " ".join(fields) + " }"

    def _one_of(self, kind: Any, depth: int, taken: set[str]) -> str:
        text = self._plain(kind, depth - 1)
        name = text.split("(", 1)[0].split(" ", 1)[0]
        if name in taken or self._once_in(5):
            return f"{self._fresh('a')}: {text}"
        taken.add(name)
        return text

    def _plain(self, kind: Any, depth: int) -> str:
        """A field without an alias."""
        fields = [*kind.fields.items()] if depth > 0 else [one for one in kind.fields.items() if self._leaf(one[1])]
        if not fields or self._once_in(14):
            return f"__typename{self._condition()}"
        name, field = self._random.choice(fields)
        below = "" if self._leaf(field) else " " + self._selection(get_named_type(field.type), depth)
        return f"{name}{self._arguments(field)}{self._condition()}{below}"

    def _leaf(self, field: GraphQLField) -> bool:
        return is_leaf_type(get_named_type(field.type))

    def _condition(self) -> str:
        if not self._once_in(9):
            return ""
        directive, value = self._random.choice(("skip", "include")), self._random.choice((True, False))
        return f" @{directive}(if: {self._written(value, 'Boolean!')})"

    def _arguments(self, field: GraphQLField) -> str:
        """The required arguments and some others; lists are short."""
        given = []
        for name, argument in field.args.items():
            if is_required_argument(argument) or name == "first" or self._once_in(3):
                value = self._value(name, get_nullable_type(argument.type))
                if value is None and is_required_argument(argument):
                    continue
                given.append(f"{name}: {self._written(value, str(argument.type))}")
        return f"({', '.join(given)})" if given else ""

    def _value(self, name: str, kind: Any) -> Any:
        if name == "first":
            return self._random.choice(COUNTS)
        if name in ("id", "ids"):
            return [self._id() for _ in range(self._random.randint(0, 4))] if is_list_type(kind) else self._id()
        if name == "after":
            return self._random.choice(CURSORS)
        if isinstance(kind, GraphQLEnumType):
            return _Enum(self._random.choice(list(kind.values)))
        if isinstance(kind, GraphQLInputObjectType):
            return {}
        return self._random.choice(LEAVES.get(getattr(kind, "name", ""), (None,)))

    def _id(self) -> str:
        return self._random.choice(self._ids)

    def _written(self, value: Any, kind: str) -> str:
        """The value in the document, or a variable that has it, or has it by default."""
        literal = str(value) if isinstance(value, _Enum) else json.dumps(value)
        how = self._random.randrange(4)
        if how > 1:
            return literal
        name = self._fresh("v")
        if how == 0 and value is not None:
            self._declared.append(f"${name}: {kind} = {literal}")
        elif value is None and kind.endswith("!"):
            return literal
        else:
            self._declared.append(f"${name}: {kind}")
            self._values[name] = str(value) if isinstance(value, _Enum) else value
        return f"${name}"


class _Enum(str):
    """A value of an enum, which is written without quotes."""

    __slots__ = ()
