"""Reading originals and writing clones: COPY as the superuser, since row security refuses COPY to the app's role.

A piece of the fleet is one transaction, and says first which of its runs are there; so filling can be interrupted,
gone on with, and later asked for more.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import asyncpg
from msgspec import Struct

from domains.activity import tables as activity
from domains.controls import tables as controls
from domains.incidents import tables as incidents
from domains.logs import tables as logs
from domains.policies import tables as policies
from spine.contracts.ports import RunRow
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    StepPayload,
    StepRecord,
)
from spine.services.ids import tenant_id_of
from tests.bench.cloning import Clone, Original, Rows
from tests.bench.fleet import GAP_NS, trace_id_of
from tests.bench.place import Place

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

TABLES = {
    table.name: table
    for table in (
        activity.runs,
        logs.traces,
        logs.trace_steps,
        logs.step_payloads,
        logs.run_steps,
        policies.policy_evaluations,
        policies.decisions,
        controls.limit_breaches,
        logs.environment_evidence,
        logs.seals,
        incidents.incidents,
        activity.signals,
        logs.audit_ledger,
        logs.log_pending,
    )
}
COLUMNS = {name: tuple(column.name for column in table.columns) for name, table in TABLES.items()}

ORIGINALS = "seal_version = 1 AND NOT withdrawn AND refused_span_count = 0 AND started_ns > $2"
"""The sampled runs: completed, sealed once, whole; `$2` is the time before which there are only clones."""


class Piece(Struct, frozen=True):
    """Some runs of one tenant; a higher number is an earlier run, and the newest is number 0."""

    tenant: str
    numbers: range
    newest_ns: int


async def copy_piece(place: Place, piece: Piece, sampled: int) -> int:
    """Store those of the piece's runs that are not there yet, in one transaction; answers how many runs it has."""
    connection = await asyncpg.connect(**place.superuser)
    try:
        await connection.execute("SET synchronous_commit = off")
        tenant_id = tenant_id_of(piece.tenant)
        traces = {trace_id_of(piece.tenant, number): number for number in piece.numbers}
        stored = await connection.fetch(
            "SELECT trace_id FROM traces WHERE tenant_id = $1 AND trace_id = any($2)", tenant_id, list(traces)
        )
        for row in stored:
            del traces[row[0]]
        originals = await _originals(connection, piece.tenant, piece.newest_ns - sampled * GAP_NS)
        rows: Rows = defaultdict(list)
        for trace_id, number in traces.items():
            started_ns = piece.newest_ns - number * GAP_NS
            Clone(tenant_id, originals[number % len(originals)], trace_id, started_ns).add_to(rows)
        async with connection.transaction():
            for name, records in rows.items():
                await connection.copy_records_to_table(name, records=records, columns=COLUMNS[name])
    finally:
        await connection.close()
    return len(piece.numbers)


_known: dict[str, list[Original]] = {}


async def _originals(connection: Connection, tenant: str, after_ns: int) -> list[Original]:
    """The tenant's sampled runs, read once a process."""
    if tenant not in _known:
        tenant_id = tenant_id_of(tenant)
        rows = await connection.fetch(
            f"SELECT {', '.join(COLUMNS['runs'][1:])} FROM runs WHERE tenant_id = $1 AND {ORIGINALS} ORDER BY id",
            tenant_id,
            after_ns,
        )
        _known[tenant] = [await _original(connection, tenant_id, RunRow(**dict(row))) for row in rows]
    return _known[tenant]


async def _original(connection: Connection, tenant_id: object, run: RunRow) -> Original:
    async def stored(table: str, column: str, key: object, order: str) -> list[asyncpg.Record]:
        columns = ", ".join(COLUMNS[table])
        return await connection.fetch(
            f"SELECT {columns} FROM {table} WHERE tenant_id = $1 AND {column} = any($2) ORDER BY {order}",
            tenant_id,
            key if isinstance(key, list) else [key],
        )

    evidence: list[Any] = []
    for kind, table in EVIDENCE.items():
        rows = _untenanted(await stored(table, "run_id", run.id, "evidence_index"))
        evidence += [_record(kind, row) for row in rows]
    evidence.sort(key=lambda record: record.evidence_index)
    signals = await stored("signals", "run_id", run.id, "created_at, id")
    feedback = await stored("audit_ledger", "entity_id", [row["fingerprint"] for row in signals], "created_at, id")
    by_trace = "trace_id", run.trace_id, "step_index"
    return Original(
        run=run,
        steps=[StepRecord(**row) for row in _untenanted(await stored("trace_steps", *by_trace))],
        payloads=[StepPayload(**row) for row in _untenanted(await stored("step_payloads", *by_trace))],
        evidence=evidence,
        incidents=[dict(row) for row in await stored("incidents", "source_run_id", run.id, "created_at, id")],
        signals=[dict(row) for row in signals],
        feedback=[dict(row) for row in feedback],
    )


def _record(kind: Any, row: dict[str, Any]) -> Any:
    return kind(run_key=row.pop("run_id"), **row)


def _untenanted(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "tenant_id"} for row in rows]


EVIDENCE: dict[Any, str] = {
    EvaluationRecord: "policy_evaluations",
    BreachRecord: "limit_breaches",
    DecisionRecord: "decisions",
    EnvironmentRecord: "environment_evidence",
}
