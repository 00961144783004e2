"""Prices: the tenant's first, release suffixes by rule and never by prefix, integer costs rounded half up."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.analytics.pricing import (
    SHIPPED_PRICES,
    SHIPPED_VERSION,
    ModelPrice,
    cost_micro_usd,
    find_price,
    price_index,
)

SHIPPED = price_index()
COUNTS = st.integers(0, 10**10)
PRICES = st.integers(0, 10**9)


def own(provider: str | None, model: str, usd: int = 1, version: str = "1") -> ModelPrice:
    return ModelPrice(provider, model, usd * 1_000_000, usd * 2_000_000, "contract", date(2026, 1, 1), version)


def model_of(provider: str | None, model: str) -> str | None:
    price = find_price(SHIPPED, provider, model)
    return price.model if price else None


class TestFindPrice:
    @pytest.mark.parametrize(
        ("provider", "asked", "priced_as"),
        [
            ("openai", "gpt-4o", "gpt-4o"),
            ("OpenAI", "GPT-4o", "gpt-4o"),
            ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
            ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
            ("openai", "gpt-4o-mini", "gpt-4o-mini"),
            ("openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
            ("openai", "gpt-5-chat-latest", "gpt-5-chat"),
            ("openai", "chatgpt-4o-latest", "chatgpt-4o-latest"),
            ("azure.ai.openai", "gpt-4.1-2025-04-14", "gpt-4.1"),
            ("anthropic", "claude-sonnet-4-20250514", "claude-sonnet-4"),
            ("anthropic", "claude-opus-4-5-20251101", "claude-opus-4-5"),
            ("anthropic", "claude-sonnet-4@20250514", "claude-sonnet-4"),
            ("anthropic", "claude-3-5-haiku-latest", "claude-3-5-haiku"),
            ("gcp.gemini", "models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("mistral_ai", "mistral-large-2512", "mistral-large-2512"),
            (None, "gpt-4o", "gpt-4o"),
            ("", "claude-haiku-4-5", "claude-haiku-4-5"),
        ],
    )
    def test_a_listed_model_is_found(self, provider: str | None, asked: str, priced_as: str) -> None:
        assert model_of(provider, asked) == priced_as

    @pytest.mark.parametrize(
        ("provider", "asked"),
        [
            ("openai", "gpt-4o-audio-preview"),
            ("openai", "gpt-4o-mini-audio"),
            ("openai", "gpt-4"[:-1]),
            ("openai", "gpt-4o-2024-08"),
            ("openai", "gpt-4o-20240806x"),
            ("openai", "gpt-4o-latest-2024-08-06"),
            ("openai", "gpt-4o-٢٠٢٤-٠٨-٠٦"),
            ("openai", "ft:gpt-4o-2024-08-06"),
            ("openai", "claude-sonnet-4"),
            ("mistral_ai", "mistral-large-latest"),
            ("vllm", "gpt-4o"),
            ("aws.bedrock", "anthropic.claude-sonnet-4-20250514-v1:0"),
            ("openai", ""),
            ("openai", "-latest"),
            (None, "no-such-model"),
        ],
    )
    def test_an_unknown_model_has_no_price(self, provider: str | None, asked: str) -> None:
        assert find_price(SHIPPED, provider, asked) is None

    def test_a_tenant_price_wins_over_the_shipped_one(self) -> None:
        mine = own("openai", "GPT-4o")
        prices = price_index([mine])
        assert find_price(prices, "OPENAI", "gpt-4o") is mine
        assert find_price(prices, "openai", "gpt-4o-2024-05-13") is mine
        assert find_price(prices, None, "gpt-4o") is mine
        assert find_price(prices, "openai", "gpt-4o-mini") is find_price(SHIPPED, "openai", "gpt-4o-mini")

    def test_a_tenant_price_of_another_provider_does_not_apply(self) -> None:
        assert find_price(price_index([own("vllm", "gpt-4o")]), "openai", "gpt-4o") is find_price(
            SHIPPED, "openai", "gpt-4o"
        )

    @pytest.mark.parametrize("any_provider", [None, ""])
    def test_a_tenant_price_without_provider_holds_for_any(self, any_provider: str | None) -> None:
        general, special = own(any_provider, "llama", 1), own("vllm", "llama", 2)
        prices = price_index([general, special])
        assert find_price(prices, "vllm", "llama") is special
        assert find_price(prices, "ollama", "llama") is general
        assert find_price(prices, None, "llama") is general

    def test_without_provider_a_model_of_two_providers_is_unknown(self) -> None:
        assert find_price(price_index([own("a", "m"), own("b", "m")]), None, "m") is None

    def test_the_exact_name_goes_before_the_base_name(self) -> None:
        base, dated = own("openai", "m"), own("openai", "m-2026-01-01", 5)
        prices = price_index([base, dated])
        assert find_price(prices, "openai", "m-2026-01-01") is dated
        assert find_price(prices, "openai", "m-2026-01-02") is base

    def test_of_two_versions_the_later_one_holds(self) -> None:
        newest = own("openai", "m", 2, version="2")
        assert find_price(price_index([own("openai", "m"), newest]), "openai", "m") is newest

    @given(st.sampled_from(SHIPPED_PRICES), st.text(alphabet="abcdefghijklmnopqrstuvwxyz.:/", min_size=1))
    def test_no_longer_name_is_priced_by_its_beginning(self, price: ModelPrice, rest: str) -> None:
        found = find_price(SHIPPED, price.provider, price.model + rest)
        assert found is None or found.model == price.model + rest

    @given(st.sampled_from(SHIPPED_PRICES), st.dates(min_value=date(2000, 1, 1)))
    def test_a_dated_release_costs_what_its_base_costs_unless_listed_itself(self, price: ModelPrice, day: date) -> None:
        for release in (day.isoformat(), day.strftime("%Y%m%d")):
            found = find_price(SHIPPED, price.provider, f"{price.model}-{release}")
            assert found is not None
            assert found.model in (price.model, f"{price.model}-{release}")

    @given(st.none() | st.text(), st.text())
    def test_any_names_are_looked_up_without_an_error(self, provider: str | None, model: str) -> None:
        find_price(SHIPPED, provider, model)


class TestCost:
    def test_a_known_call_costs_what_the_list_says(self) -> None:
        price = find_price(SHIPPED, "openai", "gpt-4o")
        assert price is not None
        assert cost_micro_usd(price, 1_000_000, 0) == 2_500_000
        assert cost_micro_usd(price, 0, 1_000_000) == 10_000_000
        assert cost_micro_usd(price, 1556, 31) == 4200

    @pytest.mark.parametrize(("tokens", "cost"), [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (7, 1), (8, 2)])
    def test_halves_are_rounded_up(self, tokens: int, cost: int) -> None:
        fifth = ModelPrice("p", "m", 200_000, 0, "s", date(2026, 1, 1), "1")
        assert cost_micro_usd(fifth, tokens, 0) == cost
        half = ModelPrice("p", "m", 500_000, 0, "s", date(2026, 1, 1), "1")
        assert cost_micro_usd(half, 1, 0) == 1

    @given(COUNTS, COUNTS, PRICES, PRICES)
    def test_the_cost_is_exact_to_half_a_micro_dollar(
        self, tokens_in: int, tokens_out: int, per_in: int, per_out: int
    ) -> None:
        price = ModelPrice("p", "m", per_in, per_out, "s", date(2026, 1, 1), "1")
        exact = Decimal(tokens_in * per_in + tokens_out * per_out) / 1_000_000
        assert cost_micro_usd(price, tokens_in, tokens_out) == exact.quantize(Decimal(1), ROUND_HALF_UP)

    @given(COUNTS, COUNTS, COUNTS, PRICES, PRICES)
    def test_more_tokens_never_cost_less(self, tokens: int, more: int, other: int, per_in: int, per_out: int) -> None:
        price = ModelPrice("p", "m", per_in, per_out, "s", date(2026, 1, 1), "1")
        assert cost_micro_usd(price, tokens + more, other) >= cost_micro_usd(price, tokens, other)
        assert cost_micro_usd(price, other, tokens + more) >= cost_micro_usd(price, other, tokens)

    @pytest.mark.parametrize("counts", [(-1, 0), (0, -1)])
    def test_a_negative_count_is_an_error(self, counts: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="negative"):
            cost_micro_usd(SHIPPED_PRICES[0], *counts)


class TestShippedLists:
    def test_every_price_says_where_and_when_it_was_read(self) -> None:
        assert len(SHIPPED_PRICES) > 70
        for price in SHIPPED_PRICES:
            assert price.version == SHIPPED_VERSION
            assert price.provider
            assert "pricing" in price.source.lower()
            assert date(2025, 1, 1) <= price.effective_from <= date.fromisoformat(SHIPPED_VERSION)
            assert price.input_micro_usd_per_million > 0

    def test_no_model_is_listed_twice_by_a_provider(self) -> None:
        assert len({(price.provider, price.model) for price in SHIPPED_PRICES}) == len(SHIPPED_PRICES)

    def test_only_embeddings_have_free_output(self) -> None:
        free = {price.model for price in SHIPPED_PRICES if price.output_micro_usd_per_million == 0}
        assert free == {name for name in free if "embed" in name}
