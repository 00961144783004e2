"""Ingest: one export of spans into traces, runs, evidence and seals, in one transaction.

Every trace of the export is locked at its head (in the order of ids, so two exports never wait for each other in a
circle) and folded anew from all its spans, stored and new: the result is a function of the set of spans, whatever the
order, the split into exports or the number of copies. An export that changes nothing writes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID, uuid5

import msgspec

from spine.contracts.enums import AuditEntityType, OperationKind, Permission, RefusalKind, RunState
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.ports import KnownStep, PriceQuote, Refusal, RunStep, Subject, TraceFold
from spine.contracts.records import StepPayload
from spine.contracts.runs import IngestOutcome, IngestSpans
from spine.contracts.spans import RefusedSpan, SpanFacts, SpanRecord
from spine.orchestrator.context import WriteContext, within_dispatch
from spine.orchestrator.coordinators.evidence_capture_coordinator import keep_ingest_failure
from spine.orchestrator.coordinators.known_spans import KnownSpan
from spine.orchestrator.coordinators.recording import (
    CAPABILITIES,
    Recording,
    RecordingPorts,
    TraceState,
    lock_traces,
    recording_ports,
)
from spine.orchestrator.coordinators.run_facts import step_subject
from spine.orchestrator.coordinators.run_governance import Governance, RunGovernance, load_governance, load_history
from spine.services.commitments import commitment, salts
from spine.services.metrics import count_spans

SubjectOf = Callable[[KnownStep], Subject]

REFUSAL_NAMESPACE = UUID("0b1f3a52-94f7-5c3e-8a44-5f5d8c1f2a10")


async def ingest_spans(ctx: WriteContext, request: IngestSpans) -> IngestOutcome:
    """Take an export; spans that are known already change nothing."""
    within_dispatch("RunIngestCoordinator")
    ingest = _Ingest(ctx, recording_ports(ctx))
    return await ingest.run(request)


class _Ingest:
    def __init__(self, ctx: WriteContext, ports: RecordingPorts) -> None:
        self.ctx = ctx
        self.ports = ports
        self.recording = Recording(ctx.principal.tenant_id, ctx.now)
        self.governance: Governance
        self.duplicates = 0
        self.accepted = 0

    async def run(self, request: IngestSpans) -> IngestOutcome:
        facts_of = self.ctx.bridge("activity").span_mapping_capability()
        sent = request.batch.spans
        spans = [(span, facts_of(span, salt)) for span, salt in zip(sent, salts(len(sent)), strict=True)]
        refused = request.batch.refused
        trace_ids = sorted(
            {span.trace_id for span in request.batch.spans} | {r.trace_id for r in refused if r.trace_id}
        )
        states = await lock_traces(self.ctx, self.ports, trace_ids)
        self.governance = await load_governance(self.ctx.session, self.ports)
        history = await load_history(
            self.ctx.session, self.ports, [run.id for state in states.values() for run in state.runs.values()]
        )
        kept = await self._known_refusals(trace_ids, refused)
        self._refuse(refused, states, kept)
        folds = self._fold(spans, states, kept)
        governance = RunGovernance(self.recording, self.ports, self.governance, history)
        joined = [self._assign(state, fold) for state, fold in folds]
        subject_of = await self._subjects(folds, joined)
        for (state, fold), new_steps in zip(folds, joined, strict=True):
            self._judge(state, fold, new_steps, subject_of, governance)
        if not self.recording.is_empty():
            await self.recording.write(self.ctx, self.ports, states.values())
            self.ctx.announce(self.recording.changes)
            self._audit(trace_ids)
        return IngestOutcome(self.accepted, self.duplicates, len(refused), len(self.recording.changed_runs()))

    async def _known_refusals(self, trace_ids: Sequence[str], refused: Sequence[RefusedSpan]) -> set[UUID]:
        homeless = [_refusal_id(None, span.span_id, span.reason) for span in refused if span.trace_id is None]
        return set(await self.ctx.session.fetch(self.ports.traces.known_refusals(trace_ids, homeless)))

    def _refuse(self, refused: Iterable[RefusedSpan], states: dict[str, TraceState], kept: set[UUID]) -> None:
        for span in refused:
            self._keep(
                Refusal(
                    id=_refusal_id(span.trace_id, span.span_id, span.reason),
                    trace_id=span.trace_id,
                    span_id=span.span_id,
                    kind=RefusalKind.MALFORMED,
                    reason=span.reason,
                    span_digest=None,
                    body=None,
                    refused_at=self.ctx.now,
                ),
                states,
                kept,
            )

    def _keep(self, refusal: Refusal, states: dict[str, TraceState], kept: set[UUID]) -> None:
        """Keep a refusal once; equal ones have equal ids."""
        if refusal.id in kept:
            return
        kept.add(refusal.id)
        self.recording.refusals.append(refusal)
        if refusal.trace_id is not None:
            states[refusal.trace_id].refused_count += 1

    def _fold(
        self, spans: Sequence[tuple[SpanRecord, SpanFacts]], states: dict[str, TraceState], kept: set[UUID]
    ) -> list[tuple[TraceState, TraceFold]]:
        fresh: dict[str, tuple[list[SpanFacts], list[SpanFacts]]] = {trace_id: ([], []) for trace_id in states}
        for span, facts in spans:
            state = states[facts.trace_id]
            known = state.known.get(facts.span_id)
            if known is not None:
                if known.is_copied_by(facts):
                    self.duplicates += 1
                else:
                    self._keep(_duplicate(span, facts, known.commitment_to(facts), self.ctx), states, kept)
                continue
            self.accepted += 1
            agents, roots = fresh[facts.trace_id]
            if facts.is_agent:
                state.known[facts.span_id] = KnownSpan(facts.salt, commitment(facts.salt, facts.digest), None)
                agents.append(facts)
                continue
            if facts.parent_span_id is None:
                roots.append(facts)
            self.recording.append(state, facts, self._quote(facts))
        folding = self.ports.folding
        folds = []
        for trace_id, state in states.items():
            agents, roots = fresh[trace_id]
            if state.head == state.stored and not agents:
                continue
            runs = [run for run in state.runs.values() if not run.withdrawn]
            fold = folding.fold(runs, state.steps, agents, roots, self._cost_of, state.refused_count, self.ctx.now)
            self.recording.heads.append(state.head)
            folds.append((state, fold))
        return folds

    def _quote(self, facts: SpanFacts) -> PriceQuote | None:
        return self.governance.quote(facts.provider, facts.model, facts.input_tokens, facts.output_tokens)

    def _cost_of(
        self, provider: str | None, model: str | None, input_tokens: int | None, output_tokens: int | None
    ) -> int | None:
        quote = self.governance.quote(provider, model, input_tokens, output_tokens)
        return None if quote is None else quote.cost_micro_usd

    def _judge(
        self,
        state: TraceState,
        fold: TraceFold,
        joined: dict[UUID, list[KnownStep]],
        subject_of: SubjectOf,
        governance: RunGovernance,
    ) -> None:
        for run in fold.runs:
            before = state.runs.get(run.id)
            self.recording.take(run, before)
            if run.withdrawn:
                self.recording.withdrawn.append(run.id)
                continue
            current = self.recording.runs[run.id]
            if before is None:
                current, _ = governance.judge_start(current)
            steps = [subject_of(step) for step in joined.get(run.id, [])]
            current = governance.follow(current, governance.judge_steps(current, steps))
            if before is not None and not steps and current == before:
                continue
            if current.state is RunState.COMPLETED:
                current = governance.judge_end(current)
            current, _ = governance.measure(current)
            governance.close(current, before)

    def _assign(self, state: TraceState, fold: TraceFold) -> dict[UUID, list[KnownStep]]:
        """Give each step that has found its run a place in it; returns the runs' new steps."""
        stored = {run.id: run.step_count for run in state.runs.values()}
        joined: dict[UUID, list[KnownStep]] = {}
        for step in state.steps:
            key = fold.assigned.get(step.span_id)
            if key is None or key == step.run_key:
                continue
            steps = joined.setdefault(key, [])
            position = stored.get(key, 0) + len(steps)
            self.recording.run_steps.append(RunStep(key, position, step.trace_id, step.step_index))
            steps.append(step)
        return joined

    async def _subjects(
        self, folds: Sequence[tuple[TraceState, TraceFold]], joined: Sequence[dict[UUID, list[KnownStep]]]
    ) -> SubjectOf:
        """The steps that join runs, to be judged; payloads of those that came before the span of their run are read."""
        payloads: dict[tuple[str, int], StepPayload] = {
            (state.trace_id, index): payload for state, _ in folds for index, payload in state.new_payloads.items()
        }
        steps = [step for runs in joined for steps in runs.values() for step in steps]
        late = [step for step in steps if (step.trace_id, step.step_index) not in payloads]
        for payload in await self.ctx.session.fetch(self.ports.traces.payloads_of(late)) if late else []:
            payloads[payload.trace_id, payload.step_index] = payload
        return lambda step: step_subject(step, payloads.get((step.trace_id, step.step_index)))

    def _audit(self, trace_ids: Sequence[str]) -> None:
        after = {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused": len(self.recording.refusals),
            "traces": len(trace_ids),
            "runs": len(self.recording.changed_runs()),
        }
        self.ctx.record(
            AuditEvent(
                event_type="SpansIngested",
                entity_type=AuditEntityType.INGEST,
                entity_id=self.ctx.request_id,
                after=after,
            ),
        )


def _duplicate(span: SpanRecord, facts: SpanFacts, committed: bytes, ctx: WriteContext) -> Refusal:
    """A copy that differs; named by its commitment, for an id made of a plain digest would outlive the payload."""
    return Refusal(
        id=_refusal_id(facts.trace_id, facts.span_id, committed.hex()),
        trace_id=facts.trace_id,
        span_id=facts.span_id,
        kind=RefusalKind.DUPLICATE_DIFFERS,
        reason="another copy of this span came first and differs",
        span_digest=committed,
        body=msgspec.json.encode(span),
        refused_at=ctx.now,
    )


def _refusal_id(trace_id: str | None, span_id: str | None, what: str) -> UUID:
    return uuid5(REFUSAL_NAMESPACE, f"{trace_id}/{span_id}/{what}")


OPERATIONS = (
    Operation(
        name="activity.ingest_spans",
        kind=OperationKind.WRITE,
        request=IngestSpans,
        result=IngestOutcome,
        handler=ingest_spans,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=("activity.span_mapping_capability", "logs.capture_driver_capability", *CAPABILITIES),
        cost=10,
        summary="Take an export of spans into runs, evidence and seals.",
        measure=count_spans,
        on_failure=keep_ingest_failure,
    ),
)
