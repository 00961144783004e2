"""Who is asking, and what can be asked."""

from typing import Any

import strawberry

from resolvers.context import Info
from schema.account.viewer import Viewer
from schema.fields import field
from schema.operation import Operation
from spine.contracts.access import Nothing


@strawberry.type
class AccountQuery:
    """The account domain's root fields, and the registry's table."""

    @field("Who is asking.", Viewer, "account.viewer")
    async def viewer(self, info: Info) -> Any:
        """The principal of the request."""
        return await info.context.execute("account.viewer", Nothing())

    @field("Every operation of this server, with its permission and cost.", list[Operation], "spine.operations")
    async def operations(self, info: Info) -> Any:
        """The registry as a table."""
        return await info.context.execute("spine.operations", Nothing())
