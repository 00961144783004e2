"""The hashes of the access log: every field of a record, and of a batch with all its records. Pure."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from spine.contracts.access_log import AccessBatchRow, AccessRecordRow
from spine.services.clock import to_us
from spine.services.digests import tagged
from spine.services.proof.leaves import leaf_entry
from spine.services.proof.written import encode

RECORD_TAG = b"hoc-spine/access/v1\n"
BATCH_TAG = b"hoc-spine/access-batch/v1\n"
BATCH_VERSION = 1

_record_digest = tagged(RECORD_TAG)
_batch_digest = tagged(BATCH_TAG)


class WrittenAccess(Struct, gc=False):
    """A record as it is hashed, its fields in the order of canonical JSON."""

    actor_id: str | None
    actor_kind: str
    actor_name: str | None
    batch_id: str
    id: str
    key_id: str
    operations: str
    payloads: bool
    read_at: str
    request_id: str
    run_count: int
    run_keys: str


class WrittenBatch(Struct, gc=False):
    """A batch as it is hashed; its records' hashes follow."""

    first_id: str
    id: str
    last_id: str
    record_count: int
    recorded_at: str


def record_hash(record: AccessRecordRow) -> bytes:
    """The hash of a record: over every field."""
    written = WrittenAccess(
        record.actor_id,
        record.actor_kind,
        record.actor_name,
        str(record.batch_id),
        str(record.id),
        record.key_id,
        record.operations,
        record.payloads,
        str(to_us(record.read_at)),
        record.request_id,
        record.run_count,
        record.run_keys.hex(),
    )
    return _record_digest(encode(written))


def batch_of(key: UUID, records: Sequence[AccessRecordRow], recorded_at: datetime) -> AccessBatchRow:
    """The batch of these records, of which there is at least one, in the order of their ids."""
    first, last = records[0].id, records[-1].id
    written = WrittenBatch(str(first), str(key), str(last), len(records), str(to_us(recorded_at)))
    hashes = b"".join([record_hash(record) for record in records])
    return AccessBatchRow(key, len(records), first, last, recorded_at, _batch_digest(encode(written) + hashes))


def is_intact(batch: AccessBatchRow, records: Sequence[AccessRecordRow]) -> bool:
    """Whether what is stored of a batch is what its hash was made over."""
    return bool(records) and batch_of(batch.id, records, batch.recorded_at) == batch


def access_entry(batch: AccessBatchRow) -> bytes:
    """The leaf of a batch."""
    return leaf_entry("ACCESS", batch.id, BATCH_VERSION, batch.batch_hash)
