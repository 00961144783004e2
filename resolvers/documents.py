"""Documents before they become trusted: how one is called, whether it is valid, and within the limits of a request."""

import asyncio
from typing import Final

from graphql import GraphQLError, OperationDefinitionNode, parse, validate
from msgspec.structs import replace

from resolvers.errors import Schema
from resolvers.limits.documents import document_errors
from spine.contracts.errors import TooLarge, ValidationFailed
from spine.contracts.integrations import AddDocuments

MOST_AT_ONCE: Final = 100
"""Documents of one mutation: validating one takes several milliseconds. The command line takes ten times as many."""


def operation_names(schema: Schema, text: str) -> str | None:
    """The names of the operations of a document that may be run; None when its only one has none.

    A document may hold several operations, of which a request's operationName chooses (GraphQL over HTTP, Appendix A).
    ValidationFailed says what is wrong first, with line and column.
    """
    try:
        document = parse(text, max_tokens=schema.bounds.max_tokens)
    except GraphQLError as error:
        raise ValidationFailed(_told(error)) from None
    core = schema._schema  # noqa: SLF001 - Strawberry offers no other way to the executed schema
    errors = document_errors(document, schema.bounds) or validate(core, document, max_errors=1)
    if errors:
        raise ValidationFailed(_told(errors[0]))
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return ", ".join(one.name.value for one in operations if one.name) or None


async def with_names(schema: Schema, request: AddDocuments) -> AddDocuments:
    """The request with each document's name; ValidationFailed names the first that is not valid.

    TooLarge when there are so many that the request would take too long.
    """
    if len(request.documents) > MOST_AT_ONCE:
        raise TooLarge("the number of documents", MOST_AT_ONCE, field="documents")
    named = []
    for index, document in enumerate(request.documents):
        try:
            name = operation_names(schema, document.text)
        except ValidationFailed as error:
            place = f"documents[{index}].text"
            raise ValidationFailed(f"{place}: {error.message}", field=place) from None
        named.append(replace(document, name=name))
        await asyncio.sleep(0)  # all of them take a second, and other requests wait
    return AddDocuments(tuple(named))


def _told(error: GraphQLError) -> str:
    place = f"{error.locations[0].line}:{error.locations[0].column}: " if error.locations else ""
    return f"{place}{error.message}"
