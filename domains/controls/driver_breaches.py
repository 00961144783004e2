"""Statements over limit hits: for people, for verification, and appending.

What people see is each limit's latest record for a run, unless that one says that the limit is no longer reached.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, BigInteger, Integer, Select, and_, bindparam, cast, func, not_, select
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE
from sqlalchemy.dialects.postgresql import distinct_on

from domains.controls.driver_summaries import LEVELS, TYPES, hit_summary
from domains.controls.tables import limit_breaches as breaches
from spine.contracts.evidence import LimitHitSummary
from spine.contracts.ports import Ranked
from spine.contracts.records import BreachRecord
from spine.contracts.statements import InsertRows, Read, Row

COLUMNS: Final = tuple(column.name for column in breaches.c if column.name != "tenant_id")
OF_RUNS: Final = and_(
    breaches.c.tenant_id == bindparam("tenant_id"),
    breaches.c.run_id == func.any(bindparam("run_keys", type_=ARRAY(UUID_TYPE(as_uuid=True)))),
)


def _latest_hits() -> Select[Any]:
    stored = breaches.c
    place = func.row_number().over(partition_by=(stored.run_id, stored.limit_id), order_by=stored.evidence_index.desc())
    known = select(breaches, place.label("place")).where(OF_RUNS).subquery("known").c
    newest = func.row_number().over(partition_by=known.run_id, order_by=(known.breached_at.desc(), known.id.desc()))
    ranked = (
        select(
            known.run_id,
            cast(func.count().over(partition_by=known.run_id), BigInteger).label("total"),
            known.id,
            known.limit_id,
            known.limit_name,
            known.limit_type,
            known.level,
            known.breached_value,
            known.threshold_value,
            known.breached_at,
            newest.label("rank"),
        )
        .where(known.place == 1, not_(known.cleared))
        .subquery("ranked")
        .c
    )
    return (
        select(*(column for column in ranked if column.name != "rank"))
        .where(ranked.rank <= bindparam("first", type_=Integer))
        .order_by(ranked.run_id, ranked.rank)
    )


def _stored() -> Select[Any]:
    place = func.row_number().over(partition_by=breaches.c.run_id, order_by=breaches.c.evidence_index)
    placed = select(*(breaches.c[name] for name in COLUMNS), place.label("place")).where(OF_RUNS).subquery("placed").c
    return (
        select(*(placed[name] for name in COLUMNS))
        .where(placed.place <= bindparam("most", type_=Integer))
        .order_by(placed.run_id, placed.evidence_index)
    )


LATEST_HITS: Final = _latest_hits()
RECORDS: Final = _stored()
LATEST_RECORDS: Final = (
    select(*(breaches.c[name] for name in COLUMNS))
    .ext(distinct_on(breaches.c.run_id, breaches.c.limit_id))
    .where(OF_RUNS)
    .order_by(breaches.c.run_id, breaches.c.limit_id, breaches.c.evidence_index.desc())
)


def breaches_for_runs(run_keys: Sequence[UUID], first: int) -> Read[Ranked[LimitHitSummary]]:
    """Newest first per run: the latest state of each limit that is still reached."""
    return Read(LATEST_HITS, {"run_keys": list(run_keys), "first": first}, _hit)


def breach_records(run_keys: Sequence[UUID], most: int) -> Read[BreachRecord]:
    """Every stored breach, at most `most` a run: exactly as it is stored, since verification judges it."""
    params = {"run_keys": list(run_keys), "most": most}
    return Read(RECORDS, params, lambda row: BreachRecord(*row), kept=True)


def latest_breaches(run_keys: Sequence[UUID]) -> Read[BreachRecord]:
    """Of each run and limit the latest record."""
    return Read(LATEST_RECORDS, {"run_keys": list(run_keys)}, _record)


def insert_breaches(records: Sequence[BreachRecord]) -> InsertRows:
    """Append hits; a record's fields are the table's columns, in their order."""
    return InsertRows(breaches, COLUMNS, [msgspec.structs.astuple(record) for record in records])


def _hit(row: Row) -> Ranked[LimitHitSummary]:
    return Ranked(row[0], row[1], hit_summary(row[2:]))


def _record(row: Row) -> BreachRecord:
    values = list(row)
    values[5:7] = TYPES[row[5]], LEVELS[row[6]]
    return BreachRecord(*values)
