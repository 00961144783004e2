"""API keys: who may call. The secret is never stored, only its HMAC under a pepper that the database never sees.

`key_id` is the public part of a key and is looked up before the tenant is known, hence the one index without tenant.
"""

from sqlalchemy import Column, Double, Index, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from spine.contracts.enums import ActorKind, Role
from spine.storage.base import metadata, one_of, tenant_id, timestamp

api_keys = Table(
    "api_keys",
    metadata,
    tenant_id(),
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    *one_of("role", Role),
    Column("scopes", ARRAY(Text), nullable=False),
    *one_of("actor_kind", ActorKind),
    Column("actor_id", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    timestamp("created_at"),
    timestamp("expires_at", nullable=True),
    timestamp("frozen_at", nullable=True),
    timestamp("revoked_at", nullable=True),
    Column("revoked_reason", Text),
    Index("ix_api_keys_key_id", "key_id"),
)

key_budgets = Table(
    "key_budgets",
    metadata,
    tenant_id(),
    Column("key_id", Text, primary_key=True),
    Column("points", Double, nullable=False),
    timestamp("refilled_at"),
)
"""What a key may still spend; a key without a row has spent nothing. Both columns change together."""
