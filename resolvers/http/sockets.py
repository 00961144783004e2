"""GraphQL over WebSocket (graphql-transport-ws): Strawberry's handler, with keys, limits and a context an operation.

A client authenticates in `connection_init`, by a payload `{"authorization": "Bearer <key>"}`, or by the header of its
handshake where it can set one. A refused document is answered as an error of its operation: one bad document must not
end the subscriptions beside it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final
from uuid import uuid4

import structlog
from graphql import GraphQLError
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.types.execution import PreExecutionError

from resolvers.context import RequestContext
from resolvers.errors import extensions
from resolvers.http.auth import Authenticator, bearer
from resolvers.http.documents import TrustedDocuments, asked
from resolvers.http.metrics import REFUSALS
from resolvers.http.observing import socket_operation
from resolvers.http.watching import refusal
from resolvers.observing import note_code
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.errors import HocError, InternalError, Unauthenticated, Unavailable, ValidationFailed

FORBIDDEN: Final = 4403
TRY_AGAIN: Final = 1013
LONGEST_ID: Final = 128
NAMES: Final = frozenset({"query", "documentId", "extensions"})
"""What a payload says its document by."""

log = structlog.get_logger("hoc.sockets")


class Socket:
    """What is known of one WebSocket: how its client authenticates, and then with which key."""

    def __init__(
        self,
        runtime: Runtime,
        authenticator: Authenticator,
        documents: TrustedDocuments,
        by_key: Counter[str],
        handshake: Mapping[str, str],
    ) -> None:
        self.connection_params: dict[str, object] = {}
        self.request_id = uuid4().hex
        self.presented = ""
        self.principal: Principal
        self.authenticator = authenticator
        self.documents = documents
        self.registry = runtime.registry
        self._limit = runtime.settings.max_sockets
        self._by_key = by_key
        self._handshake = handshake
        self._counted: str | None = None

    async def authenticate(self) -> None:
        """Learn the principal; raises Unauthenticated, KeyFrozen, or Unavailable, also when the key has too many."""
        given = {name.lower(): value for name, value in self.connection_params.items()}
        authorization = given.get("authorization", self._handshake.get("authorization"))
        self.presented = bearer(authorization if isinstance(authorization, str) else None)
        self.principal = await self.authenticator.holder(self.presented, self.request_id)
        key_id = self.principal.key_id
        if self._by_key[key_id] >= self._limit:
            raise Unavailable(f"this key has {self._limit} sockets open already")
        self._by_key[key_id] += 1
        self._counted = key_id

    def release(self) -> None:
        """Count the socket no longer."""
        if self._counted is not None:
            self._by_key[self._counted] -= 1
            self._by_key += Counter()  # forgets keys without sockets
            self._counted = None


class SocketHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """One WebSocket's protocol; `context` is its `Socket`."""

    context: Socket
    _watch: asyncio.Task[None] | None = None

    async def handle_message(self, message: Any) -> None:
        """Refuse what is no message before it is looked at."""
        if not isinstance(message, dict):
            await self.handle_invalid_message("A message must be a JSON object")
            return
        await super().handle_message(message)  # type: ignore[arg-type]  # the protocol checks the rest

    async def handle_connection_init(self, message: Any) -> None:
        """Acknowledge a valid key; from then on the socket lives only as long as the key may be used."""
        try:
            await super().handle_connection_init(message)
        except HocError as error:
            await self.websocket.close(TRY_AGAIN, error.message)
            return
        if self.connection_acknowledged and self._watch is None:
            self._watch = asyncio.create_task(self._end_with_the_key())

    async def _end_with_the_key(self) -> None:
        socket = self.context
        error = await refusal(socket.authenticator, socket.presented, socket.request_id)
        code = FORBIDDEN if isinstance(error, Unauthenticated) else TRY_AGAIN
        with suppress(WebSocketDisconnected, RuntimeError):  # the client may be closing it, too
            await self.websocket.close(code, error.message)

    async def handle_subscribe(self, message: Any) -> None:
        """Begin an operation; a payload of another shape closes the socket, as the protocol says."""
        wrong = malformed(message)
        if wrong is not None:
            await self.handle_invalid_message(wrong)
            return
        text = message["payload"].get("query")
        if self.connection_acknowledged and message["id"] not in self.operations:
            request_id = uuid4().hex
            try:
                text = await self._admitted(message["payload"], request_id)
            except HocError as error:
                refused = GraphQLError(error.message, extensions=extensions(error.code, request_id, error.field))
                await self.send_message({"id": message["id"], "type": "error", "payload": [refused.formatted]})
                return
        begun: Any = {**message, "payload": {**message["payload"], "query": text}}
        await super().handle_subscribe(begun)

    async def _admitted(self, payload: dict[str, Any], request_id: str) -> str:
        """The document to execute, which a payload may name instead of holding it."""
        text = await self.context.documents.admit(asked(payload), self.context.principal, request_id)
        if text is None:
            raise ValidationFailed("the payload has no query, and names no document")
        return text

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """Run it in a context of its own; whatever fails unexpectedly is told, masked, and logged."""
        with socket_operation(self.context.principal) as request_id:
            await self._run(operation, request_id)

    async def _run(self, operation: Operation[Any, None], request_id: str) -> None:
        try:
            async with RequestContext(self.context.registry, self.context.principal, request_id) as context:
                await self._send_results(operation, context)
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except WebSocketDisconnected:
            return
        except Exception:
            log.exception("socket.crashed", request_id=request_id)
            masked = InternalError()
            note_code(masked.code)
            details = extensions(masked.code, request_id)
            with suppress(WebSocketDisconnected):
                await operation.send_initial_errors([GraphQLError(masked.message, extensions=details)])

    async def _send_results(self, operation: Operation[Any, None], context: RequestContext) -> None:
        results = await self.schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            root_value=self.root_value,
            operation_name=operation.operation_name,
        )
        async with aclosing(results):
            async for result in renewing(results, context):
                if isinstance(result, PreExecutionError):
                    await operation.send_initial_errors(result.errors or [])
                    return
                await operation.send_next(result)

    async def shutdown(self) -> None:
        """End every operation, and the watch over the key."""
        if self._watch is not None:
            self._watch.cancel()
        await super().shutdown()
        self.context.release()


async def renewing(results: Any, context: RequestContext) -> AsyncIterator[Any]:
    """The results, each after the snapshot has been given back: a client that takes its time holds nothing."""
    async for result in results:
        await context.renew()
        yield result


def malformed(message: dict[str, Any]) -> str | None:
    """What is wrong with a subscribe message; None when it can be run."""
    payload = message.get("payload")
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str | None) or NAMES.isdisjoint(payload):
        return "A subscribe message needs a payload with a query, or the id of one"
    if not isinstance(message.get("id"), str) or not 0 < len(message["id"]) <= LONGEST_ID:
        return f"A subscribe message needs an id of 1 to {LONGEST_ID} characters"
    if not isinstance(payload.get("variables"), dict | None):
        return "variables must be an object"
    if not isinstance(payload.get("operationName"), str | None):
        return "operationName must be a string"
    return None


async def admit(socket: Socket) -> None:
    """Authenticate, in the terms of Strawberry's handler: a refused key closes the socket with 4403."""
    try:
        await socket.authenticate()
    except Unauthenticated as error:
        REFUSALS.labels(error.code).inc()
        raise ConnectionRejectionError from error
