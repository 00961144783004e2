"""Incidents: what went wrong, opened once per cause. `dedupe_key` names the cause within its run."""

from sqlalchemy import Boolean, Column, Index, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import UUID

from spine.contracts.enums import IncidentCategory, IncidentSeverity, IncidentTrigger
from spine.storage.base import metadata, one_of, tenant_id, timestamp

incidents = Table(
    "incidents",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("source_run_id", UUID(as_uuid=True), nullable=False),
    Column("dedupe_key", Text, nullable=False),
    Column("title", Text, nullable=False),
    *one_of("severity", IncidentSeverity),
    *one_of("category", IncidentCategory),
    *one_of("trigger_type", IncidentTrigger),
    Column("trigger_id", UUID(as_uuid=True)),
    Column("trigger_name", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("withdrawn", Boolean, nullable=False),
    timestamp("created_at"),
    UniqueConstraint("tenant_id", "source_run_id", "dedupe_key"),
    Index("ix_incidents_created", "tenant_id", "created_at", "id"),
)
