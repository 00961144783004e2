"""Statements over incidents; those of withdrawn runs are never shown."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    column,
    false,
    func,
    not_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE

from domains.incidents.tables import incidents
from spine.contracts.enums import IncidentCategory, IncidentSeverity, IncidentTrigger
from spine.contracts.evidence import IncidentFilter, IncidentSummary
from spine.contracts.paging import MOST_COUNTED
from spine.contracts.ports import IncidentCause, NewIncident, Ranked
from spine.contracts.statements import InsertRows, Read, Row
from spine.services.ids import node_id

SEVERITIES: Final = {severity.value: severity for severity in IncidentSeverity}
CATEGORIES: Final = {category.value: category for category in IncidentCategory}
TRIGGERS: Final = {trigger.value: trigger for trigger in IncidentTrigger}

OF_TENANT: Final = incidents.c.tenant_id == bindparam("tenant_id")
SHOWN: Final = and_(OF_TENANT, not_(incidents.c.withdrawn))
OF_RUNS: Final = incidents.c.source_run_id == func.any(bindparam("run_keys", type_=ARRAY(UUID_TYPE(as_uuid=True))))
ORDER: Final = (incidents.c.created_at, incidents.c.id)

SUMMARY_COLUMNS: Final = (
    incidents.c.id,
    incidents.c.source_run_id,
    incidents.c.severity,
    incidents.c.category,
    incidents.c.trigger_type,
    incidents.c.trigger_name,
    incidents.c.title,
    incidents.c.error_code,
    incidents.c.error_message,
    incidents.c.created_at,
)
INSERTED: Final = (
    "id",
    "source_run_id",
    "dedupe_key",
    "title",
    "severity",
    "category",
    "trigger_type",
    "trigger_id",
    "trigger_name",
    "error_code",
    "error_message",
    "withdrawn",
    "created_at",
)


def _ranked() -> Select[Any]:
    newest = func.row_number().over(
        partition_by=incidents.c.source_run_id, order_by=(incidents.c.created_at.desc(), incidents.c.id.desc())
    )
    total = cast(func.count().over(partition_by=incidents.c.source_run_id), BigInteger)
    ranked = (
        select(*SUMMARY_COLUMNS, total.label("total"), newest.label("rank")).where(SHOWN, OF_RUNS).subquery("ranked").c
    )
    return (
        select(*(column for column in ranked if column.name != "rank"))
        .where(ranked.rank <= bindparam("first", type_=Integer))
        .order_by(ranked.source_run_id, ranked.rank)
    )


FOR_RUNS: Final = _ranked()
SUMMARIES: Final = select(*SUMMARY_COLUMNS).where(SHOWN)
BY_KEY: Final = SUMMARIES.where(
    incidents.c.id == func.any(bindparam("incident_keys", type_=ARRAY(UUID_TYPE(as_uuid=True))))
)
COUNTS: Final = (
    select(incidents.c.source_run_id, func.count()).where(SHOWN, OF_RUNS).group_by(incidents.c.source_run_id)
)
_WITHDRAW: Final = update(incidents).where(OF_TENANT, not_(incidents.c.withdrawn)).values(withdrawn=true())
_RESTORE: Final = update(incidents).where(OF_TENANT, incidents.c.withdrawn).values(withdrawn=false())
WITHDRAW: Final = _WITHDRAW.where(OF_RUNS).returning(incidents.c.id)
_causes: Final = (
    func.unnest(
        bindparam("run_keys", type_=ARRAY(UUID_TYPE(as_uuid=True))), bindparam("dedupe_keys", type_=ARRAY(Text))
    )
    .table_valued(column("run_id", UUID_TYPE(as_uuid=True)), column("dedupe_key", Text))
    .render_derived("causes")
)
OF_CAUSES: Final = tuple_(incidents.c.source_run_id, incidents.c.dedupe_key).in_(
    select(_causes.c.run_id, _causes.c.dedupe_key)
)
WITHDRAW_CAUSES: Final = _WITHDRAW.where(OF_CAUSES).returning(incidents.c.id)
RESTORE_CAUSES: Final = _RESTORE.where(OF_CAUSES).returning(incidents.c.id)


def _any_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column == func.any(bindparam(name, type_=ARRAY(Text)))


CONDITIONS: Final[Mapping[str, Callable[[], ColumnElement[bool]]]] = {
    "severity": lambda: _any_of(incidents.c.severity, "severity"),
    "category": lambda: _any_of(incidents.c.category, "category"),
    "trigger_type": lambda: _any_of(incidents.c.trigger_type, "trigger_type"),
    "created_after": lambda: incidents.c.created_at >= bindparam("created_after"),
    "created_before": lambda: incidents.c.created_at < bindparam("created_before"),
}


@lru_cache(maxsize=64)
def _filtered(names: tuple[str, ...], *, counted: bool) -> Select[Any]:
    conditions = [CONDITIONS[name]() for name in names]
    if not counted:
        return SUMMARIES.where(*conditions)
    found = select(incidents.c.id).where(SHOWN, *conditions).limit(MOST_COUNTED + 1)
    return select(func.count()).select_from(found.subquery("counted"))


def list_incidents(wanted: IncidentFilter) -> Read[IncidentSummary]:
    """The incidents of a filter, to be paged in `ORDER`; times are from (inclusive) and before (exclusive)."""
    params = _params(wanted)
    return Read(_filtered(tuple(params), counted=False), params, _summary)


def count_incidents(wanted: IncidentFilter) -> Read[int]:
    """How many incidents a filter lets through; one more than `MOST_COUNTED` where there are more."""
    params = _params(wanted)
    return Read(_filtered(tuple(params), counted=True), params, lambda row: int(row[0]))


def _params(wanted: IncidentFilter) -> dict[str, object]:
    values = {name: getattr(wanted, name) for name in CONDITIONS}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None and value != ()
    }


def incidents_by_key(keys: Sequence[UUID]) -> Read[IncidentSummary]:
    """The incidents with these keys."""
    return Read(BY_KEY, {"incident_keys": list(keys)}, _summary)


def incidents_for_runs(run_keys: Sequence[UUID], first: int) -> Read[Ranked[IncidentSummary]]:
    """Rows ranked newest first per run; a run without incidents has no row."""
    params = {"run_keys": list(run_keys), "first": first}
    return Read(FOR_RUNS, params, lambda row: Ranked(row[1], row[10], _summary(row)))


def count_for_runs(run_keys: Sequence[UUID]) -> Read[tuple[UUID, int]]:
    """How many incidents each run has; a run without any has no row."""
    return Read(COUNTS, {"run_keys": list(run_keys)}, lambda row: (row[0], row[1]))


def withdraw_incidents(run_keys: Sequence[UUID]) -> Read[UUID]:
    """Hide the incidents of withdrawn runs; those that were shown."""
    return Read(WITHDRAW, {"run_keys": list(run_keys)}, _changed)


def withdraw_causes(causes: Sequence[IncidentCause]) -> Read[UUID]:
    """Hide incidents whose cause a corrected total has taken back; those that were shown."""
    return Read(WITHDRAW_CAUSES, _cause_params(causes), _changed)


def restore_causes(causes: Sequence[IncidentCause]) -> Read[UUID]:
    """Show them again, when a later correction brings the cause back; those that were hidden."""
    return Read(RESTORE_CAUSES, _cause_params(causes), _changed)


def _changed(row: Row) -> UUID:
    key: UUID = row[0]
    return key


def _cause_params(causes: Sequence[IncidentCause]) -> dict[str, object]:
    return {
        "run_keys": [cause.run_key for cause in causes],
        "dedupe_keys": [_dedupe_key(cause.trigger_type, cause.trigger_id) for cause in causes],
    }


def _dedupe_key(trigger_type: IncidentTrigger, trigger_id: UUID | None) -> str:
    return f"{trigger_type}:{trigger_id or ''}"


def insert_incidents(new: Sequence[NewIncident]) -> InsertRows:
    """Open incidents; the same cause in the same run opens none again."""
    return InsertRows(incidents, INSERTED, [_row(incident) for incident in new], conflict="skip")


def _row(incident: NewIncident) -> tuple[object, ...]:
    return (
        incident.id,
        incident.run_key,
        _dedupe_key(incident.trigger_type, incident.trigger_id),
        incident.title,
        incident.severity,
        incident.category,
        incident.trigger_type,
        incident.trigger_id,
        incident.trigger_name,
        incident.error_code,
        incident.error_message,
        False,
        incident.created_at,
    )


def _summary(row: Row) -> IncidentSummary:
    return IncidentSummary(
        key=row[0],
        id=node_id("Incident", row[0]),
        source_run_key=row[1],
        severity=SEVERITIES[row[2]],
        category=CATEGORIES[row[3]],
        trigger_type=TRIGGERS[row[4]],
        trigger_name=row[5],
        title=row[6],
        error_code=row[7],
        error_message=row[8],
        created_at=row[9],
    )
