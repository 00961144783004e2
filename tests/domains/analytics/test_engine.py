"""Quotes, the list of prices in force, and what may be set. Pure."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from domains.analytics.engine import check_price, micro_usd, price_order, prices_in_force, quoting
from domains.analytics.pricing import SHIPPED_PRICES, SHIPPED_VERSION
from spine.contracts.errors import ValidationFailed
from spine.contracts.governance import ModelPriceSummary, SetModelPrice
from spine.contracts.ports import PriceQuote, TenantPrice


def own(provider: str, model: str, price_in: int, price_out: int) -> TenantPrice:
    return TenantPrice(
        provider=provider,
        model=model,
        input_micro_usd_per_million=price_in,
        output_micro_usd_per_million=price_out,
        version="tenant-1",
    )


class TestQuote:
    def test_a_shipped_price_is_quoted_with_its_lists_version(self) -> None:
        listed = quoting([])("openai", "gpt-4o-2024-08-06", 1_000_000, 1_000_000)
        assert listed == PriceQuote(12_500_000, SHIPPED_VERSION)

    def test_the_tenants_own_price_goes_first(self) -> None:
        mine = [own("openai", "gpt-4o", 1_000_000, 2_000_000)]
        assert quoting(mine)("openai", "gpt-4o", 1_000_000, 500_000) == PriceQuote(2_000_000, "tenant-1")

    def test_a_price_for_any_provider_holds_for_each(self) -> None:
        mine = [own("", "house-model", 5, 5)]
        assert quoting(mine)("someone", "house-model", 1_000_000, 0) == PriceQuote(5, "tenant-1")

    @pytest.mark.parametrize(
        ("model", "tokens_in", "tokens_out"),
        [
            (None, 1, 1),
            ("", 1, 1),
            ("never-heard-of", 1, 1),
            ("gpt-4o", None, None),
            ("gpt-4o", 1, None),
            ("gpt-4o", None, 1),
            ("gpt-4o", -1, 1),
            ("gpt-4o", 2**63, 2**63),
        ],
    )
    def test_what_is_unknown_is_never_zero(
        self, model: str | None, tokens_in: int | None, tokens_out: int | None
    ) -> None:
        assert quoting([])("openai", model, tokens_in, tokens_out) is None

    def test_a_missing_count_of_what_costs_nothing_does_not_matter(self) -> None:
        embedded = quoting([])("openai", "text-embedding-3-small", 1_000_000, None)
        assert embedded == PriceQuote(20_000, SHIPPED_VERSION)


def listed(provider: str | None, model: str) -> ModelPriceSummary:
    return ModelPriceSummary(
        provider=provider,
        model=model,
        input_usd_per_million=Decimal(1),
        output_usd_per_million=Decimal(1),
        source="contract",
        effective_from=date(2026, 1, 1),
        version="tenant-1",
        is_shipped=False,
    )


class TestPricesInForce:
    def test_own_prices_come_first_and_replace_shipped_ones(self) -> None:
        mine = [listed("openai", "gpt-4o"), listed(None, "house-model")]
        prices = prices_in_force(mine)
        assert [price.model for price in prices[:2]] == ["house-model", "gpt-4o"]
        assert len(prices) == len(SHIPPED_PRICES) + 1
        assert all(price.is_shipped for price in prices[2:])
        assert prices == sorted(prices, key=price_order)
        assert len({price_order(price) for price in prices}) == len(prices)


NEW = SetModelPrice(
    provider="openai",
    model="gpt-4o",
    input_usd_per_million=Decimal("2.5"),
    output_usd_per_million=Decimal(10),
    source="contract 17",
)


class TestValidation:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"model": ""}, "model"),
            ({"model": "x" * 257}, "model"),
            ({"provider": "x" * 257}, "provider"),
            ({"provider": "a\0"}, "provider"),
            ({"source": " "}, "source"),
            ({"input_usd_per_million": Decimal("-0.1")}, "inputUsdPerMillion"),
            ({"input_usd_per_million": Decimal("0.0000001")}, "inputUsdPerMillion"),
            ({"output_usd_per_million": Decimal("NaN")}, "outputUsdPerMillion"),
            ({"output_usd_per_million": Decimal("1e30")}, "outputUsdPerMillion"),
            ({"output_usd_per_million": Decimal("1000000.000001")}, "outputUsdPerMillion"),
        ],
    )
    def test_a_wrong_price_names_its_field(self, change: dict[str, object], field: str) -> None:
        with pytest.raises(ValidationFailed) as caught:
            check_price(msgspec.structs.replace(NEW, **change))
        assert caught.value.field == field

    def test_a_free_model_and_any_provider_are_allowed(self) -> None:
        check_price(msgspec.structs.replace(NEW, provider="", input_usd_per_million=Decimal(0)))

    def test_dollars_become_whole_micro_usd(self) -> None:
        assert micro_usd(Decimal("0.075"), "x") == 75_000
