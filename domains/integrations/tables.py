"""Trusted documents, and what each tenant says of those that are none.

A document's row is written once; only its retirement is marked, and taken back when it is added again. A policy's
`revision` rises with every change of the tenant's mode or list, so that servers may keep documents until it does.
"""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from spine.contracts.enums import ActorKind, DocumentMode
from spine.storage.base import metadata, one_of, tenant_id, timestamp

trusted_documents = Table(
    "trusted_documents",
    metadata,
    tenant_id(),
    Column("sha256", Text, primary_key=True),
    Column("name", Text),
    Column("text", Text, nullable=False),
    timestamp("added_at"),
    *one_of("added_by_kind", ActorKind),
    Column("added_by_id", Text),
    Column("added_by_name", Text),
    timestamp("retired_at", nullable=True),
    Index("ix_trusted_documents_added", "tenant_id", "added_at", "sha256"),
)

document_policies = Table(
    "document_policies",
    metadata,
    tenant_id(),
    *one_of("mode", DocumentMode),
    Column("revision", BigInteger, nullable=False),
    timestamp("changed_at"),
)
