"""Statements over exports: keeping files, listing them, and the checkpoints that a period lies between.

Lists read no file: `content` comes by key alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, bindparam, cast, func, select
from sqlalchemy.types import BigInteger

from domains.logs.driver import TENANT
from domains.logs.driver_check import START, STOP
from domains.logs.driver_inclusion import EVERY, checkpoint, checkpoint_of
from domains.logs.tables import access_batches, exports, log_leaves
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind, ExportFormat, ExportKind, LeafKind
from spine.contracts.exports import Draft, Export, KeptFile
from spine.contracts.log import CheckpointRecord
from spine.contracts.paging import MOST_COUNTED
from spine.contracts.scalars import BigInt
from spine.contracts.statements import InsertRows, Read, Row
from spine.services.canonical_json import digest
from spine.services.ids import node_id

EXPORT: Final = "Export"
COLUMNS: Final = (
    "id",
    "kind",
    "subject",
    "format",
    "filename",
    "checksum",
    "size_bytes",
    "payloads",
    "created_by_kind",
    "created_by_id",
    "created_by_name",
    "created_at",
)
OF_TENANT: Final = exports.c.tenant_id == TENANT
KEYS: Final = bindparam("export_keys", type_=ARRAY(exports.c.id.type))
ORDER: Final = (exports.c.created_at, exports.c.id)

EVERY_EXPORT: Final = select(*(exports.c[name] for name in COLUMNS)).where(OF_TENANT)
BY_KEY: Final = EVERY_EXPORT.where(exports.c.id == func.any(KEYS))
COUNT: Final = select(func.count()).select_from(
    select(exports.c.id).where(OF_TENANT).limit(MOST_COUNTED + 1).subquery("counted")
)
CONTENTS: Final = select(exports.c.id, exports.c.kind, exports.c.run_ids, exports.c.content).where(
    OF_TENANT, exports.c.id == func.any(KEYS)
)
SIZES: Final = select(cast(func.coalesce(func.sum(func.octet_length(exports.c.content)), 0), BigInteger)).where(
    OF_TENANT, exports.c.id == func.any(KEYS)
)

INSTANT: Final = bindparam("instant", type_=checkpoint.created_at.type)
LAST_UNTIL: Final = EVERY.where(checkpoint.created_at <= INSTANT).order_by(checkpoint.tree_size.desc()).limit(1)
FIRST_SINCE: Final = EVERY.where(checkpoint.created_at >= INSTANT).order_by(checkpoint.tree_size).limit(1)

BATCHES: Final = (
    select(access_batches.c.id, access_batches.c.batch_hash)
    .select_from(
        log_leaves.join(
            access_batches,
            (access_batches.c.tenant_id == log_leaves.c.tenant_id) & (access_batches.c.id == log_leaves.c.subject),
        )
    )
    .where(
        log_leaves.c.tenant_id == TENANT,
        log_leaves.c.leaf_index >= START,
        log_leaves.c.leaf_index < STOP,
        log_leaves.c.kind == LeafKind.ACCESS.value,
    )
)


def insert_export(export: Export, draft: Draft) -> InsertRows:
    """Keep an export; its file only when it holds no payloads."""
    by, content = export.created_by, draft.text.encode()
    row = (
        export.key,
        export.kind,
        export.subject,
        export.format,
        export.filename,
        digest(content),
        export.size_bytes,
        export.payloads,
        by.kind,
        by.id,
        by.name,
        export.created_at,
        list(draft.run_keys),
        None if export.payloads else content,
    )
    return InsertRows(exports, (*COLUMNS, "run_ids", "content"), [row])


def every_export() -> Read[Export]:
    """Every export, to be paged by ORDER."""
    return Read(EVERY_EXPORT, {}, _export)


def count_exports() -> Read[int]:
    """How many there are; one more than `MOST_COUNTED` where there are more."""
    return Read(COUNT, {}, lambda row: int(row[0]))


def exports_by_key(export_keys: Sequence[UUID]) -> Read[Export]:
    """The exports with these keys."""
    return Read(BY_KEY, {"export_keys": list(export_keys)}, _export)


def content_bytes(export_keys: Sequence[UUID]) -> Read[int]:
    """How long the files of these exports are, together."""
    return Read(SIZES, {"export_keys": list(export_keys)}, lambda row: int(row[0]))


def contents(export_keys: Sequence[UUID]) -> Read[KeptFile]:
    """The files of these exports."""
    return Read(
        CONTENTS,
        {"export_keys": list(export_keys)},
        _file,
    )


def last_checkpoint_until(instant: datetime) -> Read[CheckpointRecord]:
    """The last checkpoint that was signed at this time or before, if there is one."""
    return Read(LAST_UNTIL, {"instant": instant}, checkpoint_of)


def first_checkpoint_since(instant: datetime) -> Read[CheckpointRecord]:
    """The first checkpoint that was signed at this time or later, if there is one."""
    return Read(FIRST_SINCE, {"instant": instant}, checkpoint_of)


def batch_hashes_between(start: int, stop: int) -> Read[tuple[UUID, bytes]]:
    """The hashes of the access batches that leaves of the range are of, by the batches' keys."""
    return Read(BATCHES, {"start": start, "stop": stop}, lambda row: (row[0], row[1]))


def _file(row: Row) -> KeptFile:
    text = None if row[3] is None else row[3].decode()
    return KeptFile(key=row[0], kind=ExportKind(row[1]), run_keys=tuple(row[2]), text=text)


def _export(row: Row) -> Export:
    return Export(
        key=row[0],
        id=node_id(EXPORT, row[0]),
        kind=ExportKind(row[1]),
        subject=row[2],
        format=ExportFormat(row[3]),
        filename=row[4],
        checksum=row[5].hex(),
        size_bytes=BigInt(row[6]),
        payloads=row[7],
        created_by=Actor(ActorKind(row[8]), row[9], row[10]),
        created_at=row[11],
    )
