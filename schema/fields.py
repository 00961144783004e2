"""`field`: a resolver whose GraphQL type is not its Python type, because resolvers return contracts' own objects."""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


def field(description: str, returns: Any) -> Callable[[Resolver], Resolver]:
    """Make a method a field that answers this GraphQL type."""

    def decorate(resolver: Resolver) -> Resolver:
        declared: Any = strawberry.field(description=description, graphql_type=returns)(resolver)
        made: Resolver = declared
        return made

    return decorate
