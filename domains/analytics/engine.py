"""Quoting model calls, listing the prices in force, and deciding whether a price may be set. Pure."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Final

from domains.analytics.pricing import SHIPPED_PRICES, ModelPrice, PriceIndex, cost_micro_usd, find_price, price_index
from spine.contracts.errors import ValidationFailed
from spine.contracts.governance import ModelPriceSummary, SetModelPrice
from spine.contracts.ports import PriceQuote, Quoting, TenantPrice
from spine.services.canonical_json import MAX_SAFE_INTEGER
from spine.services.money import MICRO_DIGITS, exact_integer, usd
from spine.services.texts import check_text

MAX_NAME: Final = 256
MAX_SOURCE: Final = 1024
MAX_PRICE: Final = 10**12  # micro-USD for a million tokens: a dollar a token


def quoting(prices: Sequence[TenantPrice]) -> Quoting:
    """Says what calls cost; the prices are indexed once for all of them."""
    return partial(_quote, _index(tuple(prices)))


def _quote(
    prices: PriceIndex,
    provider: str | None,
    model: str | None,
    input_tokens: int | None,
    output_tokens: int | None,
) -> PriceQuote | None:
    """What a call costs; None when the model or a count that has a price is unknown: unknown is never zero.

    A cost that JSON cannot hold exactly comes of impossible counts and is unknown too.
    """
    price = find_price(prices, provider, model) if model else None
    if price is None or (input_tokens is None and output_tokens is None):
        return None
    if input_tokens is None and price.input_micro_usd_per_million:
        return None
    if output_tokens is None and price.output_micro_usd_per_million:
        return None
    if min(input_tokens or 0, output_tokens or 0) < 0:
        return None
    cost = cost_micro_usd(price, input_tokens or 0, output_tokens or 0)
    return PriceQuote(cost, price.version) if cost <= MAX_SAFE_INTEGER else None


@lru_cache(maxsize=64)
def _index(prices: tuple[TenantPrice, ...]) -> PriceIndex:
    return price_index(
        ModelPrice(
            provider=price.provider or None,
            model=price.model,
            input_micro_usd_per_million=price.input_micro_usd_per_million,
            output_micro_usd_per_million=price.output_micro_usd_per_million,
            source="",
            effective_from=date.min,
            version=price.version,
        )
        for price in prices
    )


def prices_in_force(own: Sequence[ModelPriceSummary]) -> list[ModelPriceSummary]:
    """The tenant's own prices, then the shipped ones that none of them replaces, each by provider and model."""
    replaced = {(price.provider, price.model) for price in own}
    shipped = [_shipped(price) for price in SHIPPED_PRICES if (price.provider, price.model) not in replaced]
    return sorted([*own, *shipped], key=price_order)


def price_order(price: ModelPriceSummary) -> tuple[int, str, str]:
    """Where a price stands in the list."""
    return (int(price.is_shipped), price.provider or "", price.model)


def _shipped(price: ModelPrice) -> ModelPriceSummary:
    return ModelPriceSummary(
        provider=price.provider,
        model=price.model,
        input_usd_per_million=usd(price.input_micro_usd_per_million),
        output_usd_per_million=usd(price.output_micro_usd_per_million),
        source=price.source,
        effective_from=price.effective_from,
        version=price.version,
        is_shipped=True,
    )


def normalised(name: str) -> str:
    """A provider or model as prices are stored and found: names match in any case."""
    return name.strip().lower()


def micro_usd(value: Decimal, field: str) -> int:
    """A price in whole micro-USD; ValidationFailed when it is negative, too large or has more than 6 decimals."""
    exact = exact_integer(value, MICRO_DIGITS, MAX_PRICE, field)
    if exact < 0:
        raise ValidationFailed(f"{field} is negative", field=field)
    return exact


def check_price(request: SetModelPrice) -> None:
    """Raise ValidationFailed for a price that may not be set; an empty provider means any."""
    check_text(request.provider, "provider", MAX_NAME, least=0)
    check_text(request.model, "model", MAX_NAME)
    check_text(request.source, "source", MAX_SOURCE)
    micro_usd(request.input_usd_per_million, "inputUsdPerMillion")
    micro_usd(request.output_usd_per_million, "outputUsdPerMillion")
