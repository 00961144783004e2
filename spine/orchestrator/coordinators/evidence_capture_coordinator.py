"""EvidenceCapture, the write side: what came of a run's environment after it had begun, and what could not be captured.

Most evidence is captured by ingest, in its own transaction: a run with its resource, its chained calls, what rules said
of it, its seal. What is added later is a record of the run's evidence chain, so the next seal covers it and runs from
before verify as they did. Failures are kept in a transaction of their own, after the failed one was rolled back.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from spine.contracts.capture import CaptureEnvironment, EnvironmentAttribute
from spine.contracts.enums import (
    AuditEntityType,
    CaptureFailureReason,
    CaptureResolution,
    EnvironmentSource,
    EvidenceClass,
)
from spine.contracts.errors import EvidenceContextInvalid, HocError, InternalError, NotFound, Unavailable
from spine.contracts.ledger import AuditEvent
from spine.contracts.ports import CaptureDriver, NewCaptureFailure, RunRow
from spine.contracts.records import EnvironmentRecord
from spine.contracts.runs import AppendSteps, IngestSpans, RunChanged
from spine.orchestrator.context import WriteContext, within_dispatch
from spine.orchestrator.coordinators.recording import (
    CAPABILITIES,
    Recording,
    RecordingPorts,
    lock_traces,
    recording_ports,
)
from spine.services.canonical_json import json_text
from spine.services.commitments import salts
from spine.services.ids import uuid7

MOST_FAILURES = 500
"""Of one failed export: it may have touched more runs than are worth a row each."""
MOST_AWAITED = 1_000
MOST_ENVIRONMENTS = 256
"""Records of a run: each holds an attribute more, and a run has at most so many."""

SERVICE_NAME = "service.name"
UNKNOWN_SYSTEM = "unknown"
"""The origin of a run whose telemetry names no service."""

CAPTURING = (*CAPABILITIES, "logs.capture_driver_capability", "logs.traces_store_capability")

REASONS: Mapping[type[HocError], tuple[CaptureFailureReason, CaptureResolution]] = {
    Unavailable: (CaptureFailureReason.DATABASE_ERROR, CaptureResolution.TRANSIENT),
    InternalError: (CaptureFailureReason.CAPTURE_FAILED, CaptureResolution.PERMANENT),
    EvidenceContextInvalid: (CaptureFailureReason.CONTEXT_INVALID, CaptureResolution.PERMANENT),
}
"""What counts as a failure to capture; a caller who is told of a mistake in the input has lost nothing."""


async def capture_environment(ctx: WriteContext, request: CaptureEnvironment) -> RunChanged:
    """Add what is new to what is known of a run's environment; what is known already is no news."""
    within_dispatch("EvidenceCaptureCoordinator")
    ports = recording_ports(ctx)
    driver = ctx.bridge("logs").capture_driver_capability()
    found = await ctx.session.fetch_one(ports.folding.runs_by_key([request.run_key]))
    if found is None:
        raise NotFound("run", str(request.run_key))
    if found.trace_id != request.trace_id:
        raise EvidenceContextInvalid
    states = await lock_traces(ctx, ports, [found.trace_id])
    run = states[found.trace_id].runs[found.id]
    store = ctx.bridge("logs").traces_store_capability()
    records = await ctx.session.fetch(store.environment_records([run.id], MOST_ENVIRONMENTS))
    known = {name: one.value for name, one in known_environment(driver, run, records).items()}
    new = driver.added(known, request.attributes)
    if new:
        await _record(ctx, ports, run, new)
    return RunChanged(run.id)


def known_environment(
    driver: CaptureDriver, run: RunRow, records: Sequence[EnvironmentRecord]
) -> dict[str, EnvironmentAttribute]:
    """Everything that is known of a run's environment.

    Its origin is the service: an SDK names it so, and of telemetry it outlasts a redaction.
    """
    own = driver.environment_of(run.attributes)
    if run.origin_system_id != UNKNOWN_SYSTEM:
        own.setdefault(SERVICE_NAME, run.origin_system_id)
    came = [
        (own, EnvironmentSource.RUN, run.created_at),
        *((driver.captured(one.attributes), EnvironmentSource.CAPTURE, one.captured_at) for one in records),
    ]
    known: dict[str, EnvironmentAttribute] = {}
    for attributes, source, at in came:
        for name, value in attributes.items():
            known.setdefault(name, EnvironmentAttribute(name=name, value=value, source=source, captured_at=at))
    return known


async def _record(ctx: WriteContext, ports: RecordingPorts, run: RunRow, new: Mapping[str, str]) -> None:
    """Chain what is new to the run's evidence, seal a run that has ended anew, and say so in the ledger."""
    recording = Recording(ctx.principal.tenant_id, ctx.now)
    recording.take(run, run)
    record = EnvironmentRecord(
        run_key=run.id,
        evidence_index=run.evidence_count,
        id=uuid7(),
        trace_id=run.trace_id,
        attributes=json_text(new),
        captured_at=ctx.now,
        evidence_hash=b"",
    )
    recording.chain(run, [record])
    await recording.write(ctx, ports, [])
    ctx.announce(recording.changes)
    ctx.record(
        AuditEvent(
            event_type="EnvironmentCaptured",
            entity_type=AuditEntityType.RUN,
            entity_id=str(run.id),
            after={"attributes": sorted(new)},
        ),
    )


async def keep_capture_failure(ctx: WriteContext, request: CaptureEnvironment, error: HocError) -> None:
    """Keep that a run's environment could not be captured, when the run is one of the tenant's."""
    within_dispatch("EvidenceCaptureCoordinator")
    run = await _run_that_lost(ctx, request.run_key, error)
    if run is not None:
        await _keep(ctx, [_failure(ctx, run, EvidenceClass.ENVIRONMENT, error, ())])


async def keep_steps_failure(ctx: WriteContext, request: AppendSteps, error: HocError) -> None:
    """Keep that reported steps could not be taken, when the run is one of the tenant's."""
    within_dispatch("EvidenceCaptureCoordinator")
    run = await _run_that_lost(ctx, request.run_key, error)
    if run is not None:
        reporting = ctx.bridge("activity").run_reporting_capability()
        fresh = salts(len(request.steps))
        spans = [reporting.span_of(run, step, salt) for step, salt in zip(request.steps, fresh, strict=True)]
        awaited = [span.span_id for span in spans]
        await _keep(ctx, [_failure(ctx, run, EvidenceClass.ACTIVITY, error, awaited)])


async def keep_ingest_failure(ctx: WriteContext, request: IngestSpans, error: HocError) -> None:
    """Keep that an export could not be taken, for each run of its traces that is there already."""
    within_dispatch("EvidenceCaptureCoordinator")
    if type(error) not in REASONS:
        return
    awaited: dict[str, list[str]] = {}
    for span in request.batch.spans:
        awaited.setdefault(span.trace_id, []).append(span.span_id)
    folding = ctx.bridge("activity").run_folding_capability()
    runs = [run for run in await ctx.session.fetch(folding.known_runs(list(awaited))) if not run.withdrawn]
    known = {run.span_id for run in runs}
    lost = {trace_id: [one for one in spans if one not in known] for trace_id, spans in awaited.items()}
    failures = [_failure(ctx, run, EvidenceClass.ACTIVITY, error, lost[run.trace_id]) for run in runs]
    await _keep(ctx, failures[:MOST_FAILURES])


async def _run_that_lost(ctx: WriteContext, run_key: UUID, error: HocError) -> RunRow | None:
    """The run, when it is there and the error is one that loses evidence."""
    if type(error) not in REASONS:
        return None
    return await ctx.session.fetch_one(ctx.bridge("activity").run_folding_capability().runs_by_key([run_key]))


async def _keep(ctx: WriteContext, failures: Sequence[NewCaptureFailure]) -> None:
    await ctx.session.insert(ctx.bridge("logs").capture_driver_capability().insert_failures(failures))


def _failure(
    ctx: WriteContext, run: RunRow, kind: EvidenceClass, error: HocError, awaited: Sequence[str]
) -> NewCaptureFailure:
    reason, resolution = REASONS[type(error)]
    return NewCaptureFailure(
        id=uuid7(),
        run_key=run.id,
        trace_id=run.trace_id,
        evidence_class=kind,
        reason=reason,
        resolution=resolution,
        message=error.message,
        span_ids=list(awaited[:MOST_AWAITED]),
        request_id=ctx.request_id,
        failed_at=ctx.now,
    )
