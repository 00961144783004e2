"""The chain's write side: locking heads, what is known of a trace, and appending steps, payloads, refusals and seals.

Closed sets come back as their text where it is not a known value, so a row that was tampered with never stops ingest.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from msgspec.structs import astuple
from sqlalchemy import ARRAY, Integer, Text, Uuid, and_, bindparam, column, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from domains.logs.tables import run_steps, seals, span_refusals, step_payloads, trace_steps, traces
from spine.contracts.enums import ProviderType, StepKind, StepStatus
from spine.contracts.ports import KnownStep, Refusal, RunStep, TraceHead
from spine.contracts.records import SealRecord, StepPayload, StepRecord
from spine.contracts.statements import InsertRows, Read, Row

TENANT = bindparam("tenant_id", type_=Uuid())
TRACE_IDS = bindparam("trace_ids", type_=ARRAY(Text))
RUN_KEYS = bindparam("run_keys", type_=ARRAY(Uuid()))

KNOWN_FIELDS = KnownStep.__struct_fields__

ENUM_PLACES: tuple[tuple[int, dict[str, Any]], ...] = tuple(
    (KNOWN_FIELDS.index(name), {member.value: member for member in kind})
    for name, kind in (("kind", StepKind), ("status", StepStatus), ("provider_type", ProviderType))
)

HEAD_COLUMNS = (*TraceHead.__struct_fields__, "created_at")

LOCK_HEADS = (
    select(traces.c.trace_id, traces.c.step_count, traces.c.head_hash, traces.c.refused_count)
    .where(traces.c.tenant_id == TENANT, traces.c.trace_id == func.any(TRACE_IDS))
    .order_by(traces.c.trace_id)
    .with_for_update()
)

ASSIGNED_HASHES = (
    select(run_steps.c.run_id, trace_steps.c.step_hash)
    .select_from(
        run_steps.join(
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

_KEPT_ELSEWHERE = {
    "run_key": run_steps.c.run_id,
    "salt": step_payloads.c.salt,
    "redacted_at": step_payloads.c.redacted_at,
}

# A step of a run that was withdrawn is assigned again, to a younger run, whose UUIDv7 is the greater one.
KNOWN_STEPS = (
    select(*(_KEPT_ELSEWHERE[name] if name in _KEPT_ELSEWHERE else trace_steps.c[name] for name in KNOWN_FIELDS))
    .ext(distinct_on(trace_steps.c.trace_id, trace_steps.c.step_index))
    .select_from(
        trace_steps.outerjoin(
            step_payloads,
            and_(
                step_payloads.c.tenant_id == trace_steps.c.tenant_id,
                step_payloads.c.trace_id == trace_steps.c.trace_id,
                step_payloads.c.step_index == trace_steps.c.step_index,
            ),
        ).outerjoin(
            run_steps,
            and_(
                run_steps.c.tenant_id == trace_steps.c.tenant_id,
                run_steps.c.trace_id == trace_steps.c.trace_id,
                run_steps.c.step_index == trace_steps.c.step_index,
            ),
        ),
    )
    .where(trace_steps.c.tenant_id == TENANT, trace_steps.c.trace_id == func.any(TRACE_IDS))
    .order_by(trace_steps.c.trace_id, trace_steps.c.step_index, run_steps.c.run_id.desc())
)

KNOWN_REFUSALS = select(span_refusals.c.id).where(
    span_refusals.c.tenant_id == TENANT,
    or_(
        span_refusals.c.trace_id == func.any(TRACE_IDS),
        and_(
            span_refusals.c.trace_id.is_(None),
            span_refusals.c.id == func.any(bindparam("refusal_ids", type_=ARRAY(Uuid()))),
        ),
    ),
)

_wanted = (
    func.unnest(TRACE_IDS, bindparam("step_indexes", type_=ARRAY(Integer)))
    .table_valued(column("trace_id", Text), column("step_index", Integer))
    .render_derived("wanted")
)
STEP_PAYLOADS = (
    select(*(step_payloads.c[name] for name in StepPayload.__struct_fields__))
    .select_from(
        step_payloads.join(
            _wanted,
            and_(step_payloads.c.trace_id == _wanted.c.trace_id, step_payloads.c.step_index == _wanted.c.step_index),
        ),
    )
    .where(step_payloads.c.tenant_id == TENANT)
)

SEAL_COLUMNS = (seals.c.run_id, *(seals.c[name] for name in SealRecord.__struct_fields__ if name != "run_key"))

LATEST_SEALS = (
    select(*SEAL_COLUMNS)
    .ext(distinct_on(seals.c.run_id))
    .where(seals.c.tenant_id == TENANT, seals.c.run_id == func.any(RUN_KEYS))
    .order_by(seals.c.run_id, seals.c.version.desc())
)


def create_heads(heads: Sequence[TraceHead], now: datetime) -> InsertRows:
    """Make heads for traces that have none."""
    return InsertRows(traces, HEAD_COLUMNS, [(*astuple(head), now) for head in heads], conflict="skip")


def lock_heads(trace_ids: Sequence[str]) -> Read[TraceHead]:
    """Lock the heads, in the order of their ids, so that two exports of the same traces never deadlock."""
    return Read(LOCK_HEADS, {"trace_ids": list(trace_ids)}, lambda row: TraceHead(*row))


def move_heads(heads: Sequence[TraceHead], now: datetime) -> InsertRows:
    """Write the heads' new state; `created_at` stays what it was."""
    return InsertRows(traces, HEAD_COLUMNS, [(*astuple(head), now) for head in heads], conflict="replace")


def known_steps(trace_ids: Sequence[str]) -> Read[KnownStep]:
    """Every chained step of the traces, by trace and chain number."""
    return Read(KNOWN_STEPS, {"trace_ids": list(trace_ids)}, _known_step)


def assigned_hashes(run_keys: Sequence[UUID]) -> Read[tuple[UUID, bytes]]:
    """The hashes of the runs' steps, by run and position: what the first seal of a run that was live covers."""
    return Read(ASSIGNED_HASHES, {"run_keys": list(run_keys)}, lambda row: (row[0], row[1]))


def known_refusals(trace_ids: Sequence[str], refusal_ids: Sequence[UUID]) -> Read[UUID]:
    """Every kept refusal of the traces, and of those that name no trace the ones with these ids."""
    params = {"trace_ids": list(trace_ids), "refusal_ids": list(refusal_ids)}
    return Read(KNOWN_REFUSALS, params, lambda row: cast("UUID", row[0]))


def payloads_of(steps: Sequence[KnownStep]) -> Read[StepPayload]:
    """The payloads of these steps."""
    params = {"trace_ids": [step.trace_id for step in steps], "step_indexes": [step.step_index for step in steps]}
    return Read(STEP_PAYLOADS, params, lambda row: StepPayload(*row))


def insert_steps(steps: Sequence[StepRecord]) -> InsertRows:
    """Append steps."""
    return InsertRows(trace_steps, StepRecord.__struct_fields__, [astuple(step) for step in steps])


def insert_payloads(payloads: Sequence[StepPayload]) -> InsertRows:
    """Append payloads."""
    return InsertRows(step_payloads, StepPayload.__struct_fields__, [astuple(payload) for payload in payloads])


def insert_run_steps(steps: Sequence[RunStep]) -> InsertRows:
    """Append assignments."""
    return InsertRows(run_steps, ("run_id", *RunStep.__struct_fields__[1:]), [astuple(step) for step in steps])


def insert_refusals(refusals: Sequence[Refusal]) -> InsertRows:
    """Keep refused spans; two exports at once may refuse the same span that names no trace, which nothing locks."""
    rows = [astuple(refusal) for refusal in refusals]
    return InsertRows(span_refusals, Refusal.__struct_fields__, rows, conflict="skip")


def latest_seals(run_keys: Sequence[UUID]) -> Read[SealRecord]:
    """The newest seal of each run."""
    return Read(LATEST_SEALS, {"run_keys": list(run_keys)}, seal_of)


def insert_seals(seal_records: Sequence[SealRecord]) -> InsertRows:
    """Append seals."""
    return InsertRows(seals, ("run_id", *SealRecord.__struct_fields__[1:]), [astuple(seal) for seal in seal_records])


def seal_of(row: Row) -> SealRecord:
    """A row of SEAL_COLUMNS as the record that was hashed."""
    return SealRecord(*row)


def _known_step(row: Row) -> KnownStep:
    values = list(row)
    for place, members in ENUM_PLACES:
        values[place] = members.get(values[place], values[place])
    return KnownStep(**dict(zip(KNOWN_FIELDS, values, strict=True)))
