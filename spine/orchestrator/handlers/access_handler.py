"""The access log: recording batches, listing records, and whether a batch is as it was written."""

from collections import defaultdict
from uuid import UUID

from domains.logs import driver_access
from spine.contracts.access_log import (
    AccessBatch,
    AccessBatchesByKey,
    AccessesRecorded,
    AccessRecord,
    AccessRecordRow,
    ListAccessRecords,
    RecordAccesses,
)
from spine.contracts.enums import LeafKind, OperationKind, Permission
from spine.contracts.log import PendingLeaf
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.orchestrator.context import ReadContext, WriteContext
from spine.services.ids import node_id, uuid7
from spine.services.instants import check_instant
from spine.services.proof.access import BATCH_VERSION, access_entry, batch_of, is_intact
from spine.services.proof.merkle import leaf_hash
from spine.storage.keyset import Keyset, first_of, page_of

RECORDS = Keyset("access_records", (UUID,))


def check_records(request: ListAccessRecords) -> None:
    """Times are such as can be compared with stored ones."""
    check_instant(request.filter.read_after, "readAfter")
    check_instant(request.filter.read_before, "readBefore")


async def record_accesses(ctx: WriteContext, request: RecordAccesses) -> AccessesRecorded:
    """Append a batch with its records and its leaf; one that was committed before changes nothing."""
    records = [
        AccessRecordRow(
            uuid7(),
            request.batch_key,
            line.request_id,
            line.actor.kind,
            line.actor.id,
            line.actor.name,
            line.key_id,
            line.read_at,
            line.operations,
            line.run_count,
            line.run_keys,
            line.payloads,
        )
        for line in request.lines
    ]
    batch = batch_of(request.batch_key, records, ctx.now)
    if not await ctx.session.insert(driver_access.insert_batch(batch)):
        return AccessesRecorded(0)
    await ctx.session.insert(driver_access.insert_records(records))
    leaf = leaf_hash(access_entry(batch))
    ctx.commit_to([PendingLeaf(uuid7(), LeafKind.ACCESS, batch.id, BATCH_VERSION, leaf, ctx.now)])
    return AccessesRecorded(len(records))


async def access_records(ctx: ReadContext, request: ListAccessRecords) -> Page[AccessRecord]:
    """A page of the access log, newest first; the whole list's length when asked for."""
    whole = driver_access.matching_records(request.filter)
    counted = driver_access.count_records(request.filter) if request.count else None
    page = RECORDS.read(whole, driver_access.ORDER, request.page)
    rows, total = await ctx.session.fetch_counted(page, counted)
    return page_of(rows, first_of(request.page), lambda one: RECORDS.cursor(one.key), total)


async def access_batches(ctx: ReadContext, request: AccessBatchesByKey) -> dict[UUID, AccessBatch]:
    """The batches that exist of these keys, each with whether it is as it was written."""
    keys = request.batch_keys
    batches, records = await ctx.session.fetch_together(
        [driver_access.batches_by_key(keys), driver_access.records_of(keys)],
    )
    held: defaultdict[UUID, list[AccessRecordRow]] = defaultdict(list)
    for record in records:
        held[record.batch_id].append(record)
    return {
        batch.id: AccessBatch(
            key=batch.id,
            id=node_id("AccessBatch", batch.id),
            recorded_at=batch.recorded_at,
            record_count=batch.record_count,
            hash=batch.batch_hash.hex(),
            intact=is_intact(batch, held[batch.id]),
        )
        for batch in batches
    }


OPERATIONS = (
    Operation(
        name="logs.record_accesses",
        kind=OperationKind.WRITE,
        request=RecordAccesses,
        result=AccessesRecorded,
        handler=record_accesses,
        permission=Permission.LOG_MANAGE,
        cross_domain_deps=(),
        cost=1,
        summary="Append a batch of records to the access log.",
    ),
    Operation(
        name="logs.access_records",
        kind=OperationKind.READ,
        request=ListAccessRecords,
        result=Page[AccessRecord],
        handler=access_records,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=2,
        validate=check_records,
        summary="A page of the access log, newest first.",
    ),
    Operation(
        name="logs.access_batches",
        kind=OperationKind.READ,
        request=AccessBatchesByKey,
        result=AccessBatch,
        handler=access_batches,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=5,
        batch_key="batch_keys",
        summary="Batches of the access log, and whether each is as it was written.",
    ),
)
