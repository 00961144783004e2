"""The audit ledger."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.paging import DEFAULT_FIRST, UNSET, After, First, connection, counting, page_request
from schema.fields import field
from schema.inputs import to_contract
from schema.logs.audit_entry import AuditEntry, AuditFilter
from schema.relay import Connection
from spine.contracts import ledger

EntriesWanted = Annotated[
    AuditFilter | None, strawberry.argument(name="filter", description="Which entries; all when absent.")
]


@strawberry.type
class LogsQuery:
    """The logs domain's root fields."""

    @field("The audit ledger, newest first.", Connection[AuditEntry], "logs.audit_entries")
    async def audit_entries(
        self, info: Info, wanted: EntriesWanted = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of audit entries."""
        chosen = to_contract(wanted) if wanted else ledger.AuditFilter()
        request = ledger.ListAuditEntries(page=page_request(first, after), filter=chosen, count=counting(info))
        return await connection(info, "logs.audit_entries", request)
