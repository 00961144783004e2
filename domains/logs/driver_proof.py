"""The chain's read side: what verification recomputes, exactly as it is stored.

Decoding judges nothing: a closed set is left as its text, so an edited row reaches verification instead of an error.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, func, select

from domains.logs.driver import RUN_KEYS, SEAL_COLUMNS, TENANT, seal_of
from domains.logs.tables import log_leaves, run_steps, span_refusals, step_payloads, trace_steps, traces
from domains.logs.tables import seals as seals_table
from spine.contracts.enums import LeafKind
from spine.contracts.log import PlacedLeaf
from spine.contracts.ports import LoggedSeal, RunStep, TraceHeadSummary
from spine.contracts.records import StepPayload, StepRecord
from spine.contracts.statements import Read, Row

STEP_FIELDS = StepRecord.__struct_fields__

# The record's own place is selected beside the assignment's: the join makes them equal, or the record absent.
STEP_RECORDS = (
    select(
        run_steps.c.run_id,
        run_steps.c.position,
        run_steps.c.trace_id.label("placed_trace_id"),
        run_steps.c.step_index.label("placed_step_index"),
        *(trace_steps.c[name] for name in STEP_FIELDS),
    )
    .select_from(
        run_steps.outerjoin(
            trace_steps,
            and_(
                trace_steps.c.tenant_id == run_steps.c.tenant_id,
                trace_steps.c.trace_id == run_steps.c.trace_id,
                trace_steps.c.step_index == run_steps.c.step_index,
            ),
        ),
    )
    .where(run_steps.c.tenant_id == TENANT, run_steps.c.run_id == func.any(RUN_KEYS))
    .order_by(run_steps.c.run_id, run_steps.c.position)
)

SEALS = (
    select(*SEAL_COLUMNS, log_leaves.c.leaf_index, log_leaves.c.leaf_hash)
    .select_from(
        seals_table.outerjoin(
            log_leaves,
            and_(
                log_leaves.c.tenant_id == seals_table.c.tenant_id,
                log_leaves.c.kind == LeafKind.SEAL.value,
                log_leaves.c.subject == seals_table.c.run_id,
                log_leaves.c.version == seals_table.c.version,
            ),
        ),
    )
    .where(seals_table.c.tenant_id == TENANT, seals_table.c.run_id == func.any(RUN_KEYS))
    .order_by(seals_table.c.run_id, seals_table.c.version)
)

PAYLOADS = (
    select(run_steps.c.run_id, *(step_payloads.c[name] for name in StepPayload.__struct_fields__))
    .select_from(
        run_steps.join(
            step_payloads,
            and_(
                step_payloads.c.tenant_id == run_steps.c.tenant_id,
                step_payloads.c.trace_id == run_steps.c.trace_id,
                step_payloads.c.step_index == run_steps.c.step_index,
            ),
        ),
    )
    .where(run_steps.c.tenant_id == TENANT, run_steps.c.run_id == func.any(RUN_KEYS))
    .order_by(run_steps.c.run_id, run_steps.c.position)
)

_placed = (
    select(run_steps.c.run_id, run_steps.c.trace_id)
    .where(run_steps.c.tenant_id == TENANT, run_steps.c.run_id == func.any(RUN_KEYS))
    .distinct()
    .subquery("placed")
)

_own_steps = and_(trace_steps.c.tenant_id == traces.c.tenant_id, trace_steps.c.trace_id == traces.c.trace_id)

HEADS = (
    select(
        _placed.c.run_id,
        traces.c.trace_id,
        traces.c.step_count,
        traces.c.refused_count,
        traces.c.head_hash,
        traces.c.created_at,
        select(func.count()).select_from(trace_steps).where(_own_steps).correlate(traces).scalar_subquery(),
        select(func.count())
        .select_from(span_refusals)
        .where(span_refusals.c.tenant_id == traces.c.tenant_id, span_refusals.c.trace_id == traces.c.trace_id)
        .correlate(traces)
        .scalar_subquery(),
        select(trace_steps.c.step_hash)
        .where(_own_steps)
        .correlate(traces)
        .order_by(trace_steps.c.step_index.desc())
        .limit(1)
        .scalar_subquery(),
    )
    .select_from(_placed.join(traces, traces.c.trace_id == _placed.c.trace_id))
    .where(traces.c.tenant_id == TENANT)
    .order_by(_placed.c.run_id, traces.c.trace_id)
)


def step_records(run_keys: Sequence[UUID]) -> Read[tuple[RunStep, StepRecord | None]]:
    """The runs' steps by run and position; None where an assignment has lost its step."""
    return Read(STEP_RECORDS, {"run_keys": list(run_keys)}, _placed_step, most_rows=True)


def seals(run_keys: Sequence[UUID]) -> Read[LoggedSeal]:
    """Every seal of the runs, by run and version, with the place of its leaf in the log."""
    return Read(SEALS, {"run_keys": list(run_keys)}, _logged_seal)


def payloads(run_keys: Sequence[UUID]) -> Read[tuple[UUID, StepPayload]]:
    """The payloads of the runs' steps, by run and position."""
    return Read(PAYLOADS, {"run_keys": list(run_keys)}, lambda row: (row[0], StepPayload(*row[1:])))


def heads(run_keys: Sequence[UUID]) -> Read[tuple[UUID, TraceHeadSummary]]:
    """The traces that hold steps of the runs."""
    return Read(HEADS, {"run_keys": list(run_keys)}, _head)


def _logged_seal(row: Row) -> LoggedSeal:
    return LoggedSeal(seal_of(row[:-2]), None if row[-1] is None else PlacedLeaf(row[-2], row[-1]))


def _placed_step(row: Row) -> tuple[RunStep, StepRecord | None]:
    placed = RunStep(row[0], row[1], row[2], row[3])
    if row[4] is None:
        return placed, None
    return placed, StepRecord(*row[4:])


def _head(row: Row) -> tuple[UUID, TraceHeadSummary]:
    return row[0], TraceHeadSummary(
        trace_id=row[1],
        step_count=row[2],
        refused_count=row[3],
        head_hash=row[4],
        created_at=row[5],
        stored_steps=row[6],
        stored_refusals=row[7],
        last_hash=row[8],
    )
