"""Model prices."""

from typing import Any

import strawberry

from resolvers.context import Info
from resolvers.paging import DEFAULT_FIRST, UNSET, After, First, connection, counting, page_request
from schema.analytics.model_price import ModelPrice
from schema.fields import field
from schema.relay import Connection
from spine.contracts.governance import ListModelPrices


@strawberry.type
class AnalyticsQuery:
    """The analytics domain's root fields."""

    @field("The prices in force, the tenant's own first.", Connection[ModelPrice], "analytics.model_prices")
    async def model_prices(self, info: Info, first: First = DEFAULT_FIRST, after: After = UNSET) -> Any:
        """A keyset page of prices."""
        request = ListModelPrices(page=page_request(first, after), count=counting(info))
        return await connection(info, "analytics.model_prices", request)
