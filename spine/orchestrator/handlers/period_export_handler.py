"""The period export: every leaf between two checkpoints, read in batches, and verified before it is handed out.

It begins with the last checkpoint that was signed at its start or before, or with the empty tree, and ends with the
first that was signed at its end or later; where there is none such yet, with the latest, if nothing waits to be signed.
"""

import asyncio
from collections.abc import Iterator, Sequence
from uuid import UUID

from domains.logs import driver_check, driver_exports, driver_inclusion, driver_log
from spine.contracts.enums import ExportFormat, ExportKind, LeafKind, OperationKind, Permission
from spine.contracts.errors import Conflict, TooLarge, Unreadable, ValidationFailed
from spine.contracts.exports import Draft, Exported, ExportPeriod
from spine.contracts.log import CheckpointRecord, LogLeaf
from spine.contracts.operations import Operation
from spine.orchestrator.context import ReadContext, SequenceContext
from spine.orchestrator.handlers.exports_handler import KEEP, MOST_BYTES
from spine.services.instants import check_instant
from spine.services.proof.faults import Refused
from spine.services.proof.merkle import peak_ids
from spine.services.proof.note import Verifier
from spine.services.proof.offline import Trust
from spine.services.proof.offline_period import verify_period
from spine.services.proof.period import Before, audit_line, build_period, leaf_line, seal_line

PERIOD = "logs.period_export"
MOST_LEAVES = 100_000
PART = 1_000
UNWRITABLE = (ValueError, TypeError, LookupError, OverflowError, AttributeError)
NOT_YET = "what happened in this period is not signed yet; it is a few seconds after it was recorded"

FactKey = tuple[str, UUID, int]


def check_period(request: ExportPeriod) -> None:
    """A period has a start and, after it, an end."""
    check_instant(request.since, "since")
    check_instant(request.until, "until")
    if request.since >= request.until:
        raise ValidationFailed("a period ends after it begins", field="until")


async def period_export(ctx: ReadContext, request: ExportPeriod) -> Draft:
    """The file of a period; Conflict while its end is not signed, or when the log does not verify."""
    if request.until > ctx.now:
        raise ValidationFailed("a period that is exported has ended", field="until")
    older, newer = await _bounds(ctx, request)
    first = 0 if older is None else older.tree_size
    if newer.tree_size - first > MOST_LEAVES:
        raise TooLarge("the number of the period's leaves", MOST_LEAVES, field="until")
    lines = await _lines(ctx, first, newer.tree_size)
    text = build_period(await _before(ctx, older), lines, newer.note)
    try:
        await asyncio.to_thread(verify_period, text.encode(), _trust(older, newer))
    except Refused as error:
        raise Conflict(f"the log of this period does not verify: {error}") from error
    begun, ended = request.since.isoformat(), request.until.isoformat()
    return Draft(
        kind=ExportKind.PERIOD,
        subject=f"{begun}/{ended}",
        format=ExportFormat.LOG,
        filename=f"period-{request.since:%Y%m%dT%H%M%S}-{request.until:%Y%m%dT%H%M%S}.log.proof",
        text=text,
    )


async def _bounds(ctx: ReadContext, request: ExportPeriod) -> tuple[CheckpointRecord | None, CheckpointRecord]:
    older = await ctx.session.fetch_one(driver_exports.last_checkpoint_until(request.since))
    newer = await ctx.session.fetch_one(driver_exports.first_checkpoint_since(request.until))
    if newer is None:
        newer = await ctx.session.fetch_one(driver_inclusion.latest_checkpoint())
        head = await ctx.session.fetch_one(driver_log.head())
        waiting = await ctx.session.fetch_one(driver_log.count_pending())
        if newer is None or head is None or head.signed_size != head.tree_size or waiting:
            raise Conflict(NOT_YET, field="until")
    return older, newer


async def _before(ctx: ReadContext, older: CheckpointRecord | None) -> Before:
    """The tree that the period begins with; Unreadable when the log lacks one of its peaks."""
    if older is None:
        return Before(0, (), "")
    ids = peak_ids(older.tree_size)
    hashes = dict(await ctx.session.fetch(driver_inclusion.hashes(ids)))
    if len(hashes) != len(ids):
        raise Unreadable("log")
    return Before(older.tree_size, [hashes[node] for node in ids], older.note)


async def _lines(ctx: ReadContext, first: int, stop: int) -> list[str]:
    """The leaves' lines; TooLarge as soon as there are too many bytes of them."""
    lines: list[str] = []
    size = 0
    for start in range(first, stop, PART):
        part = await _part(ctx, start, min(start + PART, stop))
        size += sum(map(len, part))
        if size > MOST_BYTES:
            raise TooLarge("the size of the period's records, in bytes,", MOST_BYTES, field="until")
        lines += part
    return lines


async def _part(ctx: ReadContext, start: int, stop: int) -> list[str]:
    leaves, seals, entries, batches = await ctx.session.fetch_together(
        [
            driver_check.leaves_between(start, stop),
            driver_check.seals_between(start, stop),
            driver_check.entries_between(start, stop),
            driver_exports.batch_hashes_between(start, stop),
        ]
    )
    try:
        facts: dict[FactKey, str] = {(LeafKind.SEAL, one.run_key, one.version): seal_line(one) for one in seals}
        facts |= {(LeafKind.AUDIT, one["id"], 1): audit_line(one) for one in entries}
        facts |= {(LeafKind.ACCESS, key, 1): leaf_line(LeafKind.ACCESS, key, 1, content) for key, content in batches}
    except UNWRITABLE as error:
        raise Unreadable("log") from error
    return [*_placed(leaves, facts, range(start, stop))]


def _placed(leaves: Sequence[LogLeaf], facts: dict[FactKey, str], places: range) -> Iterator[str]:
    found = {leaf.leaf_index: leaf for leaf in leaves}
    for place in places:
        leaf = found.get(place)
        line = None if leaf is None else facts.get((leaf.kind, leaf.subject, leaf.version))
        if line is None:
            raise Conflict(f"leaf {place} of the log, or the record that it is of, is missing")
        yield line


def _trust(older: CheckpointRecord | None, newer: CheckpointRecord) -> Trust:
    vkeys = {newer.vkey} if older is None else {older.vkey, newer.vkey}
    return Trust([Verifier.parse(vkey) for vkey in sorted(vkeys)])


async def export_period(ctx: SequenceContext, request: ExportPeriod) -> Exported:
    """Make the file of a period, and keep it."""
    exported: Exported = await ctx.perform(KEEP, await ctx.perform(PERIOD, request))
    return exported


OPERATIONS = (
    Operation(
        name=PERIOD,
        kind=OperationKind.READ,
        request=ExportPeriod,
        result=Draft,
        handler=period_export,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=50,
        validate=check_period,
        summary="All that entered the tenant's log in a period, as a file.",
    ),
    Operation(
        name="logs.export_period",
        kind=OperationKind.SEQUENCE,
        request=ExportPeriod,
        result=Exported,
        handler=export_period,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=50,
        validate=check_period,
        dispatches=(PERIOD, KEEP),
        summary="Hand out all that entered the tenant's log in a period.",
    ),
)
