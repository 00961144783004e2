"""Errors as clients see them: expected ones with their code, all others masked; the request id leads to the log."""

import traceback
from contextlib import suppress
from typing import Any

import strawberry
import structlog
from graphql import GraphQLError, OperationDefinitionNode
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import MaskErrors, ParserCache, SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionContext

from resolvers.limits.bounds import Bounds
from resolvers.limits.documents import too_many_tokens
from resolvers.observing import note_code
from resolvers.stages import Stages
from schema.inputs import field_name
from spine.contracts.errors import ErrorCode, HocError, InternalError, RateLimited

NO_OPERATION = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
"""How Strawberry says that a request has nothing that may be run here."""

log = structlog.get_logger("hoc.graphql")


class CachedParser(ParserCache):
    """Parses each document once. One that does not parse is left to the schema, which answers it like other errors."""

    def on_parse(self) -> None:  # type: ignore[override]
        """Look the document up."""
        context = self.execution_context
        with suppress(GraphQLError):
            context.graphql_document = self.cached_parse_document(context.query, **context.parse_options)


class CodedErrors(MaskErrors):
    """Gives every error `extensions { code requestId }`; only a HocError's and GraphQL's own texts get out."""

    def __init__(self) -> None:
        super().__init__()

    def on_validate(self) -> None:  # type: ignore[override]
        """Refuse to guess which of several operations is meant (GraphQL 6.1, GetOperation); Strawberry takes one."""
        context = self.execution_context
        definitions = context.graphql_document.definitions if context.graphql_document is not None else ()
        operations = [one for one in definitions if isinstance(one, OperationDefinitionNode)]
        unnamed = context._provided_operation_name is None  # noqa: SLF001 - the public one is the guess
        if unnamed and len(operations) > 1 and not context.pre_execution_errors:
            context.pre_execution_errors = [GraphQLError("operationName must say which of the operations is meant")]

    def _process_result(self, result: object) -> None:
        """Most results have no errors, and finding that out through Strawberry's runtime protocol takes long."""
        if getattr(result, "errors", None):
            super()._process_result(result)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """The error for clients. GraphQL's own (syntax, validation, coercion) are about the client's document."""
        request_id = self.execution_context.context.request_id
        cause = error.original_error
        if is_document_error(error):
            cause = too_many_tokens(error, self.execution_context.parse_options.get("max_tokens"))
            if cause is None:
                note_code(ErrorCode.VALIDATION)
                return coded(error, error.message, extensions(ErrorCode.VALIDATION, request_id))
        if not isinstance(cause, HocError):
            cause = InternalError()
        note_code(cause.code)
        details = extensions(cause.code, request_id, cause.field)
        if isinstance(cause, RateLimited):
            details["retryAfterMs"] = cause.retry_after_ms
        return coded(error, cause.message, details)


def is_document_error(error: GraphQLError) -> bool:
    """Whether GraphQL itself refused the document or its variables: nothing of ours was raised, nothing resolved.

    A variable that is null where its argument may not be is found only at the field: such an error points at the
    argument in the document, those of values that cannot be shown point nowhere.
    """
    cause = error.original_error
    if error.path is None:
        return cause is None or isinstance(cause, (GraphQLError, *NO_OPERATION))
    return isinstance(cause, GraphQLError) and bool(cause.nodes)


def extensions(code: ErrorCode, request_id: str, field: str | None = None) -> dict[str, Any]:
    """The extensions of an error."""
    shown = {"code": code.value, "requestId": request_id}
    return {**shown, "field": field_name(None, field)} if field is not None else shown


def coded(error: GraphQLError, message: str, details: dict[str, Any]) -> GraphQLError:
    """The same error in the same place, with this text and nothing of its cause."""
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=details,
    )


class Schema(strawberry.Schema):
    """Strawberry's schema and its limits; unexpected errors go to our log, expected ones are the client's alone."""

    bounds: Bounds

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> Stages:
        """Ours, whose stages cost less."""
        return Stages(execution_context, extensions)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log what was not foreseen."""
        for error in errors:
            if isinstance(error.original_error, HocError) or is_document_error(error):
                continue
            request_id = execution_context.context.request_id if execution_context is not None else None
            cause = error.original_error or error
            trace = "".join(traceback.format_tb(cause.__traceback__))  # without the variables: they may hold secrets
            log.error(
                "graphql.crashed", path=error.path, request_id=request_id, error=type(cause).__name__, trace=trace
            )
