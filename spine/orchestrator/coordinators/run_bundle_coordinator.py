"""RunBundle: all that is recorded of a run, with the proof of its latest seal, as one file to take away.

A file is made only of a record that verifies here and now and that a signed checkpoint covers: who takes it away shall
not find out later that there was nothing to prove. It holds the run's evidence whole, so its reader must be allowed to
read policies and limits, too.
"""

from uuid import UUID

from spine.contracts.enums import OperationKind, Permission, RunState, VerificationStatus
from spine.contracts.errors import Conflict, Forbidden, NotFound, TooLarge, Unavailable, Unreadable, ValidationFailed
from spine.contracts.log import CheckpointRecord, PlacedLeaf
from spine.contracts.operations import Operation
from spine.contracts.proof import ProofRequest, RunProofBundle, TakeRunAway
from spine.orchestrator.context import ReadContext, within_dispatch
from spine.orchestrator.coordinators.run_proof_coordinator import DEPENDENCIES, ProofWave
from spine.orchestrator.coordinators.waves import Undecodable, read_wave
from spine.orchestrator.disclosures import of_bundle
from spine.orchestrator.inclusions import consistency_nodes, consistency_of, inclusion_nodes, inclusion_of
from spine.services.ids import node_id
from spine.services.proof.bundle import MAX_BUNDLE_BYTES, LogProof, OlderTree, SealedRun, build_bundle
from spine.services.proof.verify import StoredRun, verify_run

NAME = "activity.run_proof_bundle"
NOT_YET = "no signed checkpoint covers the run's latest seal yet; there is one a few seconds after it was made"


class RunBundleCoordinator:
    """Composes a run's record and evidence with the log's proof of it."""

    @staticmethod
    async def run_proof_bundle(ctx: ReadContext, request: TakeRunAway) -> RunProofBundle:
        """The bundle of one run; NotFound when absent, Conflict while there is nothing to prove."""
        within_dispatch("RunBundleCoordinator")
        if Permission.POLICIES_READ not in ctx.principal.permissions:
            raise Forbidden(NAME, Permission.POLICIES_READ)
        stored = await _stored(ctx, request.run_key)
        _demand_proof(ctx.principal.tenant_id, stored)
        proof, older = await _log_proof(ctx, stored.leaves[-1], request.from_size)
        sealed = SealedRun(
            tenant_id=ctx.principal.tenant_id,
            run_key=request.run_key,
            seals=stored.seals,
            steps=[step for _, step in stored.steps if step is not None],
            evidence=stored.evidence or (),
        )
        text = build_bundle(sealed, proof, older)
        if len(text.encode()) > MAX_BUNDLE_BYTES:
            raise TooLarge("the bundle's number of bytes", MAX_BUNDLE_BYTES, field="id")
        return RunProofBundle(filename=f"run-{request.run_key}.proof", text=text)


async def _stored(ctx: ReadContext, run_key: UUID) -> StoredRun:
    """The run as it is stored, with all of its evidence."""
    wave = ProofWave(ctx, ProofRequest(run_keys=(run_key,), whole=True), payloads=False)
    ((_, answers),) = await read_wave(ctx.session, [run_key], wave.reads)
    if Undecodable() in answers:
        raise Unreadable("run")
    rows = [answer for answer in answers if isinstance(answer, list)]
    if len(rows) < len(answers):
        raise Unavailable("the run's record could not be read in time")
    found = wave.stored(rows, unread=False)
    if not found:
        raise NotFound("Run", node_id("Run", run_key), field="id")
    return found[0]


def _demand_proof(tenant_id: UUID, stored: StoredRun) -> None:
    verdict = verify_run(tenant_id, stored)
    if verdict.verification_status is VerificationStatus.FAILED:
        raise Conflict(f"the run's record is broken: {verdict.failure_reason}", field="id")
    if not stored.seals or stored.run.state is RunState.LIVE:
        raise Conflict("the run is still live: its record is sealed when it ends", field="id")


async def _log_proof(
    ctx: ReadContext, place: PlacedLeaf | None, first: int | None
) -> tuple[LogProof, OlderTree | None]:
    """The latest seal in the latest checkpoint's tree, and how that grew from the earlier size."""
    log = ctx.bridge("logs").log_reading_capability()
    latest = await ctx.session.fetch_one(log.latest_checkpoint())
    if latest is None or place is None or place.leaf_index >= latest.tree_size:
        raise Conflict(NOT_YET, field="id")
    _demand_size(first, latest)
    nodes = inclusion_nodes([place], latest.tree_size)
    if first is not None:
        nodes = [*dict.fromkeys((*nodes, *consistency_nodes(first, latest.tree_size)))]
    hashes = dict(await ctx.session.fetch(log.hashes(nodes)))
    found = inclusion_of(place, latest, hashes)
    if found is None:
        raise Conflict(NOT_YET, field="id")
    proof = LogProof(place.leaf_index, tuple(map(bytes.fromhex, found.path)), latest.note)
    if first is None:
        return proof, None
    grown = consistency_of(first, latest.tree_size, hashes)
    return proof, OlderTree(first, bytes.fromhex(grown.from_root), tuple(map(bytes.fromhex, grown.path)))


def _demand_size(first: int | None, latest: CheckpointRecord) -> None:
    if first is not None and first > latest.tree_size:
        raise ValidationFailed(f"the latest checkpoint covers {latest.tree_size} leaves", field="from")


def check_size(request: TakeRunAway) -> None:
    """An earlier size is at least 1: of an empty log there is nothing to prove."""
    if request.from_size is not None and request.from_size < 1:
        raise ValidationFailed("from must be at least 1", field="from")


OPERATIONS = (
    Operation(
        name=NAME,
        kind=OperationKind.READ,
        request=TakeRunAway,
        result=RunProofBundle,
        handler=RunBundleCoordinator.run_proof_bundle,
        permission=Permission.RUNS_READ,
        cross_domain_deps=DEPENDENCIES,
        cost=10,
        validate=check_size,
        discloses=of_bundle,
        summary="All that is recorded of a run, with the proof that it is in the log, as one file.",
    ),
)
