"""Runs, agents and signals: reading them, reporting runs, and leaving feedback on signals.

Feedback changes nothing but the audit ledger: it is appended there and folded when it is read.
"""

from datetime import datetime, timedelta
from uuid import UUID

from domains.activity import driver_agents, driver_runs, driver_signals, engine_reports
from spine.contracts.enums import AuditEntityType, OperationKind, Permission
from spine.contracts.errors import NotFound, Unreadable, ValidationFailed
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Invariant, Operation
from spine.contracts.paging import NestedPage, Page
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
from spine.contracts.signals import (
    ChangeSignal,
    ListSignals,
    SignalChanged,
    SignalProjection,
    SignalsByKey,
    SignalsForRuns,
    SuppressSignal,
)
from spine.orchestrator.context import ReadContext, WriteContext
from spine.orchestrator.coordinators.recording import CAPABILITIES
from spine.orchestrator.coordinators.run_lifecycle_coordinator import append_steps, complete_run, start_run
from spine.services.clock import to_ns
from spine.services.instants import check_instant
from spine.storage.keyset import Keyset, first_of, page_of

RUNS = Keyset("activity.runs", (int, UUID))
AGENTS = Keyset("activity.agents", (str,))
SIGNALS = Keyset("activity.signals", (datetime, UUID))

LONGEST_SUPPRESSION = timedelta(days=30)
MAX_TEXT = 500


def check_runs(request: ListRuns | CountRuns) -> None:
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


def check_signals(request: ListSignals) -> None:
    """Times are such as can be compared with stored ones."""
    check_instant(request.filter.created_after, "createdAfter")
    check_instant(request.filter.created_before, "createdBefore")


def _clock(ctx: ReadContext) -> driver_runs.RunClock:
    return driver_runs.RunClock(to_ns(ctx.now), ctx.config.stalled_after_s * 1_000_000_000)


async def list_runs(ctx: ReadContext, request: ListRuns) -> Page[RunSummary | Unreadable]:
    """A page of runs; an error stands for one that cannot be read."""
    first = first_of(request.page)
    after = None if request.page.after is None else RUNS.values(request.page.after)
    clock = _clock(ctx)
    place = None if after is None else (after[0], after[1])
    rows = await ctx.session.fetch(driver_runs.runs_page(request, place, clock))
    total = await ctx.session.fetch_one(driver_runs.runs_count(request.filter, clock)) if request.count else None
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
    rows = await ctx.session.fetch(driver_agents.agents_page(request, after))
    total = await ctx.session.fetch_one(driver_agents.agents_count(request)) if request.count else None
    return page_of(rows, first, lambda agent: AGENTS.cursor(agent.agent_id), total)


async def list_signals(ctx: ReadContext, request: ListSignals) -> Page[SignalProjection]:
    """A page of signals, newest first."""
    first = first_of(request.page)
    after = None if request.page.after is None else SIGNALS.values(request.page.after)
    place = None if after is None else (after[0], after[1])
    rows = await ctx.session.fetch(driver_signals.signals_page(request, place))
    total = await ctx.session.fetch_one(driver_signals.signals_count(request.filter)) if request.count else None
    return page_of(rows, first, lambda signal: SIGNALS.cursor(signal.created_at, signal.key), total)


async def signals_by_key(ctx: ReadContext, request: SignalsByKey) -> dict[UUID, SignalProjection]:
    """The signals that exist of these keys."""
    return {one.key: one for one in await ctx.session.fetch(driver_signals.signals_by_key(request.signal_keys))}


async def signals_for_runs(ctx: ReadContext, request: SignalsForRuns) -> dict[UUID, NestedPage[SignalProjection]]:
    """The newest signals below each run."""
    rows = await ctx.session.fetch(driver_signals.signals_for_runs(request.run_keys, request.first))
    found: dict[UUID, tuple[list[SignalProjection], int]] = {key: ([], 0) for key in request.run_keys}
    for row in rows:
        found[row.parent] = ([*found[row.parent][0], row.value], row.total)
    return {key: NestedPage(nodes, total) for key, (nodes, total) in found.items()}


async def acknowledge_signal(ctx: WriteContext, request: ChangeSignal) -> SignalChanged:
    """Say that somebody has seen a signal."""
    return await _leave(ctx, request.signal_key, "SignalAcknowledged", request.reason, None)


async def reopen_signal(ctx: WriteContext, request: ChangeSignal) -> SignalChanged:
    """End a signal's suppression."""
    return await _leave(ctx, request.signal_key, "SignalReopened", request.reason, None)


async def escalate_signal(ctx: WriteContext, request: ChangeSignal) -> SignalChanged:
    """Pass a signal on."""
    return await _leave(ctx, request.signal_key, "SignalEscalated", request.reason, None)


async def suppress_signal(ctx: WriteContext, request: SuppressSignal) -> SignalChanged:
    """Keep a signal quiet for a time; the suppression expires by itself."""
    if not ctx.now < request.until <= ctx.now + LONGEST_SUPPRESSION:
        raise ValidationFailed("a suppression ends within the next 30 days", field="until")
    after = {"until": request.until.isoformat()}
    return await _leave(ctx, request.signal_key, "SignalSuppressed", request.reason, after)


async def _leave(ctx: WriteContext, signal_key: UUID, event: str, reason: str | None, after: object) -> SignalChanged:
    signal = await ctx.session.fetch_one(driver_signals.signals_by_key([signal_key]))
    if signal is None:
        raise NotFound("signal", str(signal_key))
    ctx.record(
        AuditEvent(
            event_type=event,
            entity_type=AuditEntityType.SIGNAL,
            entity_id=signal.fingerprint,
            reason=reason,
            after=after,
        ),
    )
    return SignalChanged(signal_key)


def check_feedback(request: ChangeSignal | SuppressSignal) -> None:
    """A reason has at most 500 characters; a suppression needs one and an end with a time zone."""
    if request.reason is not None and len(request.reason) > MAX_TEXT:
        raise ValidationFailed(f"a reason has at most {MAX_TEXT} characters", field="reason")
    if isinstance(request, SuppressSignal):
        if not request.reason.strip():
            raise ValidationFailed("a suppression needs a reason", field="reason")
        check_instant(request.until, "until")


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
        summary="Runs by key.",
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
        name="activity.signals",
        kind=OperationKind.READ,
        request=ListSignals,
        result=Page[SignalProjection],
        handler=list_signals,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=5,
        validate=check_signals,
        summary="A page of signals, newest first.",
    ),
    Operation(
        name="activity.signals_by_key",
        kind=OperationKind.READ,
        request=SignalsByKey,
        result=SignalProjection,
        handler=signals_by_key,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=1,
        batch_key="signal_keys",
        summary="Signals by key.",
    ),
    Operation(
        name="activity.signals_for_runs",
        kind=OperationKind.READ,
        request=SignalsForRuns,
        result=NestedPage[SignalProjection],
        handler=signals_for_runs,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=2,
        batch_key="run_keys",
        summary="The newest signals below each run.",
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
        cross_domain_deps=REPORTING,
        cost=10,
        idempotent=True,
        validate=engine_reports.check_steps,
        summary="Report steps of a live run.",
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
    Operation(
        name="activity.acknowledge_signal",
        kind=OperationKind.WRITE,
        request=ChangeSignal,
        result=SignalChanged,
        handler=acknowledge_signal,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=check_feedback,
        summary="Say that somebody has seen a signal.",
    ),
    Operation(
        name="activity.suppress_signal",
        kind=OperationKind.WRITE,
        request=SuppressSignal,
        result=SignalChanged,
        handler=suppress_signal,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=check_feedback,
        summary="Keep a signal quiet for a time.",
    ),
    Operation(
        name="activity.reopen_signal",
        kind=OperationKind.WRITE,
        request=ChangeSignal,
        result=SignalChanged,
        handler=reopen_signal,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=check_feedback,
        summary="End a signal's suppression.",
    ),
    Operation(
        name="activity.escalate_signal",
        kind=OperationKind.WRITE,
        request=ChangeSignal,
        result=SignalChanged,
        handler=escalate_signal,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=check_feedback,
        summary="Pass a signal on.",
    ),
)
