"""What OTLP asks of every span, however it was encoded: valid ids and times, numbers that JSON can carry.

One set of rules for both encodings, so that JSON and protobuf copies of a span become equal records.
"""

import math
from typing import Any, Final

from spine.contracts.errors import ValidationFailed
from spine.contracts.spans import AttributeValue, RefusedSpan, SpanRecord

MAX_DEPTH: Final = 64  # levels of JSON objects and arrays in a body
VALUE_DEPTH: Final = MAX_DEPTH - 10  # ten of them lie above a span attribute's value; protobuf is counted alike
ARRAY_DEPTH: Final = 3  # levels that an array adds: the AnyValue, its arrayValue, the list
KVLIST_DEPTH: Final = 4  # and a key-value list: one more for the pair
INT64_MAX: Final = 2**63 - 1
SAFE_INTEGER: Final = 2**53 - 1  # beyond it JSON readers lose digits (RFC 8785 §3.2.2.3)
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8

Attributes = dict[str, AttributeValue]


class OtlpMalformed(ValidationFailed):
    """The body is no OTLP export: broken gzip, JSON or protobuf, or nested too deeply. HTTP 400."""


class Unreadable(Exception):
    """A piece that cannot be read: a span's is refused, an envelope's makes the whole body malformed."""


def build_record(ids: tuple[bytes, bytes, bytes], times: tuple[int, int], **fields: Any) -> SpanRecord:
    """Check ids (trace, span, parent) and times (start, end; Unix ns) and build the record, or raise Unreadable."""
    trace_id, span_id, parent_id = ids
    started, ended = times
    _check_id(trace_id, _TRACE_ID_BYTES, "trace id")
    _check_id(span_id, _SPAN_ID_BYTES, "span id")
    if parent_id and len(parent_id) != _SPAN_ID_BYTES:
        raise Unreadable("the parent span id is not 8 bytes")
    _check_times(started, ended)
    return SpanRecord(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_span_id=parent_id.hex() if any(parent_id) else None,  # some exporters write a root's parent as zeros
        started_ns=started,
        ended_ns=ended,
        **fields,
    )


def _check_id(value: bytes, length: int, name: str) -> None:
    if len(value) != length:
        raise Unreadable(f"the {name} is not {length} bytes")
    if value == bytes(length):
        raise Unreadable(f"the {name} is all zero")


def _check_times(started: int, ended: int) -> None:
    if started <= 0:
        raise Unreadable("the start time is missing")
    if started > INT64_MAX or ended > INT64_MAX or ended < 0:
        raise Unreadable("a time is out of range")
    if 0 < ended < started:
        raise Unreadable("the span ends before it starts")


def refusal(trace_id: bytes, span_id: bytes, problem: Unreadable) -> RefusedSpan:
    """The refusal of one span, with those of its ids that are valid."""
    return RefusedSpan(
        trace_id=trace_id.hex() if len(trace_id) == _TRACE_ID_BYTES and any(trace_id) else None,
        span_id=span_id.hex() if len(span_id) == _SPAN_ID_BYTES and any(span_id) else None,
        reason=str(problem),
    )


def safe_integer(number: int) -> int | str:
    """The number, or its decimal digits when it is beyond ±(2^53-1)."""
    return number if -SAFE_INTEGER <= number <= SAFE_INTEGER else str(number)


def safe_double(number: float) -> float | str:
    """The number, or protobuf's JSON name of one that is not finite."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def too_deep() -> OtlpMalformed:
    """The error for a value nested beyond `VALUE_DEPTH`."""
    return OtlpMalformed(f"the body is nested more than {MAX_DEPTH} levels deep")
