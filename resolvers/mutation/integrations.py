"""Adding and retiring trusted documents, and saying what becomes of others."""

from typing import Annotated, Any, cast

import strawberry

from resolvers.context import Info
from resolvers.documents import with_names
from resolvers.errors import Schema
from resolvers.mutation.changes import change
from schema.fields import field
from schema.integrations.trusted_document import (
    AddTrustedDocumentsInput,
    RetireTrustedDocumentsInput,
    SetDocumentModeInput,
)
from schema.payloads import DocumentModePayload, TrustedDocumentsPayload
from spine.contracts.enums import Permission
from spine.contracts.integrations import AddDocuments

Added = Annotated[AddTrustedDocumentsInput, strawberry.argument(name="input", description="The documents.")]
Retired = Annotated[
    RetireTrustedDocumentsInput, strawberry.argument(name="input", description="The documents, and why.")
]
Mode = Annotated[SetDocumentModeInput, strawberry.argument(name="input", description="The mode.")]


@strawberry.type
class IntegrationsMutation:
    """The integrations domain's writes."""

    @field(
        "Add trusted documents, all or none; each must be valid against this schema.",
        TrustedDocumentsPayload,
        "integrations.add_documents",
    )
    async def add_trusted_documents(self, info: Info, given: Added) -> Any:
        """Add documents."""

        async def checked(request: AddDocuments) -> AddDocuments:
            if Permission.DOCUMENTS_MANAGE not in info.context.principal.permissions:
                return request  # it will be refused, whatever is in it
            return await with_names(cast("Schema", info.schema), request)

        changed, errors = await change(info, "integrations.add_documents", given, checked)
        return TrustedDocumentsPayload(trusted_documents=changed and changed.documents, user_errors=errors)

    @field(
        "Refuse trusted documents from now on, all or none of them.",
        TrustedDocumentsPayload,
        "integrations.retire_documents",
    )
    async def retire_trusted_documents(self, info: Info, given: Retired) -> Any:
        """Retire documents."""
        changed, errors = await change(info, "integrations.retire_documents", given)
        return TrustedDocumentsPayload(trusted_documents=changed and changed.documents, user_errors=errors)

    @field(
        "Say what becomes of documents that are not in the list.", DocumentModePayload, "integrations.set_document_mode"
    )
    async def set_document_mode(self, info: Info, given: Mode) -> Any:
        """Set the mode."""
        changed, errors = await change(info, "integrations.set_document_mode", given)
        return DocumentModePayload(document_mode=changed and changed.mode, user_errors=errors)
