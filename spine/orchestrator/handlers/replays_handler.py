"""Replays: keeping them, listing them with their mismatches, and the reservations of what they execute."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from domains.logs import driver_replays as driver
from spine.contracts.enums import AuditEntityType, OperationKind, Permission, ReplayOutcome, ReplayVerdict
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.paging import NestedPage, Page
from spine.contracts.replays import (
    FinishExecution,
    KeepReplay,
    ListReplays,
    MismatchesForReplays,
    Replay,
    ReplayMismatch,
    ReplaysByKey,
    Reservation,
    ReserveExecution,
)
from spine.orchestrator.context import ReadContext, WriteContext
from spine.orchestrator.coordinators.replay_coordinator import FINISH, RESERVE
from spine.orchestrator.coordinators.run_replay_coordinator import KEEP
from spine.orchestrator.disclosures import of_replays
from spine.services.ids import node_id
from spine.storage import reservations
from spine.storage.keyset import Keyset, page_of

REPLAYS = Keyset("logs.replays", (datetime, UUID))

UNCHECKED = frozenset(
    {ReplayOutcome.FAILED, ReplayOutcome.NO_EXECUTOR, ReplayOutcome.REDACTED, ReplayOutcome.UNREPLAYABLE}
)


async def list_replays(ctx: ReadContext, request: ListReplays) -> Page[Replay]:
    """A page of replays, newest first."""
    whole = driver.list_replays(request.filter)
    counted = driver.count_replays(request.filter) if request.count else None
    rows, total = await ctx.session.fetch_counted(REPLAYS.read(whole, driver.ORDER, request.page), counted)
    return page_of(rows, request.page.first, lambda replay: REPLAYS.cursor(replay.created_at, replay.key), total)


async def replays_by_key(ctx: ReadContext, request: ReplaysByKey) -> dict[UUID, Replay]:
    """The replays that exist of these keys."""
    return {replay.key: replay for replay in await ctx.session.fetch(driver.replays_by_key(request.replay_keys))}


async def mismatches_for_replays(
    ctx: ReadContext, request: MismatchesForReplays
) -> dict[UUID, NestedPage[ReplayMismatch]]:
    """The first mismatches below each replay."""
    found: dict[UUID, tuple[list[ReplayMismatch], int]] = {key: ([], 0) for key in request.replay_keys}
    for row in await ctx.session.fetch(driver.mismatches_for_replays(request.replay_keys, request.first)):
        found[row.parent] = ([*found[row.parent][0], row.value], row.total)
    return {key: NestedPage(nodes, total) for key, (nodes, total) in found.items()}


async def reserve_execution(ctx: WriteContext, request: ReserveExecution) -> Reservation:
    """Take an idempotency key, or say how it stands."""
    return await reservations.reserve(ctx.session, request)


async def finish_execution(ctx: WriteContext, request: FinishExecution) -> None:
    """Report how an execution ended."""
    await reservations.finish(ctx.session, request)


async def keep_replay(ctx: WriteContext, request: KeepReplay) -> Replay:
    """Keep a replay; the one that stands under its key already stays, and is the answer."""
    replay = _summed(ctx, request)
    if await ctx.session.insert(driver.insert_replay(replay)) == 1:
        mismatches = driver.insert_mismatches(replay.key, request.steps, request.decisions)
        await ctx.session.insert(mismatches)
        ctx.record(_event(replay))
    (kept,) = await ctx.session.fetch(driver.replays_by_key([replay.key]))
    return kept


def _summed(ctx: WriteContext, request: KeepReplay) -> Replay:
    steps = [one.outcome for one in request.steps]
    decisions = [one.outcome for one in request.decisions]
    divergences = [*(one.divergence for one in request.steps), *(one.divergence for one in request.decisions)]
    found = [one for one in divergences if one is not None]
    key = uuid5(ctx.principal.tenant_id, f"replay/{request.request.idempotency_key}")
    run_key = request.request.run_key
    return Replay(
        key=key,
        id=node_id(driver.REPLAY, key),
        run_key=run_key,
        run_id=node_id("Run", run_key),
        behavior=request.request.behavior,
        verdict=verdict_of([*steps, *decisions]),
        step_count=len(steps),
        matched_step_count=steps.count(ReplayOutcome.MATCHED),
        executed_step_count=steps.count(ReplayOutcome.EXECUTED),
        played_back_step_count=steps.count(ReplayOutcome.PLAYED_BACK),
        unchecked_step_count=sum(one in UNCHECKED for one in steps),
        decision_count=len(decisions),
        matched_decision_count=decisions.count(ReplayOutcome.MATCHED),
        unchecked_decision_count=sum(one in UNCHECKED for one in decisions),
        mismatch_count=len(found),
        first_divergence=found[0] if found else None,
        created_by=ctx.principal.actor,
        created_at=ctx.now,
    )


def verdict_of(outcomes: Sequence[ReplayOutcome]) -> ReplayVerdict:
    """What the outcomes say together; what was not compared is never a match."""
    if ReplayOutcome.MISMATCHED in outcomes:
        return ReplayVerdict.DIVERGED
    return ReplayVerdict.MATCHED if set(outcomes) == {ReplayOutcome.MATCHED} else ReplayVerdict.PARTIAL


def _event(replay: Replay) -> AuditEvent:
    first = replay.first_divergence
    after = {
        "replay": replay.id,
        "behavior": replay.behavior,
        "verdict": replay.verdict,
        "mismatch_count": replay.mismatch_count,
        "first_divergence": None if first is None else f"{first.kind} at {first.index}",
    }
    return AuditEvent(event_type="RunReplayed", entity_type=AuditEntityType.RUN, entity_id=replay.run_id, after=after)


OPERATIONS = (
    Operation(
        name="logs.replays",
        kind=OperationKind.READ,
        request=ListReplays,
        result=Page[Replay],
        handler=list_replays,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=5,
        discloses=of_replays,
        summary="A page of replays, newest first.",
    ),
    Operation(
        name="logs.replays_by_key",
        kind=OperationKind.READ,
        request=ReplaysByKey,
        result=Replay,
        handler=replays_by_key,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=1,
        batch_key="replay_keys",
        summary="Replays by key.",
    ),
    Operation(
        name="logs.mismatches_for_replays",
        kind=OperationKind.READ,
        request=MismatchesForReplays,
        result=NestedPage[ReplayMismatch],
        handler=mismatches_for_replays,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=2,
        batch_key="replay_keys",
        summary="The first mismatches below each replay.",
    ),
    Operation(
        name=RESERVE,
        kind=OperationKind.WRITE,
        request=ReserveExecution,
        result=Reservation,
        handler=reserve_execution,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=1,
        summary="Reserve the one execution under an idempotency key.",
    ),
    Operation(
        name=FINISH,
        kind=OperationKind.WRITE,
        request=FinishExecution,
        result=type(None),
        handler=finish_execution,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=1,
        summary="Report how a reserved execution ended.",
    ),
    Operation(
        name=KEEP,
        kind=OperationKind.WRITE,
        request=KeepReplay,
        result=Replay,
        handler=keep_replay,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=5,
        summary="Keep a replay with its mismatches.",
    ),
)
