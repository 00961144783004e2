"""SignalFeedback: what people said of signals, folded from the audit ledger, the only place where it is kept.

Entries are folded oldest first, so of each kind the newest wins. Reopening ends a suppression and nothing else; a
suppression also ends by itself, and then shows as none at all.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from spine.contracts.enums import OperationKind, Permission
from spine.contracts.operations import Operation
from spine.contracts.ports import FeedbackEvent
from spine.contracts.signals import FeedbackEntry, FeedbackKind, SignalFeedback, SignalFeedbackRequest
from spine.orchestrator.context import ReadContext, within_dispatch

KINDS = {
    "SignalAcknowledged": FeedbackKind.ACKNOWLEDGED,
    "SignalSuppressed": FeedbackKind.SUPPRESSED,
    "SignalReopened": FeedbackKind.REOPENED,
    "SignalEscalated": FeedbackKind.ESCALATED,
}


class Suppression(Struct, frozen=True):
    """The state that a SignalSuppressed entry leaves; a time that cannot be read suppresses nothing."""

    until: datetime


class SignalFeedbackCoordinator:
    """Composes the feedback on activity's signals from the ledger of logs."""

    @staticmethod
    async def signal_feedback(ctx: ReadContext, request: SignalFeedbackRequest) -> dict[str, SignalFeedback]:
        """The feedback on each fingerprint; one that nobody said anything of has a value too."""
        within_dispatch("SignalFeedbackCoordinator")
        ledger = ctx.bridge("logs").audit_ledger_read_capability()
        events: defaultdict[str, list[FeedbackEvent]] = defaultdict(list)
        for event in await ctx.session.fetch(ledger.feedback_events(list(dict.fromkeys(request.fingerprints)))):
            events[event.fingerprint].append(event)
        return {fingerprint: fold(events[fingerprint], ctx.now) for fingerprint in request.fingerprints}


def fold(events: Iterable[FeedbackEvent], now: datetime) -> SignalFeedback:
    """The state that these entries, oldest first, leave at this moment."""
    newest: dict[str, FeedbackEvent] = {}
    history = []
    for event in events:
        newest[event.event_type] = event
        kind = KINDS[event.event_type]
        history.append(FeedbackEntry(kind=kind, actor=event.actor, reason=event.reason, at=event.created_at))
        if event.event_type == "SignalReopened":
            newest.pop("SignalSuppressed", None)
    acknowledged = newest.get("SignalAcknowledged")
    escalated = newest.get("SignalEscalated")
    suppressed = newest.get("SignalSuppressed")
    until = None if suppressed is None else _until(suppressed)
    if until is None or until <= now:
        suppressed = until = None
    return SignalFeedback(
        acknowledged=acknowledged is not None,
        acknowledged_by=None if acknowledged is None else acknowledged.actor,
        acknowledged_at=None if acknowledged is None else acknowledged.created_at,
        acknowledgement_reason=None if acknowledged is None else acknowledged.reason,
        suppressed=suppressed is not None,
        suppressed_by=None if suppressed is None else suppressed.actor,
        suppressed_until=until,
        suppression_reason=None if suppressed is None else suppressed.reason,
        escalated=escalated is not None,
        escalated_by=None if escalated is None else escalated.actor,
        escalated_at=None if escalated is None else escalated.created_at,
        escalation_reason=None if escalated is None else escalated.reason,
        history=tuple(history),
    )


def _until(event: FeedbackEvent) -> datetime | None:
    try:
        until = msgspec.json.decode(event.after_state or "", type=Suppression).until
    except msgspec.MsgspecError:
        return None
    return until.replace(tzinfo=UTC) if until.tzinfo is None else until


OPERATIONS = (
    Operation(
        name="activity.signal_feedback",
        kind=OperationKind.READ,
        request=SignalFeedbackRequest,
        result=SignalFeedback,
        handler=SignalFeedbackCoordinator.signal_feedback,
        permission=Permission.RUNS_READ,
        cross_domain_deps=("logs.audit_ledger_read_capability",),
        cost=2,
        batch_key="fingerprints",
        summary="What people said of signals: acknowledged, suppressed until when, escalated.",
    ),
)
