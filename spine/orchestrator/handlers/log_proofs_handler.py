"""The log's read side: checkpoints, consistency between two sizes, and the inclusion of ledger entries."""

from uuid import UUID

from domains.logs import driver_inclusion
from spine.contracts.enums import OperationKind, Permission
from spine.contracts.errors import ValidationFailed
from spine.contracts.log import (
    CheckpointRecord,
    EntryInclusions,
    FindCheckpoint,
    Inclusion,
    ListCheckpoints,
    LogCheckpoint,
    LogConsistency,
    ProveConsistency,
    VouchedCheckpoint,
)
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.contracts.scalars import BigInt
from spine.orchestrator.context import ReadContext
from spine.orchestrator.inclusions import consistency_nodes, consistency_of, inclusion_nodes, inclusion_of
from spine.storage.keyset import Keyset, first_of, page_of

CHECKPOINTS = Keyset("log_checkpoints", (int,))


async def checkpoint(ctx: ReadContext, request: FindCheckpoint) -> LogCheckpoint | None:
    """The checkpoint of this size, or the latest; None when there is none."""
    size = request.tree_size
    wanted = driver_inclusion.latest_vouched() if size is None else driver_inclusion.checkpoint_of_size(size)
    found = await ctx.session.fetch_one(wanted)
    return None if found is None else _shown(found)


async def checkpoints(ctx: ReadContext, request: ListCheckpoints) -> Page[LogCheckpoint]:
    """A page of checkpoints, newest first."""
    page = CHECKPOINTS.read(driver_inclusion.every_checkpoint(), driver_inclusion.ORDER, request.page)
    counted = driver_inclusion.count_checkpoints() if request.count else None
    rows, total = await ctx.session.fetch_counted(page, counted)
    shown = [_shown(row) for row in rows]
    return page_of(shown, first_of(request.page), lambda one: CHECKPOINTS.cursor(one.tree_size), total)


def _shown(vouched: VouchedCheckpoint) -> LogCheckpoint:
    found = vouched.record
    return LogCheckpoint(
        note=found.note,
        vkey=found.vkey,
        origin=found.note.partition("\n")[0],
        tree_size=BigInt(found.tree_size),
        root_hash=found.root_hash.hex(),
        epoch=found.epoch,
        created_at=found.created_at,
        witnesses=vouched.witnesses,
        timestamp=vouched.timestamp,
    )


def check_sizes(request: ProveConsistency) -> None:
    """An earlier size and a later one, or the same; of an empty log there is nothing to prove."""
    if request.from_size < 1:
        raise ValidationFailed("from must be at least 1", field="from")
    if request.to_size < request.from_size:
        raise ValidationFailed("to must not be less than from", field="to")


async def consistency(ctx: ReadContext, request: ProveConsistency) -> LogConsistency:
    """That the log of the later size, which a checkpoint must cover, begins with the log of the earlier."""
    latest = await ctx.session.fetch_one(driver_inclusion.latest_checkpoint())
    covered = 0 if latest is None else latest.tree_size
    if request.to_size > covered:
        raise ValidationFailed(f"the latest checkpoint covers {covered} leaves", field="to")
    nodes = consistency_nodes(request.from_size, request.to_size)
    hashes = dict(await ctx.session.fetch(driver_inclusion.hashes(nodes)))
    return consistency_of(request.from_size, request.to_size, hashes)


async def entry_inclusions(ctx: ReadContext, request: EntryInclusions) -> dict[UUID, Inclusion | None]:
    """The inclusion of each entry in the latest checkpoint; None for one that it does not cover yet."""
    reads = [driver_inclusion.entry_places(request.entry_keys), driver_inclusion.latest_checkpoint()]
    placed, found = await ctx.session.fetch_together(reads)
    latest: CheckpointRecord | None = found[0] if found else None
    places = dict(placed)
    nodes = inclusion_nodes(places.values(), latest.tree_size) if latest is not None else []
    hashes = dict(await ctx.session.fetch(driver_inclusion.hashes(nodes))) if nodes else {}
    return {key: inclusion_of(places.get(key), latest, hashes) for key in request.entry_keys}


OPERATIONS = (
    Operation(
        name="logs.checkpoint",
        kind=OperationKind.READ,
        request=FindCheckpoint,
        result=LogCheckpoint | None,
        handler=checkpoint,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=1,
        summary="A signed checkpoint of the tenant's log: the latest, or of a size.",
    ),
    Operation(
        name="logs.checkpoints",
        kind=OperationKind.READ,
        request=ListCheckpoints,
        result=Page[LogCheckpoint],
        handler=checkpoints,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=2,
        summary="A page of signed checkpoints, newest first.",
    ),
    Operation(
        name="logs.consistency",
        kind=OperationKind.READ,
        request=ProveConsistency,
        result=LogConsistency,
        handler=consistency,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(),
        cost=2,
        validate=check_sizes,
        summary="The proof that the log of one size begins with the log of an earlier size.",
    ),
    Operation(
        name="logs.entry_inclusions",
        kind=OperationKind.READ,
        request=EntryInclusions,
        result=Inclusion,
        handler=entry_inclusions,
        permission=Permission.REPORTS_READ,
        cross_domain_deps=(),
        cost=3,
        batch_key="entry_keys",
        summary="That entries of the audit ledger are in the latest checkpoint.",
    ),
)
