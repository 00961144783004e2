"""OTLP over HTTP: `POST /v1/traces` to one WRITE, answered as the OTLP specification says (1.x, OTLP/HTTP)."""

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from resolvers.http.auth import Authenticator
from resolvers.http.otlp import OtlpUnsupported, decode_export, encode_response, encode_status, media_type
from resolvers.http.requests import REQUEST_ID, STATUS, bounded, headers_of, request_id_of
from resolvers.observing import note_code
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.errors import HocError
from spine.contracts.runs import IngestSpans

GRPC_HINT: Final = "this endpoint speaks OTLP over HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
RPC_CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 413: 8, 415: 3, 429: 8, 503: 14}
"""google.rpc.Code by HTTP status; INTERNAL (13) for any other."""


class IngestEndpoint:
    """Takes exports, no more at once than the setting allows: a client sends again what was refused."""

    def __init__(self, runtime: Runtime, authenticator: Authenticator) -> None:
        self._runtime = runtime
        self._authenticator = authenticator
        self._under_way = 0

    async def __call__(self, request: Request) -> Response:
        """Answer one export."""
        request_id = request_id_of(request.scope)
        try:
            return await self._answer(request, request_id)
        except ClientDisconnect:
            return Response(status_code=400)
        except OtlpUnsupported as error:
            return refusal(request, 415, error.message, {REQUEST_ID: request_id})
        except HocError as error:
            note_code(error.code)
            return refusal(request, STATUS[error.code], error.message, headers_of(error, request_id))

    async def _answer(self, request: Request, request_id: str) -> Response:
        if request.method != "POST":
            return refusal(request, 405, "spans are sent with POST", {REQUEST_ID: request_id, "allow": "POST"})
        if request.headers.get("content-type", "").startswith("application/grpc"):
            return refusal(request, 415, GRPC_HINT, {REQUEST_ID: request_id})
        principal = await self._authenticator.principal(request, request_id)
        if self._under_way >= self._runtime.settings.max_ingests:
            return refusal(request, 429, "too many exports at once", {REQUEST_ID: request_id, "retry-after": "1"})
        self._under_way += 1
        try:
            return await self._take(request, principal, request_id)
        finally:
            self._under_way -= 1

    async def _take(self, request: Request, principal: Principal, request_id: str) -> Response:
        settings = self._runtime.settings
        limit = settings.max_export_bytes
        content_type = request.headers.get("content-type", "")
        media_type(content_type)
        body = await bounded(request, limit, settings.body_timeout_s).body()
        batch = decode_export(body, content_type, request.headers.get("content-encoding"), limit=limit)
        result = await self._runtime.registry.execute(
            "activity.ingest_spans", IngestSpans(batch), principal, request_id=request_id
        )
        result.unwrap()
        answer = encode_response(batch.refused, content_type)
        return Response(answer, 200, {REQUEST_ID: request_id}, media_type=media_type(content_type))


def refusal(request: Request, status: int, message: str, headers: dict[str, str]) -> Response:
    """A Status body in the request's own encoding."""
    content_type = request.headers.get("content-type", "")
    body = encode_status(message, content_type, code=RPC_CODES.get(status, 13))
    bare = content_type.partition(";")[0].strip().lower()
    shown = "application/json" if bare == "application/json" else "application/x-protobuf"
    return Response(body, status, headers, media_type=shown)
