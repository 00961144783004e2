"""Tables that the spine itself owns: remembered answers of idempotent writes, reservations of executions, and events.

`event_heads` numbers a tenant's events without gaps; its row is the lock that puts their writes in order.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import UUID

from spine.contracts.enums import ChangeKind, ReservationState, Topic
from spine.storage.base import metadata, one_of, tenant_id, timestamp

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

reservations = Table(
    "reservations",
    metadata,
    tenant_id(),
    Column("key", Text, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("run_id", UUID(as_uuid=True), nullable=False),
    *one_of("state", ReservationState),
    Column("holder", UUID(as_uuid=True), nullable=False),
    Column("attempt", Integer, nullable=False),
    timestamp("reserved_until"),
    timestamp("created_at"),
    Column("output", LargeBinary),
    Column("error", Text),
    Index("ix_reservations_run", "tenant_id", "run_id"),
)

event_heads = Table("event_heads", metadata, tenant_id(), Column("seq", BigInteger, nullable=False))

events = Table(
    "events",
    metadata,
    tenant_id(),
    Column("seq", BigInteger, primary_key=True),
    *one_of("topic", Topic),
    *one_of("kind", ChangeKind),
    Column("key", UUID(as_uuid=True), nullable=False),
    timestamp("occurred_at"),
)
