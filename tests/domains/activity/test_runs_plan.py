"""What the database does for a list of runs: nothing that grows with runs times agents."""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from domains.activity.driver_runs import RunClock, run_groups, runs_count, runs_page
from spine.contracts.actors import Principal
from spine.contracts.enums import LatencyBucket
from spine.contracts.paging import PageRequest
from spine.contracts.runs import CountRuns, ListRuns, RunFilter, RunGrouping
from spine.contracts.statements import Read
from spine.storage.compiling import compiled
from tests.conftest import Execute
from tests.domains.activity.test_runs_read import ended

CLOCK = RunClock(1_800_000_000_000_000_000, 60_000_000_000)
SLOW = RunFilter(latency_bucket=(LatencyBucket.SLOW,))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def loops_over_the_past(connect: dict[str, Any], principal: Principal, read: Read[Any]) -> int:
    """How often the durations of an agent's runs are read."""
    statement = compiled(read.statement)
    given = statement.arguments({**read.params, "tenant_id": principal.tenant_id})
    connection = await asyncpg.connect(**connect)
    try:
        [row] = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}", *given)
    finally:
        await connection.close()
    found = nodes(json.loads(row[0])[0]["Plan"])
    loops = [int(node["Actual Loops"]) for node in found if str(node.get("Alias", "")).startswith("past")]
    return max(loops, default=0)


class TestMedians:
    @pytest.mark.parametrize(
        "read",
        [
            runs_count(SLOW, CLOCK),
            run_groups(CountRuns(filter=RunFilter(), group_by=RunGrouping.LATENCY_BUCKET), CLOCK),
        ],
    )
    async def test_a_median_is_computed_once_for_each_agent_not_for_each_run(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any], read: Read[Any]
    ) -> None:
        """Over 50,000 runs of 220 agents it took two seconds instead of a tenth of one."""
        for agent in ("a", "b"):
            for seconds in (1, 2, 9):
                await ended(execute, principal, agent, seconds)
        assert await loops_over_the_past(superuser, principal, read) == 2

    async def test_none_is_computed_for_a_page_that_does_not_ask_for_it(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await ended(execute, principal, "a", 1)
        for latency, loops in ((True, 1), (False, 0)):
            request = ListRuns(page=PageRequest(50), latency=latency)
            assert await loops_over_the_past(superuser, principal, runs_page(request, None, CLOCK)) == loops
