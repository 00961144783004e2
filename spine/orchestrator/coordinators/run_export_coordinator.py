"""RunExport: all that the API shows of a run or an incident, in one snapshot and one file, with the run's proof bundle.

A run whose record is broken, or that is still live, is exported too: the file shows the verdict, and says why there is
no bundle in it. One whose seal waits for its checkpoint is refused: it can be proven in a few seconds.
"""

from typing import Any
from uuid import UUID

from spine.contracts.access_log import Disclosed
from spine.contracts.enums import ExportFormat, ExportKind, OperationKind, Permission
from spine.contracts.errors import Conflict, Forbidden, NotFound, TooLarge, Unavailable, Unreadable, ValidationFailed
from spine.contracts.evidence import EvidenceRequest, RunEvidence
from spine.contracts.exports import Draft, Exported, ExportIncident, ExportRun
from spine.contracts.operations import Operation
from spine.contracts.proof import ProofRequest, RunProof, TakeRunAway
from spine.contracts.signals import SignalFeedbackRequest
from spine.orchestrator.context import ReadContext, SequenceContext, within_dispatch
from spine.orchestrator.coordinators import run_evidence_coordinator, run_proof_coordinator
from spine.orchestrator.coordinators.run_bundle_coordinator import NOT_YET, RunBundleCoordinator
from spine.orchestrator.coordinators.run_evidence_coordinator import RunEvidenceCoordinator
from spine.orchestrator.coordinators.run_proof_coordinator import RunProofCoordinator
from spine.orchestrator.coordinators.signal_feedback_coordinator import SignalFeedbackCoordinator
from spine.services.export_page import page_of
from spine.services.exporting import EXPORT_FORMAT, Shown, encode_export, shown
from spine.services.ids import node_id

RUN, INCIDENT, KEEP = "activity.run_export", "incidents.incident_export", "logs.keep_export"
MOST_ROWS = 1_000
MOST_STEPS = 5_000
MOST_PAYLOAD = 8 * 1_048_576
NEEDED = (Permission.POLICIES_READ, Permission.INCIDENTS_READ)

DEPENDENCIES = tuple(
    dict.fromkeys(
        (
            *run_evidence_coordinator.DEPENDENCIES,
            *run_proof_coordinator.DEPENDENCIES,
            "activity.run_exporting_capability",
            "logs.audit_ledger_read_capability",
            "logs.replay_sizing_capability",
        )
    )
)


class RunExportCoordinator:
    """Composes what every domain shows of a run."""

    @staticmethod
    async def run_export(ctx: ReadContext, request: ExportRun) -> Draft:
        """The file of a run; NotFound when absent."""
        within_dispatch("RunExportCoordinator")
        _demand_rights(ctx, RUN, payloads=request.payloads)
        run = await _run(ctx, request.run_key, payloads=request.payloads)
        document = {"format": EXPORT_FORMAT, "kind": ExportKind.RUN, "run": run}
        name = f"run-{request.run_key}"
        return _draft(document, request, node_id("Run", request.run_key), name, request.run_key)

    @staticmethod
    async def incident_export(ctx: ReadContext, request: ExportIncident) -> Draft:
        """The file of an incident and of its run; NotFound when absent."""
        within_dispatch("RunExportCoordinator")
        _demand_rights(ctx, INCIDENT, payloads=request.payloads)
        incidents = ctx.bridge("incidents").incident_exporting_capability()
        subject = node_id("Incident", request.incident_key)
        incident = await ctx.session.fetch_one(incidents.incidents_by_key([request.incident_key]))
        if incident is None:
            raise NotFound("Incident", subject, field="id")
        run = await _run(ctx, incident.source_run_key, payloads=request.payloads)
        document = {"format": EXPORT_FORMAT, "incident": shown(incident), "kind": ExportKind.INCIDENT, "run": run}
        name = f"incident-{request.incident_key}"
        return _draft(document, request, subject, name, incident.source_run_key)


def _demand_rights(ctx: ReadContext, operation: str, *, payloads: bool) -> None:
    for permission in (*NEEDED, Permission.PAYLOADS_READ) if payloads else NEEDED:
        if permission not in ctx.principal.permissions:
            raise Forbidden(operation, permission)


async def _run(ctx: ReadContext, key: UUID, *, payloads: bool) -> Shown:
    """All that the API shows of a run."""
    exporting = ctx.bridge("activity").run_exporting_capability()
    sizing = ctx.bridge("logs").replay_sizing_capability().payload_sizes([key])
    run = await ctx.session.fetch_one(exporting.shown_runs([key], ctx.now, ctx.config.stalled_after_s))
    if run is None:
        raise NotFound("Run", node_id("Run", key), field="id")
    if isinstance(run, Unreadable):
        raise run
    signals = await ctx.session.fetch(exporting.signals_for_runs([key], MOST_ROWS))
    [size] = await ctx.session.fetch(sizing)
    _bound("the number of the run's steps", size.steps, MOST_STEPS)
    _bound("the size of the run's payloads, in bytes,", size.payload_bytes if payloads else 0, MOST_PAYLOAD)
    _bound("the number of the run's signals", signals[0].total if signals else 0, MOST_ROWS)
    fingerprints = tuple(row.value.fingerprint for row in signals)
    feedback = await SignalFeedbackCoordinator.signal_feedback(ctx, SignalFeedbackRequest(fingerprints))
    return {
        **shown(run),
        "evidence": await _evidence(ctx, key),
        "proof": await _proof(ctx, key, payloads=payloads),
        "signals": [shown(row.value) | {"feedback": shown(feedback[row.value.fingerprint])} for row in signals],
        **await _bundle(ctx, key),
    }


async def _evidence(ctx: ReadContext, key: UUID) -> Shown:
    """Every row of the run's evidence; what could not be read is Unavailable, not left out."""
    request = EvidenceRequest(
        run_keys=(key,), incidents=MOST_ROWS, policies=MOST_ROWS, limits=MOST_ROWS, decisions=MOST_ROWS
    )
    found = (await RunEvidenceCoordinator.run_evidence(ctx, request)).get(key)
    if not isinstance(found, RunEvidence) or None in (found.incidents, found.policies, found.limits, found.decisions):
        raise found if isinstance(found, Unavailable) else Unavailable("the run's evidence could not be read in time")
    for page in (found.incidents, found.policies, found.limits, found.decisions):
        _bound("the number of rows of one kind in the run's evidence", page.total_count if page else 0, MOST_ROWS)
    said: Shown = shown(found)
    return {name: said[name] for name in said if name not in {"runId", "computedAt"}}


async def _proof(ctx: ReadContext, key: UUID, *, payloads: bool) -> Shown:
    request = ProofRequest(run_keys=(key,), traces=True, steps=True, payloads=payloads, inclusion=True, whole=True)
    found = (await RunProofCoordinator.run_proofs(ctx, request)).get(key)
    if not isinstance(found, RunProof):
        raise found or Unavailable("the run's record could not be read in time")
    said: Shown = shown(found)
    return {name: said[name] for name in said if name != "runId"}


async def _bundle(ctx: ReadContext, key: UUID) -> Shown:
    """The bundle's text, or why there is none; Conflict while it is a matter of seconds."""
    try:
        bundle = await RunBundleCoordinator.run_proof_bundle(ctx, TakeRunAway(run_key=key))
    except Conflict as error:
        if error.message == NOT_YET:
            raise
        return {"bundle": None, "bundleMissing": error.message}
    return {"bundle": bundle.text, "bundleMissing": None}


def _bound(what: str, count: int, most: int) -> None:
    if count > most:
        raise TooLarge(what, most, field="id")


def _draft(document: Shown, request: ExportRun | ExportIncident, subject: str, name: str, run_key: UUID) -> Draft:
    as_page = request.format is ExportFormat.HTML
    return Draft(
        kind=ExportKind.RUN if isinstance(request, ExportRun) else ExportKind.INCIDENT,
        subject=subject,
        format=request.format,
        filename=f"{name}.{'html' if as_page else 'json'}",
        text=page_of(document) if as_page else encode_export(document),
        payloads=request.payloads,
        run_keys=(run_key,),
    )


def check_format(request: ExportRun | ExportIncident) -> None:
    """A run or an incident is a document, not a part of the log."""
    if request.format is ExportFormat.LOG:
        raise ValidationFailed("only a period is exported as LOG", field="format")


def of_draft(_request: Any, draft: Draft) -> Disclosed:
    """The runs that the file tells of."""
    return Disclosed(draft.run_keys, draft.payloads)


async def export_run(ctx: SequenceContext, request: ExportRun) -> Exported:
    """Make the file of a run, and keep it."""
    exported: Exported = await ctx.perform(KEEP, await ctx.perform(RUN, request))
    return exported


async def export_incident(ctx: SequenceContext, request: ExportIncident) -> Exported:
    """Make the file of an incident, and keep it."""
    exported: Exported = await ctx.perform(KEEP, await ctx.perform(INCIDENT, request))
    return exported


OPERATIONS = (
    Operation(
        name=RUN,
        kind=OperationKind.READ,
        request=ExportRun,
        result=Draft,
        handler=RunExportCoordinator.run_export,
        permission=Permission.RUNS_READ,
        cross_domain_deps=DEPENDENCIES,
        cost=20,
        validate=check_format,
        discloses=of_draft,
        summary="All that is shown of a run, with its proof bundle, as a file.",
    ),
    Operation(
        name=INCIDENT,
        kind=OperationKind.READ,
        request=ExportIncident,
        result=Draft,
        handler=RunExportCoordinator.incident_export,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(*DEPENDENCIES, "incidents.incident_exporting_capability"),
        cost=20,
        validate=check_format,
        discloses=of_draft,
        summary="An incident and all that is shown of its run, as a file.",
    ),
    Operation(
        name="activity.export_run",
        kind=OperationKind.SEQUENCE,
        request=ExportRun,
        result=Exported,
        handler=export_run,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=20,
        validate=check_format,
        dispatches=(RUN, KEEP),
        summary="Hand out all that is shown of a run.",
    ),
    Operation(
        name="incidents.export_incident",
        kind=OperationKind.SEQUENCE,
        request=ExportIncident,
        result=Exported,
        handler=export_incident,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=20,
        validate=check_format,
        dispatches=(INCIDENT, KEEP),
        summary="Hand out an incident with its run.",
    ),
)
