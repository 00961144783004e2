"""Subscriptions in process: what batches hold, what filters leave out, and what a batch costs the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from resolvers.context import RequestContext
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.runs import IngestSpans
from tests.resolvers.conftest import SCHEMA, Ask, govern
from tests.resolvers.spans import export

FROM_THE_START = "WyJldmVudHMiLDBd"
COSTS = {
    "runUpdated": {
        "cursor": 0,
        "cursor events { cursor kind occurredAt runId }": 0,
        "events { run { id } }": 5,
        "events { run { evidence { sources { domain } } } }": 6,
        "events { run { proof { integrity { verificationStatus } } signals { totalCount } } }": 7,
    },
    "signalRaised": {"events { signalId }": 0, "events { signal { id feedback { acknowledged } run { id } } }": 7},
    "incidentChanged": {"events { incidentId }": 0, "events { incident { id sourceRun { id } } }": 6},
    "auditEntryAppended": {"events { entryId }": 0, "events { entry { id eventType } }": 5},
}
"""Statements of one batch with events, by what is selected; four of them are every snapshot's own."""


@asynccontextmanager
async def batches(runtime: Runtime, by: Principal, document: str) -> AsyncIterator[Any]:
    """The results of a subscription after its first, and the context."""
    async with RequestContext(runtime.registry, by, "test-request") as context:
        results: Any = await SCHEMA.stream(f"subscription {document}", context_value=context)
        async with aclosing(results):
            first = await anext(results)
            assert first.errors is None, first.errors
            yield results, context


class TestABatch:
    @pytest.mark.parametrize(("field", "selected"), [(name, one) for name, of in COSTS.items() for one in of])
    @pytest.mark.parametrize("count", [1, 50])
    async def test_costs_the_same_for_one_event_and_for_fifty(
        self, runtime: Runtime, principal: Principal, field: str, selected: str, count: int
    ) -> None:
        await govern(runtime, principal, 50)
        document = f'{{ {field}(after: "{FROM_THE_START}", first: {count}) {{ events {{ __typename }} {selected} }} }}'
        async with batches(runtime, principal, document) as (results, context):
            before = context._session.statements
            batch = await asyncio.wait_for(anext(results), 60)
            await context.renew()
        assert batch.errors is None, batch.errors
        assert len(batch.data[field]["events"]) == min(count, available(field))
        assert context._session.statements - before == COSTS[field][selected]

    async def test_shows_the_object_as_it_is_now(self, runtime: Runtime, principal: Principal) -> None:
        document = "{ runUpdated { events { kind run { agentName proof { integrity { verificationStatus } } } } } }"
        async with batches(runtime, principal, document) as (results, _):
            (await runtime.registry.execute("activity.ingest_spans", IngestSpans(export(1)), principal)).unwrap()
            (event,) = (await anext(results)).data["runUpdated"]["events"]
        assert event["kind"] == "ADDED"
        assert event["run"]["proof"]["integrity"]["verificationStatus"] == "VERIFIED"


def available(field: str) -> int:
    """How many events of a field's topic the tenant of 50 governed runs has, up to 50."""
    return 4 if field == "auditEntryAppended" else 50


class TestAFilter:
    async def test_leaves_out_what_does_not_match(self, runtime: Runtime, principal: Principal) -> None:
        document = '{ runUpdated(filter: { agentId: "agent-1" }) { events { run { agentId } } } }'
        async with batches(runtime, principal, document) as (results, _):
            (await runtime.registry.execute("activity.ingest_spans", IngestSpans(export(6)), principal)).unwrap()
            found = (await anext(results)).data["runUpdated"]["events"]
        assert found == [{"run": {"agentId": "agent-1"}}] * 2

    @pytest.mark.parametrize("wanted", ['{ text: "" }', '{ startedAfter: "0001-01-01T00:00:00+14:00" }'])
    async def test_that_is_wrong_is_a_typed_error(self, ask: Ask, principal: Principal, wanted: str) -> None:
        del principal
        answer = await ask(f"subscription {{ runUpdated(filter: {wanted}) {{ cursor }} }}")
        assert answer.codes == ["VALIDATION"]

    async def test_of_the_wrong_type_never_begins(self, ask: Ask) -> None:
        assert (await ask("subscription { runUpdated(filter: { status: [DONE] }) { cursor } }")).codes == ["VALIDATION"]


class TestTheCursorOfAQuery:
    async def test_goes_with_the_list_that_was_read_beside_it(
        self, runtime: Runtime, principal: Principal, ask: Ask
    ) -> None:
        await govern(runtime, principal, 2)
        read = (await ask("{ eventCursor runs { totalCount } }")).data
        (await runtime.registry.execute("activity.ingest_spans", IngestSpans(export(3)), principal)).unwrap()
        document = f'{{ runUpdated(after: "{read["eventCursor"]}") {{ events {{ kind }} }} }}'
        async with batches(runtime, principal, document) as (results, _):
            found = (await anext(results)).data["runUpdated"]["events"]
        assert found == [{"kind": "ADDED"}] * 3


class TestArguments:
    @pytest.mark.parametrize("field", COSTS)
    @pytest.mark.parametrize(
        ("arguments", "name"), [("first: 0", "first"), ("first: 101", "first"), ('after: "x"', "after")]
    )
    async def test_that_are_wrong_are_typed_errors(self, ask: Ask, field: str, arguments: str, name: str) -> None:
        answer = await ask(f"subscription {{ {field}({arguments}) {{ cursor }} }}")
        assert (answer.codes, answer.errors[0].extensions["field"]) == (["VALIDATION"], name)
