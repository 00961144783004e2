"""RunProof: the rows behind many runs in one wave, recomputed and compared with what was sealed.

A run whose rows cannot be decoded or verified is FAILED for itself alone. "Could not look" never reads as a verdict:
when the record itself does not answer the proof is UNAVAILABLE, when only its evidence does not, UNVERIFIED_EVIDENCE.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Any, TypeVar
from uuid import UUID

from msgspec import structs

from spine.contracts.enums import BreakKind, OperationKind, Permission
from spine.contracts.errors import Unavailable
from spine.contracts.log import PlacedLeaf
from spine.contracts.operations import Operation
from spine.contracts.ports import RunRow, TraceHeadSummary
from spine.contracts.proof import IntegrityVerification, ProofRequest, RunProof
from spine.contracts.records import StepPayload
from spine.contracts.statements import Read
from spine.orchestrator.context import ReadContext, within_dispatch
from spine.orchestrator.coordinators.proof_summaries import raw_logs, step_summaries, trace_summaries
from spine.orchestrator.coordinators.waves import MOST_OF_ONE, MOST_ON_A_PAGE, Answer, Undecodable, read_wave
from spine.orchestrator.disclosures import of_proofs
from spine.orchestrator.inclusions import inclusion_nodes, inclusion_of
from spine.services.grouping import grouped
from spine.services.ids import node_id
from spine.services.metrics import count_breaks
from spine.services.proof.verify import StoredRun, failed, verify_run
from spine.services.proof.verify_steps import Break
from spine.storage.sessions import SourceFailed

T = TypeVar("T")


DEPENDENCIES = (
    "activity.run_folding_capability",
    "controls.limit_breaches_capability",
    "logs.log_reading_capability",
    "logs.traces_store_capability",
    "policies.policy_evaluations_capability",
)

# What an undecodable row of each source is, in the order in which `_reads` asks them.
SOURCE_KINDS = (
    BreakKind.RUN_EDIT,
    BreakKind.SEAL,
    BreakKind.EDIT,
    BreakKind.EVIDENCE,
    BreakKind.EVIDENCE,
    BreakKind.EVIDENCE,
    BreakKind.EVIDENCE,
    BreakKind.EDIT,
    BreakKind.PAYLOAD_TAMPERED,
)


EVIDENCE_SOURCES = (3, 4, 5, 6)

RUN_KEY: Callable[[Any], UUID] = attrgetter("run_key")


class RunProofCoordinator:
    """Composes activity's runs, logs' chains and seals, and the evidence of policies and controls."""

    @staticmethod
    async def run_proofs(ctx: ReadContext, request: ProofRequest) -> dict[UUID, RunProof | Unavailable]:
        """A proof for each key that is a run of the tenant; Unavailable where a source did not answer."""
        within_dispatch("RunProofCoordinator")
        payloads = request.payloads and Permission.PAYLOADS_READ in ctx.principal.permissions
        wave = ProofWave(ctx, request, payloads=payloads)
        proofs: dict[UUID, RunProof | Unavailable] = {}
        for keys, answers in await read_wave(ctx.session, list(dict.fromkeys(request.run_keys)), wave.reads):
            proofs |= wave.proofs(keys, answers)
        return await wave.with_inclusions(proofs) if request.inclusion else proofs


class ProofWave:
    """What is read for one request, and what its answers prove."""

    def __init__(self, ctx: ReadContext, request: ProofRequest, *, payloads: bool) -> None:
        self._ctx = ctx
        self._request = request
        self._payloads = payloads
        self._most = MOST_OF_ONE if request.whole else MOST_ON_A_PAGE
        self._places: dict[UUID, PlacedLeaf | None] = {}

    def reads(self, keys: Sequence[UUID]) -> list[Read[Any]]:
        """Every source; of evidence one row more than is verified, to know that there is more."""
        store = self._ctx.bridge("logs").traces_store_capability()
        policies = self._ctx.bridge("policies").policy_evaluations_capability()
        reads: list[Read[Any]] = [
            self._ctx.bridge("activity").run_folding_capability().runs_by_key(keys),
            store.seals(keys),
            store.step_records(keys),
            policies.evaluation_records(keys, self._most + 1),
            policies.decision_records(keys, self._most + 1),
            self._ctx.bridge("controls").limit_breaches_capability().breach_records(keys, self._most + 1),
            store.environment_records(keys, self._most + 1),
        ]
        if self._request.traces:
            reads.append(store.heads(keys))
        if self._payloads:
            reads.append(store.payloads(keys))
        return reads

    async def with_inclusions(self, proofs: dict[UUID, RunProof | Unavailable]) -> dict[UUID, RunProof | Unavailable]:
        """The proofs with the inclusion of the latest seals, two statements for all of them."""
        log = self._ctx.bridge("logs").log_reading_capability()
        latest = await self._ctx.session.fetch_one(log.latest_checkpoint())
        if latest is None:
            return proofs
        nodes = inclusion_nodes(self._places.values(), latest.tree_size)
        hashes = dict(await self._ctx.session.fetch(log.hashes(nodes))) if nodes else {}
        return {
            key: structs.replace(proof, inclusion=inclusion_of(self._places.get(key), latest, hashes))
            if isinstance(proof, RunProof)
            else proof
            for key, proof in proofs.items()
        }

    def proofs(self, keys: Sequence[UUID], answers: Sequence[Answer]) -> dict[UUID, RunProof | Unavailable]:
        """The proofs of one wave."""
        rows: list[list[Any]] = []
        unread = False
        for place, answer in enumerate(answers):
            if isinstance(answer, Undecodable):
                return {key: self._undecodable(key, answers) for key in keys}
            if isinstance(answer, SourceFailed):
                if place not in EVIDENCE_SOURCES:
                    return {key: Unavailable("the run's record could not be read in time") for key in keys}
                unread = True
            rows.append([] if isinstance(answer, SourceFailed) else answer)
        return {stored.run.id: self._proof(stored) for stored in self.stored(rows, unread=unread)}

    def stored(self, rows: list[list[Any]], *, unread: bool) -> list[StoredRun]:
        """The runs that were found, with what was read of each."""
        runs: list[RunRow] = rows[0]
        seals = _by_run(rows[1], attrgetter("seal.run_key"), attrgetter("seal.version"))
        self._places |= {key: logged[-1].leaf for key, logged in seals.items()}
        steps = _by_run(rows[2], lambda placed: placed[0].run_key, lambda placed: placed[0].position)
        evidence = _by_run([*rows[3], *rows[4], *rows[5], *rows[6]], RUN_KEY, attrgetter("evidence_index"))
        heads: dict[UUID, list[TraceHeadSummary]] = _pairs_by_run(rows[7]) if self._request.traces else {}
        payloads: dict[UUID, list[StepPayload]] = _pairs_by_run(rows[-1]) if self._payloads else {}
        return [
            StoredRun(
                run=run,
                seals=[logged.seal for logged in seals.get(run.id, ())],
                leaves=[logged.leaf for logged in seals.get(run.id, ())],
                steps=steps.get(run.id, ()),
                evidence=None if unread or len(evidence.get(run.id, ())) > self._most else evidence.get(run.id, ()),
                unread=unread,
                payloads=payloads.get(run.id, ()) if self._payloads else None,
                heads=heads.get(run.id, ()) if self._request.traces else None,
            )
            for run in runs
        ]

    def _proof(self, stored: StoredRun) -> RunProof:
        return RunProof(
            run_key=stored.run.id,
            run_id=node_id("Run", stored.run.id),
            integrity=verify_run(self._ctx.principal.tenant_id, stored),
            traces=trace_summaries(stored),
            steps=step_summaries(stored) if self._request.steps else (),
            raw_logs=raw_logs(stored),
            inclusion=None,
            verified_at=self._ctx.now,
        )

    def _undecodable(self, key: UUID, answers: Sequence[Answer]) -> RunProof:
        """The verdict on a run one of whose rows holds what no writer of ours can have written."""
        broken = next(kind for kind, answer in zip(self._kinds(), answers, strict=True) if answer == Undecodable())
        return RunProof(
            run_key=key,
            run_id=node_id("Run", key),
            integrity=_failed(broken),
            traces=(),
            steps=(),
            raw_logs=() if self._payloads else None,
            inclusion=None,
            verified_at=self._ctx.now,
        )

    def _kinds(self) -> list[BreakKind]:
        asked = (True,) * 7 + (self._request.traces, self._payloads)
        return [kind for kind, wanted in zip(SOURCE_KINDS, asked, strict=True) if wanted]


def _by_run(rows: Sequence[T], run_of: Callable[[T], UUID], place: Callable[[T], int]) -> dict[UUID, list[T]]:
    """The rows below each run, in their order there, which a run's rows of one source have already."""
    by_run = grouped(rows, run_of)
    for of_run in by_run.values():
        if len(of_run) > 1:
            of_run.sort(key=place)
    return by_run


def _pairs_by_run(pairs: Sequence[tuple[UUID, T]]) -> dict[UUID, list[T]]:
    return {key: [value for _, value in own] for key, own in grouped(pairs, itemgetter(0)).items()}


def _failed(kind: BreakKind) -> IntegrityVerification:
    return failed(Break(kind, None, "a stored value cannot be read"), None)


OPERATIONS = (
    Operation(
        name="activity.run_proof",
        kind=OperationKind.READ,
        request=ProofRequest,
        result=RunProof,
        handler=RunProofCoordinator.run_proofs,
        permission=Permission.RUNS_READ,
        cross_domain_deps=DEPENDENCIES,
        cost=5,
        batch_key="run_keys",
        discloses=of_proofs,
        summary="Recompute the records of runs and compare them with what was sealed.",
        measure=count_breaks,
    ),
)
