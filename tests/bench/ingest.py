"""How fast exports are taken, twenty rules and all limits in force: OTLP/JSON, ten runs an export, exporters at once.

Each exporter is a tenant of its own and sends its next export when the one before is acknowledged, hence durable.
Beside it the same rows again by a bare COPY into tables with the same indexes, which nothing can beat.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

import asyncpg
import orjson
from msgspec import Struct

from spine.contracts.spans import AttributeValue, SpanRecord
from spine.services.ids import tenant_id_of
from tests.bench.copying import TABLES
from tests.bench.data import BATCH, new_tenant, started
from tests.bench.fleet import batches
from tests.bench.governance import TWENTY_RULES
from tests.bench.load import cpu_seconds, exchange, post
from tests.bench.place import Place
from tests.bench.serving import Server

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

STEPS = 18
"""So many steps has a run on average; with its own that makes 19 spans."""

MOST_EXPORTS_PER_SECOND = 25
BARE = "bare_copies"


class Ingested(Struct, frozen=True):
    """What one number of exporters got taken; times in milliseconds an export, `copy_ratio` by spans a second."""

    exporters: int
    seconds: float
    spans: int
    spans_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_span: float
    copy_spans_per_second: float
    copy_ratio: float


async def ingest(server: Server, place: Place, exporters: int, seconds: float) -> Ingested:
    """Everything sent is new, and prepared before the clock starts."""
    tenants = [f"bench-ingest-{secrets.token_hex(4)}" for _ in range(exporters)]
    exports = max(3, int(MOST_EXPORTS_PER_SECOND * seconds / exporters))
    async with started(place) as runtime:
        keys = [await new_tenant(runtime, tenant, TWENTY_RULES) for tenant in tenants]
    prepared = [_prepared(tenant, key, exports) for tenant, key in zip(tenants, keys, strict=True)]
    for exporter in prepared:
        await _export(server, exporter[:1], time.perf_counter() + seconds)
    cpu_before, began = cpu_seconds(server.pid), time.perf_counter()
    done = await asyncio.gather(*(_export(server, exporter[1:], began + seconds) for exporter in prepared))
    took, cpu = time.perf_counter() - began, cpu_seconds(server.pid) - cpu_before
    spans = sum(count for count, _ in itertools.chain(*done))
    latencies = sorted(latency for _, latency in itertools.chain(*done))
    copied = await _copy_again(place, tenants)
    stored = spans + sum(exporter[0][0] for exporter in prepared)
    return Ingested(
        exporters=exporters,
        seconds=took,
        spans=spans,
        spans_per_second=spans / took,
        p50_ms=1000 * latencies[len(latencies) // 2],
        p99_ms=1000 * latencies[min(len(latencies) - 1, int(0.99 * len(latencies)))],
        cpu_us_per_span=1_000_000 * cpu / spans,
        copy_spans_per_second=stored / copied,
        copy_ratio=(spans / took) / (stored / copied),
    )


Export = tuple[int, bytes]


def _prepared(tenant: str, key: str, exports: int) -> list[Export]:
    """So many exports, each with its number of spans."""
    batched = batches(tenant, range(exports * BATCH), STEPS, time.time_ns(), BATCH)
    return [(len(spans), post("/v1/traces", key, otlp_json(spans))) for spans in batched]


async def _export(server: Server, exports: Sequence[Export], until: float) -> list[tuple[int, float]]:
    """The spans and the latency of each export that was acknowledged before the time was over, at least one."""
    done: list[tuple[int, float]] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for spans, request in exports:
        at = time.perf_counter()
        async with asyncio.timeout(60):
            await exchange(reader, writer, request)
        done.append((spans, time.perf_counter() - at))
        if time.perf_counter() >= until:
            break
    writer.close()
    await writer.wait_closed()
    return done


async def _copy_again(place: Place, tenants: Sequence[str]) -> float:
    """Seconds that COPY takes for all rows of the tenants, a table at a time, in one durable transaction."""
    connection = await asyncpg.connect(**place.superuser)
    try:
        wanted = ", ".join(f"'{tenant_id_of(tenant)}'" for tenant in tenants)
        await connection.execute(f"DROP SCHEMA IF EXISTS {BARE} CASCADE; CREATE SCHEMA {BARE}")
        rows = {}
        for table in TABLES:
            await connection.execute(f"CREATE TABLE {BARE}.{table} (LIKE {table} INCLUDING ALL)")
            rows[table] = await _binary(connection, f"SELECT * FROM {table} WHERE tenant_id IN ({wanted})")
        began = time.perf_counter()
        async with connection.transaction():
            for table, content in rows.items():
                await connection.copy_to_table(table, schema_name=BARE, source=_once(content), format="binary")
        took = time.perf_counter() - began
        await connection.execute(f"DROP SCHEMA {BARE} CASCADE")
    finally:
        await connection.close()
    return took


async def _binary(connection: Connection, query: str) -> list[bytes]:
    pieces: list[bytes] = []

    async def take(piece: bytes) -> None:
        pieces.append(piece)

    await connection.copy_from_query(query, output=take, format="binary")
    return pieces


async def _once(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


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
