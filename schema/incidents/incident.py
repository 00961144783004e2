"""Incidents."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.batched import batched
from schema.contract import contract_type
from schema.inputs import contract_input, optional
from schema.relay import Node
from spine.contracts import evidence
from spine.contracts.enums import IncidentCategory, IncidentSeverity, IncidentTrigger

if TYPE_CHECKING:
    from schema.activity.run import Run


@contract_type(evidence.IncidentSummary, name="Incident")
class Incident(Node):
    """Something that went wrong, opened once for its cause."""

    source_run: Annotated["Run", strawberry.lazy("schema.activity.run")] | None = batched(
        "activity.runs_by_key",
        key="source_run_key",
        description="The run that caused it.",
    )


@contract_input(evidence.IncidentFilter, name="IncidentFilter")
class IncidentFilter:
    """Which incidents are wanted; a given field must hold, a list by any of its values, unless it is empty."""

    severity: list[IncidentSeverity] | None = optional("Of these severities.")
    category: list[IncidentCategory] | None = optional("Of these kinds.")
    trigger_type: list[IncidentTrigger] | None = optional("Opened by one of these.")
    created_after: datetime | None = optional("Opened at this time or later.")
    created_before: datetime | None = optional("Opened before this time.")
