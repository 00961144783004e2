"""Tenant model prices, one row per version; the newest version of a provider and model is in force."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text
from sqlalchemy.dialects.postgresql import DATE

from spine.contracts.enums import ActorKind
from spine.storage.base import metadata, one_of, tenant_id, timestamp

model_prices = Table(
    "model_prices",
    metadata,
    tenant_id(),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("input_micro_usd_per_million", BigInteger, nullable=False),
    Column("output_micro_usd_per_million", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("effective_from", DATE, nullable=False),
    timestamp("created_at"),
    *one_of("created_by_kind", ActorKind),
    Column("created_by_id", Text),
    Column("created_by_name", Text),
    info={"append_only": True},
)
