"""Objects by global id: each kind of Node is found by its domain's batch operation, one statement for any number."""

import asyncio
from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from schema.fields import field
from schema.relay import Node, key_of, split_id
from spine.contracts.errors import ValidationFailed
from spine.contracts.paging import MAX_PAGE

FINDERS = {
    "Run": "activity.runs_by_key",
    "Signal": "activity.signals_by_key",
    "Incident": "incidents.by_key",
    "PolicyRule": "policies.rules_by_key",
    "Limit": "controls.limits_by_key",
    "Replay": "logs.replays_by_key",
    "Export": "logs.exports_by_key",
}
"""The batch operation of each kind of Node."""

NodeId = Annotated[strawberry.ID, strawberry.argument(name="id", description="The object's global id.")]
NodeIds = Annotated[list[strawberry.ID], strawberry.argument(description=f"At most {MAX_PAGE} global ids.")]


async def find(info: Info, global_id: str, kind: str) -> Any:
    """The object of this kind; NotFound when it is absent or another tenant's."""
    return await info.context.load(FINDERS[kind], key_of(global_id, kind))


async def find_any(info: Info, global_id: str) -> Any:
    """The object of whichever kind; ValidationFailed when the id is of none."""
    kind, _ = split_id(global_id)
    if kind not in FINDERS:
        raise ValidationFailed("malformed id", field="id")
    return await find(info, global_id, kind)


@strawberry.type
class NodeQuery:
    """Relay's root fields."""

    @field("An object by its global id; null and NOT_FOUND when there is none.", Node | None, *FINDERS.values())
    async def node(self, info: Info, global_id: NodeId) -> Any:
        """One object."""
        return await find_any(info, global_id)

    @field(
        "Objects by their global ids, in order; null and NOT_FOUND for each that is absent.",
        list[Node | None],
        *FINDERS.values(),
    )
    async def nodes(self, info: Info, ids: NodeIds) -> Any:
        """Many objects, one statement for each kind."""
        if len(ids) > MAX_PAGE:
            raise ValidationFailed(f"at most {MAX_PAGE} ids", field="ids")
        found: Any = await asyncio.gather(*(find_any(info, one) for one in ids), return_exceptions=True)
        return found
