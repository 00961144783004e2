"""The one hook for operators around GraphQL and OTLP: a log line, figures and, when configured, a span per request.

Everything that is logged while a request is answered carries its id.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http import HTTPStatus
from typing import Final
from uuid import uuid4

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.http import metrics
from resolvers.http.requests import request_id_of
from resolvers.observing import Seen, current, note_code
from spine.contracts.actors import Principal
from spine.contracts.errors import ErrorCode

GRAPHQL: Final = "graphql"
OTLP: Final = "otlp"
ENDPOINTS: Final = {"/graphql": GRAPHQL, "/v1/traces": OTLP}
EVENT_STREAM: Final = b"text/event-stream"
GONE: Final = "DISCONNECTED"
REFUSED: Final = "REFUSED"

log = structlog.get_logger("hoc.http")
tracer = trace.get_tracer("hoc")
propagator: Final = TraceContextTextMapPropagator()


class Observing:
    """ASGI middleware; paths that are not in `ENDPOINTS` pass unseen, and a WebSocket is no request but has many."""

    def __init__(self, app: ASGIApp, *, tracing: bool) -> None:
        self._app = app
        self._span = _span if tracing else _no_span

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, and report it."""
        if scope["type"] == "websocket":
            with metrics.WEBSOCKETS.track_inprogress():
                await self._app(scope, receive, send)
            return
        endpoint = ENDPOINTS.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        seen = Seen(request_id_of(scope))
        with _reported(endpoint, seen), self._span(endpoint, scope, seen):
            await self._answer(seen, scope, receive, send)

    async def _answer(self, seen: Seen, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:
            seen.status = HTTPStatus.INTERNAL_SERVER_ERROR
            note_code(ErrorCode.INTERNAL)
            raise


@contextmanager
def socket_operation(principal: Principal) -> Iterator[str]:
    """Report an operation that comes over a WebSocket as a request of its own; gives its id."""
    seen = Seen(uuid4().hex)
    seen.principal = principal
    seen.status = HTTPStatus.SWITCHING_PROTOCOLS
    with _reported(GRAPHQL, seen):
        yield seen.request_id


@contextmanager
def _reported(endpoint: str, seen: Seen) -> Iterator[None]:
    token = current.set(seen)
    bound = structlog.contextvars.bind_contextvars(request_id=seen.request_id)
    try:
        yield
    finally:
        _report(endpoint, seen)
    structlog.contextvars.reset_contextvars(**bound)  # after a crash the server's own line needs it: not in finally
    current.reset(token)


def _report(endpoint: str, seen: Seen) -> None:
    milliseconds = seen.milliseconds()
    code = outcome(seen)
    if code == ErrorCode.INTERNAL:
        metrics.CRASHES.labels(endpoint).inc()
    if endpoint == GRAPHQL:
        metrics.count_request(code, seen, milliseconds / 1000)
    else:
        metrics.count_export(seen.status, milliseconds / 1000)
    principal = seen.principal
    log.info(
        "request.answered",
        endpoint=endpoint,
        operation=seen.operation,
        code=code,
        status=seen.status,
        duration_ms=round(milliseconds, 2),
        statements=seen.statements,
        tenant_id=None if principal is None else str(principal.tenant_id),
        key_id=None if principal is None else principal.key_id,
    )


def outcome(seen: Seen) -> str:
    """OK, the code of the request's error, or that the client left before there was an answer."""
    if seen.status is None:
        return GONE
    return seen.code or ("OK" if seen.status < HTTPStatus.BAD_REQUEST else REFUSED)


@contextmanager
def _span(endpoint: str, scope: Scope, seen: Seen) -> Iterator[None]:
    """A span that goes on with the caller's trace; of its headers only `traceparent` is taken, which holds no text."""
    headers = dict(scope["headers"])
    if EVENT_STREAM in headers.get(b"accept", b""):  # its trace would have no end
        yield
        return
    caller = propagator.extract({"traceparent": headers.get(b"traceparent", b"").decode("latin-1")}, Context())
    with tracer.start_as_current_span(
        endpoint, caller, trace.SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        finally:
            _describe(span, endpoint, seen)


def _describe(span: trace.Span, endpoint: str, seen: Seen) -> None:
    code = outcome(seen)
    span.set_attributes({"hoc.code": code, "hoc.statements": seen.statements, "hoc.request_id": seen.request_id})
    if seen.status is not None:
        span.set_attribute("http.response.status_code", seen.status)
    if seen.kind is not None and seen.operation is not None:
        span.update_name(f"{endpoint} {seen.kind}")
        span.set_attributes({"graphql.operation.name": seen.operation, "graphql.operation.type": seen.kind})
    if code == ErrorCode.INTERNAL:
        span.set_status(trace.StatusCode.ERROR)


def _no_span(_endpoint: str, _scope: Scope, _seen: Seen) -> AbstractContextManager[None]:
    return nullcontext()
