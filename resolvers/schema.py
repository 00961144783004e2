"""The executable schema: the contract's types with their root fields."""

from copy import copy
from functools import cache, partial

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from resolvers.errors import CachedParser, CodedErrors, Schema
from resolvers.execution.plans import Plans
from resolvers.execution.run import PLANS, PlannedExecutor
from resolvers.limits.bounds import Bounds
from resolvers.limits.extension import Guard, LimitedValidation, PointsLimit
from resolvers.mutation.activity import ActivityMutation
from resolvers.mutation.analytics import AnalyticsMutation
from resolvers.mutation.controls import ControlsMutation
from resolvers.mutation.integrations import IntegrationsMutation
from resolvers.mutation.logs import LogsMutation
from resolvers.mutation.policies import PoliciesMutation
from resolvers.observing import NotedOperation
from resolvers.query.account import AccountQuery
from resolvers.query.activity import ActivityQuery
from resolvers.query.analytics import AnalyticsQuery
from resolvers.query.controls import ControlsQuery
from resolvers.query.events import EventsQuery
from resolvers.query.incidents import IncidentsQuery
from resolvers.query.integrations import IntegrationsQuery
from resolvers.query.logs import LogsQuery
from resolvers.query.nodes import NodeQuery
from resolvers.query.policies import PoliciesQuery
from resolvers.subscription.activity import ActivitySubscription
from resolvers.subscription.incidents import IncidentsSubscription
from resolvers.subscription.logs import LogsSubscription
from schema.export import sdl
from schema.scalars import SCALARS
from spine.bootstrap import catalogue


@strawberry.type(description="Everything that can be read. A query's fields share one snapshot of the database.")
class Query(
    ActivityQuery,
    IncidentsQuery,
    PoliciesQuery,
    ControlsQuery,
    AnalyticsQuery,
    LogsQuery,
    IntegrationsQuery,
    AccountQuery,
    EventsQuery,
    NodeQuery,
):
    """The root of queries."""


@strawberry.type(description="Everything that can be written, each in a transaction of its own, audited within it.")
class Mutation(
    ActivityMutation, PoliciesMutation, ControlsMutation, AnalyticsMutation, LogsMutation, IntegrationsMutation
):
    """The root of mutations."""


@strawberry.type(description="What happens, as it happens. Pass the last cursor as `after` to go on without loss.")
class Subscription(ActivitySubscription, IncidentsSubscription, LogsSubscription):
    """The root of subscriptions."""


@cache
def _contract() -> Schema:
    """Types and fields, which take a seventh of a second to make and are the same whatever the limits."""
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        execution_context_class=PlannedExecutor,
        config=StrawberryConfig(scalar_map=SCALARS, sort_schema=True, disable_field_suggestions=True),
    )


@cache
def contract_text() -> str:
    """The contract as text, for clients."""
    return sdl(_contract())


def build_schema(bounds: Bounds | None = None) -> Schema:
    """The schema, with these limits or the default ones; what its extensions remember is shared by all requests."""
    guard = Guard(bounds or Bounds())
    schema = copy(_contract())
    schema.extensions = (
        CachedParser,
        partial(LimitedValidation, guard),
        CodedErrors,
        partial(PointsLimit, guard),
        NotedOperation,
    )
    schema.bounds = guard.bounds
    schema._schema = graph = _of_its_own(schema._schema)  # noqa: SLF001 - where Strawberry keeps what it executes
    guard.price(schema, catalogue())
    graph._strawberry_schema = schema  # type: ignore[attr-defined]  # noqa: SLF001 - as Strawberry finds it
    graph.extensions = graph.extensions | {PLANS: Plans(guard.costs.units)}  # where its executors find them
    return schema


def _of_its_own(graph: GraphQLSchema) -> GraphQLSchema:
    """The same types, and room for what belongs to one schema; graphql-core's own copy would validate it again."""
    own = object.__new__(GraphQLSchema)
    own.__dict__.update(graph.__dict__)
    return own
