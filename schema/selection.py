"""Look-ahead: what a query selects below a field, read from its text.

Strawberry's `selected_fields` ignores @skip and @include, so this is an own walk over fields, inline fragments and
spreads. Type conditions need no check: below an object type, validation lets through only those that apply.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import strawberry
from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLResolveInfo,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    value_from_ast_untyped,
)
from graphql.pyutils import Path


class Selection:
    """The fields selected below one field (all its occurrences together), by name; aliases make several nodes."""

    def __init__(self, nodes: Iterable[FieldNode], info: GraphQLResolveInfo[Any]) -> None:
        self._info = info
        self._variables: Any = info.variable_values  # Strawberry hands on the plain dict
        self._fragments = info.fragments
        self._spread: set[str] = set()
        self.fields: dict[str, list[FieldNode]] = {}
        for node in nodes:
            for field in self._walk(node.selection_set):
                self.fields.setdefault(field.name.value, []).append(field)

    def __contains__(self, field: str) -> bool:
        """Whether a field is selected, by its GraphQL name."""
        return field in self.fields

    def below(self, field: str) -> "Selection":
        """What is selected below a field, all its occurrences together."""
        return Selection(self.fields.get(field, ()), self._info)

    def arguments(self, field: str) -> list[dict[str, Any]]:
        """The arguments of each occurrence of a field; absent ones and absent variables are left out."""
        return [self._values(node) for node in self.fields.get(field, ())]

    def _values(self, node: FieldNode | DirectiveNode) -> dict[str, Any]:
        given = {one.name.value: value_from_ast_untyped(one.value, self._variables) for one in node.arguments or ()}
        return {name: value for name, value in given.items() if value is not None and value is not Undefined}

    def _walk(self, selections: SelectionSetNode | None) -> Iterator[FieldNode]:
        for node in selections.selections if selections is not None else ():
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._walk(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in self._spread:
                self._spread.add(node.name.value)  # as the executor does; else nested spreads double each time
                yield from self._walk(self._fragments[node.name.value].selection_set)

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            wanted = {"skip": False, "include": True}.get(directive.name.value)
            if wanted is not None and bool(self._values(directive).get("if")) is not wanted:
                return False
        return True


def raw(info: strawberry.Info) -> GraphQLResolveInfo[Any]:
    """graphql-core's own info, which Strawberry keeps private."""
    return info._raw_info  # noqa: SLF001


def selection(info: strawberry.Info) -> Selection:
    """What the query selects below the field that is being resolved."""
    core = raw(info)
    return Selection(core.field_nodes, core)


def single_parent(info: strawberry.Info) -> bool:
    """Whether no list lies above the field, so that it is resolved for one parent only."""
    path: Path | None = info.path
    while path is not None:
        if isinstance(path.key, int):
            return False
        path = path.prev
    return True
