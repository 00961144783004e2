"""The audit ledger as it grows."""

from collections.abc import AsyncGenerator
from typing import Any

import strawberry

from resolvers.context import Info
from resolvers.subscription.following import DEFAULT_FIRST, follow
from schema.events import After, AuditUpdate, Batch, First
from schema.fields import subscription

UNSET: Any = strawberry.UNSET


@strawberry.type
class LogsSubscription:
    """The logs domain's root fields."""

    @subscription("Entries as they are appended to the audit ledger.", Batch[AuditUpdate], "logs.audit_updates")
    async def audit_entry_appended(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> AsyncGenerator[Any, None]:
        """Batches of audit events."""
        async for batch in follow(info, "logs.audit_updates", first, after):
            yield batch
