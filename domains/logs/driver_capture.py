"""Evidence capture: records of environments, model calls counted and listed, latest seals, and what failed.

Everything but environments that came afterwards, and failures, is read from what is chained and sealed already: no fact
is stored twice. What became of a failure is read, not written: rows of it never change.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from msgspec.structs import astuple
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on

from domains.logs.driver import RUN_KEYS, TENANT
from domains.logs.tables import capture_failures, environment_evidence, run_steps, seals, trace_steps
from spine.contracts.capture import CaptureFailure
from spine.contracts.enums import (
    CaptureFailureReason,
    CaptureResolution,
    EvidenceClass,
    ProviderType,
    StepKind,
    StepStatus,
)
from spine.contracts.ports import CallCounts, ModelCall, NewCaptureFailure, Ranked, SealSummary
from spine.contracts.records import EnvironmentRecord
from spine.contracts.statements import InsertRows, Read, Row

MODEL_KINDS: Final = (StepKind.CHAT.value, StepKind.EMBEDDINGS.value)
CLASSES: Final = {one.value: one for one in EvidenceClass}
REASONS: Final = {one.value: one for one in CaptureFailureReason}
RESOLUTIONS: Final = {one.value: one for one in CaptureResolution}
KINDS: Final = {one.value: one for one in StepKind}
STATUSES: Final = {one.value: one for one in StepStatus}
PROVIDER_TYPES: Final = {one.value: one for one in ProviderType}

FIRST: Final = bindparam("first", type_=Integer)

ENVIRONMENT_COLUMNS: Final = ("run_id", *EnvironmentRecord.__struct_fields__[1:])
FAILURE_COLUMNS: Final = tuple("run_id" if name == "run_key" else name for name in NewCaptureFailure.__struct_fields__)


def _of_runs(table: Table) -> ColumnElement[bool]:
    return and_(table.c.tenant_id == TENANT, table.c.run_id == func.any(RUN_KEYS))


def _environments() -> Select[Any]:
    """Whole rows in the order of the evidence chain, at most `:most` a run."""
    stored = environment_evidence.c
    place = func.row_number().over(partition_by=stored.run_id, order_by=stored.evidence_index)
    rows = select(*(stored[name] for name in ENVIRONMENT_COLUMNS), place.label("place"))
    placed = rows.where(_of_runs(environment_evidence)).subquery("placed").c
    return (
        select(*(placed[name] for name in ENVIRONMENT_COLUMNS))
        .where(placed.place <= bindparam("most", type_=Integer))
        .order_by(placed.run_id, placed.evidence_index)
    )


_calls: Final = run_steps.join(
    trace_steps,
    and_(
        trace_steps.c.tenant_id == run_steps.c.tenant_id,
        trace_steps.c.trace_id == run_steps.c.trace_id,
        trace_steps.c.step_index == run_steps.c.step_index,
        or_(*(trace_steps.c.kind == kind for kind in MODEL_KINDS)),
    ),
)


def _counted() -> Select[Any]:
    step = trace_steps.c
    answered = step.status == StepStatus.SUCCESS.value
    chat = and_(answered, step.kind == StepKind.CHAT.value)

    def count(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return cast(func.count().filter(*conditions) if conditions else func.count(), BigInteger)

    return (
        select(
            run_steps.c.run_id,
            count().label("calls"),
            count(answered).label("answered"),
            count(chat).label("answered_chats"),
            count(step.provider.is_(None)).label("without_provider"),
            count(step.model.is_(None)).label("without_model"),
            count(answered, step.input_tokens.is_(None)).label("without_input_tokens"),
            count(chat, step.output_tokens.is_(None)).label("without_output_tokens"),
            count(chat, step.response_id.is_(None)).label("without_response_id"),
            count(chat, step.finish_reason.is_(None)).label("without_finish_reason"),
        )
        .select_from(_calls)
        .where(_of_runs(run_steps))
        .group_by(run_steps.c.run_id)
    )


def _ranked_calls() -> Select[Any]:
    step = trace_steps.c
    place = func.row_number().over(partition_by=run_steps.c.run_id, order_by=(step.started_ns, step.span_id))
    ranked = (
        select(
            run_steps.c.run_id,
            cast(func.count().over(partition_by=run_steps.c.run_id), BigInteger).label("total"),
            *(step[name] for name in ModelCall.__struct_fields__),
            place.label("rank"),
        )
        .select_from(_calls)
        .where(_of_runs(run_steps))
        .subquery("ranked")
    )
    return _first(ranked)


def _first(ranked: Any) -> Select[Any]:
    shown = [one for one in ranked.c if one.name != "rank"]
    return select(*shown).where(ranked.c.rank <= FIRST).order_by(ranked.c.run_id, ranked.c.rank)


def _failures() -> Select[Any]:
    """Failures with what became of them: an environment came since, or every step of the failed export is there."""
    failed = capture_failures.c
    captured = exists().where(
        environment_evidence.c.tenant_id == failed.tenant_id,
        environment_evidence.c.run_id == failed.run_id,
        environment_evidence.c.captured_at > failed.failed_at,
    )
    awaited = func.unnest(failed.span_ids).table_valued(column("span_id", Text)).render_derived("awaited")
    arrived = exists().where(
        trace_steps.c.tenant_id == failed.tenant_id,
        trace_steps.c.trace_id == failed.trace_id,
        trace_steps.c.span_id == awaited.c.span_id,
    )
    absent = ~arrived.correlate(capture_failures, awaited)
    lacking = exists(select(1).select_from(awaited).where(absent)).correlate(capture_failures)
    superseded = case(
        (failed.evidence_class == EvidenceClass.ENVIRONMENT.value, captured.correlate(capture_failures)),
        else_=~lacking,
    )
    became = case((superseded, CaptureResolution.SUPERSEDED.value), else_=failed.resolution)
    return select(
        failed.run_id,
        failed.id,
        failed.evidence_class,
        failed.reason,
        became.label("became"),
        failed.message,
        failed.request_id,
        failed.failed_at,
    ).where(_of_runs(capture_failures))


def _counted_failures() -> Select[Any]:
    found = _failures().subquery("found").c
    return select(found.run_id, found.became, cast(func.count(), BigInteger)).group_by(found.run_id, found.became)


def _ranked_failures() -> Select[Any]:
    found = _failures().subquery("found").c
    newest = func.row_number().over(partition_by=found.run_id, order_by=(found.failed_at.desc(), found.id.desc()))
    total = cast(func.count().over(partition_by=found.run_id), BigInteger)
    shown = [one for one in found if one.name != "run_id"]
    return _first(select(found.run_id, total.label("total"), *shown, newest.label("rank")).subquery("ranked"))


ENVIRONMENTS: Final = _environments()
CALL_COUNTS: Final = _counted()
CALLS: Final = _ranked_calls()
FAILURE_COUNTS: Final = _counted_failures()
FAILURES: Final = _ranked_failures()
LATEST_SEALS: Final = (
    select(
        seals.c.run_id,
        *(seals.c[name] for name in SealSummary.__struct_fields__[1:]),
    )
    .ext(distinct_on(seals.c.run_id))
    .where(_of_runs(seals))
    .order_by(seals.c.run_id, seals.c.version.desc())
)


def environment_records(run_keys: Sequence[UUID], most: int) -> Read[EnvironmentRecord]:
    """Every stored record of the runs' environments, at most `most` a run, for people and for verification."""
    return Read(ENVIRONMENTS, {"run_keys": list(run_keys), "most": most}, lambda row: EnvironmentRecord(*row))


def insert_environments(records: Sequence[EnvironmentRecord]) -> InsertRows:
    """Append records; a record's fields are the table's columns, in their order."""
    return InsertRows(environment_evidence, ENVIRONMENT_COLUMNS, [astuple(record) for record in records])


def call_counts(run_keys: Sequence[UUID]) -> Read[CallCounts]:
    """The runs' model calls counted; a run without one has no row."""
    return Read(CALL_COUNTS, {"run_keys": list(run_keys)}, lambda row: CallCounts(*row))


def model_calls(run_keys: Sequence[UUID], first: int) -> Read[Ranked[ModelCall]]:
    """The first model calls of each run, in the order in which they started."""
    return Read(CALLS, {"run_keys": list(run_keys), "first": first}, _model_call)


def seal_summaries(run_keys: Sequence[UUID]) -> Read[SealSummary]:
    """The newest seal of each run."""
    return Read(LATEST_SEALS, {"run_keys": list(run_keys)}, lambda row: SealSummary(*row))


def failure_counts(run_keys: Sequence[UUID]) -> Read[tuple[UUID, CaptureResolution, int]]:
    """How many failures each run has, by what became of them."""
    return Read(FAILURE_COUNTS, {"run_keys": list(run_keys)}, lambda row: (row[0], RESOLUTIONS[row[1]], row[2]))


def failures_for_runs(run_keys: Sequence[UUID], first: int) -> Read[Ranked[CaptureFailure]]:
    """Newest first per run."""
    return Read(FAILURES, {"run_keys": list(run_keys), "first": first}, _failure)


def insert_failures(failures: Sequence[NewCaptureFailure]) -> InsertRows:
    """Keep failures."""
    return InsertRows(capture_failures, FAILURE_COLUMNS, [astuple(failure) for failure in failures])


def _model_call(row: Row) -> Ranked[ModelCall]:
    values = list(row[2:])
    values[3:5] = KINDS[values[3]], STATUSES[values[4]]
    values[8] = PROVIDER_TYPES[values[8]]
    return Ranked(row[0], row[1], ModelCall(*values))


def _failure(row: Row) -> Ranked[CaptureFailure]:
    value = CaptureFailure(
        key=row[2],
        evidence_class=CLASSES[row[3]],
        reason=REASONS[row[4]],
        resolution=RESOLUTIONS[row[5]],
        message=row[6],
        request_id=row[7],
        failed_at=row[8],
    )
    return Ranked(row[0], row[1], value)
