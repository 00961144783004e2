"""Setting limits."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.mutation.changes import change, shown
from schema.controls.limit import CreateLimitInput, DisableLimitInput, UpdateLimitInput
from schema.fields import field
from schema.payloads import LimitPayload

Created = Annotated[CreateLimitInput, strawberry.argument(name="input", description="The limit.")]
Updated = Annotated[UpdateLimitInput, strawberry.argument(name="input", description="The limit and what changes.")]
Disabled = Annotated[DisableLimitInput, strawberry.argument(name="input", description="The limit, and why.")]


@strawberry.type
class ControlsMutation:
    """The controls domain's writes."""

    @field("Set a per-run limit.", LimitPayload, "controls.create_limit", "controls.limits_by_key")
    async def create_limit(self, info: Info, given: Created) -> Any:
        """Create a limit."""
        return await _limit(info, "controls.create_limit", given)

    @field(
        "Change a limit; earlier breaches keep the value of their moment.",
        LimitPayload,
        "controls.update_limit",
        "controls.limits_by_key",
    )
    async def update_limit(self, info: Info, given: Updated) -> Any:
        """Update a limit."""
        return await _limit(info, "controls.update_limit", given)

    @field("Take a limit out of force.", LimitPayload, "controls.disable_limit", "controls.limits_by_key")
    async def disable_limit(self, info: Info, given: Disabled) -> Any:
        """Disable a limit."""
        return await _limit(info, "controls.disable_limit", given)


async def _limit(info: Info, operation: str, given: Any) -> LimitPayload:
    changed, errors = await change(info, operation, given)
    limit = await shown(info.context.load("controls.limits_by_key", changed.limit_key)) if changed else None
    return LimitPayload(limit=limit, user_errors=errors)
