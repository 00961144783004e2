"""RunEvidence: what runs touched in incidents, policies and controls, read in one wave with whether each run exists.

Only the domains that were asked for are read. A domain that does not answer leaves the others intact and says so, and a
key that is no run of the tenant has no evidence at all: "nothing happened" is said only of what could be looked at.

Proofs of the same runs in the same snapshot have read the records that evidence is made of: then evidence is composed
of these, and only the rest is read (a page of 50: 3 of 14 ms that its statements take).
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from spine.contracts.enums import EvidenceDomain, OperationKind, Permission, SourceStatus
from spine.contracts.errors import Unavailable
from spine.contracts.evidence import EvidenceRequest, EvidenceSource, RunEvidence
from spine.contracts.operations import Operation
from spine.contracts.paging import NestedPage
from spine.contracts.ports import Ranked
from spine.contracts.statements import Read
from spine.orchestrator.context import ReadContext, within_dispatch
from spine.orchestrator.coordinators.waves import MOST_OF_ONE, MOST_ON_A_PAGE, UNDECODABLE, Answer, read_wave
from spine.orchestrator.disclosures import of_batch
from spine.services.grouping import grouped
from spine.services.ids import node_id

NEEDS = {
    EvidenceDomain.INCIDENTS: Permission.INCIDENTS_READ,
    EvidenceDomain.POLICIES: Permission.POLICIES_READ,
    EvidenceDomain.CONTROLS: Permission.POLICIES_READ,
}

DEPENDENCIES = (
    "activity.run_folding_capability",
    "controls.limit_breaches_capability",
    "incidents.incidents_for_run_capability",
    "policies.policy_evaluations_capability",
)

RUN_KEY: Callable[[Any], UUID] = attrgetter("run_key")


class Recording(NamedTuple):
    """Who reads the records that a list is made of, and who composes it of those of one run."""

    read: Callable[[Sequence[UUID], int], Read[Any]]
    shown: Callable[[Sequence[Any], int], tuple[list[Any], int]]


class EvidenceList(NamedTuple):
    """One list of the evidence: its name and domain, how many rows are wanted, who reads it, what it is made of."""

    name: str
    domain: EvidenceDomain
    first: int
    read: Callable[[Sequence[UUID], int], Read[Ranked[Any]]]
    recording: Recording | None = None


class RunEvidenceCoordinator:
    """Composes incidents, policies and controls, and activity's word on which runs exist."""

    @staticmethod
    async def run_evidence(ctx: ReadContext, request: EvidenceRequest) -> dict[UUID, RunEvidence | Unavailable]:
        """Evidence for each key that is a run of the tenant; Unavailable when even that could not be read."""
        within_dispatch("RunEvidenceCoordinator")
        keys = list(dict.fromkeys(request.run_keys))
        wave = EvidenceWave(ctx, request, keys)
        evidence: dict[UUID, RunEvidence | Unavailable] = {}
        for some, answers in await read_wave(ctx.session, keys, wave.reads):
            evidence |= wave.evidence(some, answers)
        return evidence


class EvidenceWave:
    """What is read for one request, and what its answers say of each run."""

    def __init__(self, ctx: ReadContext, request: EvidenceRequest, keys: Sequence[UUID]) -> None:
        self._ctx = ctx
        asked = [one for one in _lists(ctx, request) if one.first or one.domain in request.probe]
        self._domains = list(dict.fromkeys(one.domain for one in asked))
        self._forbidden = {one for one in self._domains if NEEDS[one] not in ctx.principal.permissions}
        allowed = [one for one in asked if one.domain not in self._forbidden]
        composed = [(one, _composed(ctx, one, keys)) for one in allowed]
        self._composed = [(one, by_run) for one, by_run in composed if by_run is not None]
        self._read = [one for one, by_run in composed if by_run is None]
        self._runs = ctx.bridge("activity").run_folding_capability()
        known = ctx.session.recalled(self._runs.runs_by_key(keys))
        self._known = None if known is None else frozenset(run.id for run in known)

    def reads(self, keys: Sequence[UUID]) -> list[Read[Any]]:
        """Which keys are runs, and every list that is asked for and allowed; a probe reads one row.

        Nothing of what this snapshot has told already.
        """
        existing = [self._runs.existing_runs(keys)] if self._known is None else []
        return [*existing, *(one.read(keys, max(one.first, 1)) for one in self._read)]

    def evidence(self, keys: Sequence[UUID], answers: Sequence[Answer]) -> dict[UUID, RunEvidence | Unavailable]:
        """The evidence of one wave."""
        if self._known is None:
            existing, *answers = answers
        else:
            existing = [key for key in keys if key in self._known]
        if not isinstance(existing, list):
            return {key: Unavailable("the run could not be read in time") for key in keys}
        read = [
            (one, _by_run(answer) if isinstance(answer, list) else None)
            for one, answer in zip(self._read, answers, strict=True)
        ]
        found = [*self._composed, *read]
        statuses = [(domain, self._status(domain, found)) for domain in self._domains]
        return {key: self._of_run(key, found, statuses) for key in existing}

    def _of_run(
        self,
        key: UUID,
        found: Sequence[tuple[EvidenceList, "ByRun | None"]],
        statuses: Sequence[tuple[EvidenceDomain, SourceStatus]],
    ) -> RunEvidence:
        pages: dict[str, NestedPage[Any]] = {}
        truncated: set[EvidenceDomain] = set()
        for one, by_run in found:
            if by_run is not None and one.first:
                rows, total = by_run.get(key, ((), 0))
                pages[one.name] = NestedPage(rows, total)
                if total > len(rows):
                    truncated.add(one.domain)
        return RunEvidence(
            run_key=key,
            run_id=node_id("Run", key),
            incidents=pages.get("incidents"),
            policies=pages.get("policies"),
            limits=pages.get("limits"),
            decisions=pages.get("decisions"),
            sources=tuple([EvidenceSource(domain, status, domain in truncated) for domain, status in statuses]),
            computed_at=self._ctx.now,
        )

    def _status(self, domain: EvidenceDomain, found: Sequence[tuple[EvidenceList, "ByRun | None"]]) -> SourceStatus:
        """DEGRADED is a domain of which one list could be read and another could not."""
        if domain in self._forbidden:
            return SourceStatus.FORBIDDEN
        answered = [by_run is not None for one, by_run in found if one.domain is domain]
        if all(answered):
            return SourceStatus.OK
        return SourceStatus.DEGRADED if any(answered) else SourceStatus.UNAVAILABLE


ByRun = dict[UUID, tuple[list[Any], int]]


def _composed(ctx: ReadContext, one: EvidenceList, keys: Sequence[UUID]) -> ByRun | None:
    """A list of each run, made of the records that this snapshot was asked for already; None where it was not.

    Nor where a run has more records than were read, or one that no list can be made of, which its statement will tell.
    """
    if one.recording is None:
        return None
    read, shown = one.recording
    recalled = [ctx.session.recalled(read(keys, most + 1)) for most in (MOST_ON_A_PAGE, MOST_OF_ONE)]
    records = next((rows for rows in recalled if rows is not None), None)
    if records is None:
        return None
    by_run = grouped(records, RUN_KEY)
    if any(len(own) > MOST_ON_A_PAGE for own in by_run.values()):
        return None
    try:
        return {key: shown(own, max(one.first, 1)) for key, own in by_run.items()}
    except UNDECODABLE:
        return None


def _by_run(rows: Sequence[Ranked[Any]]) -> ByRun:
    by_run = grouped(rows, attrgetter("parent"))
    return {key: ([row.value for row in own], own[0].total) for key, own in by_run.items()}


def _lists(ctx: ReadContext, request: EvidenceRequest) -> tuple[EvidenceList, ...]:
    incidents = ctx.bridge("incidents").incidents_for_run_capability()
    policies = ctx.bridge("policies").policy_evaluations_capability()
    limits = ctx.bridge("controls").limit_breaches_capability()
    return (
        EvidenceList("incidents", EvidenceDomain.INCIDENTS, request.incidents, incidents.incidents_for_runs),
        EvidenceList(
            "policies",
            EvidenceDomain.POLICIES,
            request.policies,
            policies.evaluations_for_runs,
            Recording(policies.evaluation_records, policies.shown_evaluations),
        ),
        EvidenceList(
            "decisions",
            EvidenceDomain.POLICIES,
            request.decisions,
            policies.decisions_for_runs,
            Recording(policies.decision_records, policies.shown_decisions),
        ),
        EvidenceList(
            "limits",
            EvidenceDomain.CONTROLS,
            request.limits,
            limits.breaches_for_runs,
            Recording(limits.breach_records, limits.shown_breaches),
        ),
    )


OPERATIONS = (
    Operation(
        name="activity.run_evidence",
        kind=OperationKind.READ,
        request=EvidenceRequest,
        result=RunEvidence,
        handler=RunEvidenceCoordinator.run_evidence,
        permission=Permission.RUNS_READ,
        cross_domain_deps=DEPENDENCIES,
        cost=5,
        batch_key="run_keys",
        discloses=of_batch,
        recalls="activity.run_proof",
        summary="What runs touched in incidents, policies and controls, and whether each could be read.",
    ),
)
