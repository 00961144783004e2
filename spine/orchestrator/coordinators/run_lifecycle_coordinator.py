"""Runs reported by mutation: start, append, complete. Unlike an export, these are judged before they count.

A refused start leaves a run that ended FAILED_POLICY, refused steps leave the run as it was but violated: the refusal
is evidence and is committed; what was refused is not recorded.
"""

from uuid import UUID

from msgspec import structs

from spine.contracts.enums import AuditEntityType, Consequence, LimitLevel, RunState
from spine.contracts.errors import Conflict, NotFound, PolicyDenied
from spine.contracts.ledger import AuditEvent
from spine.contracts.ports import PriceQuote, RuleVerdict, RunRow, RunStep
from spine.contracts.runs import AppendSteps, CompleteRun, RunChanged, StartRun
from spine.contracts.spans import SpanFacts
from spine.orchestrator.context import WriteContext, within_dispatch
from spine.orchestrator.coordinators.recording import (
    Recording,
    TraceState,
    lock_traces,
    payload_of,
    recording_ports,
)
from spine.orchestrator.coordinators.run_facts import step_subject
from spine.orchestrator.coordinators.run_governance import (
    Governance,
    RunGovernance,
    load_governance,
    load_history,
    refusal,
)
from spine.orchestrator.coordinators.run_standing import History
from spine.services.clock import to_ns
from spine.services.commitments import salts


async def start_run(ctx: WriteContext, request: StartRun) -> RunChanged:
    """Begin a run; a blocking rule may refuse it."""
    within_dispatch("RunLifecycleCoordinator")
    lifecycle = _Lifecycle(ctx)
    parent = None
    if request.parent_key is not None:
        parent = await lifecycle.find(request.parent_key)
    run = lifecycle.reporting.started_run(request, parent, ctx.now)
    state = await lifecycle.open(run.trace_id, [])
    lifecycle.withdraw_named(state)
    lifecycle.recording.take(run, None)
    run, verdicts = lifecycle.governance.judge_start(lifecycle.recording.runs[run.id])
    refused = refusal(verdicts)
    if refused is not None:
        run = lifecycle.reporting.refused_run(structs.replace(run, policy_violation=True), ctx.now)
    run, _ = lifecycle.governance.measure(run)
    return await lifecycle.finish("RunStarted", state, run, refused)


async def append_steps(ctx: WriteContext, request: AppendSteps) -> RunChanged:
    """Add steps to a live run; all of them, or none when a rule or an exceeded limit refuses."""
    within_dispatch("RunLifecycleCoordinator")
    lifecycle = _Lifecycle(ctx)
    state, run = await lifecycle.lock(request.run_key)
    lifecycle.refuse_stopped(run)
    fresh = salts(len(request.steps))
    spans = [lifecycle.reporting.span_of(run, step, salt) for step, salt in zip(request.steps, fresh, strict=True)]
    new = [span for span in spans if _is_new(state, span)]
    previews = [state.preview(span, lifecycle.quote(span), ahead) for ahead, span in enumerate(new)]
    steps = [step_subject(step, payload_of(span, step.step_index)) for step, span in zip(previews, new, strict=True)]
    verdicts = lifecycle.governance.judge_steps(run, steps)
    refused = refusal(verdicts)
    if refused is not None:
        run = lifecycle.governance.follow(run, [structs.replace(refused, step_index=None)])
        run = structs.replace(run, policy_violation=True)
        return await lifecycle.finish("StepsRefused", state, run, refused)
    run = lifecycle.add(state, run, new)
    run = lifecycle.governance.follow(run, verdicts)
    run, _ = lifecycle.governance.measure(run)
    return await lifecycle.finish("StepsAppended", state, run, None)


async def complete_run(ctx: WriteContext, request: CompleteRun) -> RunChanged:
    """End a live run and seal it."""
    within_dispatch("RunLifecycleCoordinator")
    lifecycle = _Lifecycle(ctx)
    state, before = await lifecycle.lock(request.run_key)
    run = lifecycle.reporting.completed_run(before, request, ctx.now)
    run = lifecycle.governance.judge_end(run)
    run, _ = lifecycle.governance.measure(run)
    run = lifecycle.governance.close(run, before)
    return await lifecycle.finish("RunCompleted", state, run, None)


def _is_new(state: TraceState, span: SpanFacts) -> bool:
    known = state.known.get(span.span_id)
    if known is not None and not known.is_copied_by(span):
        raise Conflict("a step with this stepId was reported before and differs", field="steps")
    return known is None


class _Lifecycle:
    """One mutation's view of its run."""

    def __init__(self, ctx: WriteContext) -> None:
        self.ctx = ctx
        self.ports = recording_ports(ctx)
        self.reporting = ctx.bridge("activity").run_reporting_capability()
        self.recording = Recording(ctx.principal.tenant_id, ctx.now)
        self.in_force: Governance
        self.history: History
        self.governance: RunGovernance

    async def find(self, run_key: UUID) -> RunRow:
        """A run of this tenant; NotFound otherwise."""
        run = await self.ctx.session.fetch_one(self.ports.folding.runs_by_key([run_key]))
        if run is None:
            raise NotFound("run", str(run_key))
        return run

    async def open(self, trace_id: str, run_keys: list[UUID]) -> TraceState:
        """Lock the run's trace, and load what is in force and what was recorded of the runs."""
        states = await lock_traces(self.ctx, self.ports, [trace_id])
        self.in_force = await load_governance(self.ctx.session, self.ports)
        self.history = await load_history(self.ctx.session, self.ports, run_keys)
        self.governance = RunGovernance(self.recording, self.ports, self.in_force, self.history)
        return states[trace_id]

    async def lock(self, run_key: UUID) -> tuple[TraceState, RunRow]:
        """The live run under its trace's lock; Conflict when it has ended."""
        found = await self.find(run_key)
        state = await self.open(found.trace_id, [run_key])
        run = state.runs[run_key]
        if run.state is not RunState.LIVE:
            raise Conflict("the run has ended")
        self.recording.take(run, run)
        return state, run

    def withdraw_named(self, state: TraceState) -> None:
        """Hide the runs that were named after the trace's roots: the trace has an agent now."""
        for named in state.runs.values():
            if named.named_after_root and not named.withdrawn:
                self.recording.take(structs.replace(named, withdrawn=True), named)
                self.recording.withdrawn.append(named.id)

    def refuse_stopped(self, run: RunRow) -> None:
        """Raise PolicyDenied when the run has exceeded a limit whose consequence is ABORT."""
        for limit in self.in_force.limits:
            hit = self.history.hit(run.id, limit.limit_id)
            exceeded = hit is not None and hit.level is LimitLevel.BREACH
            if exceeded and limit.consequence is Consequence.ABORT:
                raise PolicyDenied(limit.name, "the run has exceeded it")

    def quote(self, span: SpanFacts) -> PriceQuote | None:
        """What a span's own usage costs."""
        return self.in_force.quote(span.provider, span.model, span.input_tokens, span.output_tokens)

    def add(self, state: TraceState, run: RunRow, spans: list[SpanFacts]) -> RunRow:
        """Chain the steps, give them their places, and fold the trace anew."""
        first = len(state.steps)
        for span in spans:
            self.recording.append(state, span, self.quote(span))
        runs = [one for one in state.runs.values() if not one.withdrawn]
        fold = self.ports.folding.fold(runs, state.steps, [], [], _no_cost, state.refused_count, self.ctx.now)
        for place, step in enumerate(state.steps[first:]):
            self.recording.run_steps.append(
                RunStep(run.id, run.step_count + place, step.trace_id, step.step_index),
            )
        folded = next(one for one in fold.runs if one.id == run.id)
        heard = max(folded.last_seen_ns, to_ns(self.ctx.now))
        return structs.replace(folded, last_seen_ns=heard)

    async def finish(self, event: str, state: TraceState, run: RunRow, refused: RuleVerdict | None) -> RunChanged:
        """Write everything with its audit entry."""
        self.recording.runs[run.id] = run
        self.recording.heads.append(state.head)
        await self.recording.write(self.ctx, self.ports, [state])
        self.ctx.announce(self.recording.changes)
        self.ctx.record(
            AuditEvent(
                event_type=event,
                entity_type=AuditEntityType.RUN,
                entity_id=str(run.id),
                after={"status": run.status, "step_count": run.step_count, "risk_level": run.risk_level},
            ),
        )
        if refused is None:
            return RunChanged(run.id)
        return RunChanged(run.id, refused.rule.name, refused.reason)


def _no_cost(
    _provider: str | None, _model: str | None, _input_tokens: int | None, _output_tokens: int | None
) -> int | None:
    """A run reported by mutation has no usage of its own, only its steps'."""
    return None
