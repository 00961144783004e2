"""What checking the log reads: leaves with the rows that they are of, checkpoints, and facts with or without a leaf."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Table,
    Uuid,
    and_,
    bindparam,
    func,
    literal,
    select,
    tuple_,
)

from domains.logs.driver import SEAL_COLUMNS, TENANT, seal_of
from domains.logs.driver_ledger import ENTRY_COLUMNS
from domains.logs.tables import access_batches, audit_ledger, log_checkpoints, log_leaves, log_pending, seals
from spine.contracts.enums import LeafKind
from spine.contracts.log import CheckpointRecord, LogLeaf
from spine.contracts.records import SealRecord
from spine.contracts.statements import Read

FactRow = tuple[UUID, int, bool]
"""Key and version of a fact, and whether it has a leaf."""

START = bindparam("start", type_=BigInteger)
STOP = bindparam("stop", type_=BigInteger)
LIMIT = bindparam("limit", type_=Integer)
FIRST_KEY = UUID(int=0)
ENTRY_NAMES = tuple(str(column.name) for column in ENTRY_COLUMNS)

_within = and_(log_leaves.c.tenant_id == TENANT, log_leaves.c.leaf_index >= START, log_leaves.c.leaf_index < STOP)


def _leaf_of(facts: Table, kind: LeafKind, key: ColumnElement[Any], version: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(
        log_leaves.c.tenant_id == facts.c.tenant_id,
        log_leaves.c.kind == kind.value,
        log_leaves.c.subject == key,
        log_leaves.c.version == version,
    )


_of_seal = _leaf_of(seals, LeafKind.SEAL, seals.c.run_id, seals.c.version)
_of_entry = _leaf_of(audit_ledger, LeafKind.AUDIT, audit_ledger.c.id, literal(1, Integer))

LEAVES = select(*(log_leaves.c[name] for name in LogLeaf.__struct_fields__)).where(_within)
SEALS = select(*SEAL_COLUMNS).select_from(log_leaves.join(seals, _of_seal)).where(_within)
ENTRIES = select(*ENTRY_COLUMNS).select_from(log_leaves.join(audit_ledger, _of_entry)).where(_within)
CHECKPOINTS = select(*(log_checkpoints.c[name] for name in CheckpointRecord.__struct_fields__)).where(
    log_checkpoints.c.tenant_id == TENANT, log_checkpoints.c.tree_size > START, log_checkpoints.c.tree_size <= STOP
)

_logged = log_leaves.c.leaf_index.is_not(None)
SEALS_LOGGED = (
    select(seals.c.run_id, seals.c.version, _logged)
    .select_from(seals.outerjoin(log_leaves, _of_seal))
    .where(
        seals.c.tenant_id == TENANT,
        tuple_(seals.c.run_id, seals.c.version)
        > tuple_(bindparam("key", type_=Uuid()), bindparam("version", type_=Integer)),
    )
    .order_by(seals.c.run_id, seals.c.version)
    .limit(LIMIT)
)


def _logged_by_id(facts: Table, kind: LeafKind) -> Select[Any]:
    return (
        select(facts.c.id, literal(1, Integer), _logged)
        .select_from(facts.outerjoin(log_leaves, _leaf_of(facts, kind, facts.c.id, literal(1, Integer))))
        .where(facts.c.tenant_id == TENANT, facts.c.id > bindparam("key", type_=Uuid()))
        .order_by(facts.c.id)
        .limit(LIMIT)
    )


ENTRIES_LOGGED = _logged_by_id(audit_ledger, LeafKind.AUDIT)
BATCHES_LOGGED = _logged_by_id(access_batches, LeafKind.ACCESS)

PENDING: Select[Any] = select(log_pending.c.kind, log_pending.c.subject, log_pending.c.version).where(
    log_pending.c.tenant_id == TENANT, log_pending.c.subject == func.any(bindparam("subjects", type_=ARRAY(Uuid())))
)


def leaves_between(start: int, stop: int) -> Read[LogLeaf]:
    """The leaves of a range of indices."""
    return Read(LEAVES, {"start": start, "stop": stop}, lambda row: LogLeaf(*row))


def seals_between(start: int, stop: int) -> Read[SealRecord]:
    """The seals that leaves of the range are of."""
    return Read(SEALS, {"start": start, "stop": stop}, seal_of)


def entries_between(start: int, stop: int) -> Read[Mapping[str, Any]]:
    """The ledger entries that leaves of the range are of, by column."""
    return Read(ENTRIES, {"start": start, "stop": stop}, lambda row: dict(zip(ENTRY_NAMES, row, strict=True)))


def checkpoints_between(start: int, stop: int) -> Read[CheckpointRecord]:
    """The checkpoints of sizes after `start`, up to `stop`."""
    return Read(CHECKPOINTS, {"start": start, "stop": stop}, lambda row: CheckpointRecord(*row))


def seals_logged(after: tuple[UUID, int] | None, most: int) -> Read[FactRow]:
    """The next seals, and whether each has a leaf."""
    key, version = after or (FIRST_KEY, 0)
    return Read(SEALS_LOGGED, {"key": key, "version": version, "limit": most}, lambda row: (row[0], row[1], row[2]))


def entries_logged(after: UUID | None, most: int) -> Read[FactRow]:
    """The next ledger entries, and whether each has a leaf."""
    params = {"key": after or FIRST_KEY, "limit": most}
    return Read(ENTRIES_LOGGED, params, lambda row: (row[0], row[1], row[2]))


def batches_logged(after: UUID | None, most: int) -> Read[FactRow]:
    """The next batches of the access log, and whether each has a leaf."""
    params = {"key": after or FIRST_KEY, "limit": most}
    return Read(BATCHES_LOGGED, params, lambda row: (row[0], row[1], row[2]))


def pending_of(subjects: Sequence[UUID]) -> Read[tuple[str, UUID, int]]:
    """Which versions of these facts wait for a leaf."""
    return Read(PENDING, {"subjects": list(subjects)}, lambda row: (row[0], row[1], row[2]))
