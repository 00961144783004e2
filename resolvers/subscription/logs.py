"""The audit ledger as it grows, and the log as it is checked."""

from collections.abc import AsyncGenerator
from typing import Any

import strawberry

from resolvers.context import Info
from resolvers.subscription.following import DEFAULT_FIRST, follow
from schema.events import After, AuditUpdate, Batch, First
from schema.fields import subscription
from schema.logs.log import LogVerification
from spine.contracts.log_check import LogStep, VerifyLog

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

    @subscription(
        "The whole log checked on the server, from the recorded facts up: its progress, and at the end the verdict.",
        LogVerification,
        "logs.verify_log",
    )
    async def verify_log(self, info: Info) -> AsyncGenerator[Any, None]:
        """A result for each part; the last one is finished."""
        request: VerifyLog | None = VerifyLog()
        while request is not None:
            step: LogStep = await info.context.execute("logs.verify_log", request)
            request = None if step.cursor is None else VerifyLog(step.cursor)
            await info.context.renew()
            yield step.progress
