"""JSON's half of the OTLP wire: an ExportTraceServiceRequest in JSON to span records.

An own walk over orjson's objects: `google.protobuf.json_format` reads OTLP's hex ids as base64 without an error, and is
twenty times slower. Lenient where protobuf's JSON mapping is (numbers as strings, enum names, snake_case keys).
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

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

_KINDS: Final = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_STATUS_CODES: Final = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_INT32_MAX: Final = 2**31 - 1
_INT64_DIGITS: Final = 20


def json_spans(body: bytes) -> Iterator[SpanRecord | RefusedSpan]:
    """Each span as a record or a refusal; raises OtlpMalformed or Unreadable when the envelope cannot be read."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise OtlpMalformed(f"the body is not JSON: {problem}") from problem
    for group in _objects(_object(request, "the body"), "resourceSpans", "resource_spans"):
        resource = _json_attributes(_child(group, "resource"))
        for scoped in _objects(group, "scopeSpans", "scope_spans"):
            scope_name = _text(_child(scoped, "scope"), "name")
            for span in _list(scoped, "spans", "spans"):
                yield _json_span(span, resource, scope_name)


def _json_span(span: object, resource: Attributes, scope_name: str) -> SpanRecord | RefusedSpan:
    try:
        return _json_record(_object(span, "a span"), resource, scope_name)
    except Unreadable as problem:
        fields = span if isinstance(span, dict) else {}
        return refusal(_readable(fields, "traceId", "trace_id"), _readable(fields, "spanId", "span_id"), problem)


def _json_record(fields: dict[str, Any], resource: Attributes, scope_name: str) -> SpanRecord:
    status = _child(fields, "status")
    return build_record(
        (
            _hex(fields, "traceId", "trace_id"),
            _hex(fields, "spanId", "span_id"),
            _hex(fields, "parentSpanId", "parent_span_id"),
        ),
        (
            _integer(_field(fields, "startTimeUnixNano", "start_time_unix_nano")),
            _integer(_field(fields, "endTimeUnixNano", "end_time_unix_nano")),
        ),
        name=_text(fields, "name"),
        kind=_enum(fields, "kind", _KINDS),
        status_code=_enum(status, "code", _STATUS_CODES),
        status_message=_text(status, "message"),
        attributes=_json_attributes(fields),
        events=tuple(_json_event(event) for event in _objects(fields, "events", "events")),
        resource=resource,
        scope_name=scope_name,
    )


def _json_event(event: dict[str, Any]) -> SpanEvent:
    time_ns = _integer(_field(event, "timeUnixNano", "time_unix_nano"))
    if not 0 <= time_ns <= INT64_MAX:
        raise Unreadable("a time is out of range")
    return SpanEvent(name=_text(event, "name"), time_ns=time_ns, attributes=_json_attributes(event))


def _json_attributes(owner: dict[str, Any]) -> Attributes:
    return _json_pairs(_list(owner, "attributes", "attributes"), VALUE_DEPTH)


def _json_pairs(pairs: list[Any], depth: int) -> Attributes:
    attributes: Attributes = {}
    for pair in pairs:
        if not isinstance(pair, dict) or not isinstance(key := pair.get("key", ""), str):
            raise Unreadable("an attribute is not a key and a value")
        attributes[key] = _json_value(pair.get("value"), depth)
    return attributes


def _json_value(value: object, depth: int) -> AttributeValue:
    """Read an AnyValue; `depth` is how many levels its JSON may still have. Absent or unknown kinds are None."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Unreadable("an attribute value is not an object")
    if len(value) == 1:  # nearly always; text is by far the most, and takes an eighth of the time so
        ((name, raw),) = value.items()
        if name == "stringValue" and type(raw) is str:
            return raw
        return _VALUE_READERS[name](raw, depth) if raw is not None and name in _VALUE_READERS else None
    known = [name for name, raw in value.items() if raw is not None and name in _VALUE_READERS]
    if len(known) > 1:
        raise Unreadable("an attribute has more than one value")
    return _VALUE_READERS[known[0]](value[known[0]], depth) if known else None


def _json_string(raw: object, _depth: int) -> str:
    if not isinstance(raw, str):
        raise Unreadable("a string value is not a string")
    return raw


def _json_bool(raw: object, _depth: int) -> bool:
    if not isinstance(raw, bool):
        raise Unreadable("a bool value is not a bool")
    return raw


def _json_int(raw: object, _depth: int) -> int | str:
    number = _integer(raw)
    if not -INT64_MAX - 1 <= number <= INT64_MAX:
        raise Unreadable("an int value is beyond 64 bits")
    return safe_integer(number)


def _json_double(raw: object, _depth: int) -> float | str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise Unreadable("a double value is not a number")
    try:
        return safe_double(float(raw))
    except ValueError as problem:
        raise Unreadable("a double value is not a number") from problem


def _json_bytes(raw: object, _depth: int) -> bytes:
    """Standard or URL-safe base64, padded or not, as protobuf's JSON mapping accepts."""
    text = _json_string(raw, 0).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as problem:
        raise Unreadable("a bytes value is not base64") from problem


def _json_array(raw: object, depth: int) -> list[AttributeValue]:
    if depth <= 0:
        raise too_deep()
    return [
        _json_value(item, depth - ARRAY_DEPTH) for item in _list(_object(raw, "an array value"), "values", "values")
    ]


def _json_kvlist(raw: object, depth: int) -> Attributes:
    if depth <= 0:
        raise too_deep()
    return _json_pairs(_list(_object(raw, "a key-value list"), "values", "values"), depth - KVLIST_DEPTH)


_VALUE_READERS: Final[dict[str, Callable[[object, int], AttributeValue]]] = {
    f"{kind}{suffix}": read
    for kind, read in (
        ("string", _json_string),
        ("bool", _json_bool),
        ("int", _json_int),
        ("double", _json_double),
        ("bytes", _json_bytes),
        ("array", _json_array),
        ("kvlist", _json_kvlist),
    )
    for suffix in ("Value", "_value")
}


def _field(owner: dict[str, Any], camel: str, snake: str) -> object:
    value = owner.get(camel)
    return owner.get(snake) if value is None else value


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is not an object")
    return value


def _child(owner: dict[str, Any], name: str) -> dict[str, Any]:
    value = owner.get(name)
    return {} if value is None else _object(value, name)


def _list(owner: dict[str, Any], camel: str, snake: str) -> list[Any]:
    value = _field(owner, camel, snake)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"{camel} is not a list")
    return value


def _objects(owner: dict[str, Any], camel: str, snake: str) -> Iterator[dict[str, Any]]:
    return (_object(item, f"an item of {camel}") for item in _list(owner, camel, snake))


def _text(owner: dict[str, Any], name: str) -> str:
    value = owner.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not a string")
    return value


def _hex(owner: dict[str, Any], camel: str, snake: str) -> bytes:
    value = _field(owner, camel, snake)
    if value is None:
        return b""
    try:
        plain = bytes.fromhex(value)  # type: ignore[arg-type]  # TypeError is what a wrong type gives
    except (TypeError, ValueError) as problem:
        raise Unreadable(f"{camel} is not hexadecimal") from problem
    if len(plain) * 2 != len(value):  # type: ignore[arg-type]
        raise Unreadable(f"{camel} is not hexadecimal")  # fromhex skips blanks
    return plain


def _readable(owner: dict[str, Any], camel: str, snake: str) -> bytes:
    try:
        return _hex(owner, camel, snake)
    except Unreadable:
        return b""


def _integer(value: object) -> int:
    """An integer as number or decimal string, as protobuf's JSON mapping writes 64-bit ones; absent is 0."""
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) <= _INT64_DIGITS and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    raise Unreadable("an integer is neither a whole number nor a decimal string")


def _enum(owner: dict[str, Any], name: str, numbers: dict[str, int]) -> int:
    value = owner.get(name)
    number = numbers[value] if isinstance(value, str) and value in numbers else _integer(value)
    if not -_INT32_MAX - 1 <= number <= _INT32_MAX:
        raise Unreadable(f"{name} is not a value of its enum")
    return number
