"""Statements over limits."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Select, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE

from domains.controls.tables import limits
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind, Consequence, LimitStatus, LimitType, Scope
from spine.contracts.governance import LimitSummary
from spine.contracts.ports import ActiveLimit
from spine.contracts.statements import Read, Row, Write
from spine.services.ids import node_id
from spine.services.limit_units import UNITS, shown_value

LIMIT: Final = "Limit"
OF_TENANT: Final = limits.c.tenant_id == bindparam("tenant_id")
THIS: Final = limits.c.id == bindparam("key")

ACTIVE: Final = (
    select(
        limits.c.id,
        limits.c.name,
        limits.c.limit_type,
        limits.c.scope,
        limits.c.scope_id,
        limits.c.max_value,
        limits.c.consequence,
    )
    .where(OF_TENANT, limits.c.status == LimitStatus.ACTIVE)
    .order_by(limits.c.id)
)
SUMMARIES: Final = select(
    limits.c.id,
    limits.c.name,
    limits.c.limit_type,
    limits.c.scope,
    limits.c.scope_id,
    limits.c.max_value,
    limits.c.consequence,
    limits.c.status,
    limits.c.created_at,
    limits.c.created_by_kind,
    limits.c.created_by_id,
    limits.c.created_by_name,
    limits.c.updated_at,
).where(OF_TENANT)
BY_KEY: Final = SUMMARIES.where(limits.c.id == func.any(bindparam("limit_keys", type_=ARRAY(UUID_TYPE(as_uuid=True)))))
LOCK: Final = SUMMARIES.where(THIS).with_for_update()
ORDER: Final = (limits.c.created_at, limits.c.id)

INSERT: Final = insert(limits)
CHANGE: Final = (
    update(limits)
    .where(OF_TENANT, THIS)
    .values(
        name=bindparam("new_name"),
        max_value=bindparam("new_value"),
        consequence=bindparam("new_consequence"),
        status=bindparam("new_status"),
        updated_at=bindparam("now"),
    )
)


def active_limits() -> Read[ActiveLimit]:
    """Every ACTIVE limit."""
    return Read(ACTIVE, {}, _active)


def _active(row: Row) -> ActiveLimit:
    return ActiveLimit(
        limit_id=row[0],
        name=row[1],
        limit_type=LimitType(row[2]),
        scope=Scope(row[3]),
        scope_id=row[4],
        max_value=row[5],
        consequence=Consequence(row[6]),
    )


@lru_cache(maxsize=4)
def _filtered(*, counted: bool, by_status: bool) -> Select[Any]:
    statement = select(func.count()).select_from(limits).where(OF_TENANT) if counted else SUMMARIES
    return statement.where(limits.c.status == bindparam("status")) if by_status else statement


def list_limits(status: LimitStatus | None) -> Read[LimitSummary]:
    """The limits of a status, or all; to be paged in `ORDER`."""
    return Read(_filtered(counted=False, by_status=status is not None), {"status": status}, summary)


def count_limits(status: LimitStatus | None) -> Read[int]:
    """How many limits have the status."""
    return Read(_filtered(counted=True, by_status=status is not None), {"status": status}, lambda row: int(row[0]))


def limits_by_key(keys: Sequence[UUID]) -> Read[LimitSummary]:
    """The limits with these keys."""
    return Read(BY_KEY, {"limit_keys": list(keys)}, summary)


def lock_limit(key: UUID) -> Read[LimitSummary]:
    """A limit, locked until the transaction ends."""
    return Read(LOCK, {"key": key}, summary)


def insert_limit(values: Mapping[str, object]) -> Write:
    """Write a new limit."""
    return Write(INSERT, values)


def change_limit(key: UUID, values: Mapping[str, object]) -> Write:
    """Write a limit's name, value, consequence and status."""
    return Write(CHANGE, {"key": key, **values})


def summary(row: Row) -> LimitSummary:
    """A limit as people read it."""
    limit_type = LimitType(row[2])
    return LimitSummary(
        key=row[0],
        id=node_id(LIMIT, row[0]),
        name=row[1],
        limit_type=limit_type,
        scope=Scope(row[3]),
        scope_id=row[4],
        max_value=shown_value(limit_type, row[5]),
        unit=UNITS[limit_type],
        consequence=Consequence(row[6]),
        status=LimitStatus(row[7]),
        created_at=row[8],
        created_by=Actor(ActorKind(row[9]), row[10], row[11]),
        updated_at=row[12],
    )
