"""Limits."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.paging import DEFAULT_FIRST, UNSET, After, First, connection, counting, page_request
from schema.controls.limit import Limit
from schema.fields import field
from schema.relay import Connection
from spine.contracts.enums import LimitStatus
from spine.contracts.governance import ListLimits

Status = Annotated[LimitStatus | None, strawberry.argument(description="With this status; any when absent.")]


@strawberry.type
class ControlsQuery:
    """The controls domain's root fields."""

    @field("Per-run limits, newest first.", Connection[Limit], "controls.limits")
    async def limits(
        self, info: Info, status: Status = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of limits."""
        request = ListLimits(page=page_request(first, after), status=status or None, count=counting(info))
        return await connection(info, "controls.limits", request)
