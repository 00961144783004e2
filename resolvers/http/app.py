"""The ASGI application: its routes over one runtime, which lives as long as it does."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from resolvers.http.auth import Authenticator
from resolvers.http.documents import TrustedDocuments
from resolvers.http.graphiql import routes as graphiql
from resolvers.http.graphiql.assets import load as load_assets
from resolvers.http.headers import SecurityHeaders
from resolvers.http.health import Health
from resolvers.http.ingest import IngestEndpoint
from resolvers.http.metrics import MetricsEndpoint
from resolvers.http.observing import Observing
from resolvers.http.requests import REQUEST_ID, STATUS, headers_of, request_id_of
from resolvers.http.tracing import exporting_spans
from resolvers.http.view import GraphQLView, crash, failure
from resolvers.limits.bounds import Bounds
from resolvers.schema import build_schema, contract_text
from schema.batched import check_batched_fields
from spine.bootstrap import Runtime
from spine.contracts.errors import HocError


def settle() -> None:
    """Take what start-up made out of the garbage collector's sight, and let it look less often.

    Measured on the console query: a quarter of its CPU went into collections that found nothing. Full ones, of which
    each takes 35 ms in some 4,000 requests, are needed all the same: parsed documents are circles, and when a cache
    lets go of one it is too old for any other collection.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 5, 5)


def create_app(runtime: Runtime, *, migrating: bool = True) -> Starlette:
    """The application; it opens the runtime when it starts (migrating, when asked) and closes it when it stops."""
    schema = build_schema(Bounds.of(runtime.settings))
    contract = contract_text()
    authenticator = Authenticator(runtime)
    documents = TrustedDocuments(runtime)
    view = GraphQLView(schema, runtime, authenticator, documents)
    health = Health(runtime)

    async def schema_text(request: Request) -> Response:
        """The SDL, for any key of any role, unless the tenant takes trusted documents only."""
        request_id = request_id_of(request.scope)
        try:
            principal = await authenticator.principal(request, request_id)
            await documents.allow_exploring(principal, request_id)
        except HocError as error:
            headers = headers_of(error, request_id)
            return failure(STATUS[error.code], error.message, error.code, request_id, headers)
        return Response(contract, 200, {REQUEST_ID: request_id}, media_type="text/plain")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with exporting_spans(runtime.settings):
            await runtime.open(migrating=migrating)
            try:
                runtime.keep_database_alive()
                runtime.keep_log()
                runtime.keep_access_log()
                check_batched_fields(schema, runtime.registry.operations)
                settle()
                yield
            finally:
                await runtime.close()

    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    routes = [
        Route("/graphql", view),
        WebSocketRoute("/graphql", view),
        Route("/graphql/schema.graphql", schema_text, methods=["GET"]),
        Route("/v1/traces", IngestEndpoint(runtime, authenticator).__call__, methods=every),
        Route("/healthz", health.alive, methods=["GET"]),
        Route("/readyz", health.ready, methods=["GET"]),
        *graphiql.routes(load_assets()),
        Route("/metrics", MetricsEndpoint(runtime.settings.metrics_token).__call__, methods=["GET"]),
    ]
    middleware = [Middleware(SecurityHeaders)]
    if runtime.settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=runtime.settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["authorization", "content-type", REQUEST_ID],
                expose_headers=[REQUEST_ID],
            ),
        )
    middleware.append(Middleware(Observing, tracing=runtime.settings.otlp_endpoint is not None))
    handlers = {Exception: crash}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers, middleware=middleware)
