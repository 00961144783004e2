"""Logs: reading the audit ledger."""

from datetime import datetime
from uuid import UUID

from domains.logs import driver_ledger
from spine.contracts.enums import OperationKind, Permission, Topic
from spine.contracts.events import AuditUpdate, Event, Feed, Follow
from spine.contracts.ledger import AuditEntry, EntriesByKey, ListAuditEntries
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.orchestrator.context import ReadContext, StreamContext
from spine.orchestrator.handlers.events_handler import check_follow
from spine.services.ids import node_id
from spine.services.instants import check_instant
from spine.storage.keyset import Keyset, first_of, page_of

ENTRIES = Keyset("audit_entries", (datetime, UUID))


def check_entries(request: ListAuditEntries) -> None:
    """Times are such as can be compared with stored ones."""
    check_instant(request.filter.created_after, "createdAfter")
    check_instant(request.filter.created_before, "createdBefore")


async def audit_entries(ctx: ReadContext, request: ListAuditEntries) -> Page[AuditEntry]:
    """A page of the ledger, newest first; the whole list's length when asked for."""
    whole = driver_ledger.matching_entries(request.filter)
    counted = driver_ledger.count_entries(request.filter) if request.count else None
    page = ENTRIES.read(whole, driver_ledger.ORDER, request.page)
    rows, total = await ctx.session.fetch_counted(page, counted)
    return page_of(rows, first_of(request.page), lambda entry: ENTRIES.cursor(entry.created_at, entry.key), total)


async def entries_by_key(ctx: ReadContext, request: EntriesByKey) -> dict[UUID, AuditEntry]:
    """The entries that exist of these keys."""
    return {one.key: one for one in await ctx.session.fetch(driver_ledger.entries_by_key(request.entry_keys))}


async def audit_updates(ctx: StreamContext, request: Follow) -> Feed[AuditUpdate]:
    """Entries as they are appended to the ledger."""
    return await ctx.follow(Topic.AUDIT, request, _audit_update)


def _audit_update(event: Event, cursor: str) -> AuditUpdate:
    return AuditUpdate(
        cursor=cursor,
        kind=event.kind,
        occurred_at=event.occurred_at,
        entry_id=node_id("AuditEntry", event.key),
        entry_key=event.key,
    )


OPERATIONS = (
    Operation(
        name="logs.entries_by_key",
        kind=OperationKind.READ,
        request=EntriesByKey,
        result=AuditEntry,
        handler=entries_by_key,
        permission=Permission.REPORTS_READ,
        cross_domain_deps=(),
        cost=1,
        batch_key="entry_keys",
        summary="Audit entries by key.",
    ),
    Operation(
        name="logs.audit_updates",
        kind=OperationKind.STREAM,
        request=Follow,
        result=Feed[AuditUpdate],
        handler=audit_updates,
        permission=Permission.REPORTS_READ,
        cross_domain_deps=(),
        cost=10,
        validate=check_follow,
        summary="Entries as they are appended to the audit ledger.",
    ),
    Operation(
        name="logs.audit_entries",
        kind=OperationKind.READ,
        request=ListAuditEntries,
        result=Page[AuditEntry],
        handler=audit_entries,
        permission=Permission.REPORTS_READ,
        cross_domain_deps=(),
        cost=2,
        validate=check_entries,
        summary="A page of the audit ledger, newest first.",
    ),
)
