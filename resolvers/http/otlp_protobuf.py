"""Protobuf's half of the OTLP wire: a binary ExportTraceServiceRequest to span records."""

from collections.abc import Iterator, Sequence

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from resolvers.http.otlp_record import (
    ARRAY_DEPTH,
    INT64_MAX,
    KVLIST_DEPTH,
    VALUE_DEPTH,
    Attributes,
    OtlpMalformed,
    Unreadable,
    build_record,
    refusal,
    safe_double,
    safe_integer,
    too_deep,
)
from spine.contracts.spans import AttributeValue, RefusedSpan, SpanEvent, SpanRecord


def protobuf_spans(body: bytes) -> Iterator[SpanRecord | RefusedSpan]:
    """Each span as a record or a refusal; raises OtlpMalformed when the body is not the message."""
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as problem:
        raise OtlpMalformed("the body is not a protobuf ExportTraceServiceRequest") from problem
    for group in request.resource_spans:
        resource = _proto_attributes(group.resource.attributes, VALUE_DEPTH)
        for scoped in group.scope_spans:
            for span in scoped.spans:
                yield _proto_span(span, resource, scoped.scope.name)


def _proto_span(span: Span, resource: Attributes, scope_name: str) -> SpanRecord | RefusedSpan:
    try:
        return build_record(
            (span.trace_id, span.span_id, span.parent_span_id),
            (span.start_time_unix_nano, span.end_time_unix_nano),
            name=span.name,
            kind=span.kind,
            status_code=span.status.code,
            status_message=span.status.message,
            attributes=_proto_attributes(span.attributes, VALUE_DEPTH),
            events=tuple(_proto_event(event) for event in span.events),
            resource=resource,
            scope_name=scope_name,
        )
    except Unreadable as problem:
        return refusal(span.trace_id, span.span_id, problem)


def _proto_event(event: Span.Event) -> SpanEvent:
    if event.time_unix_nano > INT64_MAX:
        raise Unreadable("a time is out of range")
    attributes = _proto_attributes(event.attributes, VALUE_DEPTH)
    return SpanEvent(name=event.name, time_ns=event.time_unix_nano, attributes=attributes)


def _proto_attributes(pairs: Sequence[KeyValue], depth: int) -> Attributes:
    return {pair.key: _proto_value(pair.value, depth) for pair in pairs}


def _proto_value(value: AnyValue, depth: int) -> AttributeValue:
    """`depth` is how many levels the value's JSON form may still have."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return safe_integer(value.int_value)
    if kind == "double_value":
        return safe_double(value.double_value)
    if kind == "bool_value":
        return value.bool_value
    return None if kind is None else _proto_rarer(value, kind, depth)


def _proto_rarer(value: AnyValue, kind: str, depth: int) -> AttributeValue:
    if kind == "bytes_value":
        return value.bytes_value
    if kind not in ("array_value", "kvlist_value"):
        return None  # a kind of a later version
    if depth <= 0:
        raise too_deep()
    if kind == "array_value":
        return [_proto_value(item, depth - ARRAY_DEPTH) for item in value.array_value.values]
    return _proto_attributes(value.kvlist_value.values, depth - KVLIST_DEPTH)
