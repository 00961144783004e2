"""Resolvers whose GraphQL type is not their Python type, because they return contracts' own objects."""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


def field(description: str, returns: Any, *operations: str) -> Callable[[Resolver], Resolver]:
    """Make a method a field that answers this GraphQL type; a root field names the operations that it may dispatch."""

    def decorate(resolver: Resolver) -> Resolver:
        facts = {"operations": operations}
        declared: Any = strawberry.field(description=description, graphql_type=returns, metadata=facts)(resolver)
        made: Resolver = declared
        return made

    return decorate


def subscription(description: str, returns: Any, *operations: str) -> Callable[[Resolver], Resolver]:
    """Make an async generator a subscription's root field that delivers this type; it names its operations, too."""

    def decorate(resolver: Resolver) -> Resolver:
        facts = {"operations": operations}
        declared: Any = strawberry.subscription(description=description, graphql_type=returns, metadata=facts)(resolver)
        made: Resolver = declared
        return made

    return decorate
