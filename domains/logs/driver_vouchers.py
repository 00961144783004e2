"""Cosignatures and time stamps of checkpoints: who lacks them, and keeping them."""

from datetime import datetime
from uuid import UUID

from msgspec.structs import astuple
from sqlalchemy import BigInteger, DateTime, Integer, Text, Uuid, bindparam, column, func, select

from domains.logs.driver import TENANT
from domains.logs.tables import log_checkpoints, log_cosignatures, log_timestamps
from spine.contracts.statements import InsertRows, Read
from spine.contracts.vouchers import Cosignature, Timestamp

_unwitnessed = func.app.tenants_unwitnessed(bindparam("witness", type_=Text)).table_valued(column("tenant_id", Uuid()))
UNWITNESSED = select(_unwitnessed.c.tenant_id)

_unstamped = func.app.tenants_unstamped(bindparam("before", type_=DateTime(timezone=True))).table_valued(
    column("tenant_id", Uuid())
)
UNSTAMPED = select(_unstamped.c.tenant_id)

COSIGNED_SIZE = (
    select(log_cosignatures.c.tree_size)
    .join(
        log_checkpoints,
        (log_checkpoints.c.tenant_id == log_cosignatures.c.tenant_id)
        & (log_checkpoints.c.tree_size == log_cosignatures.c.tree_size),
    )
    .where(
        log_cosignatures.c.tenant_id == TENANT,
        log_cosignatures.c.witness == bindparam("witness", type_=Text),
        log_checkpoints.c.epoch == bindparam("epoch", type_=Integer),
    )
    .order_by(log_cosignatures.c.tree_size.desc())
    .limit(1)
)

STAMPED = select(log_timestamps.c.tree_size).where(
    log_timestamps.c.tenant_id == TENANT, log_timestamps.c.tree_size == bindparam("tree_size", type_=BigInteger)
)


def tenants_unwitnessed(witness: str) -> Read[UUID]:
    """The tenants whose newest checkpoints this witness has not cosigned."""
    return Read(UNWITNESSED, {"witness": witness}, lambda row: row[0])


def tenants_unstamped(before: datetime) -> Read[UUID]:
    """The tenants whose newest checkpoints have no stamp, nor an older one since then."""
    return Read(UNSTAMPED, {"before": before}, lambda row: row[0])


def cosigned_size(witness: str, epoch: int) -> Read[int]:
    """The largest size that this witness is known to have cosigned in this epoch; no row for none."""
    return Read(COSIGNED_SIZE, {"witness": witness, "epoch": epoch}, lambda row: int(row[0]))


def stamped(tree_size: int) -> Read[int]:
    """The size itself, when its checkpoint has a stamp."""
    return Read(STAMPED, {"tree_size": tree_size}, lambda row: int(row[0]))


def insert_cosignature(cosignature: Cosignature) -> InsertRows:
    """Keep a cosignature; one that another process has kept stays."""
    return InsertRows(log_cosignatures, Cosignature.__struct_fields__, [astuple(cosignature)], conflict="skip")


def insert_timestamp(stamp: Timestamp) -> InsertRows:
    """Keep a stamp; one that another process has kept stays."""
    return InsertRows(log_timestamps, Timestamp.__struct_fields__, [astuple(stamp)], conflict="skip")
