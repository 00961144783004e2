"""Model prices: the list in force, and setting a tenant's own."""

from domains.analytics import driver, engine
from spine.contracts.enums import AuditEntityType, OperationKind, Permission
from spine.contracts.errors import Conflict
from spine.contracts.governance import ListModelPrices, ModelPriceSummary, PriceChanged, SetModelPrice
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.contracts.scalars import BigInt
from spine.orchestrator.context import ReadContext, WriteContext
from spine.services.ids import text_node_id
from spine.storage.keyset import Keyset, first_of, page_of

PRICES = Keyset("analytics.model_prices", (int, str, str))


async def list_model_prices(ctx: ReadContext, request: ListModelPrices) -> Page[ModelPriceSummary]:
    """A page of the prices in force: the tenant's own, then the shipped ones that none of them replaces."""
    first = first_of(request.page)
    after = None if request.page.after is None else PRICES.values(request.page.after)
    prices = engine.prices_in_force(await ctx.session.fetch(driver.price_summaries()))
    behind = [price for price in prices if after is None or engine.price_order(price) > after]
    total = len(prices) if request.count else None
    return page_of(behind[: first + 1], first, lambda price: PRICES.cursor(*engine.price_order(price)), total)


async def set_model_price(ctx: WriteContext, request: SetModelPrice) -> PriceChanged:
    """Write the next version of the tenant's price; Conflict when another was set at the same time."""
    provider, model = engine.normalised(request.provider), engine.normalised(request.model)
    version = 1 + (await ctx.session.fetch_one(driver.latest_version(provider, model)) or 0)
    price: dict[str, object] = {
        "provider": provider,
        "model": model,
        "version": version,
        "input_micro_usd_per_million": engine.micro_usd(request.input_usd_per_million, "inputUsdPerMillion"),
        "output_micro_usd_per_million": engine.micro_usd(request.output_usd_per_million, "outputUsdPerMillion"),
        "source": request.source,
        "effective_from": ctx.now.date(),
    }
    actor = ctx.principal.actor
    author = {"created_by_kind": actor.kind, "created_by_id": actor.id, "created_by_name": actor.name}
    try:
        await ctx.session.execute(driver.insert_price({**price, **author, "created_at": ctx.now}))
    except Conflict as error:
        raise Conflict("another price of this model was set at the same time") from error
    ctx.record(
        AuditEvent(
            event_type="ModelPriceSet",
            entity_type=AuditEntityType.MODEL_PRICE,
            entity_id=text_node_id("ModelPrice", f"{provider}/{model}"),
            after=price,
        ),
    )
    return PriceChanged(provider, model, BigInt(version))


OPERATIONS = (
    Operation(
        name="analytics.model_prices",
        kind=OperationKind.READ,
        request=ListModelPrices,
        result=Page[ModelPriceSummary],
        handler=list_model_prices,
        permission=Permission.REPORTS_READ,
        cross_domain_deps=(),
        cost=5,
        summary="A page of the model prices in force, the tenant's own first.",
    ),
    Operation(
        name="analytics.set_model_price",
        kind=OperationKind.WRITE,
        request=SetModelPrice,
        result=PriceChanged,
        handler=set_model_price,
        permission=Permission.BILLING_MANAGE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_price,
        summary="Set the tenant's own price of a model.",
    ),
)
