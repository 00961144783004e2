"""Events: where they stand, and what every feed of them checks."""

from spine.contracts.access import Nothing
from spine.contracts.enums import OperationKind
from spine.contracts.errors import ValidationFailed
from spine.contracts.events import MAX_BATCH, EventCursor, Follow
from spine.contracts.operations import Operation
from spine.orchestrator.context import ReadContext
from spine.storage.events import PLACES, head


def check_follow(request: Follow) -> None:
    """A batch has 1 to 100 events; the cursor is one of events."""
    if not 1 <= request.first <= MAX_BATCH:
        raise ValidationFailed(f"first must be between 1 and {MAX_BATCH}", field="first")
    if request.after is not None:
        PLACES.values(request.after)


async def event_cursor(ctx: ReadContext, request: Nothing) -> EventCursor:  # noqa: ARG001 - every handler takes a request
    """Where events stand in the request's snapshot."""
    return EventCursor(PLACES.cursor(await ctx.session.fetch_one(head()) or 0))


OPERATIONS = (
    Operation(
        name="spine.event_cursor",
        kind=OperationKind.READ,
        request=Nothing,
        result=EventCursor,
        handler=event_cursor,
        permission=None,
        cross_domain_deps=(),
        cost=1,
        summary="Where the tenant's events stand.",
    ),
)
