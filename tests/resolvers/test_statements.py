"""How many statements a query takes: by its shape, never by the number of rows.

Four are every request's: BEGIN, the settings and SAVEPOINT, which go in one round trip, and ROLLBACK.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from schema.export import SCHEMA_FILE
from tests.resolvers.conftest import Ask

CONSOLE = (SCHEMA_FILE.parent / "operations" / "console.graphql").read_text("utf-8")

INCIDENTS_NEEDS = ("runs", "incidents", "key_budgets")
"""Tables of the list of runs, of the incidents domain, and of what every query costs."""

BELOW_RUNS = {
    "id": 5,
    "evidence { computedAt }": 6,
    "evidence { incidentsCaused { totalCount } }": 6,
    "evidence { incidentsCaused { nodes { sourceRun { id } } } }": 7,
    "evidence { incidentsCaused { nodes { id } } policiesEvaluated { nodes { id } } limitsHit { nodes { id } } }": 6,
    "evidence { sources { domain } }": 6,
    "a: evidence { x: limitsHit(first: 1) { totalCount } y: limitsHit(first: 9) { totalCount } }": 6,
    "a: evidence { limitsHit { totalCount } } b: evidence { computedAt }": 6,
    "proof { verifiedAt }": 6,
    "proof { integrity { verificationStatus } traces { traceId } steps { nodes { spanId } } }": 6,
    "a: proof { verifiedAt } b: proof(includePayloads: true) { rawLogs { input } }": 7,
    "capture { computedAt }": 6,
    "capture { completeness { score grade missing { attribute } } environment { name } policy { count } }": 6,
    "capture { activity(first: 2) { nodes { stepHash } } provider { nodes { model } } failures { totalCount } }": 6,
    "a: capture { activity(first: 1) { totalCount } } b: capture { provider(first: 9) { totalCount } }": 6,
    "proof { verifiedAt } capture { integrity { sealHash } }": 7,
    "signals { totalCount }": 6,
    "few: signals(first: 1) { totalCount } many: signals(first: 50) { nodes { id } }": 6,
    "signals { nodes { feedback { acknowledged } } }": 7,
    "signals { nodes { run { evidence { limitsHit { totalCount } } } } }": 8,
    "parentRun { id }": 5,
}
"""Statements of `runs(first: N) { nodes { … } }`, whatever N."""

ROOTS = {
    "runs(first: %d) { totalCount nodes { id } }": 5,
    "signals(first: %d) { nodes { id run { id } feedback { escalated } } }": 7,
    "incidents(first: %d) { nodes { id sourceRun { id agentName } } }": 6,
    "agents(first: %d) { nodes { id } }": 5,
    "accessRecords(first: %d) { totalCount nodes { id batch { intact } } }": 5,
    "auditEntries(first: %d) { nodes { id actor { kind } } }": 5,
    "policyRules(first: %d) { nodes { id } }": 5,
    "limits(first: %d) { nodes { id } }": 5,
    "modelPrices(first: %d) { nodes { model } }": 5,
    "trustedDocuments(first: %d) { totalCount nodes { id addedBy { kind } } }": 5,
}


@pytest.mark.usefixtures("governed")
class TestByShape:
    async def test_every_path_below_runs_costs_the_same_for_1_and_for_50(self, ask: Ask) -> None:
        queries = {f"{{ runs(first: %d) {{ nodes {{ {path} }} }} }}": cost for path, cost in BELOW_RUNS.items()}
        for first in (1, 50):
            assert await costs(ask, queries, first) == queries

    async def test_every_root_costs_the_same_for_1_and_for_50(self, ask: Ask) -> None:
        queries = {f"{{ {root} }}": cost for root, cost in ROOTS.items()}
        for first in (1, 50):
            assert await costs(ask, queries, first) == queries

    async def test_a_list_that_is_narrowed_says_how_what_stands_below_it_is_planned(self, ask: Ask) -> None:
        for first in (1, 50):
            for given, statements in {"": 6, ", filter: {status: [FAILED, FAILED_POLICY]}": 7}.items():
                answer = await ask(f"{{ runs(first: {first}{given}) {{ nodes {{ signals {{ totalCount }} }} }} }}")
                assert (answer.errors, answer.statements) == ([], statements)

    async def test_nodes_cost_one_statement_for_each_kind(self, ask: Ask) -> None:
        found = await ask("{ runs(first: 50) { nodes { id } } signals(first: 50) { nodes { id } } }")
        ids = [node["id"] for root in ("runs", "signals") for node in found.data[root]["nodes"]]
        for count, statements in ((1, 5), (50, 5), (100, 6)):
            answer = await ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids[:count]})
            assert [node["id"] for node in answer.data["nodes"]] == ids[:count]
            assert answer.statements == statements

    async def test_the_console_takes_9_statements_in_7_round_trips(self, ask: Ask) -> None:
        for first in (1, 50):
            answer = await ask(CONSOLE, {"first": first})
            assert answer.errors == []
            assert len(answer.data["runs"]["edges"]) == first
            assert (answer.statements, answer.round_trips) == (9, 7)


@pytest.mark.usefixtures("governed")
class TestOnlyWhatIsSelected:
    async def test_incidents_alone_touch_only_the_incidents_domain(self, ask: Ask, superuser: dict[str, Any]) -> None:
        """Every other domain's table is locked: whoever touched one would wait, and be refused."""
        query = """{ runs(first: 50) { nodes { evidence {
            incidentsCaused { totalCount } sources { domain status } } } } }"""
        async with locked(superuser, except_for=INCIDENTS_NEEDS):
            answer = await ask(query)
        assert answer.errors == []
        for run in answer.data["runs"]["nodes"]:
            assert run["evidence"]["incidentsCaused"]["totalCount"] == 2
            assert run["evidence"]["sources"] == [{"domain": "INCIDENTS", "status": "OK"}]

    async def test_a_domain_that_cannot_be_read_leaves_the_others_standing(
        self, ask: Ask, superuser: dict[str, Any]
    ) -> None:
        query = """{ runs(first: 2) { nodes { evidence {
            incidentsCaused { totalCount } limitsHit { totalCount } sources { domain status } } } } }"""
        async with locked(superuser, only=("limit_breaches",)):
            answer = await ask(query)
        assert answer.errors == []
        for run in answer.data["runs"]["nodes"]:
            assert run["evidence"]["limitsHit"] is None
            assert run["evidence"]["incidentsCaused"]["totalCount"] == 2
            status = {one["domain"]: one["status"] for one in run["evidence"]["sources"]}
            assert status == {"INCIDENTS": "OK", "CONTROLS": "UNAVAILABLE"}

    async def test_the_total_is_counted_only_when_it_is_selected(self, ask: Ask) -> None:
        query = "query($count: Boolean!) { runs(first: 5) { totalCount @include(if: $count) nodes { id } } }"
        assert (await ask(query, {"count": False})).statements == 5
        answer = await ask(query, {"count": True})
        assert answer.statements == 5
        assert answer.data["runs"]["totalCount"] == 50


async def costs(ask: Ask, queries: Mapping[str, int], first: int) -> dict[str, int]:
    """The statements of each query at this page size."""
    found: dict[str, int] = {}
    for query in queries:
        answer = await ask(query % first)
        assert answer.errors == [], query
        found[query] = answer.statements
    return found


@asynccontextmanager
async def locked(
    superuser: dict[str, Any], *, only: tuple[str, ...] = (), except_for: tuple[str, ...] = ()
) -> AsyncIterator[None]:
    """Hold tables in ACCESS EXCLUSIVE: those named, or all but those named."""
    connection = await asyncpg.connect(**superuser)
    try:
        tables = only or [
            row[0]
            for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            if row[0] not in except_for
        ]
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()
