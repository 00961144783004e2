"""The console query by hand with the best SQL known to us: one lateral statement, JSON built by PostgreSQL.

The ceiling of `make bench`. Verification is the API's own, from the stored rows, as in the other endpoint.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.applications import Starlette

from spine.contracts.ports import RunStep
from spine.contracts.records import SealRecord
from tests.bench.hand_written import Connection, endpoints
from tests.bench.hand_written_answer import (
    INCIDENTS_SHOWN,
    Below,
    Json,
    Row,
    leaf_of,
    made,
    page_of,
    run_node,
    run_of,
    step_of,
)
from tests.bench.hand_written_sql import BEGIN
from tests.bench.one_statement_sql import CHAINED, LEAF_COLUMNS, PAGE, PLACED, RUN_COLUMNS, STEP_COLUMNS
from tests.bench.place import Place

TOTAL: Final = len(RUN_COLUMNS)


async def page(connection: Connection, tenant_id: UUID, variables: Json) -> bytes:
    """The page, in one snapshot of the tenant."""
    first: int = variables["first"]
    await connection.execute(BEGIN.format(tenant_id))
    try:
        rows = await connection.fetch(PAGE, tenant_id, first + 1)
    finally:
        await connection.execute("ROLLBACK")
    now = datetime.now(UTC)
    runs = [run_of(row) for row in rows[:first]]
    nodes = [run_node(tenant_id, run, _below(run.id, row), now) for run, row in zip(runs, rows, strict=False)]
    return page_of(runs, nodes, rows[0][TOTAL] if rows else 0, more=len(rows) > first)


def _below(key: UUID, row: Row) -> Below:
    rest = iter(row.values())
    for _ in range(TOTAL + 1):
        next(rest)
    total, shown = next(rest), next(rest)
    incidents = _list(total, shown)
    signals = _list(next(rest), next(rest))
    placed = _rows(rest, len(PLACED))
    steps = _rows(rest, len(STEP_COLUMNS))
    seals = _records(SealRecord, rest)
    leaves = [leaf_of(*one) for one in _rows(rest, len(LEAF_COLUMNS))]
    evaluations, decisions, breaches, environments = (_records(record, rest) for _, record, _ in CHAINED)
    return Below(
        incidents=incidents,
        incidents_cut=total > INCIDENTS_SHOWN,
        signals=signals,
        evaluations=evaluations,
        decisions=decisions,
        breaches=breaches,
        environments=environments,
        steps=[(RunStep(key, *at), step_of(columns)) for at, columns in zip(placed, steps, strict=True)],
        seals=seals,
        leaves=leaves,
    )


def _list(total: int, shown: str | None) -> Json:
    return {"totalCount": total, "nodes": orjson.Fragment(f"[{shown or ''}]")}


def _rows(rest: Iterator[Any], width: int) -> Sequence[tuple[Any, ...]]:
    """Rows from that many arrays; an array is null when there is no row."""
    return list(zip(*(next(rest) or () for _ in range(width)), strict=True))


def _records(record: Any, rest: Iterator[Any]) -> list[Any]:
    return [made(record, columns) for columns in _rows(rest, len(record.__struct_fields__))]


def create_app(place: Place) -> Starlette:
    """The application."""
    return endpoints(place, {"/graphql": page})
