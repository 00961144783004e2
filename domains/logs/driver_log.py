"""The log's write side: queueing leaves, and what the sequencer does under the head's lock."""

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import asdict, astuple
from sqlalchemy import BigInteger, Integer, LargeBinary, Text, Uuid, bindparam, column, delete, func, select, update

from domains.logs.driver import TENANT
from domains.logs.tables import log_checkpoints, log_heads, log_leaves, log_nodes, log_pending
from spine.contracts.enums import LeafKind
from spine.contracts.log import CheckpointRecord, LogHead, LogLeaf, NodeId, PendingLeaf
from spine.contracts.paging import MOST_COUNTED
from spine.contracts.statements import InsertRows, Read, Row, Write

FIRST_EPOCH = 1

LEAF_KINDS: dict[str, LeafKind] = {kind.value: kind for kind in LeafKind}

PENDING_COLUMNS = PendingLeaf.__struct_fields__

_oldest = (
    select(log_pending.c.id)
    .where(log_pending.c.tenant_id == TENANT)
    .order_by(log_pending.c.id)
    .limit(bindparam("limit", type_=Integer))
    .scalar_subquery()
)
# An array, not IN: statistics of a queue say mostly that it is empty, and a join planned for that is quadratic.
TAKE = (
    delete(log_pending)
    .where(log_pending.c.tenant_id == TENANT, log_pending.c.id == func.any(func.array(_oldest)))
    .returning(*(log_pending.c[name] for name in PENDING_COLUMNS))
)

HEAD = select(*(log_heads.c[name] for name in LogHead.__struct_fields__)).where(log_heads.c.tenant_id == TENANT)
LOCK_HEAD = HEAD.with_for_update(skip_locked=True)
HOLD_HEAD = HEAD.with_for_update()

MOVE_HEAD = (
    update(log_heads)
    .where(log_heads.c.tenant_id == TENANT)
    .values(
        epoch=bindparam("epoch", type_=Integer),
        tree_size=bindparam("tree_size", type_=BigInteger),
        signed_size=bindparam("signed_size", type_=BigInteger),
        peaks=bindparam("peaks", type_=LargeBinary),
    )
)

COUNT_PENDING = select(func.count()).select_from(
    select(log_pending.c.id).where(log_pending.c.tenant_id == TENANT).limit(MOST_COUNTED).subquery("counted")
)

LAST_INDEX = (
    select(log_leaves.c.leaf_index)
    .where(log_leaves.c.tenant_id == TENANT)
    .order_by(log_leaves.c.leaf_index.desc())
    .limit(1)
)

SIGNED_WITH = (
    select(log_checkpoints.c.tree_size)
    .where(log_checkpoints.c.tenant_id == TENANT, log_checkpoints.c.vkey == bindparam("vkey", type_=Text))
    .limit(1)
)

_waiting = func.app.tenants_waiting().table_valued(column("tenant_id", Uuid()))
KEYS = (
    select(log_checkpoints.c.vkey)
    .where(log_checkpoints.c.tenant_id == TENANT)
    .distinct()
    .order_by(log_checkpoints.c.vkey)
)

WAITING = select(_waiting.c.tenant_id)


def queue_leaves(leaves: Sequence[PendingLeaf]) -> InsertRows:
    """Let leaves wait for their indices."""
    return InsertRows(log_pending, PENDING_COLUMNS, [astuple(leaf) for leaf in leaves])


def take_leaves(most: int) -> Read[PendingLeaf]:
    """Take the oldest leaves out of the queue, in any order; whoever does holds the head's lock."""
    return Read(TAKE, {"limit": most}, _pending)


def count_pending() -> Read[int]:
    """How many leaves wait; 10,000 where there are more."""
    return Read(COUNT_PENDING, {}, lambda row: int(row[0]))


def begin_head() -> InsertRows:
    """Make the head of a log that has none."""
    return InsertRows(log_heads, LogHead.__struct_fields__, [(FIRST_EPOCH, 0, 0, b"")], conflict="skip")


def lock_head() -> Read[LogHead]:
    """The head, locked until the transaction ends; no row when there is none, or another holds it."""
    return Read(LOCK_HEAD, {}, lambda row: LogHead(*row))


def hold_head() -> Read[LogHead]:
    """The head, locked until the transaction ends, after waiting for whoever holds it."""
    return Read(HOLD_HEAD, {}, lambda row: LogHead(*row))


def head() -> Read[LogHead]:
    """The head as it is."""
    return Read(HEAD, {}, lambda row: LogHead(*row))


def move_head(head: LogHead) -> Write:
    """Write the head's new state."""
    return Write(MOVE_HEAD, asdict(head))


def insert_leaves(leaves: Sequence[LogLeaf]) -> InsertRows:
    """Append leaves; an index or a fact that is there already fails."""
    return InsertRows(log_leaves, LogLeaf.__struct_fields__, [astuple(leaf) for leaf in leaves])


def insert_nodes(nodes: Sequence[tuple[NodeId, bytes]]) -> InsertRows:
    """Append the perfect subtrees that became whole."""
    rows = [(level, index, content) for (level, index), content in nodes]
    return InsertRows(log_nodes, ("level", "node_index", "hash"), rows)


def insert_checkpoint(checkpoint: CheckpointRecord) -> InsertRows:
    """Append a checkpoint."""
    return InsertRows(log_checkpoints, CheckpointRecord.__struct_fields__, [astuple(checkpoint)])


def last_index() -> Read[int]:
    """The index of the last leaf; no row in an empty log."""
    return Read(LAST_INDEX, {}, lambda row: int(row[0]))


def signed_with(vkey: str) -> Read[int]:
    """The size of some checkpoint that this key has signed, if there is one."""
    return Read(SIGNED_WITH, {"vkey": vkey}, lambda row: int(row[0]))


def signing_keys() -> Read[str]:
    """Every key that has signed a checkpoint which is here."""
    return Read(KEYS, {}, lambda row: str(row[0]))


def tenants_waiting() -> Read[UUID]:
    """The tenants that have leaves which wait for an index or a signature."""
    return Read(WAITING, {}, lambda row: row[0])


def _pending(row: Row) -> PendingLeaf:
    return PendingLeaf(row[0], LEAF_KINDS[row[1]], *row[2:])
