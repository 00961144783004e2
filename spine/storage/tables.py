"""Tables that the spine itself owns: remembered answers of idempotent writes."""

from sqlalchemy import Column, LargeBinary, Table, Text

from spine.storage.base import metadata, tenant_id, timestamp

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    tenant_id(),
    Column("operation", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=False),
    timestamp("created_at"),
)
