"""The limits where every transport passes: between validation and execution of Strawberry's schema.

A request that is refused has not been executed: its errors are set like those of validation, so they come over POST,
GET, WebSocket and SSE alike. Both extensions are made for each request; what they remember is the `Guard`'s, one of
each schema. A subscription pays once, when it begins: its events are bounded by its socket and by time.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import strawberry
from graphql import GraphQLError, specified_rules
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document
from strawberry.types.graphql import OperationType

from resolvers.limits.bounds import Bounds
from resolvers.limits.budgets import Budgets, Charge
from resolvers.limits.costs import Costs
from resolvers.limits.documents import ByDocument, document_errors
from resolvers.limits.meter import Meter
from spine.contracts.access import LeasePoints, PointsLeased, RateLimit
from spine.contracts.errors import HocError, QueryTooComplex, Unavailable
from spine.contracts.operations import Operation


class Guard:
    """What the limits of one schema, in one process, remember."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.budgets = Budgets(bounds)
        self.errors = ByDocument(lambda document, _operation: document_errors(document, bounds))
        self.costs: Costs
        self.validated: ByDocument[list[GraphQLError]]

    def price(self, schema: strawberry.Schema, operations: Iterable[Operation]) -> None:
        """Learn what the schema's fields cost; RegistryError when one of them can't be priced."""
        self.costs = Costs(schema, operations)
        self.weights = ByDocument(self.costs.of)
        graph, rules = schema._schema, tuple(specified_rules)  # noqa: SLF001 - as Strawberry validates
        self.validated = ByDocument(lambda document, _operation: validate_document(graph, document, rules))

    def meter(self) -> Meter:
        """The meter of an execution that begins now."""
        bounds = self.bounds
        return Meter(self.costs.units, deadline_s=bounds.deadline_s, max_work_s=bounds.max_work_ms / 1_000)


class LimitedValidation(SchemaExtension):
    """Validates each document once, and only one that is not too large a thing to validate.

    Strawberry's ValidationCache finds a document by its hash, which is that of all its nodes: half a millisecond.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def on_operation(self) -> None:  # type: ignore[override]
        """Have the parser stop at too many tokens."""
        self.execution_context.parse_options["max_tokens"] = self._guard.bounds.max_tokens

    def on_validate(self) -> None:  # type: ignore[override]
        """The document's own errors, or what validation says."""
        document: Any = self.execution_context.graphql_document
        self.execution_context.pre_execution_errors = self._guard.errors.of(document) or self._guard.validated.of(
            document
        )


class PointsLimit(SchemaExtension):
    """Takes a query's points from its key before the execution, and puts back what it did not use."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._charge: Charge | None = None
        self._requested = 0

    def on_operation(self) -> None:  # type: ignore[override]
        """The request's time begins."""
        self.execution_context.context.meter = self._guard.meter()

    async def on_validate(self) -> None:  # type: ignore[override]
        """Refuse a valid operation that costs too much, or more than its key has."""
        request = self.execution_context
        if not request.pre_execution_errors:
            try:
                await self._admit()
            except HocError as error:
                request.pre_execution_errors = [GraphQLError(error.message, original_error=error)]

    def on_execute(self) -> Iterator[None]:
        """Settle when the execution ends, however it does."""
        try:
            yield
        finally:
            if self._charge is not None and not self._lasting():
                self._charge.settle(self._used())

    def get_results(self) -> dict[str, Any]:
        """`extensions.cost` of the answer."""
        remaining = self._guard.budgets.remaining(self.execution_context.context.principal)
        return {"cost": {"requested": self._requested, "actual": self._used(), "remaining": remaining}}

    async def _admit(self) -> None:
        request, guard = self.execution_context, self._guard
        document: Any = request.graphql_document
        weight = guard.weights.of(document, request.operation_name)
        self._requested = max(1, weight.total(request.variables or {}))
        if self._requested > guard.bounds.max_query_cost:
            raise QueryTooComplex("the cost in points", self._requested, guard.bounds.max_query_cost)
        self._charge = await guard.budgets.take(request.context.principal, self._requested, self._lease)
        request.context.standing = self._standing

    async def _lease(self, wanted: LeasePoints) -> PointsLeased:
        """Lease points within the time that the whole request has; Unavailable when the database does not answer."""
        context = self.execution_context.context
        try:
            async with asyncio.timeout_at(context.meter.deadline):
                leased: PointsLeased = await context.keep_books("api_keys.lease_points", wanted)
        except TimeoutError:
            raise Unavailable("the database did not answer in time") from None
        return leased

    def _standing(self) -> RateLimit:
        return self._guard.budgets.rate_limit(self.execution_context.context.principal, self._requested)

    def _lasting(self) -> bool:
        """Whether this is a subscription, which has paid for its first batch and goes on for nothing."""
        return self.execution_context.operation_type is OperationType.SUBSCRIPTION

    def _used(self) -> int:
        """What was really taken: never more than was set aside, nor nothing; all of it by what had to be stopped."""
        if self._charge is None:
            return 0
        meter: Meter = self.execution_context.context.meter
        return self._requested if meter.stopped else max(1, min(self._requested, meter.points))
