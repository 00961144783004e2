"""Incidents as they change."""

from collections.abc import AsyncGenerator
from typing import Any

import strawberry

from resolvers.context import Info
from resolvers.subscription.following import DEFAULT_FIRST, follow
from schema.events import After, Batch, First, IncidentUpdate
from schema.fields import subscription

UNSET: Any = strawberry.UNSET


@strawberry.type
class IncidentsSubscription:
    """The incidents domain's root fields."""

    @subscription("Incidents as they are opened, withdrawn and restored.", Batch[IncidentUpdate], "incidents.updates")
    async def incident_changed(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> AsyncGenerator[Any, None]:
        """Batches of incident events."""
        async for batch in follow(info, "incidents.updates", first, after):
            yield batch
