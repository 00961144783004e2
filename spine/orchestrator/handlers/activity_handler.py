"""Runs and agents: reading them, following them, and reporting runs."""

from uuid import UUID

from domains.activity import driver_agents, driver_runs, engine_reports
from spine.contracts.enums import ChangeKind, OperationKind, Permission, Topic
from spine.contracts.errors import Unreadable, ValidationFailed
from spine.contracts.events import Event, Feed, Follow, RunsAmong, RunUpdate
from spine.contracts.operations import Invariant, Operation
from spine.contracts.paging import Page
from spine.contracts.runs import (
    AgentSummary,
    AppendSteps,
    CompleteRun,
    CountRuns,
    ListAgents,
    ListRuns,
    RunChanged,
    RunGroup,
    RunsByKey,
    RunStats,
    RunSummary,
    StartRun,
)
from spine.orchestrator.context import ReadContext, StreamContext
from spine.orchestrator.coordinators.evidence_capture_coordinator import keep_steps_failure
from spine.orchestrator.coordinators.recording import CAPABILITIES
from spine.orchestrator.coordinators.run_lifecycle_coordinator import append_steps, complete_run, start_run
from spine.orchestrator.disclosures import of_batch, of_page
from spine.orchestrator.handlers.events_handler import check_follow
from spine.services.clock import to_ns
from spine.services.ids import node_id
from spine.services.instants import check_instant
from spine.storage.keyset import Keyset, first_of, page_of

RUNS = Keyset("activity.runs", (int, UUID))
AGENTS = Keyset("activity.agents", (str,))

MAX_TEXT = 500


def check_runs(request: ListRuns | CountRuns | RunsAmong) -> None:
    """A text to search for is neither empty nor longer than 500 characters."""
    text = request.filter.text
    if text is not None and not 1 <= len(text) <= MAX_TEXT:
        raise ValidationFailed(f"a text to search for has 1 to {MAX_TEXT} characters", field="text")
    check_instant(request.filter.started_after, "startedAfter")
    check_instant(request.filter.started_before, "startedBefore")
    check_instant(request.filter.completed_after, "completedAfter")
    check_instant(request.filter.completed_before, "completedBefore")


def check_agents(request: ListAgents) -> None:
    """Times are such as can be compared with stored ones."""
    check_instant(request.started_after, "startedAfter")
    check_instant(request.started_before, "startedBefore")


def _clock(ctx: ReadContext) -> driver_runs.RunClock:
    return driver_runs.RunClock(to_ns(ctx.now), ctx.config.stalled_after_s * 1_000_000_000)


async def list_runs(ctx: ReadContext, request: ListRuns) -> Page[RunSummary | Unreadable]:
    """A page of runs; an error stands for one that cannot be read."""
    first = first_of(request.page)
    after = None if request.page.after is None else RUNS.values(request.page.after)
    clock = _clock(ctx)
    place = None if after is None else (after[0], after[1])
    counted = driver_runs.runs_count(request.filter, clock) if request.count else None
    rows, total = await ctx.session.fetch_counted(driver_runs.runs_page(request, place, clock), counted)
    shown = rows[:first]
    return Page(
        nodes=[run for _, _, run in shown],
        cursors=[RUNS.cursor(started_ns, key) for started_ns, key, _ in shown],
        has_next_page=len(rows) > first,
        total_count=total,
    )


async def runs_by_key(ctx: ReadContext, request: RunsByKey) -> dict[UUID, RunSummary | Unreadable]:
    """The runs that exist of these keys; an error stands for one that cannot be read."""
    runs = await ctx.session.fetch(driver_runs.run_summaries(request.run_keys, _clock(ctx)))
    return {key: run for _, key, run in runs}


async def run_updates(ctx: StreamContext, request: Follow) -> Feed[RunUpdate]:
    """Runs as they appear, change and are withdrawn."""
    return await ctx.follow(Topic.RUNS, request, _run_update)


def _run_update(event: Event, cursor: str) -> RunUpdate:
    shown = None if event.kind is ChangeKind.WITHDRAWN else event.key
    return RunUpdate(
        cursor=cursor,
        kind=event.kind,
        occurred_at=event.occurred_at,
        run_id=node_id("Run", event.key),
        run_key=shown,
    )


async def runs_among(ctx: ReadContext, request: RunsAmong) -> frozenset[UUID]:
    """Which of these runs the filter lets through, as they are now."""
    return frozenset(await ctx.session.fetch(driver_runs.runs_among(request.run_keys, request.filter, _clock(ctx))))


async def run_stats(ctx: ReadContext, request: CountRuns) -> RunStats:
    """How many runs share each value."""
    rows = await ctx.session.fetch(driver_runs.run_groups(request, _clock(ctx)))
    total = rows[0][2] if rows else 0
    groups = tuple(RunGroup(value, count, round(100 * count / total, 2)) for value, count, _ in rows)
    return RunStats(request.group_by, total, groups)


async def list_agents(ctx: ReadContext, request: ListAgents) -> Page[AgentSummary]:
    """A page of agents, by their identifiers."""
    first = first_of(request.page)
    after = None if request.page.after is None else str(AGENTS.values(request.page.after)[0])
    counted = driver_agents.agents_count(request) if request.count else None
    rows, total = await ctx.session.fetch_counted(driver_agents.agents_page(request, after), counted)
    return page_of(rows, first, lambda agent: AGENTS.cursor(agent.agent_id), total)


BI_ACTIVITY_001 = Invariant("BI-ACTIVITY-001", "a run needs a project", lambda request: bool(request.project_id))

REPORTING = (*CAPABILITIES, "activity.run_reporting_capability")

OPERATIONS = (
    Operation(
        name="activity.runs",
        kind=OperationKind.READ,
        request=ListRuns,
        result=Page[RunSummary | Unreadable],
        handler=list_runs,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=5,
        validate=check_runs,
        summary="A page of runs.",
        discloses=of_page,
    ),
    Operation(
        name="activity.runs_by_key",
        kind=OperationKind.READ,
        request=RunsByKey,
        result=RunSummary,
        handler=runs_by_key,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=1,
        batch_key="run_keys",
        discloses=of_batch,
        summary="Runs by key.",
    ),
    Operation(
        name="activity.run_updates",
        kind=OperationKind.STREAM,
        request=Follow,
        result=Feed[RunUpdate],
        handler=run_updates,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=10,
        validate=check_follow,
        summary="Runs as they appear, change and are withdrawn.",
    ),
    Operation(
        name="activity.runs_among",
        kind=OperationKind.READ,
        request=RunsAmong,
        result=frozenset[UUID],
        handler=runs_among,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=5,
        validate=check_runs,
        summary="Which of some runs a filter lets through.",
    ),
    Operation(
        name="activity.run_stats",
        kind=OperationKind.READ,
        request=CountRuns,
        result=RunStats,
        handler=run_stats,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=10,
        validate=check_runs,
        summary="Runs counted by one of their values.",
    ),
    Operation(
        name="activity.agents",
        kind=OperationKind.READ,
        request=ListAgents,
        result=Page[AgentSummary],
        handler=list_agents,
        permission=Permission.AGENTS_READ,
        cross_domain_deps=(),
        cost=10,
        validate=check_agents,
        summary="A page of agents with runs, cost and error rate.",
    ),
    Operation(
        name="activity.start_run",
        kind=OperationKind.WRITE,
        request=StartRun,
        result=RunChanged,
        handler=start_run,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=REPORTING,
        cost=10,
        idempotent=True,
        validate=engine_reports.check_start,
        before=(BI_ACTIVITY_001,),
        summary="Report that a run begins.",
    ),
    Operation(
        name="activity.append_steps",
        kind=OperationKind.WRITE,
        request=AppendSteps,
        result=RunChanged,
        handler=append_steps,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(*REPORTING, "logs.capture_driver_capability"),
        cost=10,
        idempotent=True,
        validate=engine_reports.check_steps,
        summary="Report steps of a live run.",
        on_failure=keep_steps_failure,
    ),
    Operation(
        name="activity.complete_run",
        kind=OperationKind.WRITE,
        request=CompleteRun,
        result=RunChanged,
        handler=complete_run,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=REPORTING,
        cost=10,
        idempotent=True,
        validate=engine_reports.check_complete,
        summary="Report that a run has ended.",
    ),
)
