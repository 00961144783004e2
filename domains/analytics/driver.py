"""Statements over a tenant's own model prices; the newest version of a provider and model is in force."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from domains.analytics.tables import model_prices as prices
from spine.contracts.governance import ModelPriceSummary
from spine.contracts.ports import TenantPrice
from spine.contracts.statements import Read, Row, Write
from spine.services.money import usd

OF_TENANT: Final = prices.c.tenant_id == bindparam("tenant_id")

IN_FORCE: Final = (
    select(
        prices.c.provider,
        prices.c.model,
        prices.c.input_micro_usd_per_million,
        prices.c.output_micro_usd_per_million,
        prices.c.version,
        prices.c.source,
        prices.c.effective_from,
    )
    .ext(distinct_on(prices.c.provider, prices.c.model))
    .where(OF_TENANT)
    .order_by(prices.c.provider, prices.c.model, prices.c.version.desc())
)
LATEST: Final = select(func.max(prices.c.version)).where(
    OF_TENANT, prices.c.provider == bindparam("provider"), prices.c.model == bindparam("model")
)
INSERT: Final = insert(prices)


def tenant_prices() -> Read[TenantPrice]:
    """The tenant's own prices in force."""
    return Read(IN_FORCE, {}, _price)


def price_summaries() -> Read[ModelPriceSummary]:
    """The tenant's own prices in force, as people read them."""
    return Read(IN_FORCE, {}, _summary)


def latest_version(provider: str, model: str) -> Read[int]:
    """The newest version of the tenant's price of a model; 0 when it has none."""
    return Read(LATEST, {"provider": provider, "model": model}, lambda row: row[0] or 0)


def insert_price(values: Mapping[str, object]) -> Write:
    """Write a version of a price; Conflict when it exists."""
    return Write(INSERT, values)


def _version(number: int) -> str:
    return f"tenant-{number}"


def _price(row: Row) -> TenantPrice:
    return TenantPrice(
        provider=row[0],
        model=row[1],
        input_micro_usd_per_million=row[2],
        output_micro_usd_per_million=row[3],
        version=_version(row[4]),
    )


def _summary(row: Row) -> ModelPriceSummary:
    return ModelPriceSummary(
        provider=row[0] or None,
        model=row[1],
        input_usd_per_million=usd(row[2]),
        output_usd_per_million=usd(row[3]),
        source=row[5],
        effective_from=row[6],
        version=_version(row[4]),
        is_shipped=False,
    )
