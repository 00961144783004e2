"""Trusted documents."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.paging import DEFAULT_FIRST, UNSET, After, First, connection, counting, page_request
from schema.fields import field
from schema.integrations.trusted_document import TrustedDocument
from schema.relay import Connection
from spine.contracts.integrations import ListDocuments

Retired = Annotated[
    bool | None, strawberry.argument(description="Only retired ones, or only those in force; both when absent.")
]


@strawberry.type
class IntegrationsQuery:
    """The integrations domain's root fields."""

    @field("Trusted documents, newest first.", Connection[TrustedDocument], "integrations.documents")
    async def trusted_documents(
        self, info: Info, retired: Retired = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of documents."""
        chosen = None if retired is UNSET else retired
        request = ListDocuments(page=page_request(first, after), retired=chosen, count=counting(info))
        return await connection(info, "integrations.documents", request)
