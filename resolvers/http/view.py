"""The GraphQL view: Strawberry's, with authentication before parsing, bounded bodies, orjson, and JSON errors."""

from typing import Any

import orjson
from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL

from resolvers.context import RequestContext
from resolvers.errors import Schema, extensions
from resolvers.http.auth import Authenticator
from resolvers.http.requests import REQUEST_ID, STATUS, bounded, headers_of, request_id_of
from spine.bootstrap import Runtime
from spine.contracts.errors import ErrorCode, HocError, InternalError


class GraphQLView(GraphQL[RequestContext, None]):
    """POST with JSON, GET for queries."""

    def __init__(self, schema: Schema, runtime: Runtime, authenticator: Authenticator) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._runtime = runtime
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that went away gets nothing."""
        request = Request(scope, receive)
        request_id = request_id_of(scope)
        try:
            response = await self._respond(request, request_id)
        except ClientDisconnect:
            return
        response.headers[REQUEST_ID] = request_id
        await response(scope, receive, send)

    async def _respond(self, request: Request, request_id: str) -> Response:
        if request.method not in ("GET", "POST"):
            return failure(405, "GraphQL takes GET and POST", ErrorCode.VALIDATION, request_id, {"allow": "GET, POST"})
        try:
            principal = await self._authenticator.principal(request, request_id)
            limited = bounded(request, self._runtime.settings.max_body_bytes)
            async with RequestContext(self._runtime.registry, principal, request_id) as context:
                return await self.run(limited, context=context, root_value=None)
        except HTTPException as refused:
            return failure(refused.status_code, refused.reason, ErrorCode.VALIDATION, request_id)
        except HocError as error:
            headers = headers_of(error, request_id)
            return failure(STATUS[error.code], error.message, error.code, request_id, headers)

    def decode_json(self, data: str | bytes) -> object:
        """Orjson refuses what is nested too deeply instead of running out of stack."""
        return orjson.loads(data)

    def parse_json(self, data: str | bytes) -> Any:
        """A JSON object; anything else is a 400."""
        parsed = super().parse_json(data)
        if not isinstance(parsed, dict):
            raise HTTPException(400, "the request must be a JSON object")
        return parsed

    def encode_json(self, data: object) -> str:
        """Text, not bytes: WebSocket frames of bytes are binary, which clients refuse."""
        return orjson.dumps(data).decode()


def failure(
    status: int, message: str, code: ErrorCode, request_id: str, headers: dict[str, str] | None = None
) -> Response:
    """An answer that is no GraphQL result, in the shape of one."""
    body = {"errors": [{"message": message, "extensions": extensions(code, request_id)}]}
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def crash(request: Request, _error: Exception) -> Response:
    """The answer to an exception that nobody expected; the server logs it."""
    error = InternalError()
    return failure(500, error.message, error.code, request_id_of(request.scope))
