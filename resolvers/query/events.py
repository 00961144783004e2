"""Where events stand."""

import strawberry

from resolvers.context import Info
from schema.fields import field
from spine.contracts.access import Nothing


@strawberry.type
class EventsQuery:
    """What a subscription begins with."""

    @field(
        "Where the tenant's events stand in this query's snapshot: read it with a list, then subscribe after it, and "
        "nothing that happens to the list is missed.",
        str,
        "spine.event_cursor",
    )
    async def event_cursor(self, info: Info) -> str:
        """The cursor of the latest event in the snapshot."""
        found = await info.context.execute("spine.event_cursor", Nothing())
        return str(found.cursor)
