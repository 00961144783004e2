"""Runs and signals as they change."""

from collections.abc import AsyncGenerator
from typing import Any

import strawberry

from resolvers.context import Info
from resolvers.query.activity import RunsWanted, run_filter
from resolvers.subscription.following import DEFAULT_FIRST, follow
from schema.events import After, Batch, First, RunUpdate, SignalUpdate
from schema.fields import subscription
from spine.contracts import events
from spine.contracts.runs import RunFilter

UNSET: Any = strawberry.UNSET


@strawberry.type
class ActivitySubscription:
    """The activity domain's root fields."""

    @subscription(
        "Runs as they appear, change and are withdrawn; those that match the filter now.",
        Batch[RunUpdate],
        "activity.run_updates",
        "activity.runs_among",
    )
    async def run_updated(
        self, info: Info, wanted: RunsWanted = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> AsyncGenerator[Any, None]:
        """Batches of run events; a withdrawn run is told of whatever the filter."""
        chosen: RunFilter = run_filter(wanted)

        async def matching(batch: events.Batch[events.RunUpdate]) -> events.Batch[events.RunUpdate]:
            keys = {one.run_key for one in batch.events if one.run_key is not None}
            among = await info.context.execute("activity.runs_among", events.RunsAmong(tuple(keys), chosen))
            kept = [one for one in batch.events if one.run_key is None or one.run_key in among]
            return events.Batch(batch.cursor, kept)

        narrow = None if chosen == RunFilter() else matching
        async for batch in follow(info, "activity.run_updates", first, after, narrow):
            yield batch

    @subscription("Signals as they are raised.", Batch[SignalUpdate], "activity.signal_updates")
    async def signal_raised(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> AsyncGenerator[Any, None]:
        """Batches of signal events."""
        async for batch in follow(info, "activity.signal_updates", first, after):
            yield batch
