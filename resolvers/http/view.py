"""The GraphQL view: Strawberry's, with authentication before parsing, bounded bodies, orjson, and JSON errors.

One address serves POST, GET for queries, server-sent events and WebSockets.
"""

from collections import Counter
from datetime import timedelta
from typing import Any, Final

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse
from strawberry.http.base import BaseRequestProtocol
from strawberry.http.parse_content_type import parse_content_type
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.unset import UNSET, UnsetType

from resolvers.context import RequestContext
from resolvers.errors import Schema, extensions
from resolvers.http import streams
from resolvers.http.auth import Authenticator
from resolvers.http.disconnect import Connected
from resolvers.http.documents import Asked, TrustedDocuments, asked
from resolvers.http.graphiql.routes import is_browsing, to_page
from resolvers.http.media import GRAPHQL, JSON, OFFERED, preferred
from resolvers.http.refusals import refusal_status, retry_headers
from resolvers.http.requests import REQUEST_ID, STATUS, bounded, headers_of, request_id_of, whole_body
from resolvers.http.sockets import Socket, SocketHandler, admit
from resolvers.observing import note_code
from spine.bootstrap import Runtime
from spine.contracts.errors import ErrorCode, HocError, InternalError

INIT_WAIT: Final = timedelta(seconds=5)

NAMING: Final = frozenset({"documentId", "extensions"})
"""Parameters of a URL that name a document."""

UNUSED: Final = Response()
"""Stands where Strawberry hands a response on to overrides that want one."""


class GraphQLView(GraphQL[Any, None]):
    """POST with JSON, GET for queries, either as a stream of events too; WebSockets by graphql-transport-ws."""

    graphql_transport_ws_handler_class = SocketHandler

    def __init__(
        self, schema: Schema, runtime: Runtime, authenticator: Authenticator, documents: TrustedDocuments
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=INIT_WAIT,
            max_subscriptions_per_connection=runtime.settings.max_socket_operations,
            allowed_origins=runtime.settings.cors_origins,
        )
        self._runtime = runtime
        self._authenticator = authenticator
        self._documents = documents
        self._sockets: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one socket; a client that went away gets nothing."""
        if scope["type"] == "websocket":
            await self._serve(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        request_id = request_id_of(scope)
        try:
            response = await (to_page(request) if is_browsing(request) else self._respond(request, request_id))
        except ClientDisconnect:
            return
        response.headers[REQUEST_ID] = request_id
        await response(scope, receive, send)

    async def _respond(self, request: Request, request_id: str) -> Response:
        if request.method not in ("GET", "POST"):
            return failure(405, "GraphQL takes GET and POST", ErrorCode.VALIDATION, request_id, {"allow": "GET, POST"})
        try:
            principal = await self._authenticator.principal(request, request_id)
            context = RequestContext(self._runtime.registry, principal, request_id)
            context.native = True
            return await self._executed(request, context)
        except HTTPException as refused:
            return failure(refused.status_code, refused.reason, ErrorCode.VALIDATION, request_id)
        except HocError as error:
            headers = headers_of(error, request_id)
            response = failure(STATUS[error.code], error.message, error.code, request_id, headers)
            response.headers["content-type"] = preferred(request.headers.get("accept")) or JSON
            return response

    async def _executed(self, request: Request, context: RequestContext) -> Response:
        """The answer in a context, which is closed by then, or by the stream that the answer is."""
        settings = self._runtime.settings
        client = Connected(request)
        limited = bounded(client.request, settings.max_body_bytes, settings.body_timeout_s)
        limited.state.context = context
        lasting = False
        try:
            response = await client.watched(self._answered(limited, context))
            if isinstance(response, StreamingResponse):
                response.body_iterator = streams.lasting(
                    aiter(response.body_iterator), context, self._authenticator, request, context.request_id
                )
                lasting = True
            return response
        finally:
            if not lasting:
                await context.close()

    async def _answered(self, request: Request, context: RequestContext) -> Response:
        """The answer to JSON that was posted for JSON; everything else goes through Strawberry's own `run`.

        That prepares for pages, streams and uploads before it does what is done here: a fifth of a small request.
        """
        accept = request.headers.get("accept")
        media_type = preferred(accept)
        posted = request.method == "POST" and request.headers.get("content-type") == JSON
        if not posted or media_type is None or streams.wanted(accept):
            return await self.run(request, context=context, root_value=None)
        wanted = asked(self.parse_json(await whole_body(request)))
        wanted.query = await self._documents.admit(wanted, context.principal, context.request_id)
        adapter = StarletteRequestAdapter(request)
        result = await self.execute_single(request, adapter, UNUSED, context, None, wanted)
        return _response(await self.process_result(request, result), media_type)

    async def _serve(self, websocket: WebSocket) -> None:
        socket = Socket(self._runtime, self._authenticator, self._documents, self._sockets, websocket.headers)
        await self.run(websocket, context=socket, root_value=None)

    async def on_ws_connect(self, context: Socket) -> UnsetType | dict[str, object] | None:
        """Let a socket in whose client has shown a valid key."""
        await admit(context)
        acknowledged: UnsetType = UNSET
        return acknowledged

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """The answer to be: it carries the media type that the client prefers; 406 when it accepts none of ours."""
        media_type = preferred(request.headers.get("accept"))
        if media_type is None and not streams.wanted(request.headers.get("accept")):
            raise HTTPException(406, f"this endpoint answers {' and '.join(OFFERED)}")
        response = await super().get_sub_response(request)
        response.media_type = media_type or JSON
        return response

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        """A GET that names a document is a request, whatever media type it accepts."""
        return request.query_params.keys().isdisjoint(NAMING) and super().should_render_graphql_ide(request)

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> Asked:
        """The parameters, the document's id among them, which Strawberry would drop."""
        transport = self._get_stream_transport_from_headers(request.headers)
        protocol = transport.protocol if transport else "http"
        if request.method == "GET":
            return asked(self.parse_query_params(request.query_params), protocol)
        if "application/json" in parse_content_type(request.content_type or "")[0]:
            return asked(self.parse_json(await request.get_body()), protocol)
        raise HTTPException(400, "Unsupported content type")

    async def execute_operation(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        request_data: Any,
        context: RequestContext,
        root_value: None,
        sub_response: Response,
    ) -> Any:
        """Only what the tenant takes is parsed."""
        request_data.query = await self._documents.admit(request_data, context.principal, context.request_id)
        return await super().execute_operation(
            request, request_adapter, request_data, context, root_value, sub_response
        )

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """A request that was never executed has no `data`; the snapshot is given back before anything is sent."""
        await request.state.context.renew()
        answer = await super().process_result(request, result)
        if result.data is None and all(error.path is None for error in result.errors or ()):
            answer.pop("data", None)
        return answer

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """The whole answer, as the media type that the client prefers."""
        return _response(response_data, sub_response.media_type)

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


def _response(answer: Any, media_type: str | None) -> Response:
    """A request that was never executed is a 400 where the media type can say so."""
    refused = media_type == GRAPHQL and "data" not in answer
    status = refusal_status(answer) if refused else 200
    return Response(orjson.dumps(answer), status, retry_headers(answer), media_type=media_type)


def failure(
    status: int, message: str, code: ErrorCode, request_id: str, headers: dict[str, str] | None = None
) -> Response:
    """An answer that is no GraphQL result, in the shape of one."""
    note_code(code)
    body = {"errors": [{"message": message, "extensions": extensions(code, request_id)}]}
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def crash(request: Request, _error: Exception) -> Response:
    """The answer to an exception that nobody expected; the server logs it."""
    error = InternalError()
    return failure(500, error.message, error.code, request_id_of(request.scope))
