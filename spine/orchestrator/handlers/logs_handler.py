"""Logs: reading the audit ledger."""

from datetime import datetime
from uuid import UUID

from domains.logs import driver_ledger
from spine.contracts.enums import OperationKind, Permission
from spine.contracts.ledger import AuditEntry, ListAuditEntries
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.orchestrator.context import ReadContext
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
    rows = await ctx.session.fetch(ENTRIES.read(whole, driver_ledger.ORDER, request.page))
    total = await ctx.session.fetch_one(driver_ledger.count_entries(request.filter)) if request.count else None
    return page_of(rows, first_of(request.page), lambda entry: ENTRIES.cursor(entry.created_at, entry.key), total)


OPERATIONS = (
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
