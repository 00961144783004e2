"""Trusted documents: the GraphQL documents that a tenant's own clients send, known by the SHA-256 of their text."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import DocumentMode
from spine.contracts.paging import PageRequest


class TrustedDocument(Struct, frozen=True, gc=False, kw_only=True):
    """One document of the list; its text never changes, since its SHA-256 is its name."""

    id: Annotated[str, Meta(description="What a request sends as documentId: sha256: and the SHA-256 in hex.")]
    sha256: Annotated[str, Meta(description="The SHA-256 of the text in UTF-8, in lower-case hex.")]
    name: Annotated[str | None, Meta(description="The names of its operations; null when it has none.")]
    text: Annotated[str, Meta(description="The document, exactly as it is hashed.")]
    added_at: Annotated[datetime, Meta(description="When it was first added (UTC).")]
    added_by: Annotated[Actor, Meta(description="Who first added it.")]
    retired_at: Annotated[datetime | None, Meta(description="Since when it is refused (UTC); null while in force.")]


class ListDocuments(Struct, frozen=True, kw_only=True):
    """Ask for a page of documents, newest first: retired ones, those in force, or both (None)."""

    page: PageRequest
    retired: bool | None = None
    count: bool = False


class DocumentPolicy(Struct, frozen=True):
    """What a tenant says of documents; `revision` rises with every change of its mode or list."""

    mode: DocumentMode
    revision: int


class FindDocument(Struct, frozen=True):
    """Ask for the text of a document in force; `sha256` is lower-case hex."""

    sha256: str


class FoundDocument(Struct, frozen=True):
    """The text; None when the tenant has no such document in force."""

    text: str | None


class NewDocument(Struct, frozen=True, kw_only=True):
    """A document to add; its SHA-256 is given so that what was hashed elsewhere is what arrives here."""

    sha256: str
    text: str
    name: str | None = None


class AddDocuments(Struct, frozen=True):
    """Add documents, all or none; one that is in force stays, a retired one comes back."""

    documents: tuple[NewDocument, ...]


class DocumentsAdded(Struct, frozen=True):
    """The documents that were asked for, as they are now, and how many of them were not in force before."""

    documents: tuple[TrustedDocument, ...]
    added: int


class SetDocumentMode(Struct, frozen=True, kw_only=True):
    """Say what becomes of documents that are not in the list."""

    mode: DocumentMode
    reason: str | None = None


class DocumentModeSet(Struct, frozen=True):
    """The mode that holds now."""

    mode: DocumentMode


class RetireDocuments(Struct, frozen=True, kw_only=True):
    """Refuse documents from now on, all or none of them."""

    sha256: tuple[str, ...]
    reason: str


class DocumentsRetired(Struct, frozen=True):
    """The documents that were retired, as they are now."""

    documents: tuple[TrustedDocument, ...]
