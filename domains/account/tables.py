"""Tenants: the account that owns everything else."""

from sqlalchemy import Column, Table, Text

from spine.storage.base import metadata, tenant_id, timestamp

tenants = Table(
    "tenants",
    metadata,
    tenant_id(),
    Column("slug", Text, nullable=False),
    timestamp("created_at"),
)
