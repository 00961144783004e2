"""Per-run limits and what they measured: hits, chained as evidence of the run.

Values are integers in the limit's own unit: milliseconds, tokens, micro-USD, failed steps. A hit keeps the limit's
value of that moment. `cleared` says that a later, corrected total no longer reaches the limit.
"""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import UUID

from spine.contracts.enums import ActorKind, Consequence, LimitLevel, LimitStatus, LimitType, Scope
from spine.storage.base import metadata, one_of, tenant_id, timestamp

limits = Table(
    "limits",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False),
    *one_of("limit_type", LimitType),
    *one_of("scope", Scope),
    Column("scope_id", Text),
    Column("max_value", BigInteger, CheckConstraint("max_value > 0", name="max_value"), nullable=False),
    *one_of("consequence", Consequence),
    *one_of("status", LimitStatus),
    timestamp("created_at"),
    timestamp("updated_at"),
    *one_of("created_by_kind", ActorKind),
    Column("created_by_id", Text),
    Column("created_by_name", Text),
    Index("ix_limits_created", "tenant_id", "created_at", "id"),
)

limit_breaches = Table(
    "limit_breaches",
    metadata,
    tenant_id(),
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("evidence_index", Integer, primary_key=True, autoincrement=False),
    Column("id", UUID(as_uuid=True), nullable=False),
    Column("limit_id", UUID(as_uuid=True), nullable=False),
    Column("limit_name", Text, nullable=False),
    *one_of("limit_type", LimitType),
    *one_of("level", LimitLevel),
    Column("cleared", Boolean, nullable=False),
    Column("breached_value", BigInteger, nullable=False),
    Column("threshold_value", BigInteger, nullable=False),
    timestamp("breached_at"),
    Column("evidence_hash", LargeBinary, nullable=False),
    info={"append_only": True},
)
