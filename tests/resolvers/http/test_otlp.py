"""The OTLP wire as a whole: both encodings read alike, bodies are limited, answers are as the specification says."""

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from resolvers.http.otlp import JSON, PROTOBUF, OtlpUnsupported, decode_export, encode_response, encode_status
from resolvers.http.otlp_record import OtlpMalformed
from spine.contracts.errors import TooLarge, ValidationFailed
from spine.contracts.spans import RefusedSpan, SpanBatch
from tests.resolvers.http.otlp_bodies import (
    LIMIT,
    PARENT,
    SPAN,
    START,
    TRACE,
    a_body,
    a_span,
    json_of,
    protobuf_of,
    read,
    read_one,
    requests,
)


class TestBothEncodings:
    def test_a_span_is_read_field_by_field(self) -> None:
        span = read_one(
            status={"code": 2, "message": "no"},
            attributes=[{"key": "a", "value": {"stringValue": "b"}}],
            events=[{"name": "exception", "timeUnixNano": "7", "attributes": [{"key": "x", "value": {"intValue": 1}}]}],
        )
        assert (span.trace_id, span.span_id, span.parent_span_id) == (TRACE, SPAN, PARENT)
        assert (span.name, span.kind, span.status_code, span.status_message) == ("chat", 3, 2, "no")
        assert (span.started_ns, span.ended_ns) == (START, START + 5)
        assert (span.attributes, span.resource, span.scope_name) == ({"a": "b"}, {"service.name": "shop"}, "tracer")
        assert [(event.name, event.time_ns, event.attributes) for event in span.events] == [("exception", 7, {"x": 1})]

    @settings(max_examples=300, deadline=None)
    @given(requests())
    def test_any_request_reads_the_same_from_protobuf_and_json(self, request: ExportTraceServiceRequest) -> None:
        from_protobuf = decode_export(request.SerializeToString(), PROTOBUF, None, limit=LIMIT)
        from_json = decode_export(json_of(request), JSON, None, limit=LIMIT)
        assert repr(from_protobuf.spans) == repr(from_json.spans), "by repr: 1, 1.0 and True are different values"
        assert [(span.trace_id, span.span_id) for span in from_protobuf.refused] == [
            (span.trace_id, span.span_id) for span in from_json.refused
        ]
        sent = sum(len(scoped.spans) for group in request.resource_spans for scoped in group.scope_spans)
        assert len(from_json.spans) + len(from_json.refused) == sent

    def test_a_whole_file_of_real_runs_reads_the_same_from_both(self, sample_lines: list[bytes]) -> None:
        for line in sample_lines:
            batch = decode_export(line, JSON, None, limit=LIMIT)
            assert batch.spans
            assert batch.refused == ()
            assert repr(batch) == repr(decode_export(protobuf_of(orjson.loads(line)), PROTOBUF, None, limit=LIMIT))

    def test_an_empty_request_is_a_success(self) -> None:
        assert decode_export(b"", PROTOBUF, None, limit=LIMIT) == SpanBatch(spans=(), refused=())
        assert read({}) == SpanBatch(spans=(), refused=())

    def test_what_the_python_sdk_exports_is_read(self) -> None:
        memory = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(memory))
        with provider.get_tracer("tracer").start_as_current_span("root", attributes={"a": (1, 2)}) as root:
            root.add_event("noted")
        request = encode_spans(memory.get_finished_spans())
        (span,) = decode_export(request.SerializeToString(), PROTOBUF, None, limit=LIMIT).spans
        assert (span.name, span.kind, span.parent_span_id, span.scope_name) == ("root", 1, None, "tracer")
        assert (span.attributes, span.resource) == ({"a": [1, 2]}, {"service.name": "shop"})
        assert span.trace_id == f"{root.get_span_context().trace_id:032x}"
        assert [event.name for event in span.events] == ["noted"]


def _nested(kind: str, levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"stringValue": "bottom"}
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}} if kind == "array" else {"kvlistValue": {"values": [_pair(value)]}}
    return value


def _pair(value: object) -> dict[str, object]:
    return {"key": "k", "value": value}


class TestMalformedBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"5",
            b"\xff\xfe",
            b'{"resourceSpans": 5}',
            b'{"resourceSpans": [5]}',
            b'{"resourceSpans": [{"resource": []}]}',
            b'{"resourceSpans": [{"resource": {"attributes": [{"key": "k", "value": 5}]}}]}',
            b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
            b'{"resourceSpans": [{"scopeSpans": [{"scope": {"name": 5}}]}]}',
            b'{"resourceSpans": [{"resource": {"attributes": [{"key": "\\ud800"}]}}]}',
            b'{"resourceSpans": 1e999}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
        ],
    )
    def test_what_is_not_an_export_in_json_is_malformed(self, body: bytes) -> None:
        with pytest.raises(OtlpMalformed):
            decode_export(body, JSON, None, limit=LIMIT)

    @pytest.mark.parametrize("body", [b"\xff", b"{}", b"\x0a\x05ab", gzip.compress(b"", mtime=0)])
    def test_what_is_not_an_export_in_protobuf_is_malformed(self, body: bytes) -> None:
        with pytest.raises(OtlpMalformed):
            decode_export(body, PROTOBUF, None, limit=LIMIT)

    @pytest.mark.parametrize(("kind", "deepest"), [("array", 18), ("kvlist", 14)])
    def test_both_encodings_stop_at_the_same_depth(self, kind: str, deepest: int) -> None:
        def body(levels: int) -> dict[str, object]:
            return a_body(a_span(attributes=[_pair(_nested(kind, levels))]))

        assert read(body(deepest)) == decode_export(protobuf_of(body(deepest)), PROTOBUF, None, limit=LIMIT)
        with pytest.raises(OtlpMalformed, match="64 levels"):
            read(body(deepest + 1))
        with pytest.raises(OtlpMalformed, match="64 levels"):
            decode_export(protobuf_of(body(deepest + 1)), PROTOBUF, None, limit=LIMIT)

    @pytest.mark.parametrize("levels", [100, 330, 5000])
    def test_nesting_without_end_is_an_error_and_no_recursion(self, levels: int) -> None:
        value = b'{"arrayValue":{"values":[' * levels + b'{"intValue":1}' + b"]}}" * levels
        span = orjson.dumps(a_span(attributes=["HERE"])).replace(b'"HERE"', b'{"key":"k","value":' + value + b"}")
        with pytest.raises(OtlpMalformed):
            decode_export(orjson.dumps(a_body("SPAN")).replace(b'"SPAN"', span), JSON, None, limit=LIMIT)

    @given(st.binary(), st.sampled_from([JSON, PROTOBUF]), st.sampled_from(["identity", "gzip"]))
    def test_any_bytes_are_read_or_refused_with_a_typed_error(self, body: bytes, media: str, encoding: str) -> None:
        try:
            batch = decode_export(body, media, encoding, limit=LIMIT)
        except OtlpMalformed:
            return
        assert isinstance(batch, SpanBatch)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["resourceSpans", "scopeSpans", "spans", "attributes", "value", "key"]), inner
                )
            ),
            max_leaves=20,
        )
    )
    def test_any_json_is_read_or_refused_with_a_typed_error(self, document: object) -> None:
        for body in (document, a_body(document), a_body(a_span(attributes=document))):
            try:
                read(body)
            except OtlpMalformed:
                continue


def _chunks(total: int) -> Iterator[bytes]:
    for _ in range(total // 2**20):
        yield bytes(2**20)


class TestCompressionAndLimits:
    body = orjson.dumps(a_body(a_span()))

    @pytest.mark.parametrize("encoding", [None, "", "identity", "Identity"])
    def test_a_plain_body_needs_no_header(self, encoding: str | None) -> None:
        assert decode_export(self.body, JSON, encoding, limit=LIMIT).spans == (read_one(),)

    def test_gzip_is_inflated_whole_or_in_members(self) -> None:
        members = gzip.compress(self.body[:50]) + gzip.compress(self.body[50:])
        for body in (gzip.compress(self.body), members):
            assert decode_export(body, "application/json; charset=utf-8", "GZIP", limit=LIMIT).spans == (read_one(),)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            gzip.compress(body, mtime=0)[:-1],
            gzip.compress(body, mtime=0)[:20],
            gzip.compress(body, mtime=0) + b"junk",
            b"\x1f\x8b",
        ],
    )
    def test_broken_gzip_is_malformed(self, body: bytes) -> None:
        with pytest.raises(OtlpMalformed):
            decode_export(body, JSON, "gzip", limit=LIMIT)

    def test_the_limit_is_on_inflated_bytes_and_exact(self) -> None:
        size = len(self.body)
        for body, encoding in ((self.body, None), (gzip.compress(self.body), "gzip")):
            assert decode_export(body, JSON, encoding, limit=size).spans
            with pytest.raises(TooLarge):
                decode_export(body, JSON, encoding, limit=size - 1)

    def test_a_gzip_bomb_is_cut_at_the_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        squeeze = zlib.compressobj(wbits=31)
        bomb = b"".join(map(squeeze.compress, _chunks(256 * 2**20))) + squeeze.flush()
        inflated = 0
        inflate = zlib.decompressobj

        class Counting:
            def __init__(self, wbits: int) -> None:
                self.inner = inflate(wbits=wbits)

            def decompress(self, data: bytes, max_length: int) -> bytes:
                nonlocal inflated
                plain = self.inner.decompress(data, max_length)
                inflated += len(plain)
                return plain

        monkeypatch.setattr(zlib, "decompressobj", Counting)
        with pytest.raises(TooLarge):
            decode_export(bomb, PROTOBUF, "gzip", limit=2**20)
        assert inflated == 2**20 + 1

    def test_a_chain_of_empty_members_ends(self) -> None:
        with pytest.raises(OtlpMalformed, match="members"):
            decode_export(gzip.compress(b"") * 10_000, PROTOBUF, "gzip", limit=LIMIT)

    @pytest.mark.parametrize(
        ("media", "encoding"),
        [("text/plain", None), ("", None), ("application/grpc", None), (JSON, "br"), (JSON, "deflate")],
    )
    def test_another_media_type_or_encoding_is_unsupported(self, media: str, encoding: str | None) -> None:
        with pytest.raises(OtlpUnsupported):
            decode_export(self.body, media, encoding, limit=LIMIT)

    def test_every_error_of_the_body_is_a_validation_failure(self) -> None:
        assert issubclass(OtlpMalformed, ValidationFailed)
        assert issubclass(OtlpUnsupported, ValidationFailed)


class TestAnswers:
    refused = (RefusedSpan(None, None, "no ids"), RefusedSpan(TRACE, SPAN, "no ids"), RefusedSpan(TRACE, SPAN, "late"))

    def test_full_success_leaves_partial_success_unset(self) -> None:
        assert encode_response((), JSON) == b"{}"
        assert encode_response((), PROTOBUF) == b""

    def test_partial_success_counts_and_explains(self) -> None:
        message = "2 refused: no ids; 1 refused: late"
        assert orjson.loads(encode_response(self.refused, JSON)) == {
            "partialSuccess": {"rejectedSpans": "3", "errorMessage": message}
        }
        response = ExportTraceServiceResponse.FromString(encode_response(self.refused, PROTOBUF))
        assert (response.partial_success.rejected_spans, response.partial_success.error_message) == (3, message)

    def test_the_explanation_names_at_most_five_reasons(self) -> None:
        many = [RefusedSpan(None, None, f"reason {number}") for number in range(1000)]
        answer = orjson.loads(encode_response(many, JSON))["partialSuccess"]
        assert answer["rejectedSpans"] == "1000"
        assert answer["errorMessage"].count("refused") == 5

    @given(st.text(), st.integers(0, 2**31 - 1))
    def test_the_status_body_is_googles_in_both_encodings(self, message: str, code: int) -> None:
        status = Status.FromString(encode_status(message, PROTOBUF, code=code))
        assert (status.code, status.message) == (code, message)
        assert orjson.loads(encode_status(message, JSON, code=code)) == {"code": code, "message": message}

    def test_a_status_never_fails_to_encode(self) -> None:
        assert Status.FromString(encode_status("\ud800", "text/plain")).message == "?"
        assert orjson.loads(encode_status("\ud800", JSON))["message"] == "?"
