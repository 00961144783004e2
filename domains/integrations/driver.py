"""Statements over trusted documents and the policies that say what becomes of others."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ARRAY, Select, Text, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import TIMESTAMP

from domains.integrations.tables import document_policies as policies
from domains.integrations.tables import trusted_documents as documents
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind, DocumentMode
from spine.contracts.integrations import DocumentPolicy, NewDocument, TrustedDocument
from spine.contracts.statements import InsertRows, Read, Row, Write

OF_TENANT: Final = documents.c.tenant_id == bindparam("tenant_id")
IN_FORCE: Final = documents.c.retired_at.is_(None)
WANTED: Final = documents.c.sha256 == func.any(bindparam("wanted", type_=ARRAY(Text)))

POLICY: Final = select(policies.c.mode, policies.c.revision).where(policies.c.tenant_id == bindparam("tenant_id"))
LOCK: Final = POLICY.with_for_update()
CHANGE: Final = (
    update(policies)
    .where(policies.c.tenant_id == bindparam("tenant_id"))
    .values(mode=bindparam("new_mode"), revision=policies.c.revision + 1, changed_at=bindparam("now"))
)

ROWS: Final = select(
    documents.c.sha256,
    documents.c.name,
    documents.c.text,
    documents.c.added_at,
    documents.c.added_by_kind,
    documents.c.added_by_id,
    documents.c.added_by_name,
    documents.c.retired_at,
).where(OF_TENANT)
ORDER: Final = (documents.c.added_at, documents.c.sha256)
BY_SHA256: Final = ROWS.where(WANTED)
TEXT: Final = select(documents.c.text).where(OF_TENANT, IN_FORCE, documents.c.sha256 == bindparam("sha256"))
MARK: Final = (
    update(documents)
    .where(OF_TENANT, WANTED)
    .values(retired_at=bindparam("retirement", type_=TIMESTAMP(timezone=True)))
)


def document_policy() -> Read[DocumentPolicy]:
    """What the tenant says of documents; no row when it never said anything."""
    return Read(POLICY, {}, _policy)


def lock_policy() -> Read[DocumentPolicy]:
    """The same, locked until the transaction ends: changes of one tenant's list run one after the other."""
    return Read(LOCK, {}, _policy)


def first_policy(now: datetime) -> InsertRows:
    """The policy of a tenant that never said anything, unless it has."""
    return InsertRows(policies, ("mode", "revision", "changed_at"), [(DocumentMode.OFF, 0, now)], conflict="skip")


def change_policy(mode: DocumentMode, now: datetime) -> Write:
    """Write the mode, which may be the same, and the next revision."""
    return Write(CHANGE, {"new_mode": mode, "now": now})


@lru_cache(maxsize=6)
def _listing(*, counted: bool, retired: bool | None) -> Select[Any]:
    statement = select(func.count()).select_from(documents).where(OF_TENANT) if counted else ROWS
    if retired is None:
        return statement
    return statement.where(documents.c.retired_at.is_not(None) if retired else IN_FORCE)


def list_documents(*, retired: bool | None) -> Read[TrustedDocument]:
    """The documents, to be paged in `ORDER`: retired ones, those in force, or both (None)."""
    return Read(_listing(counted=False, retired=retired), {}, _document)


def count_documents(*, retired: bool | None) -> Read[int]:
    """How many such documents there are."""
    return Read(_listing(counted=True, retired=retired), {}, lambda row: int(row[0]))


def documents_by_sha256(wanted: Sequence[str]) -> Read[TrustedDocument]:
    """The documents with these SHA-256s, retired or not."""
    return Read(BY_SHA256, {"wanted": list(wanted)}, _document)


def document_text(sha256: str) -> Read[str]:
    """The text of a document in force."""
    return Read(TEXT, {"sha256": sha256}, lambda row: str(row[0]))


def insert_documents(added: Sequence[NewDocument], actor: Actor, now: datetime) -> InsertRows:
    """Write new documents."""
    author = (now, actor.kind, actor.id, actor.name, None)
    return InsertRows(
        table=documents,
        columns=(
            "sha256",
            "name",
            "text",
            "added_at",
            "added_by_kind",
            "added_by_id",
            "added_by_name",
            "retired_at",
        ),
        rows=[(one.sha256, one.name, one.text, *author) for one in added],
    )


def mark_retired(wanted: Sequence[str], retirement: datetime | None) -> Write:
    """Retire documents, or take their retirement back with None."""
    return Write(MARK, {"wanted": list(wanted), "retirement": retirement})


def _policy(row: Row) -> DocumentPolicy:
    return DocumentPolicy(DocumentMode(row[0]), row[1])


def _document(row: Row) -> TrustedDocument:
    return TrustedDocument(
        id=f"sha256:{row[0]}",
        sha256=row[0],
        name=row[1],
        text=row[2],
        added_at=row[3],
        added_by=Actor(ActorKind(row[4]), row[5], row[6]),
        retired_at=row[7],
    )
