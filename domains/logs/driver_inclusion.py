"""The log's read side: checkpoints, the places of facts, and the hashes that proofs are made of."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Integer, Uuid, bindparam, column, func, literal, select, union_all

from domains.logs.driver import TENANT
from domains.logs.tables import log_checkpoints, log_cosignatures, log_leaves, log_nodes, log_timestamps
from spine.contracts.enums import LeafKind
from spine.contracts.log import (
    CheckpointRecord,
    CheckpointTimestamp,
    CheckpointWitness,
    NodeId,
    PlacedLeaf,
    VouchedCheckpoint,
)
from spine.contracts.paging import MOST_COUNTED
from spine.contracts.statements import Read, Row

checkpoint = log_checkpoints.c

ORDER = (checkpoint.tree_size,)

RECORD_COLUMNS = len(CheckpointRecord.__struct_fields__)


def _gathered(name: str) -> Any:
    """A column of all cosignatures of a checkpoint, in one order."""
    cosignature = log_cosignatures.c
    of_checkpoint = (cosignature.tenant_id == checkpoint.tenant_id) & (cosignature.tree_size == checkpoint.tree_size)
    found = select(cosignature[name]).where(of_checkpoint).order_by(cosignature.witness).correlate(log_checkpoints)
    return func.array(found.scalar_subquery(), type_=ARRAY(cosignature[name].type)).label(f"every_{name}")


EVERY = (
    select(
        *(checkpoint[name] for name in CheckpointRecord.__struct_fields__),
        *map(_gathered, ("line", "witness", "cosigned_at")),
        log_timestamps.c.stamped_at,
        log_timestamps.c.token,
    )
    .select_from(
        log_checkpoints.outerjoin(
            log_timestamps,
            (log_timestamps.c.tenant_id == checkpoint.tenant_id) & (log_timestamps.c.tree_size == checkpoint.tree_size),
        )
    )
    .where(checkpoint.tenant_id == TENANT)
)
LATEST = EVERY.order_by(checkpoint.tree_size.desc()).limit(1)
OF_SIZE = EVERY.where(checkpoint.tree_size == bindparam("tree_size", type_=BigInteger))
COUNT = select(func.count()).select_from(
    select(checkpoint.tree_size).where(checkpoint.tenant_id == TENANT).limit(MOST_COUNTED + 1).subquery("counted")
)

_levels = bindparam("levels", type_=ARRAY(Integer))
_indexes = bindparam("indexes", type_=ARRAY(BigInteger))
_wanted = (
    func.unnest(_levels, _indexes)
    .table_valued(column("level", Integer), column("node_index", BigInteger))
    .render_derived("wanted")
)
NODES = (
    select(log_nodes.c.level, log_nodes.c.node_index, log_nodes.c.hash)
    .select_from(
        log_nodes.join(
            _wanted, (log_nodes.c.level == _wanted.c.level) & (log_nodes.c.node_index == _wanted.c.node_index)
        )
    )
    .where(log_nodes.c.tenant_id == TENANT)
)
LEAVES = select(literal(0, Integer).label("level"), log_leaves.c.leaf_index, log_leaves.c.leaf_hash).where(
    log_leaves.c.tenant_id == TENANT, log_leaves.c.leaf_index == func.any(bindparam("leaves", type_=ARRAY(BigInteger)))
)

PLACES = select(log_leaves.c.subject, log_leaves.c.leaf_index, log_leaves.c.leaf_hash).where(
    log_leaves.c.tenant_id == TENANT,
    log_leaves.c.kind == LeafKind.AUDIT.value,
    log_leaves.c.subject == func.any(bindparam("subjects", type_=ARRAY(Uuid()))),
)


def latest_checkpoint() -> Read[CheckpointRecord]:
    """The newest checkpoint, with its cosignatures in the note; no row before the first."""
    return Read(LATEST, {}, checkpoint_of)


def latest_vouched() -> Read[VouchedCheckpoint]:
    """The newest checkpoint, and who vouches for it."""
    return Read(LATEST, {}, _vouched)


def checkpoint_of_size(tree_size: int) -> Read[VouchedCheckpoint]:
    """The checkpoint of exactly this size, and who vouches for it."""
    return Read(OF_SIZE, {"tree_size": tree_size}, _vouched)


def every_checkpoint() -> Read[VouchedCheckpoint]:
    """Every checkpoint with who vouches for it, to be paged by ORDER."""
    return Read(EVERY, {}, _vouched)


def count_checkpoints() -> Read[int]:
    """How many there are; one more than `MOST_COUNTED` where there are more."""
    return Read(COUNT, {}, lambda row: int(row[0]))


def hashes(nodes: Sequence[NodeId]) -> Read[tuple[NodeId, bytes]]:
    """The hashes of these perfect subtrees, leaves (level 0) among them; what is not stored is left out."""
    above = [node for node in nodes if node[0]]
    params: dict[str, object] = {
        "leaves": [index for level, index in nodes if not level],
        "levels": [level for level, _ in above],
        "indexes": [index for _, index in above],
    }
    return Read(HASHES, params, lambda row: ((row[0], row[1]), row[2]))


def entry_places(entry_keys: Sequence[UUID]) -> Read[tuple[UUID, PlacedLeaf]]:
    """Where these entries of the audit ledger stand in the log; those that have no index yet are left out."""
    return Read(PLACES, {"subjects": list(entry_keys)}, lambda row: (row[0], PlacedLeaf(row[1], row[2])))


HASHES: Any = union_all(NODES, LEAVES)


def checkpoint_of(row: Row) -> CheckpointRecord:
    """What was signed with every cosignature below: any reader may know any of the keys."""
    lines = row[RECORD_COLUMNS]
    size, epoch, root_hash, note, vkey, created_at = row[:RECORD_COLUMNS]
    return CheckpointRecord(size, epoch, root_hash, note + "".join(lines), vkey, created_at)


def _vouched(row: Row) -> VouchedCheckpoint:
    witnesses, times, stamped_at, token = row[RECORD_COLUMNS + 1 :]
    cosigned = tuple(
        CheckpointWitness(name=vkey.partition("+")[0], vkey=vkey, at=at)
        for vkey, at in zip(witnesses, times, strict=True)
    )
    stamp = None if token is None else CheckpointTimestamp(at=stamped_at, token=b64encode(token).decode())
    return VouchedCheckpoint(checkpoint_of(row), cosigned, stamp)
