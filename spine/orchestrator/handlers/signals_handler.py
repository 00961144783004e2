"""Signals: reading them, following them, and leaving feedback.

Feedback changes nothing but the audit ledger: it is appended there and folded when it is read.
"""

from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

from domains.activity import driver_signals
from spine.contracts.enums import AuditEntityType, OperationKind, Permission, Topic
from spine.contracts.errors import NotFound, ValidationFailed
from spine.contracts.events import Event, Feed, Follow, SignalUpdate
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.paging import NestedPage, Page
from spine.contracts.signals import (
    ChangeSignal,
    ListSignals,
    SignalChanged,
    SignalProjection,
    SignalsByKey,
    SignalsForRuns,
    SuppressSignal,
)
from spine.orchestrator.context import ReadContext, StreamContext, WriteContext
from spine.orchestrator.disclosures import of_batch
from spine.orchestrator.handlers.events_handler import check_follow
from spine.services.grouping import grouped
from spine.services.ids import node_id
from spine.services.instants import check_instant
from spine.storage.keyset import Keyset, first_of, page_of

SIGNALS = Keyset("activity.signals", (datetime, UUID))

LONGEST_SUPPRESSION = timedelta(days=30)
MAX_TEXT = 500
NO_SIGNALS: NestedPage[SignalProjection] = NestedPage((), 0)


def check_signals(request: ListSignals) -> None:
    """Times are such as can be compared with stored ones."""
    check_instant(request.filter.created_after, "createdAfter")
    check_instant(request.filter.created_before, "createdBefore")


async def list_signals(ctx: ReadContext, request: ListSignals) -> Page[SignalProjection]:
    """A page of signals, newest first."""
    first = first_of(request.page)
    after = None if request.page.after is None else SIGNALS.values(request.page.after)
    place = None if after is None else (after[0], after[1])
    counted = driver_signals.signals_count(request.filter) if request.count else None
    rows, total = await ctx.session.fetch_counted(driver_signals.signals_page(request, place), counted)
    return page_of(rows, first, lambda signal: SIGNALS.cursor(signal.created_at, signal.key), total)


async def signals_by_key(ctx: ReadContext, request: SignalsByKey) -> dict[UUID, SignalProjection]:
    """The signals that exist of these keys."""
    return {one.key: one for one in await ctx.session.fetch(driver_signals.signals_by_key(request.signal_keys))}


async def signals_for_runs(ctx: ReadContext, request: SignalsForRuns) -> dict[UUID, NestedPage[SignalProjection]]:
    """The newest signals below each run."""
    rows = await ctx.session.fetch(driver_signals.signals_for_runs(request.run_keys, request.first))
    found = dict.fromkeys(request.run_keys, NO_SIGNALS)
    for key, own in grouped(rows, attrgetter("parent")).items():
        found[key] = NestedPage([row.value for row in own], own[0].total)
    return found


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


async def signal_updates(ctx: StreamContext, request: Follow) -> Feed[SignalUpdate]:
    """Signals as they are raised."""
    return await ctx.follow(Topic.SIGNALS, request, _signal_update)


def _signal_update(event: Event, cursor: str) -> SignalUpdate:
    return SignalUpdate(
        cursor=cursor,
        kind=event.kind,
        occurred_at=event.occurred_at,
        signal_id=node_id("Signal", event.key),
        signal_key=event.key,
    )


OPERATIONS = (
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
        discloses=of_batch,
        summary="The newest signals below each run.",
    ),
    Operation(
        name="activity.signal_updates",
        kind=OperationKind.STREAM,
        request=Follow,
        result=Feed[SignalUpdate],
        handler=signal_updates,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=10,
        validate=check_follow,
        summary="Signals as they are raised.",
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
