"""Having outsiders vouch for checkpoints: what they are to be asked, and keeping what they answer.

Asking itself takes no transaction; a witness that never answers holds nothing up.
"""

from uuid import UUID

from domains.logs import driver_inclusion, driver_vouchers
from spine.contracts.enums import OperationKind, Permission
from spine.contracts.errors import Unreadable
from spine.contracts.log import CheckpointRecord
from spine.contracts.operations import Operation
from spine.contracts.vouchers import (
    Cosignature,
    DueSubmission,
    FindStampable,
    FindSubmission,
    KeepCosignature,
    KeepTimestamp,
    Stampable,
    TenantsUnstamped,
    TenantsUnwitnessed,
    Timestamp,
)
from spine.orchestrator.context import AnonymousContext, ReadContext, WriteContext
from spine.services.proof.merkle import consistency_plan, path
from spine.services.proof.note import Verifier
from spine.services.proof.timestamp import stamped_note


async def tenants_unwitnessed(ctx: AnonymousContext, request: TenantsUnwitnessed) -> tuple[UUID, ...]:
    """The tenants whose newest checkpoints a witness has not cosigned."""
    return tuple(await ctx.session.fetch(driver_vouchers.tenants_unwitnessed(request.witness)))


async def tenants_unstamped(ctx: AnonymousContext, request: TenantsUnstamped) -> tuple[UUID, ...]:
    """The tenants whose newest checkpoints nobody has stamped, for some time."""
    return tuple(await ctx.session.fetch(driver_vouchers.tenants_unstamped(request.before)))


async def submission(ctx: ReadContext, request: FindSubmission) -> DueSubmission | None:
    """What a witness is to be sent; None when it has cosigned the newest checkpoint, or there is none."""
    latest = await ctx.session.fetch_one(driver_inclusion.latest_checkpoint())
    if latest is None:
        return None
    old_size = request.known_size
    if old_size is None:
        old_size = await ctx.session.fetch_one(driver_vouchers.cosigned_size(request.witness, latest.epoch)) or 0
        if old_size == latest.tree_size:
            return None
    proof = await _consistency(ctx, old_size, latest.tree_size) if old_size <= latest.tree_size else ()
    return DueSubmission(latest.tree_size, old_size, proof, _signed_note(latest))


async def _consistency(ctx: ReadContext, old_size: int, tree_size: int) -> tuple[bytes, ...]:
    """The RFC 9162 path from the stored hashes; Unreadable when the log lacks one."""
    plan = consistency_plan(old_size, tree_size)
    nodes = [*dict.fromkeys(node for nodes in plan for node in nodes)]
    hashes = dict(await ctx.session.fetch(driver_inclusion.hashes(nodes))) if nodes else {}
    try:
        return tuple(path(plan, hashes))
    except KeyError as error:
        raise Unreadable("log") from error


async def keep_cosignature(ctx: WriteContext, request: KeepCosignature) -> Cosignature:
    """Keep what a witness has signed."""
    kept = Cosignature(request.tree_size, request.witness, request.line, request.cosigned_at, ctx.now)
    await ctx.session.insert(driver_vouchers.insert_cosignature(kept))
    return kept


async def stampable(ctx: ReadContext, request: FindStampable) -> Stampable | None:  # noqa: ARG001 - as every handler
    """The newest checkpoint; None when it has its stamp, or there is none."""
    latest = await ctx.session.fetch_one(driver_inclusion.latest_checkpoint())
    if latest is None or await ctx.session.fetch_one(driver_vouchers.stamped(latest.tree_size)) is not None:
        return None
    return Stampable(latest.tree_size, _signed_note(latest))


def _signed_note(checkpoint: CheckpointRecord) -> str:
    """The note as the log's key alone signed it."""
    return stamped_note(checkpoint.note, Verifier.parse(checkpoint.vkey))


async def keep_timestamp(ctx: WriteContext, request: KeepTimestamp) -> Timestamp:
    """Keep a stamp."""
    kept = Timestamp(request.tree_size, request.token, request.stamped_at, ctx.now)
    await ctx.session.insert(driver_vouchers.insert_timestamp(kept))
    return kept


OPERATIONS = (
    Operation(
        name="logs.tenants_unwitnessed",
        kind=OperationKind.READ,
        request=TenantsUnwitnessed,
        result=tuple[UUID, ...],
        handler=tenants_unwitnessed,
        permission=None,
        cross_domain_deps=(),
        cost=1,
        anonymous=True,
        summary="The tenants whose newest checkpoints a witness has not cosigned; for whoever then asks it.",
    ),
    Operation(
        name="logs.tenants_unstamped",
        kind=OperationKind.READ,
        request=TenantsUnstamped,
        result=tuple[UUID, ...],
        handler=tenants_unstamped,
        permission=None,
        cross_domain_deps=(),
        cost=1,
        anonymous=True,
        summary="The tenants whose newest checkpoints have no time stamp; for whoever then asks for one.",
    ),
    Operation(
        name="logs.submission",
        kind=OperationKind.READ,
        request=FindSubmission,
        result=DueSubmission | None,
        handler=submission,
        permission=Permission.LOG_MANAGE,
        cross_domain_deps=(),
        cost=2,
        summary="What a witness is to be sent: the newest checkpoint and the proof that the log has only grown.",
    ),
    Operation(
        name="logs.keep_cosignature",
        kind=OperationKind.WRITE,
        request=KeepCosignature,
        result=Cosignature,
        handler=keep_cosignature,
        permission=Permission.LOG_MANAGE,
        cross_domain_deps=(),
        cost=1,
        summary="Keep a witness's cosignature of a checkpoint.",
    ),
    Operation(
        name="logs.stampable",
        kind=OperationKind.READ,
        request=FindStampable,
        result=Stampable | None,
        handler=stampable,
        permission=Permission.LOG_MANAGE,
        cross_domain_deps=(),
        cost=1,
        summary="The newest checkpoint, if it has no time stamp.",
    ),
    Operation(
        name="logs.keep_timestamp",
        kind=OperationKind.WRITE,
        request=KeepTimestamp,
        result=Timestamp,
        handler=keep_timestamp,
        permission=Permission.LOG_MANAGE,
        cross_domain_deps=(),
        cost=1,
        summary="Keep a time stamp of a checkpoint.",
    ),
)
