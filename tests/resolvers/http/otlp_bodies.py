"""OTLP bodies for tests: plain builders, and an encoder and strategies that share nothing with the product."""

import base64
from typing import Any

import orjson
from google.protobuf import json_format
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from resolvers.http.otlp import JSON, decode_export
from spine.contracts.spans import SpanBatch, SpanRecord

LIMIT = 20 * 1024 * 1024
TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"
PARENT = "eee19b7ec3c1b173"
START = 1_779_000_000_000_000_000


def a_span(**changes: object) -> dict[str, object]:
    span = {
        "traceId": TRACE,
        "spanId": SPAN,
        "parentSpanId": PARENT,
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 5),
    }
    return {name: value for name, value in (span | changes).items() if value is not ...}


def a_body(*spans: object) -> dict[str, object]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "scopeSpans": [{"scope": {"name": "tracer"}, "spans": list(spans)}],
            }
        ]
    }


def read(body: object) -> SpanBatch:
    return decode_export(orjson.dumps(body), JSON, None, limit=LIMIT)


def read_one(**changes: object) -> SpanRecord:
    batch = read(a_body(a_span(**changes)))
    assert batch.refused == ()
    return batch.spans[0]


# --- an encoder that shares nothing with the product: google's JSON mapping, with OTLP's hex ids put right


def _rewritten(document: Any, rewrite: Any) -> Any:
    if isinstance(document, list):
        return [_rewritten(item, rewrite) for item in document]
    if not isinstance(document, dict):
        return document
    return {
        name: rewrite(item)
        if name in ("traceId", "spanId", "parentSpanId") and isinstance(item, str)
        else _rewritten(item, rewrite)
        for name, item in document.items()
    }


def protobuf_of(document: object) -> bytes:
    base64_ids = _rewritten(document, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    message = json_format.ParseDict(base64_ids, ExportTraceServiceRequest())
    return bytes(message.SerializeToString())


def json_of(request: ExportTraceServiceRequest) -> bytes:
    return orjson.dumps(_rewritten(json_format.MessageToDict(request), lambda text: base64.b64decode(text).hex()))


@st.composite
def values(draw: st.DrawFn, depth: int = 3) -> AnyValue:
    kinds = ["string_value", "bool_value", "int_value", "double_value", "bytes_value", None]
    kind = draw(st.sampled_from(kinds + (["array_value", "kvlist_value"] if depth else [])))
    value = AnyValue()
    if kind == "array_value":
        value.array_value.values.extend(draw(st.lists(values(depth - 1), max_size=3)))
        value.array_value.SetInParent()
    elif kind == "kvlist_value":
        value.kvlist_value.SetInParent()
        for key in draw(st.lists(st.text(max_size=5), max_size=3, unique=True)):
            value.kvlist_value.values.add(key=key).value.CopyFrom(draw(values(depth - 1)))
    elif kind is not None:
        setattr(value, kind, draw(SCALARS[kind]))
    return value


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string_value": st.text(),
    "bool_value": st.booleans(),
    "int_value": st.integers(-(2**63), 2**63 - 1),
    "double_value": st.floats(),
    "bytes_value": st.binary(),
}


@st.composite
def requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        group = request.resource_spans.add()
        for key in draw(st.lists(st.text(max_size=5), max_size=2, unique=True)):
            group.resource.attributes.add(key=key).value.CopyFrom(draw(values()))
        scoped = group.scope_spans.add()
        scoped.scope.name = draw(st.text(max_size=8))
        for _ in range(draw(st.integers(0, 3))):
            _draw_span(draw, scoped.spans.add())
    return request


def _draw_span(draw: st.DrawFn, span: Any) -> None:
    ids = st.one_of(st.binary(max_size=20), st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8))
    times = st.one_of(st.integers(0, 2**64 - 1), st.integers(1, 2**62))
    span.trace_id, span.span_id, span.parent_span_id = draw(ids), draw(ids), draw(ids)
    span.start_time_unix_nano, span.end_time_unix_nano = draw(times), draw(times)
    span.name = draw(st.text(max_size=10))
    span.kind = draw(st.integers(0, 5))
    span.status.code = draw(st.integers(0, 2))
    span.status.message = draw(st.text(max_size=10))
    for key in draw(st.lists(st.text(max_size=5), max_size=3, unique=True)):
        span.attributes.add(key=key).value.CopyFrom(draw(values()))
    for _ in range(draw(st.integers(0, 2))):
        event = span.events.add(name=draw(st.text(max_size=5)), time_unix_nano=draw(times))
        event.attributes.add(key="k").value.CopyFrom(draw(values()))
