"""Runs, signals and agents."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.paging import DEFAULT_FIRST, UNSET, After, First, connection, counting, page_request, selects
from resolvers.query.nodes import find
from schema.activity.agent import Agent
from schema.activity.inputs import RunFilter
from schema.activity.proof import RunProofBundle
from schema.activity.run import Run
from schema.activity.signal import Signal, SignalFilter
from schema.activity.stats import RunStats
from schema.fields import field
from schema.inputs import to_contract
from schema.relay import Connection, key_of
from spine.contracts import proof, runs, signals
from spine.contracts.scalars import BigInt

RunsWanted = Annotated[RunFilter | None, strawberry.argument(name="filter", description="Which runs; all when absent.")]
SignalsWanted = Annotated[
    SignalFilter | None, strawberry.argument(name="filter", description="Which signals; all when absent.")
]
Order = Annotated[runs.RunOrder, strawberry.argument(description="The order; ties are broken by id.")]
GroupBy = Annotated[runs.RunGrouping, strawberry.argument(description="What to count by.")]
RunId = Annotated[strawberry.ID, strawberry.argument(name="id", description="The run's global id.")]
FromSize = Annotated[
    BigInt | None,
    strawberry.argument(
        name="from",
        description="The size of a checkpoint that was kept: the bundle then proves that the log continues it.",
    ),
]
StartedAfter = Annotated[datetime | None, strawberry.argument(description="Over runs started at this time or later.")]
StartedBefore = Annotated[datetime | None, strawberry.argument(description="Over runs started before this time.")]


@strawberry.type
class ActivityQuery:
    """The activity domain's root fields."""

    @field("Runs, the latest first unless ordered otherwise.", Connection[Run], "activity.runs")
    async def runs(
        self,
        info: Info,
        wanted: RunsWanted = UNSET,
        order_by: Order = runs.RunOrder.STARTED_AT_DESC,
        first: First = DEFAULT_FIRST,
        after: After = UNSET,
    ) -> Any:
        """A keyset page of runs."""
        request = runs.ListRuns(
            page=page_request(first, after),
            filter=run_filter(wanted),
            order=order_by,
            count=counting(info),
            latency=selects(info, "latencyBucket"),
        )
        return await connection(info, "activity.runs", request)

    @field("One run; null and NOT_FOUND when there is none.", Run | None, "activity.runs_by_key")
    async def run(self, info: Info, global_id: RunId) -> Any:
        """One run by its global id."""
        return await find(info, global_id, "Run")

    @field(
        "A run's record with its proof, as one file; null and the reason when there is nothing to prove.",
        RunProofBundle | None,
        "activity.run_proof_bundle",
    )
    async def run_proof_bundle(self, info: Info, global_id: RunId, from_size: FromSize = UNSET) -> Any:
        """The bundle that `hoc verify` checks."""
        size = None if from_size is UNSET else from_size
        request = proof.TakeRunAway(run_key=key_of(global_id, "Run"), from_size=size)
        return await info.context.execute("activity.run_proof_bundle", request)

    @field("Counts of runs by one of their fields, for filter chips.", RunStats, "activity.run_stats")
    async def run_stats(self, info: Info, group_by: GroupBy, wanted: RunsWanted = UNSET) -> Any:
        """Counts of runs."""
        request = runs.CountRuns(filter=run_filter(wanted), group_by=group_by)
        return await info.context.execute("activity.run_stats", request)

    @field("Signals, newest first.", Connection[Signal], "activity.signals")
    async def signals(
        self, info: Info, wanted: SignalsWanted = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of signals."""
        chosen = to_contract(wanted) if wanted else signals.SignalFilter()
        request = signals.ListSignals(page=page_request(first, after), filter=chosen, count=counting(info))
        return await connection(info, "activity.signals", request)

    @field("Agents by identifier, with counts over their runs.", Connection[Agent], "activity.agents")
    async def agents(
        self,
        info: Info,
        started_after: StartedAfter = UNSET,
        started_before: StartedBefore = UNSET,
        first: First = DEFAULT_FIRST,
        after: After = UNSET,
    ) -> Any:
        """A keyset page of agents."""
        request = runs.ListAgents(
            page=page_request(first, after),
            started_after=started_after or None,
            started_before=started_before or None,
            count=counting(info),
        )
        return await connection(info, "activity.agents", request)


def run_filter(wanted: RunFilter | None) -> Any:
    """The contract's filter; everything when there is none."""
    return to_contract(wanted) if wanted else runs.RunFilter()
