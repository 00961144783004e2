"""Trusted documents and how their list changes."""

from schema.account import actor as _actor  # noqa: F401 - a document holds an actor
from schema.contract import contract_type
from schema.inputs import contract_input, optional, required
from spine.contracts import integrations
from spine.contracts.enums import DocumentMode


@contract_type(integrations.TrustedDocument, name="TrustedDocument", ids=("id",))
class TrustedDocument:
    """A GraphQL document that the tenant's own clients send, known by the SHA-256 of its text."""


@contract_input(integrations.NewDocument, name="NewTrustedDocument", omit=("name",))
class NewTrustedDocument:
    """A document to add."""

    sha256: str = required("The SHA-256 of the text in UTF-8, in lower-case hex; refused when it is another's.")
    text: str = required("The document, exactly as it was hashed; at most 100,000 bytes.")


@contract_input(integrations.AddDocuments, name="AddTrustedDocumentsInput")
class AddTrustedDocumentsInput:
    """Add documents, all or none; one that is in force stays, a retired one comes back."""

    documents: list[NewTrustedDocument] = required("The documents, at most 100; each must be valid.")


@contract_input(integrations.RetireDocuments, name="RetireTrustedDocumentsInput")
class RetireTrustedDocumentsInput:
    """Refuse documents from now on, all or none of them."""

    sha256: list[str] = required("The SHA-256s of the documents, at most 1,000.")
    reason: str = required("Why, for people.")


@contract_input(integrations.SetDocumentMode, name="SetDocumentModeInput")
class SetDocumentModeInput:
    """Say what becomes of documents that are not in the list; every server does so within two seconds."""

    mode: DocumentMode = required("What becomes of them.")
    reason: str | None = optional("Why, for people.")
