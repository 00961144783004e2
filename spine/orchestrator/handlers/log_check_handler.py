"""Checking the whole log on the server, a part at a time: each part is a snapshot of its own, and nothing is kept here.

The tree is rebuilt from the leaves, each leaf from the row that it is of; every checkpoint, stored node and the head
must agree, and every seal, ledger entry and batch of the access log must have a leaf, or wait for one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

from msgspec import structs

from domains.logs import driver_access, driver_check, driver_inclusion, driver_log, engine_check
from domains.logs.engine_log import signed_tree
from spine.contracts.access_log import AccessRecordRow
from spine.contracts.enums import LeafKind, OperationKind, Permission
from spine.contracts.log import CheckpointRecord, LogHead, LogLeaf, SignedTree
from spine.contracts.log_check import LogCursor, LogFault, LogStep, VerifyLog
from spine.contracts.operations import Operation
from spine.contracts.records import SealRecord
from spine.orchestrator.context import ReadContext
from spine.services.proof.access import BATCH_VERSION, access_entry, is_intact
from spine.services.proof.hashing import seal_hash
from spine.services.proof.leaves import ledger_entry, seal_entry
from spine.services.proof.merkle import leaf_hash
from spine.services.proof.note import NoteError

PART = 500
FACTS = 2_000
BATCHES = 10
UNHASHABLE = (ValueError, TypeError, LookupError, OverflowError, AttributeError)
NO_HASH = b""


async def verify_log(ctx: ReadContext, request: VerifyLog) -> LogStep:
    """Check the next part: first the leaves, then whether every seal and every entry has one."""
    cursor = request.cursor
    if cursor is None:
        return await _begin(ctx)
    if cursor.checked < cursor.total:
        return await _check_leaves(ctx, cursor)
    return await _check_facts(ctx, cursor)


async def _begin(ctx: ReadContext) -> LogStep:
    """The first part; the log that is checked is the one of this moment, whatever is added meanwhile.

    What was signed is read first: whatever is in it was committed before, so it is in the snapshot that follows.
    """
    signed = await asyncio.to_thread(ctx.config.log.signed, ctx.principal.tenant_id)
    heads, last = await ctx.session.fetch_together([driver_log.head(), driver_log.last_index()])
    head: LogHead = heads[0] if heads else LogHead(driver_log.FIRST_EPOCH, 0, 0, b"")
    newest = max(signed, default=head.epoch)  # what was signed before a declared restore is not part of the log
    latest = signed.get(newest) if newest >= head.epoch else None
    cursor = LogCursor(total=head.tree_size, head_peaks=head.peaks, signed=latest)
    fault = engine_check.size_fault(cursor, last[0] + 1 if last else 0)
    return await _check_leaves(ctx, cursor) if fault is None else _step(cursor, fault, more=True)


async def _check_leaves(ctx: ReadContext, cursor: LogCursor) -> LogStep:
    start, stop = cursor.checked, min(cursor.checked + PART, cursor.total)
    leaves, seals, entries, checkpoints = await ctx.session.fetch_together(
        [
            driver_check.leaves_between(start, stop),
            driver_check.seals_between(start, stop),
            driver_check.entries_between(start, stop),
            driver_check.checkpoints_between(start, stop),
        ]
    )
    signed = cursor.signed
    covered = () if signed is None or not start < signed.size <= stop else (signed,)
    found: list[LogLeaf] = leaves
    part = engine_check.Part(
        stop=stop,
        leaves={leaf.leaf_index: leaf for leaf in found},
        facts=_seal_leaves(seals) | _entry_leaves(entries) | await _access_leaves(ctx, found),
        trees=_trees(ctx, checkpoints, covered),
    )
    result = engine_check.rebuilt(cursor, part)
    stored = dict(await ctx.session.fetch(driver_inclusion.hashes([node for node, _ in result.nodes])))
    fault = result.fault or engine_check.node_fault(result.nodes, stored)
    if fault is None and result.cursor.checked == cursor.total:
        fault = engine_check.head_fault(result.cursor)
    return _step(result.cursor, fault, more=True)


def _seal_leaves(seals: Sequence[SealRecord]) -> dict[engine_check.Fact, bytes]:
    return {(LeafKind.SEAL, seal.run_key, seal.version): _seal_leaf(seal) for seal in seals}


def _seal_leaf(seal: SealRecord) -> bytes:
    """The leaf of a seal as it is now; no hash at all when it holds what no seal can."""
    try:
        return leaf_hash(seal_entry(seal_hash(seal), seal.run_key, seal.version))
    except UNHASHABLE:
        return NO_HASH


def _entry_leaves(entries: Sequence[dict[str, object]]) -> dict[engine_check.Fact, bytes]:
    found: dict[engine_check.Fact, bytes] = {}
    for entry in entries:
        key = entry["id"]
        if isinstance(key, UUID):
            found[LeafKind.AUDIT, key, 1] = leaf_hash(ledger_entry(entry))  # type: ignore[arg-type]
    return found


async def _access_leaves(ctx: ReadContext, leaves: Sequence[LogLeaf]) -> dict[engine_check.Fact, bytes]:
    """The leaves of the access log's batches, each made anew of its records, a few batches a statement."""
    keys = [leaf.subject for leaf in leaves if leaf.kind == LeafKind.ACCESS]
    made: dict[engine_check.Fact, bytes] = {}
    for start in range(0, len(keys), BATCHES):
        some = keys[start : start + BATCHES]
        reads = [driver_access.batches_by_key(some), driver_access.records_of(some)]
        batches, records = await ctx.session.fetch_together(reads)
        held: defaultdict[UUID, list[AccessRecordRow]] = defaultdict(list)
        for record in sorted(records, key=attrgetter("id")):
            held[record.batch_id].append(record)
        for batch in batches:
            intact = is_intact(batch, held[batch.id])
            made[LeafKind.ACCESS, batch.id, BATCH_VERSION] = leaf_hash(access_entry(batch)) if intact else NO_HASH
    return made


def _trees(
    ctx: ReadContext, checkpoints: Sequence[CheckpointRecord], signed: Sequence[SignedTree]
) -> dict[int, list[SignedTree | str]]:
    """What was signed, by size; where a checkpoint is not what was signed, why."""
    log, tenant_id = ctx.config.log, ctx.principal.tenant_id
    trees: defaultdict[int, list[SignedTree | str]] = defaultdict(list)
    for tree in signed:
        trees[tree.size].append(tree)
    for one in checkpoints:
        try:
            trees[one.tree_size].append(signed_tree(one, log.origin(tenant_id, one.epoch)))
        except NoteError as error:
            reason = f"the checkpoint of {one.tree_size} leaves is not what was signed: {error}"
            trees[one.tree_size].append(reason)
    return trees


async def _check_facts(ctx: ReadContext, cursor: LogCursor) -> LogStep:
    """The next facts of one kind; kinds come one after the other."""
    if not cursor.seals_done:
        facts = await ctx.session.fetch(driver_check.seals_logged(cursor.seal, FACTS))
        last = facts[-1][:2] if facts else cursor.seal
        done = structs.replace(cursor, seal=last, seals_done=len(facts) < FACTS, facts=cursor.facts + len(facts))
        return _step(done, await _unlogged(ctx, LeafKind.SEAL, facts), more=True)
    if not cursor.entries_done:
        facts = await ctx.session.fetch(driver_check.entries_logged(cursor.entry, FACTS))
        entry = facts[-1][0] if facts else cursor.entry
        done = structs.replace(cursor, entry=entry, entries_done=len(facts) < FACTS, facts=cursor.facts + len(facts))
        return _step(done, await _unlogged(ctx, LeafKind.AUDIT, facts), more=True)
    facts = await ctx.session.fetch(driver_check.batches_logged(cursor.batch, FACTS))
    batch = facts[-1][0] if facts else cursor.batch
    done = structs.replace(cursor, batch=batch, facts=cursor.facts + len(facts))
    return _step(done, await _unlogged(ctx, LeafKind.ACCESS, facts), more=len(facts) == FACTS)


async def _unlogged(ctx: ReadContext, kind: LeafKind, facts: Sequence[driver_check.FactRow]) -> LogFault | None:
    """The first of these facts that neither has a leaf nor waits for one."""
    without = [(key, version) for key, version, logged in facts if not logged]
    if not without:
        return None
    waiting = set(await ctx.session.fetch(driver_check.pending_of([key for key, _ in without])))
    lost = next(((key, version) for key, version in without if (kind.value, key, version) not in waiting), None)
    return None if lost is None else engine_check.unlogged_fault(kind, *lost)


def _step(cursor: LogCursor, fault: LogFault | None, *, more: bool) -> LogStep:
    finished = fault is not None or not more
    progress = engine_check.progress_of(cursor, fault, finished=finished)
    return LogStep(progress, None if finished else cursor)


OPERATIONS = (
    Operation(
        name="logs.verify_log",
        kind=OperationKind.READ,
        request=VerifyLog,
        result=LogStep,
        handler=verify_log,
        permission=Permission.REPORTS_READ,
        cross_domain_deps=(),
        cost=20,
        summary="Check the next part of the tenant's log against everything that it says it contains.",
    ),
)
