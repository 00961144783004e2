"""What a query costs, as a small tree that is evaluated for each request in about a microsecond.

A weight has two parts: points of objects, which a list multiplies, and points of operations, which it does not, since
a batch operation is dispatched once for all parents. What does not depend on variables is reckoned in advance.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from spine.contracts.paging import MAX_PAGE

Variables = Mapping[str, Any]


class Size(Struct, frozen=True):
    """How many rows a list may have: a number, or the value of a variable (a list counts its length)."""

    default: int
    variable: str | None = None

    def of(self, variables: Variables) -> int:
        """The number; a page that is out of range is refused by its field, which then loads nothing."""
        value = variables.get(self.variable) if self.variable is not None else None
        return within_page(value, self.default)


def within_page(value: object, default: int) -> int:
    """A size that was given, as a number of rows; what is no size is for the coercion of variables to refuse."""
    if isinstance(value, (list, tuple)):
        return min(len(value), MAX_PAGE)
    if isinstance(value, (int, float)) and value == value:  # noqa: PLR0124 - NaN is no size
        return int(min(max(value, 0), MAX_PAGE))
    return default


class Condition(Struct, frozen=True):
    """@skip or @include by a variable."""

    variable: str
    wanted: bool
    default: object

    def holds(self, variables: Variables) -> bool:
        """Whether what it stands at is executed."""
        return bool(variables.get(self.variable, self.default)) is self.wanted


class Weight(Struct, frozen=True):
    """Points of objects and of operations, and the parts whose points depend on variables."""

    objects: int = 0
    operations: int = 0
    parts: "tuple[Part, ...]" = ()

    def total(self, variables: Variables) -> int:
        """All points, at these variables."""
        objects, operations = self.reckoned(variables, {})
        return objects + operations

    def reckoned(self, variables: Variables, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
        """Points of objects and of operations; a fragment's weight is one object, reckoned once."""
        objects, operations = self.objects, self.operations
        for part in self.parts:
            if not all(one.holds(variables) for one in part.conditions):
                continue
            below = known.get(id(part.weight))
            if below is None:
                below = known[id(part.weight)] = part.weight.reckoned(variables, known)
            objects += part.size.of(variables) * below[0]
            operations += below[1]
        return objects, operations


class Part(Struct, frozen=True):
    """Something so many times, if its conditions hold."""

    weight: Weight
    size: Size
    conditions: tuple[Condition, ...] = ()


def together(*weights: Weight) -> Weight:
    """All of them, beside one another."""
    return Weight(
        sum(one.objects for one in weights),
        sum(one.operations for one in weights),
        tuple(part for one in weights for part in one.parts),
    )


def times(size: Size, weight: Weight) -> Weight:
    """A list of it."""
    if size.variable is not None or weight.parts:
        return Weight(parts=(Part(weight, size),))
    return Weight(size.default * weight.objects, weight.operations)


def shared(weight: Weight) -> Weight:
    """A fragment's weight where it is spread: by reference when variables are in it, so that it is reckoned once."""
    return Weight(parts=(Part(weight, Size(1)),)) if weight.parts else weight


def provided(conditions: tuple[Condition, ...], weight: Weight) -> Weight:
    """It, if the conditions hold."""
    return Weight(parts=(Part(weight, Size(1), conditions),)) if conditions else weight
