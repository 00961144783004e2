"""Statements over the budgets of keys; time is the database's, because server processes need not agree on theirs."""

from datetime import datetime

from msgspec import Struct
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from domains.api_keys.tables import key_budgets as budgets
from spine.contracts.statements import Read, Write

ONE = (budgets.c.tenant_id == bindparam("tenant_id"), budgets.c.key_id == bindparam("wanted"))

OPEN = (
    insert(budgets)
    .values(
        tenant_id=bindparam("tenant_id"),
        key_id=bindparam("wanted"),
        points=bindparam("points"),
        refilled_at=func.clock_timestamp(),
    )
    .on_conflict_do_nothing()
)
FIND = select(budgets.c.points, budgets.c.refilled_at, func.clock_timestamp()).where(*ONE).with_for_update()
KEEP = update(budgets).where(*ONE).values(points=bindparam("left"), refilled_at=bindparam("at"))


class Budget(Struct, frozen=True):
    """A budget as it is stored, and the database's time."""

    points: float
    refilled_at: datetime
    now: datetime


def open_budget(key_id: str, points: int) -> Write:
    """Give a key its first budget, unless it has one."""
    return Write(OPEN, {"wanted": key_id, "points": float(points)})


def budget(key_id: str) -> Read[Budget]:
    """A key's budget, locked until the transaction ends."""
    return Read(FIND, {"wanted": key_id}, lambda row: Budget(*row))


def keep_budget(key_id: str, points: float, at: datetime) -> Write:
    """Store what is left of a budget, and up to when it was refilled."""
    return Write(KEEP, {"wanted": key_id, "left": points, "at": at})
