"""What a document may look like: checked once for each, before GraphQL's own validation, which some shapes make slow.

Fragments are measured once however often they are spread, so a small document that unfolds to a huge one is refused as
quickly as any. Tokens are counted while the document is parsed, which stops at the first that is too many.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from msgspec import Struct

from resolvers.limits.bounds import Bounds
from spine.contracts.errors import HocError, QueryTooComplex

T = TypeVar("T")

KEPT: Final = 256
"""Documents whose facts are remembered; twice as many as are kept parsed."""
MAX_REPEATS: Final = 100
"""How often one field may stand in one selection: validation compares each with each."""
INTROSPECTION: Final = ("__schema", "__type")


class ByDocument(Generic[T]):
    """What was made of each of the last documents, by document and operation: parsed ones are kept and shared."""

    def __init__(self, make: Callable[[DocumentNode, str | None], T]) -> None:
        self._make = make
        self._made: OrderedDict[tuple[int, str | None], tuple[DocumentNode, T]] = OrderedDict()

    def of(self, document: DocumentNode, operation: str | None = None) -> T:
        """Made once, as long as it is remembered; the entry holds its document, so an id is not another's."""
        found = self._made.get((id(document), operation))
        if found is not None:
            return found[1]
        made = self._make(document, operation)
        self._made[id(document), operation] = document, made
        if len(self._made) > KEPT:
            self._made.popitem(last=False)
        return made


class Shape(Struct, frozen=True):
    """The measures of a selection, everything that it spreads included."""

    depth: int = 0
    introspection_depth: int = 0
    aliases: int = 0
    directives: int = 0
    repeats: int = 0

    def beside(self, other: "Shape") -> "Shape":
        """Both in one selection."""
        return Shape(
            max(self.depth, other.depth),
            max(self.introspection_depth, other.introspection_depth),
            self.aliases + other.aliases,
            self.directives + other.directives,
            max(self.repeats, other.repeats),
        )


def document_errors(document: DocumentNode, bounds: Bounds) -> list[GraphQLError]:
    """Why a document is refused whatever its variables are; the cause of each is QueryTooComplex."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    measuring = _Measuring(fragments, most_levels=3 * max(bounds.max_depth, bounds.max_introspection_depth))
    errors: list[GraphQLError] = []
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            try:
                refuse(measuring.operation(operation), bounds)
            except QueryTooComplex as error:
                errors.append(GraphQLError(error.message, operation, original_error=error))
    return errors


def refuse(shape: Shape, bounds: Bounds) -> None:
    """Raise QueryTooComplex for the first limit that an operation is over."""
    for what, found, limit in (
        ("the depth of fields", shape.depth, bounds.max_depth),
        ("the depth of introspection", shape.introspection_depth, bounds.max_introspection_depth),
        ("the number of aliases", shape.aliases, bounds.max_aliases),
        ("the number of directives", shape.directives, bounds.max_directives),
        ("the number of times that one field is selected in one place", shape.repeats, MAX_REPEATS),
    ):
        if found > limit:
            raise QueryTooComplex(what, found, limit)


def too_many_tokens(error: GraphQLError, limit: int | None) -> HocError | None:
    """The error of ours that a document is refused with when the parser stopped counting; None for any other."""
    if limit is None:
        return None
    stopped = isinstance(error, GraphQLSyntaxError) and f"more than {limit} tokens" in error.message
    return QueryTooComplex("the number of tokens", limit + 1, limit) if stopped else None


class _Measuring:
    """Measures the operations of one document; each fragment once."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode], *, most_levels: int) -> None:
        self._fragments = fragments
        self._most_levels = most_levels
        self._known: dict[str, Shape] = {}

    def operation(self, operation: OperationDefinitionNode) -> Shape:
        """The whole operation; QueryTooComplex when it nests deeper than can be measured."""
        variables = sum(len(one.directives or ()) for one in operation.variable_definitions or ())
        below = self._selections(operation.selection_set, 0)
        return below.beside(Shape(directives=len(operation.directives or ()) + variables))

    def _selections(self, selections: SelectionSetNode | None, level: int) -> Shape:
        """`level` counts what nests in any way, so that this recursion ends before Python's."""
        if selections is None:
            return Shape()
        if level > self._most_levels:
            raise QueryTooComplex("the depth of selections", level, self._most_levels)
        shape = Shape(repeats=self._repeats(selections))
        for one in selections.selections:
            shape = shape.beside(self._selection(one, level))
        return shape

    def _selection(self, node: Any, level: int) -> Shape:
        own = Shape(directives=len(node.directives or ()))
        if isinstance(node, FieldNode):
            return own.beside(self._field(node, level))
        if isinstance(node, InlineFragmentNode):
            return own.beside(self._selections(node.selection_set, level + 1))
        return own.beside(self._fragment(node.name.value, level))

    def _field(self, node: FieldNode, level: int) -> Shape:
        below = self._selections(node.selection_set, level + 1)
        aliases = below.aliases + (node.alias is not None)
        if node.name.value in INTROSPECTION:
            deepest = 1 + max(below.depth, below.introspection_depth)
            return Shape(0, deepest, aliases, below.directives, below.repeats)
        nested = below.introspection_depth and below.introspection_depth + 1
        return Shape(below.depth + 1, nested, aliases, below.directives, below.repeats)

    def _fragment(self, name: str, level: int) -> Shape:
        if name not in self._known:
            self._known[name] = Shape()  # a cycle ends here; validation names it
            definition = self._fragments.get(name)
            if definition is not None:
                own = Shape(directives=len(definition.directives or ()))
                self._known[name] = own.beside(self._selections(definition.selection_set, level + 1))
        return self._known[name]

    def _repeats(self, selections: SelectionSetNode) -> int:
        """How often the most frequent field stands in a selection, the fragments in it unfolded, each once."""
        counted = Counter(self._names(selections, set()))
        return max(counted.values(), default=0)

    def _names(self, selections: SelectionSetNode, spread: set[str]) -> Iterator[str]:
        waiting = [selections]
        while waiting:
            for node in waiting.pop().selections:
                if isinstance(node, FieldNode):
                    yield (node.alias or node.name).value
                elif isinstance(node, InlineFragmentNode):
                    waiting.append(node.selection_set)
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                    spread.add(node.name.value)
                    definition = self._fragments.get(node.name.value)
                    waiting += [definition.selection_set] if definition is not None else []
