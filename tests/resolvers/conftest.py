"""Fixtures: GraphQL in process, and a tenant with runs, rules and limits."""

import asyncio
from collections.abc import Awaitable
from contextlib import aclosing
from decimal import Decimal
from typing import Any, Protocol

import pytest

from resolvers.context import RequestContext
from resolvers.schema import build_schema
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import Consequence, LimitType, RuleMode
from spine.contracts.governance import CreateLimit, CreatePolicyRule
from spine.contracts.runs import IngestSpans
from tests.resolvers.spans import export

SCHEMA = build_schema()


class Answer:
    """What a request gave, and what it cost the database."""

    def __init__(self, result: Any, statements: int, round_trips: int) -> None:
        self.data: Any = result.data
        self.errors: list[Any] = result.errors or []
        self.statements = statements
        self.round_trips = round_trips

    @property
    def codes(self) -> list[str]:
        """The code of each error."""
        return [error.extensions["code"] for error in self.errors]


class Ask(Protocol):
    """`await ask(query, variables)` as the test's principal, or as another."""

    def __call__(
        self, query: str, variables: dict[str, Any] | None = None, *, by: Principal | None = None
    ) -> Awaitable[Answer]: ...


@pytest.fixture
def ask(runtime: Runtime, principal: Principal) -> Ask:
    """GraphQL without HTTP."""

    async def run(query: str, variables: dict[str, Any] | None = None, *, by: Principal | None = None) -> Answer:
        async with RequestContext(runtime.registry, by or principal, "test-request") as context:
            if query.startswith("subscription"):
                result = await first_of(await SCHEMA.stream(query, variable_values=variables, context_value=context))
            else:
                result = await SCHEMA.execute(query, variable_values=variables, context_value=context)
        return Answer(result, context._session.statements, context._session.round_trips)

    return run


async def first_of(results: Any) -> Any:
    """The first result of a subscription, which is ended then."""
    async with aclosing(results):
        return await anext(results)


@pytest.fixture
def governed(event_loop: asyncio.AbstractEventLoop, runtime: Runtime, principal: Principal) -> Principal:
    """The tenant, with 50 runs that have an incident, evaluations, a breach, a decision and signals each."""
    event_loop.run_until_complete(govern(runtime, principal, 50))
    return principal


async def govern(runtime: Runtime, principal: Principal, count: int) -> None:
    """Write a rule and a limit, and take so many runs that break both."""
    rule = CreatePolicyRule(
        name="no booking",
        condition='step.skill_name == "book_flight"',
        mode=RuleMode.BLOCK,
        consequence=Consequence.INCIDENT,
    )
    limit = CreateLimit(name="few tokens", limit_type=LimitType.TOKENS_TOTAL, max_value=Decimal(50))
    for name, request in (
        ("policies.create_rule", rule),
        ("controls.create_limit", limit),
        ("activity.ingest_spans", IngestSpans(export(count, failed=True))),
    ):
        (await runtime.registry.execute(name, request, principal)).unwrap()
