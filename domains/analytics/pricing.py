"""What a model call costs: list prices shipped as data, a tenant's own prices before them, integer arithmetic.

List prices are those of standard, uncached text tokens, short-context tier; caching, batch and volume discounts are a
tenant's own price. A model that is not listed has no price: unknown is never zero. Each list says where and when its
prices were read; names that vendors move to other models (`mistral-large-latest`) are left out on purpose.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from msgspec import Struct

SHIPPED_VERSION: Final = "2026-11-22"  # rises with every change of the lists below
MICRO: Final = 1_000_000

# A release suffix and nothing else: -2024-08-06, -20250514, @20250514 (Vertex AI), -latest. Never a loose prefix.
_RELEASE: Final = re.compile(r"(?P<base>.+?)(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-latest)", re.ASCII)


class ModelPrice(Struct, frozen=True, gc=False):
    """Micro-USD for a million tokens; provider None holds for any. `version` is the list's, or the tenant price's."""

    provider: str | None
    model: str
    input_micro_usd_per_million: int
    output_micro_usd_per_million: int
    source: str
    effective_from: date
    version: str


Layer = Mapping[str, Mapping[str, ModelPrice]]  # by model, then by provider ("" for any), both in lower case


class PriceIndex(Struct, frozen=True):
    """Prices ready for `find_price`: the tenant's own are asked before the shipped ones."""

    tenant: Layer
    shipped: Layer


def price_index(tenant: Iterable[ModelPrice] = ()) -> PriceIndex:
    """Index a tenant's prices before the shipped ones; of two for the same provider and model the later one holds."""
    return PriceIndex(tenant=_layer(tenant), shipped=_SHIPPED_LAYER)


def find_price(prices: PriceIndex, provider: str | None, model: str) -> ModelPrice | None:
    """The price of a model, or None when it is unknown; names match in any case.

    A tenant price wins, also by base name, over a shipped one. In each, the exact name goes before the name without
    its release suffix. Without a provider, a model priced for exactly one provider is that one.
    """
    asked = (provider or "").strip().lower()
    names = tuple(_names(model.strip().lower()))
    for layer, offered_by in ((prices.tenant, asked), (prices.shipped, _VENDOR_OF.get(asked, asked))):
        for name in names:
            price = _offer(layer.get(name, {}), offered_by)
            if price is not None:
                return price
    return None


def cost_micro_usd(price: ModelPrice, input_tokens: int, output_tokens: int) -> int:
    """The cost in whole micro-USD, rounded half up; raises ValueError for a negative count."""
    if input_tokens < 0 or output_tokens < 0:
        raise ValueError("token counts are never negative")
    exact = input_tokens * price.input_micro_usd_per_million + output_tokens * price.output_micro_usd_per_million
    return (exact + MICRO // 2) // MICRO


def _names(model: str) -> Iterator[str]:
    name = model.removeprefix("models/")  # Google's API prefixes its names so
    yield name
    if release := _RELEASE.fullmatch(name):
        yield release["base"]


def _offer(offers: Mapping[str, ModelPrice], provider: str) -> ModelPrice | None:
    if provider:
        return offers.get(provider) or offers.get("")
    if "" in offers:
        return offers[""]
    return next(iter(offers.values())) if len(offers) == 1 else None


def _layer(prices: Iterable[ModelPrice]) -> Layer:
    layer: dict[str, dict[str, ModelPrice]] = {}
    for price in prices:
        offers = layer.setdefault(price.model.strip().lower(), {})
        offers[(price.provider or "").strip().lower()] = price
    return MappingProxyType(layer)


# --- the shipped lists: model, US dollars for a million input tokens, for a million output tokens

_OPENAI: Final = """
    gpt-5.1 1.25 10            gpt-5.1-chat 1.25 10        gpt-5.1-codex 1.25 10       gpt-5.1-codex-mini 0.25 2
    gpt-5 1.25 10              gpt-5-chat 1.25 10          gpt-5-codex 1.25 10         gpt-5-mini 0.25 2
    gpt-5-nano 0.05 0.40       gpt-5-pro 15 120            gpt-4.1 2 8                 gpt-4.1-mini 0.40 1.60
    gpt-4.1-nano 0.10 0.40     gpt-4o 2.50 10              gpt-4o-2024-05-13 5 15      gpt-4o-mini 0.15 0.60
    chatgpt-4o-latest 5 15     o4-mini 1.10 4.40           o3 2 8                      o3-mini 1.10 4.40
    o3-pro 20 80               o1 15 60                    o1-mini 1.10 4.40           o1-pro 150 600
    gpt-4-turbo 10 30          gpt-4 30 60                 gpt-4-0613 30 60            gpt-4-32k 60 120
    gpt-3.5-turbo 0.50 1.50    gpt-3.5-turbo-0125 0.50 1.50                            gpt-3.5-turbo-1106 1 2
    text-embedding-3-small 0.02 0                          text-embedding-3-large 0.13 0
    text-embedding-ada-002 0.10 0
"""
_ANTHROPIC: Final = """
    claude-opus-4-6 5 25       claude-opus-4-5 5 25        claude-opus-4-1 15 75       claude-opus-4-0 15 75
    claude-opus-4 15 75        claude-sonnet-4-6 3 15      claude-sonnet-4-5 3 15      claude-sonnet-4-0 3 15
    claude-sonnet-4 3 15       claude-3-7-sonnet 3 15      claude-3-5-sonnet 3 15      claude-haiku-4-5 1 5
    claude-3-5-haiku 0.80 4    claude-3-opus 15 75         claude-3-sonnet 3 15        claude-3-haiku 0.25 1.25
"""
_GOOGLE: Final = """
    gemini-2.5-pro 1.25 10     gemini-2.5-flash 0.30 2.50  gemini-2.5-flash-lite 0.10 0.40
    gemini-2.0-flash 0.10 0.40                             gemini-2.0-flash-001 0.10 0.40
    gemini-2.0-flash-lite 0.075 0.30                       gemini-2.0-flash-lite-001 0.075 0.30
    gemini-1.5-pro 1.25 5      gemini-1.5-flash 0.075 0.30 gemini-1.5-flash-8b 0.0375 0.15
"""
_MISTRAL: Final = """
    mistral-large-2512 0.50 1.50                           mistral-large-2411 2 6      mistral-large-2407 2 6
    mistral-medium-2508 0.40 2 mistral-medium-2505 0.40 2  mistral-small-2603 0.15 0.60
    devstral-2512 0.40 2       codestral-2508 0.30 0.90    ministral-3b-2512 0.10 0.10
    ministral-14b-2512 0.20 0.20                           mistral-embed 0.10 0
"""
_DEEPSEEK: Final = "deepseek-v4-flash 0.14 0.28  deepseek-v4-pro 0.435 0.87"
_GROQ: Final = "llama-3.3-70b-versatile 0.59 0.79  llama-3.1-8b-instant 0.05 0.08"

_LISTS: Final = (
    ("openai", "OpenAI API pricing (platform.openai.com/docs/pricing)", date(2025, 11, 13), _OPENAI),
    ("anthropic", "Claude API pricing (docs.anthropic.com, Pricing)", date(2026, 3, 21), _ANTHROPIC),
    ("google", "Gemini Developer API pricing (ai.google.dev/gemini-api/docs/pricing)", date(2025, 7, 4), _GOOGLE),
    ("mistral", "Mistral AI API pricing (mistral.ai/pricing)", date(2026, 6, 9), _MISTRAL),
    ("deepseek", "DeepSeek models & pricing (api-docs.deepseek.com)", date(2026, 6, 2), _DEEPSEEK),
    ("groq", "Groq on-demand pricing (groq.com/pricing)", date(2025, 7, 4), _GROQ),
)

_VENDOR_NAMES: Final = {
    # Azure lists OpenAI's prices for its global deployments; who pays others sets a price of their own.
    "openai": ("azure.ai.openai", "az.ai.openai", "azure_openai", "azure"),
    "google": ("gcp.gemini", "gcp.gen_ai", "gcp.vertex_ai", "gemini", "vertex_ai", "vertexai"),
    "mistral": ("mistral_ai", "mistralai"),
}
_VENDOR_OF: Final = {alias: vendor for vendor, aliases in _VENDOR_NAMES.items() for alias in aliases}


def _micro(usd: str) -> int:
    exact = Decimal(usd) * MICRO
    if exact != int(exact):
        raise ValueError(f"{usd} is not a whole number of micro-USD")
    return int(exact)


def _listed(provider: str, source: str, as_of: date, table: str) -> Iterator[ModelPrice]:
    words = iter(table.split())
    for model, usd_in, usd_out in zip(words, words, words, strict=True):
        yield ModelPrice(provider, model, _micro(usd_in), _micro(usd_out), source, as_of, SHIPPED_VERSION)


SHIPPED_PRICES: Final = tuple(price for vendor in _LISTS for price in _listed(*vendor))
_SHIPPED_LAYER: Final = _layer(SHIPPED_PRICES)
