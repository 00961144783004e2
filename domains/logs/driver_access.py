"""The access log: appending batches of records, listing records newest first, and batches with what they hold.

Records are ordered by their ids, which begin with the time at which they were written: one index serves appending,
listing and batches, and the log grows by no more than that. A search by run looks at every record of its time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from msgspec.structs import astuple
from sqlalchemy import ARRAY, Boolean, ColumnElement, LargeBinary, Select, Text, Uuid, and_, bindparam, func, select

from domains.logs.driver import TENANT
from domains.logs.tables import access_batches, access_records
from spine.contracts.access_log import KEY_BYTES, AccessBatchRow, AccessFilter, AccessRecord, AccessRecordRow
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind
from spine.contracts.paging import MOST_COUNTED
from spine.contracts.statements import InsertRows, Read, Row
from spine.services.clock import to_us
from spine.services.ids import node_id

record: Final = access_records.c
COLUMNS: Final = AccessRecordRow.__struct_fields__
ACTOR_KINDS: Final[dict[str, Any]] = {kind.value: kind for kind in ActorKind}

ORDER: Final = (record.id,)

CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "run_key": func.pg_catalog.position(record.run_keys, bindparam("run_key", type_=LargeBinary)) > 0,
    "actor_id": record.actor_id == bindparam("actor_id", type_=Text),
    "key_id": record.key_id == bindparam("key_id", type_=Text),
    "payloads": record.payloads == bindparam("payloads", type_=Boolean),
    "read_after": record.read_at >= bindparam("read_after", type_=record.read_at.type),
    "written_after": record.id >= bindparam("written_after", type_=Uuid()),
    "read_before": record.read_at < bindparam("read_before", type_=record.read_at.type),
}

BATCH_KEYS: Final = bindparam("batch_keys", type_=ARRAY(Uuid()))

BATCHES: Final = select(*(access_batches.c[name] for name in AccessBatchRow.__struct_fields__)).where(
    access_batches.c.tenant_id == TENANT, access_batches.c.id == func.any(BATCH_KEYS)
)
OF_BATCHES: Final = (
    select(*(record[name] for name in COLUMNS))
    .select_from(
        access_batches.join(
            access_records,
            and_(
                record.tenant_id == access_batches.c.tenant_id,
                record.id.between(access_batches.c.first_id, access_batches.c.last_id),
                record.batch_id == access_batches.c.id,
            ),
        ),
    )
    .where(access_batches.c.tenant_id == TENANT, access_batches.c.id == func.any(BATCH_KEYS))
    .order_by(record.id)
)


@lru_cache(maxsize=64)
def _matching(names: tuple[str, ...]) -> Select[Any]:
    """Records that meet these conditions: one statement per set of conditions."""
    return select(*(record[name] for name in COLUMNS)).where(
        record.tenant_id == TENANT, *(CONDITIONS[name] for name in names)
    )


@lru_cache(maxsize=64)
def _counting(names: tuple[str, ...]) -> Select[Any]:
    """How many records meet these conditions, no further than is counted."""
    found = select(record.id).where(record.tenant_id == TENANT, *(CONDITIONS[name] for name in names))
    return select(func.count()).select_from(found.limit(MOST_COUNTED + 1).subquery("counted"))


def insert_batch(batch: AccessBatchRow) -> InsertRows:
    """Append a batch, unless it is there: then a try before this one was committed after all."""
    return InsertRows(access_batches, AccessBatchRow.__struct_fields__, [astuple(batch)], conflict="skip")


def insert_records(records: Sequence[AccessRecordRow]) -> InsertRows:
    """Append records."""
    return InsertRows(access_records, COLUMNS, [astuple(one) for one in records])


def matching_records(wanted: AccessFilter) -> Read[AccessRecord]:
    """Every record that is wanted, to be paged by ORDER."""
    params = _params(wanted)
    return Read(_matching(tuple(params)), params, _shown)


def count_records(wanted: AccessFilter) -> Read[int]:
    """How many records there are, whatever the page; one more than `MOST_COUNTED` where there are more."""
    params = _params(wanted)
    return Read(_counting(tuple(params)), params, lambda row: int(row[0]))


def batches_by_key(batch_keys: Sequence[UUID]) -> Read[AccessBatchRow]:
    """The batches with these keys."""
    return Read(BATCHES, {"batch_keys": list(batch_keys)}, lambda row: AccessBatchRow(*row))


def records_of(batch_keys: Sequence[UUID]) -> Read[AccessRecordRow]:
    """Every record of these batches, by id."""
    return Read(OF_BATCHES, {"batch_keys": list(batch_keys)}, lambda row: AccessRecordRow(*row))


def _params(wanted: AccessFilter) -> dict[str, object]:
    """The conditions that are asked for, by name, in one fixed order; what was read since was written since."""
    after = wanted.read_after
    params: Mapping[str, object] = {
        "run_key": None if wanted.run_key is None else wanted.run_key.bytes,
        "actor_id": wanted.actor_id,
        "key_id": wanted.key_id,
        "payloads": wanted.payloads,
        "read_after": after,
        "written_after": None if after is None else _first_id(after),
        "read_before": wanted.read_before,
    }
    return {name: value for name, value in params.items() if value is not None}


def _first_id(instant: datetime) -> UUID:
    """No UUIDv7 that was made at this time or later is smaller."""
    return UUID(int=max(0, to_us(instant) // 1000) << 80)


def _shown(row: Row) -> AccessRecord:
    keys: bytes = row[10]
    runs = [UUID(bytes=keys[start : start + KEY_BYTES]) for start in range(0, len(keys), KEY_BYTES)]
    return AccessRecord(
        key=row[0],
        id=node_id("AccessRecord", row[0]),
        batch_key=row[1],
        request_id=row[2],
        actor=Actor(ACTOR_KINDS.get(row[3], ActorKind.SYSTEM), row[4], row[5]),
        key_id=row[6],
        read_at=row[7],
        operations=tuple(row[8].split(",")),
        run_count=row[9],
        run_ids=tuple(node_id("Run", key) for key in runs),
        payloads=row[11],
    )
