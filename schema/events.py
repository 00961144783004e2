"""What subscriptions deliver: batches of events, and in each event the object as it is now.

Events come in batches, because a busy tenant changes more runs in a second than a client can take as messages of one:
under load batches grow to `first` events, otherwise there is one event in each.
"""

from typing import Annotated, Generic, TypeVar

import strawberry

from schema.activity.run import Run
from schema.activity.signal import Signal
from schema.batched import batched
from schema.contract import contract_type
from schema.incidents.incident import Incident
from schema.logs.audit_entry import AuditEntry
from spine.contracts import events

T = TypeVar("T")


@contract_type(events.RunUpdate, name="RunUpdate", ids=("run_id",))
class RunUpdate:
    """A run appeared, changed, or was withdrawn because its trace turned out to have an agent."""

    run: Run | None = batched(
        "activity.runs_by_key",
        key="run_key",
        description="The run as it is now; null when it was withdrawn.",
    )


@contract_type(events.SignalUpdate, name="SignalUpdate", ids=("signal_id",))
class SignalUpdate:
    """A signal was raised."""

    signal: Signal | None = batched(
        "activity.signals_by_key",
        key="signal_key",
        description="The signal as it is now.",
    )


@contract_type(events.IncidentUpdate, name="IncidentUpdate", ids=("incident_id",))
class IncidentUpdate:
    """An incident was opened, withdrawn when a corrected total took its cause back, or restored."""

    incident: Incident | None = batched(
        "incidents.by_key",
        key="incident_key",
        description="The incident as it is now; null when it was withdrawn.",
    )


@contract_type(events.AuditUpdate, name="AuditUpdate", ids=("entry_id",))
class AuditUpdate:
    """An entry was appended to the audit ledger."""

    entry: AuditEntry | None = batched(
        "logs.entries_by_key",
        key="entry_key",
        description="The entry.",
    )


@strawberry.type(description="What has happened since the batch before; the first comes at once and may be empty.")
class Batch(Generic[T]):
    """One message of a subscription."""

    cursor: str = strawberry.field(description="The place after this batch; pass it as `after` to go on from there.")
    events: list[T] = strawberry.field(description="What happened, in the order in which it was committed.")


First = Annotated[int, strawberry.argument(description=f"At most so many events a batch, 1 to {events.MAX_BATCH}.")]
After = Annotated[
    str | None,
    strawberry.argument(description="Go on after this cursor, without loss; from now on when absent."),
]
