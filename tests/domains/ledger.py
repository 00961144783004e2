"""What the audit ledger holds, for tests of operations that write to it."""

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.ledger import AuditEntry, ListAuditEntries
from spine.contracts.paging import PageRequest


async def ledger_of(runtime: Runtime, principal: Principal) -> list[AuditEntry]:
    """The tenant's newest entries, oldest first."""
    page = await runtime.registry.execute("logs.audit_entries", ListAuditEntries(page=PageRequest(100)), principal)
    return list(page.unwrap().nodes)[::-1]
