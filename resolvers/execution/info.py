"""Strawberry's info of a field that a plan executes, made when a resolver asks for more than its place and context."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import GraphQLResolveInfo
from graphql.pyutils import Path

from resolvers.execution.classify import Field

if TYPE_CHECKING:
    from resolvers.execution.run import PlannedExecutor


class PlannedInfo(strawberry.Info[Any, Any]):
    """As cheap as its three facts: most resolvers that take an info look at it in rare cases only."""

    def __init__(self, run: "PlannedExecutor", place: Field, path: Path) -> None:
        self._run = run
        self._place = place
        self._path = path

    @cached_property
    def _raw_info(self) -> GraphQLResolveInfo[Any]:  # type: ignore[override]
        return self._run.raw_info(self._place, self._path)

    @property
    def _field(self) -> Any:  # type: ignore[override]
        return self._place.declared

    @property
    def path(self) -> Path:
        """Where the field stands in the answer."""
        return self._path

    @property
    def context(self) -> Any:
        """The request's context."""
        return self._run.context_value
