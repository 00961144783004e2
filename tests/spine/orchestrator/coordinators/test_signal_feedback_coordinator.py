"""SignalFeedback: the ledger's entries folded in order, and read for many signals in one statement."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domains.logs.driver_ledger import insert_entries
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, AuditEntityType
from spine.contracts.errors import CoordinatorMisuse
from spine.contracts.ledger import AuditEvent
from spine.contracts.ports import FeedbackEvent
from spine.contracts.signals import FeedbackEntry, FeedbackKind, SignalFeedback, SignalFeedbackRequest
from spine.orchestrator.coordinators.signal_feedback_coordinator import SignalFeedbackCoordinator, fold
from spine.services.ids import uuid7
from tests.spine.orchestrator.coordinators.reported import Execute

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN, BOB = Actor(ActorKind.HUMAN, "ann", "Ann"), Actor(ActorKind.HUMAN, "bob", None)


def event(
    kind: str, minute: int, actor: Actor = ANN, reason: str | None = None, state: str | None = None
) -> FeedbackEvent:
    return FeedbackEvent(
        fingerprint="f",
        event_type=f"Signal{kind}",
        actor=actor,
        reason=reason,
        after_state=state,
        created_at=NOW - timedelta(hours=1) + timedelta(minutes=minute),
    )


def suppressed(minute: int, until: str, actor: Actor = ANN) -> FeedbackEvent:
    return event("Suppressed", minute, actor, "known", f'{{"until":"{until}"}}')


class TestFold:
    def test_nothing_said_is_nothing(self) -> None:
        assert fold([], NOW) == SignalFeedback()

    def test_the_newest_of_each_kind_wins(self) -> None:
        events = [
            event("Acknowledged", 0),
            suppressed(1, "2026-03-01T13:00:00+00:00"),
            event("Escalated", 2),
            event("Acknowledged", 3, BOB),
            suppressed(4, "2026-03-01T14:00:00+00:00", BOB),
            event("Escalated", 5, BOB),
        ]
        assert fold(events, NOW) == SignalFeedback(
            acknowledged=True,
            acknowledged_by=BOB,
            acknowledged_at=events[3].created_at,
            suppressed=True,
            suppressed_by=BOB,
            suppressed_until=datetime(2026, 3, 1, 14, tzinfo=UTC),
            suppression_reason="known",
            escalated=True,
            escalated_by=BOB,
            escalated_at=events[5].created_at,
            history=tuple(
                FeedbackEntry(kind=kind, actor=one.actor, reason=one.reason, at=one.created_at)
                for kind, one in zip(
                    (FeedbackKind.ACKNOWLEDGED, FeedbackKind.SUPPRESSED, FeedbackKind.ESCALATED) * 2,
                    events,
                    strict=True,
                )
            ),
        )

    def test_reopening_ends_the_suppression_and_nothing_else(self) -> None:
        events = [event("Acknowledged", 0), suppressed(1, "2026-03-01T13:00:00Z"), event("Reopened", 2)]
        found = fold(events, NOW)
        assert (found.acknowledged, found.suppressed, found.suppressed_until) == (True, False, None)

    def test_a_suppression_after_reopening_holds(self) -> None:
        until = "2026-03-01T13:00:00Z"
        assert fold([suppressed(0, until), event("Reopened", 1), suppressed(2, until)], NOW).suppressed

    @pytest.mark.parametrize(("until", "expected"), [("11:59:59", False), ("12:00:00", False), ("12:00:01", True)])
    def test_a_suppression_expires_by_itself(self, until: str, expected: bool) -> None:
        found = fold([suppressed(0, f"2026-03-01T{until}Z")], NOW)
        assert found.suppressed == expected
        assert (found.suppressed_by is None) == (found.suppression_reason is None) == (not expected)

    @pytest.mark.parametrize("state", [None, "", "{", "[]", '{"until":1}', '{"until":"soon"}'])
    def test_a_suppression_whose_end_cannot_be_read_is_none(self, state: str | None) -> None:
        assert not fold([event("Suppressed", 0, state=state)], NOW).suppressed


class TestOperation:
    async def test_reads_many_signals_in_one_statement_and_only_the_tenants_own(
        self, runtime: Any, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        for number, (tenant, fingerprint) in enumerate(((principal, "a"), (principal, "b"), (other, "c"))):
            said = AuditEvent(
                event_type="SignalAcknowledged", entity_type=AuditEntityType.SIGNAL, entity_id=fingerprint
            )
            noise = AuditEvent(event_type="SignalRaised", entity_type=AuditEntityType.SIGNAL, entity_id=fingerprint)
            async with runtime.database.write(tenant.tenant_id) as session:
                at = NOW + timedelta(seconds=number)
                await session.insert(insert_entries({uuid7(): said, uuid7(): noise}, "test", ANN, "request", at))
        for asked, statements in ((("a",), 5), (("a", "b", "c", "d"), 5)):
            session = runtime.registry.get_session_dep()
            request = SignalFeedbackRequest(asked)
            found = (await execute("activity.signal_feedback", request, principal, session=session)).unwrap()
            await session.close()
            assert session.statements == statements
            assert {key for key, value in found.items() if value.acknowledged} == {"a", "b"} & set(asked)
            assert set(found) == set(asked)
        assert found["b"].acknowledged_by == ANN
        assert found["b"].acknowledged_at == NOW + timedelta(seconds=1)

    async def test_a_coordinator_is_entered_only_through_the_registry(self) -> None:
        with pytest.raises(CoordinatorMisuse):
            await SignalFeedbackCoordinator.signal_feedback(None, SignalFeedbackRequest(()))  # type: ignore[arg-type]
