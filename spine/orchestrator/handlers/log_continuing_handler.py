"""Declaring that a backup was restored: the log goes on in a new epoch, under another name, and says so itself.

Without that a restored backup that is older than what was signed is a fork, and the sequencer signs nothing.
"""

import asyncio
from collections.abc import Iterable

from domains.logs import driver_log
from spine.contracts.enums import AuditEntityType, OperationKind, Permission
from spine.contracts.errors import Conflict, MisuseError, ValidationFailed
from spine.contracts.ledger import AuditEvent
from spine.contracts.log import ContinueLog, FindLogKey, LogContinued, LogHead, LogKey
from spine.contracts.operations import Operation
from spine.orchestrator.context import ReadContext, WriteContext
from spine.orchestrator.handlers.log_handler import roots_of
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.note import ED25519, NoteError, Verifier, key_id, open_note, split_note
from spine.services.texts import check_text

FIELD = "checkpoint"
MOST_REASON = 500


def check_continue(request: ContinueLog) -> None:
    """Why the log goes on from there is for everybody who reads it."""
    check_text(request.reason, "reason", MOST_REASON)


async def continue_log(ctx: WriteContext, request: ContinueLog) -> LogContinued:
    """Begin a new epoch on what was restored; the ledger, and with it the log, names the last known checkpoint."""
    await ctx.session.insert(driver_log.begin_head())
    head = await ctx.session.fetch_one(driver_log.hold_head())
    if head is None:
        raise MisuseError("a head that was made is not there")
    last, epoch = await _last_known(ctx, request.checkpoint)
    await _demand_fork(ctx, head, last, epoch)
    new = LogHead(max(head.epoch, epoch) + 1, head.tree_size, head.signed_size, head.peaks)
    await ctx.session.execute(driver_log.move_head(new))
    origin = ctx.config.log.origin(ctx.principal.tenant_id, new.epoch)
    ctx.record(
        AuditEvent(
            event_type="LogContinued",
            entity_type=AuditEntityType.LOG,
            entity_id=str(ctx.principal.tenant_id),
            reason=request.reason,
            before={"origin": last.origin, "treeSize": last.size, "rootHash": last.root.hex()},
            after={"origin": origin, "treeSize": new.tree_size},
        ),
    )
    return LogContinued(origin=origin, epoch=new.epoch, restored_size=new.tree_size)


async def _last_known(ctx: WriteContext, note: str) -> tuple[Checkpoint, int]:
    """The checkpoint and its epoch, when a key of this log has signed it; ValidationFailed otherwise."""
    try:
        origin = Checkpoint.parse(split_note(note)[0]).origin
        epoch = _epoch_of(ctx, origin)
        keys = [ctx.config.log.vkey(origin), *await ctx.session.fetch(driver_log.signing_keys())]
        return Checkpoint.parse(open_note(note, _verifiers(origin, keys)).text), epoch
    except NoteError as error:
        raise ValidationFailed(f"the checkpoint is not one of this log: {error}", field=FIELD) from error


def _epoch_of(ctx: WriteContext, origin: str) -> int:
    """The epoch in which the tenant's log has this name; NoteError when it never has."""
    log, tenant_id = ctx.config.log, ctx.principal.tenant_id
    last = origin.rpartition("/")[2]
    epoch = int(last) if last.isascii() and last.isdigit() else 1
    if origin != log.origin(tenant_id, epoch):
        raise NoteError(f"this log is {log.origin(tenant_id, 1)}, not {origin}")
    return epoch


def _verifiers(origin: str, vkeys: Iterable[str]) -> list[Verifier]:
    """The keys under the log's name at that time: each epoch has names of its own for the same key."""
    public = dict.fromkeys(Verifier.parse(vkey).public_key for vkey in vkeys)
    return [Verifier(origin, key_id(origin, ED25519, key), key) for key in public]


async def _demand_fork(ctx: WriteContext, head: LogHead, last: Checkpoint, epoch: int) -> None:
    """There is something to declare, and nothing later is known here; Conflict otherwise."""
    signed = await asyncio.to_thread(ctx.config.log.signed, ctx.principal.tenant_id)
    later = max(((one, tree.size) for one, tree in signed.items()), default=(0, 0))
    if later > (epoch, last.size):
        raise Conflict(f"a later checkpoint was signed here, of {later[1]} leaves in epoch {later[0]}: name that one")
    if epoch < head.epoch:
        raise Conflict(f"the log goes on from this checkpoint in epoch {head.epoch} already")
    if epoch == head.epoch and (await roots_of(ctx, head, [last.size])).get(last.size) == last.root:
        raise Conflict("the log begins with what this checkpoint covers: there is nothing to declare")


async def log_key(ctx: ReadContext, request: FindLogKey) -> LogKey:  # noqa: ARG001 - as every handler
    """The key under the log's present name."""
    head = await ctx.session.fetch_one(driver_log.head())
    epoch, size = (driver_log.FIRST_EPOCH, 0) if head is None else (head.epoch, head.tree_size)
    log = ctx.config.log
    return LogKey(vkey=log.vkey(log.origin(ctx.principal.tenant_id, epoch)), tree_size=size)


OPERATIONS = (
    Operation(
        name="logs.continue_log",
        kind=OperationKind.WRITE,
        request=ContinueLog,
        result=LogContinued,
        handler=continue_log,
        permission=Permission.LOG_MANAGE,
        cross_domain_deps=(),
        cost=10,
        validate=check_continue,
        summary="Declare that a backup was restored that is older than what the log's checkpoints cover.",
    ),
    Operation(
        name="logs.log_key",
        kind=OperationKind.READ,
        request=FindLogKey,
        result=LogKey,
        handler=log_key,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=1,
        summary="The key that signs the tenant's log.",
    ),
)
