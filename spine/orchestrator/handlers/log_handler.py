"""The log's sequencer, one transaction a step: giving leaves their indices, signing checkpoints, going on anew.

Leaves are integrated in one transaction and signed in a later one, so a signature never covers what is not committed.
The head's row lock is the lease: whoever does not get it at once leaves the work to who has it.
"""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from domains.logs import driver_inclusion, driver_log, engine_log
from spine.contracts.enums import AuditEntityType, OperationKind, Permission
from spine.contracts.ledger import AuditEvent
from spine.contracts.log import (
    CheckpointRecord,
    Integrate,
    Integrated,
    LogHead,
    SignCheckpoint,
    SignedTree,
    Signing,
    TenantsWaiting,
)
from spine.contracts.operations import Operation
from spine.orchestrator.context import AnonymousContext, WriteContext
from spine.services.metrics import count_integrated, count_signing
from spine.services.proof.merkle import peak_ids, root
from spine.services.proof.note import NoteError


async def tenants_waiting(ctx: AnonymousContext, request: TenantsWaiting) -> tuple[UUID, ...]:  # noqa: ARG001
    """The tenants whose logs have leaves that wait for an index or a signature."""
    return tuple(await ctx.session.fetch(driver_log.tenants_waiting()))


async def integrate(ctx: WriteContext, request: Integrate) -> Integrated:
    """Give the oldest waiting leaves the next indices, and store the subtrees that became whole."""
    head = await _locked_head(ctx)
    if head is None:
        return Integrated(0, 0, busy=True)
    pending = await ctx.session.fetch(driver_log.take_leaves(request.most))
    if not pending:
        return Integrated(0, 0, busy=False)
    growth = engine_log.grown(head, pending, ctx.now)
    await ctx.session.insert(driver_log.insert_leaves(growth.leaves))
    await ctx.session.insert(driver_log.insert_nodes(growth.nodes))
    await ctx.session.execute(driver_log.move_head(growth.head))
    full = len(pending) == request.most
    waiting = await ctx.session.fetch_one(driver_log.count_pending()) if full else 0
    return Integrated(len(pending), waiting or 0, busy=False)


async def _locked_head(ctx: WriteContext) -> LogHead | None:
    """The log's head, locked, and made when there is none; None while another sequencer holds it."""
    head = await ctx.session.fetch_one(driver_log.lock_head())
    if head is None:
        await ctx.session.insert(driver_log.begin_head())
        head = await ctx.session.fetch_one(driver_log.lock_head())
    return head


async def sign_checkpoint(ctx: WriteContext, request: SignCheckpoint) -> Signing:  # noqa: ARG001 - as every handler
    """Sign the log as it is, unless that has been done, or it contradicts what was signed before."""
    head = await ctx.session.fetch_one(driver_log.lock_head())
    if head is None:
        return Signing(0, signed=False, refusal=None, busy=True)
    if head.signed_size == head.tree_size:
        return Signing(head.tree_size, signed=False, refusal=None, busy=False)
    latest = await ctx.session.fetch_one(driver_inclusion.latest_checkpoint())
    reason = await _refusal(ctx, head, latest)
    if reason is not None:
        return Signing(head.signed_size, signed=False, refusal=reason, busy=False)
    await _sign(ctx, head, latest)
    return Signing(head.tree_size, signed=True, refusal=None, busy=False)


async def _refusal(ctx: WriteContext, head: LogHead, latest: CheckpointRecord | None) -> str | None:
    log, tenant_id = ctx.config.log, ctx.principal.tenant_id
    try:
        before = None if latest is None else engine_log.signed_tree(latest, log.origin(tenant_id, latest.epoch))
    except NoteError as error:
        return f"its latest checkpoint is not what was signed: {error}"
    signed = await asyncio.to_thread(log.signed, tenant_id)
    sizes = {head.tree_size, *(tree.size for tree in signed.values())}
    roots = await roots_of(ctx, head, sizes if before is None else sizes | {before.size})
    last = await ctx.session.fetch_one(driver_log.last_index())
    leaves = 0 if last is None else last + 1
    reason = engine_log.refusal(engine_log.Standing(head, leaves, before, signed, roots))
    if reason is None and latest is not None and latest.vkey != log.vkey(log.origin(tenant_id, latest.epoch)):
        return await _retired_key(ctx, head.epoch)
    return reason


async def roots_of(ctx: WriteContext, head: LogHead, sizes: Iterable[int]) -> dict[int, bytes]:
    """The roots that the stored nodes give for these sizes; left out where they give none."""
    wanted = {size: peak_ids(size) for size in sizes if size <= head.tree_size}
    nodes = dict.fromkeys(node for ids in wanted.values() for node in ids)
    stored = dict(await ctx.session.fetch(driver_inclusion.hashes([*nodes])))
    return {
        size: root([stored[node] for node in ids])
        for size, ids in wanted.items()
        if all(node in stored for node in ids)
    }


async def _retired_key(ctx: WriteContext, epoch: int) -> str | None:
    """Another key has signed since: a new key goes on, but one that was replaced already never signs again."""
    log, tenant_id = ctx.config.log, ctx.principal.tenant_id
    for one in range(1, epoch + 1):
        vkey = log.vkey(log.origin(tenant_id, one))
        if await ctx.session.fetch_one(driver_log.signed_with(vkey)) is not None:
            return f"the key {vkey} was replaced by another one"
    return None


async def _sign(ctx: WriteContext, head: LogHead, latest: CheckpointRecord | None) -> None:
    """Sign the tree, keep in mind that it was, and only then publish it."""
    log, tenant_id = ctx.config.log, ctx.principal.tenant_id
    origin = log.origin(tenant_id, head.epoch)
    tree = SignedTree(head.tree_size, root(engine_log.peaks_of(head.peaks)))
    note, vkey = log.sign(origin, tree), log.vkey(origin)
    await asyncio.to_thread(log.keep, tenant_id, head.epoch, note)
    checkpoint = CheckpointRecord(tree.size, head.epoch, tree.root, note, vkey, ctx.now)
    await ctx.session.insert(driver_log.insert_checkpoint(checkpoint))
    await ctx.session.execute(driver_log.move_head(LogHead(head.epoch, tree.size, tree.size, head.peaks)))
    if latest is not None and latest.vkey != log.vkey(log.origin(tenant_id, latest.epoch)):
        ctx.record(
            AuditEvent(
                event_type="LogKeyChanged",
                entity_type=AuditEntityType.LOG,
                entity_id=str(tenant_id),
                before={"vkey": latest.vkey},
                after={"vkey": vkey},
            ),
        )


OPERATIONS = (
    Operation(
        name="logs.tenants_waiting",
        kind=OperationKind.READ,
        request=TenantsWaiting,
        result=tuple[UUID, ...],
        handler=tenants_waiting,
        permission=None,
        cross_domain_deps=(),
        cost=1,
        anonymous=True,
        summary="The tenants whose logs have leaves that wait; for the sequencer, which then works tenant by tenant.",
    ),
    Operation(
        name="logs.integrate",
        kind=OperationKind.WRITE,
        request=Integrate,
        result=Integrated,
        handler=integrate,
        permission=Permission.LOG_MANAGE,
        cross_domain_deps=(),
        cost=1,
        summary="Give waiting leaves of the tenant's log their indices.",
        measure=count_integrated,
    ),
    Operation(
        name="logs.sign_checkpoint",
        kind=OperationKind.WRITE,
        request=SignCheckpoint,
        result=Signing,
        handler=sign_checkpoint,
        permission=Permission.LOG_MANAGE,
        cross_domain_deps=(),
        cost=1,
        summary="Sign a checkpoint of the tenant's log.",
        measure=count_signing,
    ),
)
