"""The chain's write side: locking heads, what is known of a trace, and appending steps, payloads, refusals and seals.

Closed sets come back as their text where it is not a known value, so a row that was tampered with never stops ingest.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec.structs import astuple
from sqlalchemy import ARRAY, Text, Uuid, and_, bindparam, exists, func, select
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

# A step of a run that was withdrawn is assigned again, to a younger run, whose UUIDv7 is the greater one.
KNOWN_STEPS = (
    select(*(run_steps.c.run_id if name == "run_key" else trace_steps.c[name] for name in KNOWN_FIELDS))
    .ext(distinct_on(trace_steps.c.trace_id, trace_steps.c.step_index))
    .select_from(
        trace_steps.outerjoin(
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

KNOWN_REFUSALS = select(span_refusals.c.trace_id, span_refusals.c.id).where(
    span_refusals.c.tenant_id == TENANT, span_refusals.c.trace_id == func.any(TRACE_IDS)
)

_of_payload = and_(
    run_steps.c.tenant_id == step_payloads.c.tenant_id,
    run_steps.c.trace_id == step_payloads.c.trace_id,
    run_steps.c.step_index == step_payloads.c.step_index,
)

UNASSIGNED_PAYLOADS = (
    select(*(step_payloads.c[name] for name in StepPayload.__struct_fields__))
    .where(
        step_payloads.c.tenant_id == TENANT,
        step_payloads.c.trace_id == func.any(TRACE_IDS),
        ~exists().where(_of_payload),
    )
    .order_by(step_payloads.c.trace_id, step_payloads.c.step_index)
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


def known_refusals(trace_ids: Sequence[str]) -> Read[tuple[str, UUID]]:
    """Trace id and id of every refused span that was kept; equal refusals have equal ids."""
    return Read(KNOWN_REFUSALS, {"trace_ids": list(trace_ids)}, lambda row: (row[0], row[1]))


def unassigned_payloads(trace_ids: Sequence[str]) -> Read[StepPayload]:
    """The payloads of the traces' steps that belong to no run yet, by trace and chain number."""
    return Read(UNASSIGNED_PAYLOADS, {"trace_ids": list(trace_ids)}, lambda row: StepPayload(*row))


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
    """Keep refused spans."""
    return InsertRows(span_refusals, Refusal.__struct_fields__, [astuple(refusal) for refusal in refusals])


def latest_seals(run_keys: Sequence[UUID]) -> Read[SealRecord]:
    """The newest seal of each run."""
    return Read(LATEST_SEALS, {"run_keys": list(run_keys)}, seal_of)


def insert_seals(seal_records: Sequence[SealRecord]) -> InsertRows:
    """Append seals."""
    return InsertRows(seals, ("run_id", *SealRecord.__struct_fields__[1:]), [astuple(seal) for seal in seal_records])


def seal_of(row: Row) -> SealRecord:
    """A row of SEAL_COLUMNS as the record that was hashed."""
    return SealRecord(
        run_key=row[0],
        version=row[1],
        step_count=row[2],
        step_hashes=row[3],
        run_record=row[4],
        evidence_count=row[5],
        evidence_head=row[6],
        prev_seal_hash=row[7],
        seal_hash=row[8],
        sealed_at=row[9],
    )


def _known_step(row: Row) -> KnownStep:
    values = list(row)
    for place, members in ENUM_PLACES:
        values[place] = members.get(values[place], values[place])
    return KnownStep(**dict(zip(KNOWN_FIELDS, values, strict=True)))
