"""The OTLP/HTTP wire: request bodies to `SpanBatch`, answers to bytes; nothing of GenAI and no I/O.

Protobuf and JSON carry the same span to the same `SpanRecord`. A span that cannot be read is refused alone (partial
success); only a body that cannot be read at all is an error (OTLP specification 1.x, section OTLP/HTTP).
"""

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from resolvers.http.otlp_json import json_spans
from resolvers.http.otlp_protobuf import protobuf_spans
from resolvers.http.otlp_record import OtlpMalformed, Unreadable
from spine.contracts.errors import TooLarge, ValidationFailed
from spine.contracts.spans import RefusedSpan, SpanBatch, SpanRecord

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
STATUS_INVALID_ARGUMENT: Final = 3  # google.rpc.Code
_GZIP_MEMBERS: Final = 64  # RFC 1952 lets members follow each other; nobody honest sends many


class OtlpUnsupported(ValidationFailed):
    """The content type or content encoding is not one that OTLP/HTTP names. HTTP 415."""


def decode_export(body: bytes, content_type: str, encoding: str | None, *, limit: int) -> SpanBatch:
    """Read an ExportTraceServiceRequest of at most `limit` bytes, counted after decompression.

    Raises:
        OtlpUnsupported: another content type or encoding (415).
        TooLarge: more than `limit` bytes; a gzip bomb is cut there (413).
        OtlpMalformed: the body cannot be read (400). Single bad spans are in `SpanBatch.refused` instead.
    """
    media = media_type(content_type)
    plain = _inflated(body, encoding, limit)
    spans: list[SpanRecord] = []
    refused: list[RefusedSpan] = []
    try:
        for item in json_spans(plain) if media == JSON else protobuf_spans(plain):
            (spans if isinstance(item, SpanRecord) else refused).append(item)  # type: ignore[arg-type]
    except Unreadable as problem:
        raise OtlpMalformed(str(problem)) from problem
    return SpanBatch(spans=tuple(spans), refused=tuple(refused))


def media_type(content_type: str) -> str:
    """The bare media type, `JSON` or `PROTOBUF`; raises OtlpUnsupported for any other."""
    bare = content_type.partition(";")[0].strip().lower()
    if bare not in (JSON, PROTOBUF):
        raise OtlpUnsupported(f"content type must be {JSON} or {PROTOBUF}")
    return bare


def encode_response(refused: Sequence[RefusedSpan], content_type: str) -> bytes:
    """The ExportTraceServiceResponse (HTTP 200): empty, or a partial success that counts and explains the refused."""
    if media_type(content_type) == JSON:
        partial = {"rejectedSpans": str(len(refused)), "errorMessage": _explained(refused)}
        return orjson.dumps({"partialSuccess": partial} if refused else {})
    response = ExportTraceServiceResponse()
    if refused:
        response.partial_success.rejected_spans = len(refused)
        response.partial_success.error_message = _explained(refused)
    return bytes(response.SerializeToString())


def encode_status(message: str, content_type: str, *, code: int = STATUS_INVALID_ARGUMENT) -> bytes:
    """The google.rpc.Status body of every 4xx and 5xx answer; protobuf unless the request was JSON."""
    if content_type.partition(";")[0].strip().lower() == JSON:
        return orjson.dumps({"code": code, "message": message.encode(errors="replace").decode()})
    text = message.encode(errors="replace")
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text  # fields 1 (code) and 2 (message)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte, the eighth says that more follow
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _explained(refused: Sequence[RefusedSpan]) -> str:
    reasons = Counter(span.reason for span in refused).most_common(5)
    return "; ".join(f"{count} refused: {reason}" for reason, count in reasons)


def _inflated(body: bytes, encoding: str | None, limit: int) -> bytes:
    coding = (encoding or "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise OtlpUnsupported("content encoding must be gzip or identity")
    plain = _gunzipped(body, limit) if coding == "gzip" else body
    if len(plain) > limit:
        raise TooLarge("the body, in bytes,", limit)
    return plain


def _gunzipped(body: bytes, limit: int) -> bytes:
    """Inflate no more than one byte over the limit, so that a bomb costs no memory."""
    plain = bytearray()
    for _ in range(_GZIP_MEMBERS):
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            plain += member.decompress(body, limit + 1 - len(plain))
        except zlib.error as problem:
            raise OtlpMalformed("the body is not gzip") from problem
        if len(plain) > limit or (member.eof and not member.unused_data):
            return bytes(plain)
        if not member.eof:
            raise OtlpMalformed("the gzip body is cut short")
        body = member.unused_data
    raise OtlpMalformed("the gzip body has too many members")
