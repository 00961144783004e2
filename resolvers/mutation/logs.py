"""Replaying runs, and exports of runs, incidents and periods of the log."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.mutation.changes import change
from schema.fields import field
from schema.logs.export import ExportIncidentInput, ExportPeriodInput, ExportRunInput
from schema.logs.replay import ReplayRunInput
from schema.payloads import ExportPayload, ReplayPayload

Wanted = Annotated[
    ReplayRunInput, strawberry.argument(name="input", description="The run, and what is to be done with its steps.")
]

RunWanted = Annotated[ExportRunInput, strawberry.argument(name="input", description="The run, and what file of it.")]
IncidentWanted = Annotated[
    ExportIncidentInput, strawberry.argument(name="input", description="The incident, and what file of it.")
]
PeriodWanted = Annotated[
    ExportPeriodInput, strawberry.argument(name="input", description="When the period begins and ends.")
]


@strawberry.type
class LogsMutation:
    """The logs domain's writes."""

    @field(
        "Replay a run from its stored trace: its steps as asked, and every governance decision made again.",
        ReplayPayload,
        "logs.replay_run",
    )
    async def replay_run(self, info: Info, given: Wanted) -> Any:
        """Replay a run."""
        done, errors = await change(info, "logs.replay_run", given)
        return ReplayPayload(
            replay=done and done.replay,
            steps=done and done.steps,
            decisions=done and done.decisions,
            user_errors=errors,
        )

    @field(
        "Export a run: all that is shown of it, with its proof bundle, as one file.",
        ExportPayload,
        "activity.export_run",
    )
    async def export_run(self, info: Info, given: RunWanted) -> Any:
        """Export a run."""
        return await _exported(info, "activity.export_run", given)

    @field(
        "Export an incident: all that is shown of it and of the run that caused it, as one file.",
        ExportPayload,
        "incidents.export_incident",
    )
    async def export_incident(self, info: Info, given: IncidentWanted) -> Any:
        """Export an incident."""
        return await _exported(info, "incidents.export_incident", given)

    @field(
        "Export a period of the tenant's log: a file of which `hoc verify` proves that nothing is missing.",
        ExportPayload,
        "logs.export_period",
    )
    async def export_period(self, info: Info, given: PeriodWanted) -> Any:
        """Export a period."""
        return await _exported(info, "logs.export_period", given)


async def _exported(info: Info, operation: str, given: Any) -> ExportPayload:
    done, errors = await change(info, operation, given)
    return ExportPayload(export=done and done.export, content=done and done.content, user_errors=errors)
