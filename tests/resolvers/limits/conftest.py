"""GraphQL in process, under limits of a test's own."""

from collections.abc import Awaitable
from typing import Any, Protocol

import pytest
from msgspec import structs

from resolvers.context import RequestContext
from resolvers.errors import Schema
from resolvers.limits.bounds import Bounds
from resolvers.schema import build_schema
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal

OPEN = Bounds(max_depth=50, max_introspection_depth=50, max_aliases=10_000, max_query_cost=10**9, points_per_key=10**9)
"""Nothing is refused before it is executed; a key never runs dry."""


class AskUnder(Protocol):
    """`await ask_under(schema, query, variables)`: the answer as a client would see it."""

    def __call__(
        self, schema: Schema, query: str, variables: dict[str, Any] | None = None, *, by: Principal | None = None
    ) -> Awaitable[Any]: ...


@pytest.fixture
def ask_under(runtime: Runtime, principal: Principal) -> AskUnder:
    """GraphQL without HTTP, over a schema of the test's own."""

    async def ask(
        schema: Schema, query: str, variables: dict[str, Any] | None = None, *, by: Principal | None = None
    ) -> Any:
        async with RequestContext(runtime.registry, by or principal, "test-request") as context:
            return await schema.execute(query, variable_values=variables, context_value=context)

    return ask


def schema_under(**changes: Any) -> Schema:
    """A schema with these limits, and none else."""
    return build_schema(structs.replace(OPEN, **changes))


def codes(answer: Any) -> list[str]:
    """The code of each error."""
    return [error.extensions["code"] for error in answer.errors or ()]
