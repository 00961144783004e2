"""RunRedaction: erasing what a run's spans carried, without touching what its proof commits to.

Erased, in one transaction: input, output, attributes and salt of each of its steps, and of the spans that it was called
from as far as they are no run's (a framework's workflow span repeats all that an agent is told); attributes and salt of
the run's own span; what is kept of refused copies of all these; outputs of its steps that were executed in replays. The
record and the divergences of replays hold salted commitments to them, which say nothing without the salts, so every
proof stays as it was and says REDACTED where payloads are read.

Not erased, because it is the record, hashed as it is and shown to whoever reads runs: names, the goal, error codes and
messages, times, counts, ids, what rules and limits said (of a payload they show its commitment and its length), and the
audit ledger with the reason given here. Nor what belongs to other runs, child runs too, or to spans beside it that no
run was found for. Steps from before there were salts are erased too, but their plain digests, hashed
into the record, stay. On disk the bytes go with PostgreSQL's next vacuum; older backups keep them.

A run may be live: what comes later is not erased, until it is asked for again. A copy of an erased span is a duplicate.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import structs

from spine.contracts.enums import AuditEntityType, ChangeKind, OperationKind, Permission, Topic
from spine.contracts.errors import NotFound
from spine.contracts.events import Change
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.ports import KnownStep, RunRow
from spine.contracts.runs import RedactRun, RunChanged
from spine.orchestrator.context import WriteContext, within_dispatch
from spine.services.proof.seal import attributes_digest
from spine.services.texts import check_text
from spine.storage.reservations import erase_outputs

MAX_REASON = 1024


def check_redaction(request: RedactRun) -> None:
    """A run is erased for a reason."""
    check_text(request.reason, "reason", MAX_REASON)


async def redact_run(ctx: WriteContext, request: RedactRun) -> RunChanged:
    """Erase what is there of a run's payloads; asked again, nothing changes unless more has come."""
    within_dispatch("RunRedactionCoordinator")
    traces = ctx.bridge("logs").trace_writing_capability()
    run, steps, runs = await _locked(ctx, request.run_key)
    carrying = [step for step in steps if step.run_key == run.id] + _callers(run, steps, runs)
    spans = {step.span_id for step in carrying} | {run.span_id}
    payloads = await ctx.session.execute(
        traces.erase_payloads(run.trace_id, [step.step_index for step in carrying], ctx.now),
    )
    refused = await ctx.session.execute(traces.erase_refused(run.trace_id, sorted(spans), ctx.now))
    outputs = await erase_outputs(ctx.session, run.id)
    if payloads or refused or outputs or run.redacted_at is None:
        await _erase_own(ctx, [one for one in runs if one.span_id in spans])
        _tell(ctx, request, {"payloads": payloads, "refused_spans": refused})
    return RunChanged(run.id)


async def _locked(ctx: WriteContext, run_key: UUID) -> tuple[RunRow, Sequence[KnownStep], Sequence[RunRow]]:
    """The run, and all steps and runs of its trace under the lock that every export takes; NotFound for no such run."""
    traces = ctx.bridge("logs").trace_writing_capability()
    folding = ctx.bridge("activity").run_folding_capability()
    found = await ctx.session.fetch_one(folding.runs_by_key([run_key]))
    if found is None:
        raise NotFound("run", str(run_key))
    await ctx.session.fetch(traces.lock_heads([found.trace_id]))
    steps, runs = await ctx.session.fetch_together(
        [traces.known_steps([found.trace_id]), folding.known_runs([found.trace_id])],
    )
    run = next((one for one in runs if one.id == run_key and not one.withdrawn), None)
    if run is None:  # withdrawn while the lock was waited for
        raise NotFound("run", str(run_key))
    return run, steps, runs


def _callers(run: RunRow, steps: Sequence[KnownStep], runs: Sequence[RunRow]) -> list[KnownStep]:
    """The spans above the run's own, up to the first that is a run's."""
    shown = {one.id for one in runs if not one.withdrawn}
    nobodys = {step.span_id: step for step in steps if step.run_key not in shown}
    callers: list[KnownStep] = []
    caller = nobodys.pop(run.parent_span_id or "", None)
    while caller is not None:
        callers.append(caller)
        caller = nobodys.pop(caller.parent_span_id or "", None)
    return callers


async def _erase_own(ctx: WriteContext, runs: Sequence[RunRow]) -> None:
    """Erase what the runs themselves carry: this one, and a withdrawn one that was named after one of its spans."""
    erased = [
        structs.replace(run, attributes=None, salt=None, attributes_digest=attributes_digest(run), redacted_at=ctx.now)
        for run in runs
    ]
    await ctx.session.insert(ctx.bridge("activity").run_folding_capability().put_runs(erased))


def _tell(ctx: WriteContext, request: RedactRun, erased: dict[str, int]) -> None:
    ctx.announce([Change(Topic.RUNS, ChangeKind.CHANGED, request.run_key)])
    ctx.record(
        AuditEvent(
            event_type="RunRedacted",
            entity_type=AuditEntityType.RUN,
            entity_id=str(request.run_key),
            reason=request.reason,
            after=erased,
        ),
    )


OPERATIONS = (
    Operation(
        name="activity.redact_run",
        kind=OperationKind.WRITE,
        request=RedactRun,
        result=RunChanged,
        handler=redact_run,
        permission=Permission.RUNS_REDACT,
        cross_domain_deps=("activity.run_folding_capability", "logs.trace_writing_capability"),
        cost=10,
        validate=check_redaction,
        summary="Erase the payloads of a run for good; its proof stays.",
    ),
)
