"""Setting model prices."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.mutation.changes import change, shown
from schema.analytics.model_price import SetModelPriceInput
from schema.fields import field
from schema.payloads import ModelPricePayload
from spine.contracts.governance import ListModelPrices, PriceChanged
from spine.contracts.paging import MAX_PAGE, PageRequest

Price = Annotated[SetModelPriceInput, strawberry.argument(name="input", description="The model and its price.")]


@strawberry.type
class AnalyticsMutation:
    """The analytics domain's writes."""

    @field(
        "Set the tenant's own price of a model, from now on.",
        ModelPricePayload,
        "analytics.set_model_price",
        "analytics.model_prices",
    )
    async def set_model_price(self, info: Info, given: Price) -> Any:
        """Set a price."""
        changed, errors = await change(info, "analytics.set_model_price", given)
        price = await shown(_price(info, changed)) if changed else None
        return ModelPricePayload(model_price=price, user_errors=errors)


async def _price(info: Info, changed: PriceChanged) -> Any:
    """The price in force: the tenant's own come first in the list, so it is found within them."""
    after: str | None = None
    while True:
        page = await info.context.execute("analytics.model_prices", ListModelPrices(page=PageRequest(MAX_PAGE, after)))
        for price in page.nodes:
            if (price.provider, price.model) == (changed.provider, changed.model) and not price.is_shipped:
                return price
        if not page.has_next_page:
            return None
        after = page.cursors[-1]
