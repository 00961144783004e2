"""JSON's half of the OTLP wire: what it forgives, and what it refuses span by span."""

import math

import pytest

from spine.contracts.spans import RefusedSpan
from tests.resolvers.http.otlp_bodies import PARENT, SPAN, START, TRACE, a_body, a_span, read, read_one


def read_value(value: object) -> object:
    return read_one(attributes=[{"key": "k", "value": value}]).attributes["k"]


def refusal(**changes: object) -> RefusedSpan:
    batch = read(a_body(a_span(**changes), a_span(spanId="00f067aa0ba902b7")))
    assert [span.span_id for span in batch.spans] == ["00f067aa0ba902b7"], "the good neighbour is taken"
    return batch.refused[0]


class TestJson:
    def test_ids_come_in_any_case_and_leave_in_lower_case(self) -> None:
        assert read_one(traceId=TRACE.upper(), spanId=SPAN.upper()) == read_one()

    def test_snake_case_keys_and_enum_names_are_understood(self) -> None:
        body = {
            "resource_spans": [
                {
                    "resource": {"attributes": [{"key": "service.name", "value": {"string_value": "shop"}}]},
                    "scope_spans": [
                        {
                            "scope": {"name": "tracer"},
                            "spans": [
                                {
                                    "trace_id": TRACE,
                                    "span_id": SPAN,
                                    "parent_span_id": PARENT,
                                    "name": "chat",
                                    "kind": "SPAN_KIND_CLIENT",
                                    "start_time_unix_nano": START,
                                    "end_time_unix_nano": START + 5,
                                    "status": {"code": "STATUS_CODE_ERROR"},
                                }
                            ],
                        }
                    ],
                }
            ]
        }
        assert read(body).spans == (read_one(status={"code": 2}),)

    def test_unknown_fields_and_nulls_are_ignored(self) -> None:
        odd = read_one(flags=257, links=[{}], newField={"deep": [1]}, status=None, attributes=None, events=None)
        assert odd == read_one()

    @pytest.mark.parametrize("parent", ["", "0" * 16, None, ...])
    def test_a_root_has_no_parent_however_that_is_written(self, parent: object) -> None:
        assert read_one(parentSpanId=parent).parent_span_id is None

    def test_a_span_may_still_be_open(self) -> None:
        assert read_one(endTimeUnixNano=...).ended_ns == 0

    @pytest.mark.parametrize(
        ("sent", "read_as"),
        [
            ({"stringValue": "x\u0000y"}, "x\u0000y"),
            ({"boolValue": False}, False),
            ({"intValue": "-12"}, -12),
            ({"intValue": 12}, 12),
            ({"intValue": 12.0}, 12),
            ({"intValue": 2**53 - 1}, 2**53 - 1),
            ({"intValue": str(2**53)}, "9007199254740992"),
            ({"intValue": str(-(2**63))}, "-9223372036854775808"),
            ({"doubleValue": "NaN"}, "NaN"),
            ({"doubleValue": "-Infinity"}, "-Infinity"),
            ({"bytesValue": "AP8="}, b"\x00\xff"),
            ({"bytesValue": "AP8"}, b"\x00\xff"),
            ({"bytesValue": "_-8="}, b"\xff\xef"),
            ({"arrayValue": {"values": [{"intValue": 1}, {}]}}, [1, None]),
            ({"arrayValue": {}}, []),
            ({"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": True}}]}}, {"a": True}),
            ({"futureValue": 1}, None),
            ({"stringValue": None}, None),
            (None, None),
        ],
    )
    def test_every_kind_of_value_is_read(self, sent: object, read_as: object) -> None:
        assert read_value(sent) == read_as

    def test_a_double_stays_a_double(self) -> None:
        assert repr(read_value({"doubleValue": 1})) == "1.0"
        assert math.copysign(1, float(str(read_value({"doubleValue": -0.0})))) == -1


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"traceId": ...}, "the trace id is not 16 bytes"),
            ({"traceId": TRACE[:-2]}, "the trace id is not 16 bytes"),
            ({"traceId": "0" * 32}, "the trace id is all zero"),
            ({"traceId": "z" * 32}, "traceId is not hexadecimal"),
            ({"traceId": "5b8efff7 98038103d269b633813fc60c1"}, "traceId is not hexadecimal"),
            ({"traceId": " " + TRACE[:-2] + " "}, "traceId is not hexadecimal"),
            ({"traceId": 17}, "traceId is not hexadecimal"),
            ({"traceId": [TRACE]}, "traceId is not hexadecimal"),
            ({"spanId": ""}, "the span id is not 8 bytes"),
            ({"spanId": TRACE}, "the span id is not 8 bytes"),
            ({"spanId": "0" * 16}, "the span id is all zero"),
            ({"parentSpanId": TRACE}, "the parent span id is not 8 bytes"),
            ({"startTimeUnixNano": ...}, "the start time is missing"),
            ({"startTimeUnixNano": "0"}, "the start time is missing"),
            ({"startTimeUnixNano": "-5"}, "the start time is missing"),
            ({"startTimeUnixNano": str(2**63)}, "a time is out of range"),
            ({"endTimeUnixNano": 2**63}, "a time is out of range"),
            ({"endTimeUnixNano": 2.0**70}, "a time is out of range"),
            ({"endTimeUnixNano": -1}, "a time is out of range"),
            ({"endTimeUnixNano": str(START - 1)}, "the span ends before it starts"),
            ({"startTimeUnixNano": "soon"}, "an integer is neither a whole number nor a decimal string"),
            ({"startTimeUnixNano": "9" * 5000}, "an integer is neither a whole number nor a decimal string"),
            ({"startTimeUnixNano": True}, "an integer is neither a whole number nor a decimal string"),
            ({"startTimeUnixNano": 1.5}, "an integer is neither a whole number nor a decimal string"),
            ({"startTimeUnixNano": "١٢"}, "an integer is neither a whole number nor a decimal string"),
            ({"name": 5}, "name is not a string"),
            ({"kind": "SPAN_KIND_ODD"}, "an integer is neither a whole number nor a decimal string"),
            ({"kind": 2**40}, "kind is not a value of its enum"),
            ({"status": []}, "status is not an object"),
            ({"attributes": {}}, "attributes is not a list"),
            ({"attributes": [5]}, "an attribute is not a key and a value"),
            ({"attributes": [{"key": 5}]}, "an attribute is not a key and a value"),
            ({"attributes": [{"key": "a", "value": "b"}]}, "an attribute value is not an object"),
            ({"events": [5]}, "an item of events is not an object"),
            ({"events": [{"timeUnixNano": str(2**63)}]}, "a time is out of range"),
        ],
    )
    def test_a_bad_span_is_refused_and_its_neighbour_is_not(self, changes: dict[str, object], reason: str) -> None:
        assert refusal(**changes).reason == reason

    @pytest.mark.parametrize(
        "value",
        [
            {"stringValue": 5},
            {"boolValue": "true"},
            {"intValue": 1.5},
            {"intValue": True},
            {"intValue": str(2**63)},
            {"doubleValue": "many"},
            {"doubleValue": True},
            {"bytesValue": "***"},
            {"bytesValue": "A"},
            {"bytesValue": "\u00e9"},
            {"arrayValue": []},
            {"arrayValue": {"values": {}}},
            {"kvlistValue": {"values": [1]}},
            {"stringValue": "a", "intValue": 1},
        ],
    )
    def test_a_value_of_the_wrong_type_refuses_its_span(self, value: object) -> None:
        assert refusal(attributes=[{"key": "k", "value": value}]).span_id == SPAN

    def test_a_refusal_keeps_the_ids_that_are_readable(self) -> None:
        assert refusal(traceId="nonsense") == RefusedSpan(None, SPAN, "traceId is not hexadecimal")
        assert refusal(spanId=5) == RefusedSpan(TRACE, None, "spanId is not hexadecimal")
        assert read(a_body("no span")).refused == (RefusedSpan(None, None, "a span is not an object"),)
