"""What is computed when runs are read: latency beside the agent's own habit, and evidence health."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, LatencyBucket, RunStatus
from spine.contracts.paging import PageRequest
from spine.contracts.runs import CompleteRun, CountRuns, ListRuns, RunFilter, RunGrouping, RunSummary, StartRun
from tests.conftest import Execute

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
SERVICE = Actor(ActorKind.SERVICE, None, None)


async def ended(execute: Execute, principal: Principal, agent: str, seconds: int) -> None:
    """Report a run of this agent that took so long."""
    start = StartRun(
        idempotency_key=uuid4().hex, agent_id=agent, actor=SERVICE, origin_system_id="test", started_at=START
    )
    key = (await execute("activity.start_run", start, principal)).unwrap().run_key
    end = CompleteRun(
        idempotency_key=uuid4().hex,
        run_key=key,
        status=RunStatus.SUCCEEDED,
        completed_at=START + timedelta(seconds=seconds),
    )
    (await execute("activity.complete_run", end, principal)).unwrap()


async def listed(execute: Execute, principal: Principal, wanted: RunFilter | None = None) -> list[RunSummary]:
    """The runs that a filter lets through."""
    request = ListRuns(page=PageRequest(100), filter=wanted or RunFilter())
    return list((await execute("activity.runs", request, principal)).unwrap().nodes)


class TestLatencyBucket:
    async def test_a_run_is_slow_beside_its_own_agents_median_not_beside_others(
        self, execute: Execute, principal: Principal
    ) -> None:
        for seconds in (10, 10, 10, 25):
            await ended(execute, principal, "quick", seconds)
        for _ in range(3):
            await ended(execute, principal, "patient", 1000)
        found = {(run.agent_id, run.duration_ms): run.latency_bucket for run in await listed(execute, principal)}
        assert found == {
            ("quick", 10_000): LatencyBucket.OK,
            ("quick", 25_000): LatencyBucket.SLOW,
            ("patient", 1_000_000): LatencyBucket.OK,
        }

    async def test_filter_and_counts_agree_with_what_each_run_shows(
        self, execute: Execute, principal: Principal
    ) -> None:
        for seconds in (10, 10, 10, 25):
            await ended(execute, principal, "quick", seconds)
        await ended(execute, principal, "patient", 1000)
        slow = await listed(execute, principal, RunFilter(latency_bucket=(LatencyBucket.SLOW,)))
        assert [run.duration_ms for run in slow] == [25_000]
        counting = CountRuns(filter=RunFilter(), group_by=RunGrouping.LATENCY_BUCKET)
        stats = (await execute("activity.run_stats", counting, principal)).unwrap()
        assert {group.value: group.count for group in stats.groups} == {"OK": 4, "SLOW": 1}
