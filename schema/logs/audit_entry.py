"""The audit ledger."""

from datetime import datetime

from schema.account import actor as _actor  # noqa: F401 - an entry holds an actor
from schema.batched import batched
from schema.contract import contract_type
from schema.inputs import contract_input, optional
from schema.logs.log import LogInclusion
from spine.contracts import ledger
from spine.contracts.enums import AuditEntityType


@contract_type(ledger.AuditEntry, name="AuditEntry")
class AuditEntry:
    """One entry of the audit ledger: who changed what. It is never changed."""

    inclusion: LogInclusion | None = batched(
        "logs.entry_inclusions",
        key="key",
        description="That it is in the tenant's log; null until a signed checkpoint covers it.",
    )


@contract_input(ledger.AuditFilter, name="AuditFilter")
class AuditFilter:
    """Which entries are wanted; a given field must hold, a list by any of its values, unless it is empty."""

    event_type: list[str] | None = optional("With one of these events, such as PolicyRuleCreated.")
    entity_type: list[AuditEntityType] | None = optional("About one of these kinds of objects.")
    entity_id: str | None = optional("About this object.")
    actor_id: str | None = optional("By this actor.")
    created_after: datetime | None = optional("Written at this time or later.")
    created_before: datetime | None = optional("Written before this time.")
