"""The audit ledger: entries as they were recorded, listed newest first by any filter, page by page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domains.logs.driver_ledger import insert_entries
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, AuditEntityType
from spine.contracts.errors import ErrorCode
from spine.contracts.ledger import AuditEntry, AuditEvent, AuditFilter, ListAuditEntries
from spine.contracts.paging import Page, PageRequest
from spine.services.ids import uuid7

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ANN = Actor(ActorKind.HUMAN, "ann", "Ann")
RULE, LIMIT = AuditEntityType.POLICY_RULE, AuditEntityType.LIMIT


async def record(
    runtime: Any, principal: Principal, *events: AuditEvent, at: datetime = NOW, actor: Actor = ANN
) -> None:
    async with runtime.database.write(principal.tenant_id) as session:
        entries = {uuid7(): event for event in events}
        await session.insert(insert_entries(entries, "policies.create_rule", actor, "request-1", at))


def changed(kind: AuditEntityType, entity: str, **fields: Any) -> AuditEvent:
    return AuditEvent(event_type=f"{kind.title()}Changed", entity_type=kind, entity_id=entity, **fields)


async def entries(execute: Any, principal: Principal, first: int = 100, after: str | None = None, **wanted: Any) -> Any:
    request = ListAuditEntries(page=PageRequest(first, after), filter=AuditFilter(**wanted), count=True)
    return (await execute("logs.audit_entries", request, principal)).unwrap()


async def test_an_entry_is_shown_as_it_was_recorded(runtime: Any, execute: Any, principal: Principal) -> None:
    event = changed(RULE, "r-1", reason="because", before={"b": 1, "a": None}, after={"mode": "WARN"})
    await record(runtime, principal, event)
    entry: AuditEntry = (await entries(execute, principal)).nodes[0]
    assert (entry.operation, entry.event_type, entry.entity_type) == ("policies.create_rule", event.event_type, RULE)
    assert (entry.entity_id, entry.actor, entry.reason, entry.request_id) == ("r-1", ANN, "because", "request-1")
    assert (entry.before_state, entry.after_state) == ('{"a":null,"b":1}', '{"mode":"WARN"}')
    assert entry.created_at == NOW


async def test_a_null_character_does_not_stop_an_entry(runtime: Any, execute: Any, principal: Principal) -> None:
    await record(runtime, principal, changed(RULE, "a\x00b", reason="\x00", after={"text": "a\x00b"}))
    entry = (await entries(execute, principal)).nodes[0]
    assert (entry.entity_id, entry.reason) == ("a\ufffdb", "\ufffd")
    assert entry.after_state == '{"text":"a\\u0000b"}'


async def test_pages_follow_each_other_newest_first_also_within_one_instant(
    runtime: Any, execute: Any, principal: Principal
) -> None:
    for second in range(3):
        events = [changed(RULE, f"{second}.{number}") for number in range(3)]
        await record(runtime, principal, *events, at=NOW + timedelta(seconds=second))
    seen: list[str] = []
    page: Page[AuditEntry] | None = None
    while page is None or page.has_next_page:
        after = page.cursors[-1] if page else None
        page = await entries(execute, principal, 2, after, entity_type=(RULE,))
        assert page is not None
        assert page.total_count == 9
        seen += [entry.entity_id for entry in page.nodes]
    assert seen == [f"{second}.{number}" for second in (2, 1, 0) for number in (2, 1, 0)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, {"a", "b", "c"}),
        ({"event_type": ("LimitChanged",)}, {"b"}),
        ({"entity_type": (LIMIT, RULE)}, {"a", "b", "c"}),
        ({"entity_type": (LIMIT,)}, {"b"}),
        ({"entity_id": "c"}, {"c"}),
        ({"actor_id": "bob"}, {"c"}),
        ({"created_after": NOW + timedelta(seconds=1)}, {"b", "c"}),
        ({"created_before": NOW + timedelta(seconds=1)}, {"a"}),
        ({"created_after": NOW, "created_before": NOW + timedelta(seconds=2), "entity_type": (RULE,)}, {"a"}),
        ({"entity_id": "no such"}, set()),
    ],
)
async def test_filters_narrow_the_list_and_its_count(
    runtime: Any, execute: Any, principal: Principal, wanted: dict[str, Any], expected: set[str]
) -> None:
    await record(runtime, principal, changed(RULE, "a"))
    await record(runtime, principal, changed(LIMIT, "b"), at=NOW + timedelta(seconds=1))
    bob = Actor(ActorKind.SERVICE, "bob", None)
    await record(runtime, principal, changed(RULE, "c"), at=NOW + timedelta(seconds=2), actor=bob)
    page = await entries(execute, principal, **wanted)
    own = [entry for entry in page.nodes if entry.request_id == "request-1"]
    assert {entry.entity_id for entry in own} == expected
    assert page.total_count == len(page.nodes)


async def test_another_tenants_entries_are_absent(
    runtime: Any, execute: Any, principal: Principal, other: Principal
) -> None:
    await record(runtime, other, changed(RULE, "theirs"))
    assert (await entries(execute, principal, entity_id="theirs")).total_count == 0


@pytest.mark.parametrize("page", [PageRequest(0), PageRequest(101), PageRequest(1, "no cursor")])
async def test_a_bad_page_is_refused(execute: Any, principal: Principal, page: PageRequest) -> None:
    result = await execute("logs.audit_entries", ListAuditEntries(page=page), principal)
    assert result.error.code is ErrorCode.VALIDATION
