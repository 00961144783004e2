"""What plans cover, what they leave to graphql-core, and what is noticed of it."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import OperationType, get_introspection_query
from msgspec import structs

from resolvers.context import RequestContext
from resolvers.execution.plans import MOST_CREDIT
from resolvers.execution.run import PLANS, REPLAYS
from resolvers.schema import build_schema
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.errors import Unavailable
from spine.contracts.operations import OperationResult
from tests.resolvers.conftest import first_of
from tests.resolvers.limits.conftest import codes, schema_under
from tests.resolvers.test_statements import CONSOLE

RUNS = "{ runs(first: 3) { totalCount nodes { id signals { nodes { id run { id } } } } } }"
CREATE = 'mutation { createLimit(input: {name: "n", limitType: FAILURES, maxValue: "3"}) { limit { id } } }'
FOLLOWED = "subscription { runUpdated { cursor events { runId run { id } } } }"

POINTS_OF_RUNS = 5
"""What the operation costs that lists runs."""

Answered = Callable[[str, OperationResult[Any]], OperationResult[Any]]


class Answering(RequestContext):
    """A request whose operations' answers are changed, and counted."""

    def __init__(self, runtime: Runtime, principal: Principal, answered: Answered) -> None:
        super().__init__(runtime.registry, principal, "test-request")
        self.dispatched: list[str] = []
        self._answered = answered

    async def dispatch(self, operation: str, request: Any) -> OperationResult[Any]:
        """The changed answer."""
        self.dispatched.append(operation)
        return self._answered(operation, await super().dispatch(operation, request))


def plans_of(schema: Any) -> dict[OperationType, list[Any]]:
    """The plans that a schema has made, and None for variants that it could not make, by the operation's kind."""
    found: dict[OperationType, list[Any]] = {}
    for operation in schema._schema.extensions[PLANS]._operations.values():
        found.setdefault(operation.node.operation, []).extend(operation.plans.values())
    return found


@pytest.mark.usefixtures("governed")
class TestCovered:
    async def test_are_queries_and_the_events_of_subscriptions(self, runtime: Runtime, principal: Principal) -> None:
        schema = build_schema()
        async with RequestContext(runtime.registry, principal, "test-request") as context:
            assert (await schema.execute(CONSOLE, {"first": 50}, context)).errors is None
            assert (await first_of(await schema.stream(FOLLOWED, context_value=context))).errors is None
        plans = plans_of(schema)
        assert set(plans) == {OperationType.QUERY, OperationType.SUBSCRIPTION}
        assert None not in [*plans[OperationType.QUERY], *plans[OperationType.SUBSCRIPTION]]

    @pytest.mark.parametrize(
        "text", [CREATE, get_introspection_query(), "{ __schema { types { name } } viewer { tenant } }"]
    )
    async def test_are_not_writes_nor_introspection(self, runtime: Runtime, principal: Principal, text: str) -> None:
        schema = schema_under(max_work_ms=60_000)
        async with RequestContext(runtime.registry, principal, "test-request") as context:
            assert (await schema.execute(text, context_value=context)).errors is None
        assert [one for plans in plans_of(schema).values() for one in plans if one is not None] == []

    async def test_are_far_fewer_places_than_a_small_document_can_unfold_to(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        pairs = [
            f"fragment F{n} on Run {{ a: parentRun {{ ...F{n + 1} }} b: parentRun {{ ...F{n + 1} }} }}"
            for n in range(10)
        ]
        text = "{ runs(first: 1) { nodes { ...F0 } } } " + " ".join(pairs) + " fragment F10 on Run { id }"
        schema = schema_under()
        async with RequestContext(runtime.registry, principal, "test-request") as context:
            assert (await schema.execute(text, context_value=context)).errors is None
        assert plans_of(schema) == {OperationType.QUERY: [None]}


@pytest.mark.usefixtures("governed")
class TestTime:
    async def test_is_looked_at_within_a_list(self, runtime: Runtime, principal: Principal) -> None:
        """All objects are made in one go, without an await between them."""
        text = "{ runs(first: 50) { nodes { id } edges { node { id } } } }"
        async with RequestContext(runtime.registry, principal, "test-request") as context:
            answer: Any = await schema_under(max_work_ms=0).execute(text, context_value=context)
        assert (answer.data, codes(answer)) == (None, ["EXECUTION_TIMEOUT"])
        assert context.meter.points == POINTS_OF_RUNS + 64


@pytest.mark.usefixtures("governed")
class TestWhatFails:
    async def test_below_a_deferred_field_is_told_there_without_a_replay(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        def answered(operation: str, result: OperationResult[Any]) -> OperationResult[Any]:
            failed = operation == "activity.signals_for_runs"
            return OperationResult(operation, None, Unavailable("signals can't be read")) if failed else result

        before = REPLAYS._value.get()
        async with Answering(runtime, principal, answered) as context:
            answer: Any = await build_schema().execute(RUNS, context_value=context)
        assert [one["signals"] for one in answer.data["runs"]["nodes"]] == [None] * 3
        assert [one.path for one in answer.errors] == [["runs", "nodes", place, "signals"] for place in range(3)]
        assert {one.extensions["code"] for one in answer.errors} == {"UNAVAILABLE"}
        assert context.dispatched == ["activity.runs", "activity.signals_for_runs"]
        assert REPLAYS._value.get() == before

    async def test_in_a_way_that_no_plan_foresees_is_replayed_and_counted_but_not_for_ever(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        def answered(operation: str, result: OperationResult[Any]) -> OperationResult[Any]:
            page: Any = result.value
            return (
                structs.replace(result, value=structs.replace(page, total_count=None))
                if operation == "activity.runs"
                else result
            )

        schema, before, dispatched = build_schema(), REPLAYS._value.get(), 0
        for _ in range(12):
            async with Answering(runtime, principal, answered) as context:
                answer: Any = await schema.execute("{ runs(first: 3) { totalCount } }", context_value=context)
            assert answer.data is None
            assert [(one.path, one.extensions["code"]) for one in answer.errors] == [
                (["runs", "totalCount"], "INTERNAL")
            ]
            dispatched += len(context.dispatched)
        assert REPLAYS._value.get() - before == MOST_CREDIT
        assert dispatched == 12 + MOST_CREDIT

    async def test_is_read_anew_by_a_replay(self, runtime: Runtime, principal: Principal) -> None:
        """A value that was wrong once: the replay answers what is true."""
        wrong = iter([True])

        def answered(operation: str, result: OperationResult[Any]) -> OperationResult[Any]:
            page: Any = result.value
            spoil = operation == "activity.runs" and next(wrong, False)
            return structs.replace(result, value=structs.replace(page, total_count=None)) if spoil else result

        async with Answering(runtime, principal, answered) as context:
            answer: Any = await build_schema().execute(RUNS, context_value=context)
        assert answer.errors is None
        assert answer.data["runs"]["totalCount"] == 50
        assert context.dispatched.count("activity.runs") == 2
