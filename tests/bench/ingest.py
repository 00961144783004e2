"""How many spans a second one exporter gets taken: OTLP/JSON, ten runs an export, each acknowledged before the next."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import orjson

from spine.contracts.spans import AttributeValue, SpanRecord
from tests.bench.data import BATCH, new_tenant, started
from tests.bench.fleet import batches
from tests.bench.load import exchange, post
from tests.bench.place import Place
from tests.bench.serving import Server

TENANT = "bench-ingest"
MOST_EXPORTS = 200


async def spans_per_second(server: Server, place: Place, steps: int, seconds: float) -> float:
    """Acknowledged spans a second; everything sent is new, and prepared before the clock starts."""
    async with started(place) as runtime:
        key = await new_tenant(runtime, TENANT)
    exports = min(MOST_EXPORTS, max(2, int(60 * seconds)))
    batched = list(batches(TENANT, range(exports * BATCH), steps, time.time_ns(), BATCH))
    requests = [post("/v1/traces", key, otlp_json(spans)) for spans in batched]
    async with asyncio.timeout(seconds + 60):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await exchange(reader, writer, requests[0])
        taken = 0
        began = time.perf_counter()
        for spans, request in zip(batched[1:], requests[1:], strict=True):
            await exchange(reader, writer, request)
            taken += len(spans)
            if time.perf_counter() - began >= seconds:
                break
        took = time.perf_counter() - began
        writer.close()
        await writer.wait_closed()
    return taken / took


def otlp_json(spans: Sequence[SpanRecord]) -> bytes:
    """One ExportTraceServiceRequest as OTLP writes it in JSON."""
    resource = {"attributes": _attributes(spans[0].resource)}
    scoped = {"scope": {"name": spans[0].scope_name}, "spans": [_span(span) for span in spans]}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scoped]}]})


def _span(span: SpanRecord) -> dict[str, object]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_span_id or "",
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.started_ns),
        "endTimeUnixNano": str(span.ended_ns),
        "attributes": _attributes(span.attributes),
        "status": {"code": span.status_code, "message": span.status_message},
    }


def _attributes(attributes: Mapping[str, AttributeValue]) -> list[dict[str, object]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: AttributeValue) -> dict[str, object]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": value}
