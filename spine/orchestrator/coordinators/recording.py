"""What one write adds to traces and runs, collected first and written once.

Both ways in (OTLP exports and mutations) build a `Recording`, let governance judge its runs, seal those that ended,
and flush it: one statement a table, whatever the number of spans.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs

from spine.contracts.enums import ChangeKind, RunState, Topic
from spine.contracts.events import Change
from spine.contracts.ports import (
    IncidentCause,
    IncidentOpening,
    KnownStep,
    LimitMeasuring,
    ModelPricing,
    NewIncident,
    NewSignal,
    PriceQuote,
    Refusal,
    RuleEvaluation,
    RunFolding,
    RunRow,
    RunStep,
    SignalRaising,
    TraceHead,
    TraceWriting,
)
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    EvidenceRecord,
    SealRecord,
    StepPayload,
    StepRecord,
)
from spine.contracts.spans import SpanFacts
from spine.contracts.statements import InsertRows
from spine.orchestrator.context import WriteContext
from spine.orchestrator.coordinators.known_spans import KnownSpan, known_span
from spine.orchestrator.leaves import seal_leaves
from spine.services.commitments import commitment
from spine.services.proof.hashing import GENESIS, evidence_genesis, evidence_hash, step_hash, trace_genesis
from spine.services.proof.seal import build_seal, needs_seal
from spine.storage.sessions import WriteSession


class RecordingPorts(Struct, frozen=True):
    """The capabilities that recording and judging runs take."""

    traces: TraceWriting
    folding: RunFolding
    rules: RuleEvaluation
    limits: LimitMeasuring
    incidents: IncidentOpening
    signals: SignalRaising
    pricing: ModelPricing


CAPABILITIES = (
    "activity.run_folding_capability",
    "activity.signal_raising_capability",
    "analytics.model_pricing_capability",
    "controls.limit_measuring_capability",
    "incidents.incident_opening_capability",
    "logs.trace_writing_capability",
    "policies.rule_evaluation_capability",
)


def recording_ports(ctx: WriteContext) -> RecordingPorts:
    """The capabilities through the operation's bridges."""
    return RecordingPorts(
        ctx.bridge("logs").trace_writing_capability(),
        ctx.bridge("activity").run_folding_capability(),
        ctx.bridge("policies").rule_evaluation_capability(),
        ctx.bridge("controls").limit_measuring_capability(),
        ctx.bridge("incidents").incident_opening_capability(),
        ctx.bridge("activity").signal_raising_capability(),
        ctx.bridge("analytics").model_pricing_capability(),
    )


async def lock_traces(ctx: WriteContext, ports: RecordingPorts, trace_ids: Sequence[str]) -> dict[str, "TraceState"]:
    """Lock the heads of traces, making those that are new, and read what is stored of the others."""
    if not trace_ids:
        return {}
    session = ctx.session
    new = [TraceHead(trace_id, 0, GENESIS, 0) for trace_id in trace_ids]
    created = await session.insert(ports.traces.create_heads(new, ctx.now))
    heads = await session.fetch(ports.traces.lock_heads(trace_ids))
    steps: dict[str, list[KnownStep]] = {head.trace_id: [] for head in heads}
    runs: dict[str, list[RunRow]] = {head.trace_id: [] for head in heads}
    if created < len(trace_ids):
        known_steps, known_runs = await session.fetch_together(
            [ports.traces.known_steps(trace_ids), ports.folding.known_runs(trace_ids)],
        )
        for step in known_steps:
            steps[step.trace_id].append(step)
        for run in known_runs:
            runs[run.trace_id].append(run)
    tenant_id = ctx.principal.tenant_id
    return {head.trace_id: TraceState(tenant_id, head, steps[head.trace_id], runs[head.trace_id]) for head in heads}


class TraceState:
    """A trace under its head's lock: what is stored of it, and what this write adds."""

    def __init__(self, tenant_id: UUID, head: TraceHead, steps: Sequence[KnownStep], runs: Sequence[RunRow]) -> None:
        self.trace_id = head.trace_id
        self.stored = head
        self.steps = list(steps)
        self.runs = {run.id: run for run in runs}
        self.refused_count = head.refused_count
        self.known = {step.span_id: known_span(step) for step in steps}
        self.known |= {run.span_id: known_span(run) for run in runs if not run.named_after_root}
        self._head_hash = head.head_hash if head.step_count else trace_genesis(tenant_id, head.trace_id)
        self.new_payloads: dict[int, StepPayload] = {}

    @property
    def head(self) -> TraceHead:
        """The head as it will be."""
        return TraceHead(self.trace_id, len(self.steps), self._head_hash, self.refused_count)

    def preview(self, span: SpanFacts, price: PriceQuote | None, ahead: int) -> KnownStep:
        """What a span would be as a step, `ahead` places after the chain's end; nothing is chained."""
        return _known(_step_record(span, price, len(self.steps) + ahead, self._head_hash), span.salt)

    def append(self, span: SpanFacts, price: PriceQuote | None) -> StepRecord:
        """Chain one more step."""
        record = _step_record(span, price, len(self.steps), self._head_hash)
        self._head_hash = record.step_hash
        self.new_payloads[record.step_index] = payload_of(span, record.step_index)
        self.known[span.span_id] = KnownSpan(span.salt, record.span_digest, None)
        self.steps.append(_known(record, span.salt))
        return record


class Recording:
    """Everything that one write adds."""

    def __init__(self, tenant_id: UUID, now: datetime) -> None:
        self.tenant_id = tenant_id
        self.now = now
        self.heads: list[TraceHead] = []
        self.steps: list[StepRecord] = []
        self.payloads: list[StepPayload] = []
        self.run_steps: list[RunStep] = []
        self.refusals: list[Refusal] = []
        self.runs: dict[UUID, RunRow] = {}
        self.evaluations: list[EvaluationRecord] = []
        self.breaches: list[BreachRecord] = []
        self.decisions: list[DecisionRecord] = []
        self.environments: list[EnvironmentRecord] = []
        self.signals: list[NewSignal] = []
        self.incidents: list[NewIncident] = []
        self.seals: list[SealRecord] = []
        self.withdrawn: list[UUID] = []
        self.taken_back: list[IncidentCause] = []
        self.brought_back: list[IncidentCause] = []
        self.changes: list[Change] = []
        self._before: dict[UUID, RunRow] = {}

    def append(self, trace: TraceState, span: SpanFacts, price: PriceQuote | None) -> None:
        """Chain a span as a step and keep its payloads."""
        record = trace.append(span, price)
        self.steps.append(record)
        self.payloads.append(trace.new_payloads[record.step_index])

    def take(self, run: RunRow, before: RunRow | None) -> None:
        """Take a run's new state; it is written only if it differs from the state before."""
        if before is not None:
            self._before.setdefault(run.id, before)
        if not run.evidence_head:
            run = structs.replace(run, evidence_head=evidence_genesis(self.tenant_id, run.id))
        self.runs[run.id] = run

    def chain(self, run: RunRow, records: Sequence[EvidenceRecord]) -> RunRow:
        """Append records to the run's evidence chain; returns the run with its new head."""
        count, head = run.evidence_count, run.evidence_head
        for record in records:
            linked = structs.replace(record, evidence_index=count)
            head = evidence_hash(linked, head)
            self._keep(structs.replace(linked, evidence_hash=head))
            count += 1
        changed = structs.replace(run, evidence_count=count, evidence_head=head)
        self.runs[run.id] = changed
        return changed

    def _keep(self, record: EvidenceRecord) -> None:
        if isinstance(record, EvaluationRecord):
            self.evaluations.append(record)
        elif isinstance(record, BreachRecord):
            self.breaches.append(record)
        elif isinstance(record, DecisionRecord):
            self.decisions.append(record)
        else:
            self.environments.append(record)

    def changed_runs(self) -> list[RunRow]:
        """The runs that differ from what is stored."""
        return [run for key, run in self.runs.items() if run != self._before.get(key)]

    def is_empty(self) -> bool:
        """Whether this write changes nothing at all."""
        return not (self.steps or self.refusals or self.run_steps or self.changed_runs())

    async def write(self, ctx: WriteContext, ports: RecordingPorts, states: Iterable[TraceState]) -> None:
        """Seal what ended, then write everything; each seal has a leaf in the tenant's log."""
        session = ctx.session
        sealed = [run.id for run in self.runs.values() if run.seal_version]
        seals = await session.fetch(ports.traces.latest_seals(sealed)) if sealed else []
        latest = {seal.run_key: seal for seal in seals}
        hashes = {(state.trace_id, step.step_index): step.step_hash for state in states for step in state.steps}
        self._seal_ended(latest, await self._earlier(session, ports), hashes)
        await self._flush(session, ports)
        ctx.commit_to(seal_leaves(self.seals, self.now))

    async def _earlier(self, session: WriteSession, ports: RecordingPorts) -> dict[UUID, list[bytes]]:
        """The steps that earlier writes gave to runs which end, and are sealed for the first time, in this one."""
        ended = [run for run in self.runs.values() if run.state is RunState.COMPLETED and not run.seal_version]
        known = [run.id for run in ended if run.id in self._before]
        earlier: dict[UUID, list[bytes]] = {}
        for key, one in await session.fetch(ports.traces.assigned_hashes(known)) if known else []:
            earlier.setdefault(key, []).append(one)
        return earlier

    def _seal_ended(
        self,
        latest: Mapping[UUID, SealRecord],
        added: dict[UUID, list[bytes]],
        step_hashes: Mapping[tuple[str, int], bytes],
    ) -> None:
        """Seal every completed run whose steps, sealed fields or evidence changed; `added` are unsealed steps."""
        for step in self.run_steps:
            added.setdefault(step.run_key, []).append(step_hashes[step.trace_id, step.step_index])
        for run in list(self.runs.values()):
            previous = latest.get(run.id)
            if run.state is not RunState.COMPLETED or run.withdrawn:
                continue
            hashes = added.get(run.id, [])
            if not needs_seal(run, previous, hashes):
                continue
            seal = build_seal(run, previous, hashes, self.now)
            self.seals.append(seal)
            self.runs[run.id] = structs.replace(run, seal_version=seal.version)

    async def _flush(self, session: WriteSession, ports: "RecordingPorts") -> None:
        """Write everything, one statement a table."""
        traces, rules, limits = ports.traces, ports.rules, ports.limits
        incidents, signals, folding = ports.incidents, ports.signals, ports.folding
        inserts: tuple[tuple[Sequence[object], Callable[[], InsertRows]], ...] = (
            (self.heads, lambda: traces.move_heads(self.heads, self.now)),
            (self.steps, lambda: traces.insert_steps(self.steps)),
            (self.payloads, lambda: traces.insert_payloads(self.payloads)),
            (self.run_steps, lambda: traces.insert_run_steps(self.run_steps)),
            (self.refusals, lambda: traces.insert_refusals(self.refusals)),
            (self.evaluations, lambda: rules.insert_evaluations(self.evaluations)),
            (self.decisions, lambda: rules.insert_decisions(self.decisions)),
            (self.breaches, lambda: limits.insert_breaches(self.breaches)),
            (self.environments, lambda: traces.insert_environments(self.environments)),
            (self.seals, lambda: traces.insert_seals(self.seals)),
        )
        for rows, statement in inserts:
            if rows:
                await session.insert(statement())
        if self.signals:
            raised = await session.insert_new(signals.insert_signals(self.signals))
            self._announce(Topic.SIGNALS, ChangeKind.ADDED, raised)
        await self._show_incidents(session, incidents)
        changed = self.changed_runs()
        if changed:
            await session.insert(folding.put_runs(changed))
            self.changes += [Change(Topic.RUNS, self._kind(run), run.id) for run in changed]

    def _announce(self, topic: Topic, kind: ChangeKind, keys: Iterable[UUID]) -> None:
        self.changes += [Change(topic, kind, key) for key in keys]

    def _kind(self, run: RunRow) -> ChangeKind:
        if run.withdrawn:
            return ChangeKind.WITHDRAWN
        return ChangeKind.CHANGED if run.id in self._before else ChangeKind.ADDED

    async def _show_incidents(self, session: WriteSession, incidents: IncidentOpening) -> None:
        """Open incidents, hide and show them as corrected totals say, and count what is shown."""
        if self.incidents:
            opened = await session.insert_new(incidents.insert_incidents(self.incidents))
            self._announce(Topic.INCIDENTS, ChangeKind.ADDED, opened)
        if self.brought_back:
            shown = await session.fetch(incidents.restore_causes(self.brought_back))
            self._announce(Topic.INCIDENTS, ChangeKind.RESTORED, shown)
        if self.taken_back:
            hidden = await session.fetch(incidents.withdraw_causes(self.taken_back))
            self._announce(Topic.INCIDENTS, ChangeKind.WITHDRAWN, hidden)
        if self.withdrawn:
            hidden = await session.fetch(incidents.withdraw_incidents(self.withdrawn))
            self._announce(Topic.INCIDENTS, ChangeKind.WITHDRAWN, hidden)
        concerned = {one.run_key for one in self.incidents} | {cause.run_key for cause in self.taken_back}
        if concerned:
            counts = dict(await session.fetch(incidents.count_for_runs(list(concerned))))
            for key in concerned:
                self.runs[key] = structs.replace(self.runs[key], incident_count=counts.get(key, 0))


def payload_of(span: SpanFacts, index: int) -> StepPayload:
    """A span's payload as it is kept beside the step with this chain number."""
    return StepPayload(span.trace_id, index, span.input, span.output, span.attributes, span.salt, None)


def _step_record(span: SpanFacts, price: PriceQuote | None, index: int, prev_hash: bytes) -> StepRecord:
    salt = span.salt
    record = StepRecord(
        trace_id=span.trace_id,
        step_index=index,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        skill_name=span.skill_name,
        status=span.status,
        outcome_code=span.outcome_code,
        status_message=span.status_message,
        started_ns=span.started_ns,
        ended_ns=max(span.ended_ns, span.started_ns),  # 0 when the span says no end
        provider=span.provider,
        provider_type=span.provider_type,
        model=span.model,
        input_tokens=span.input_tokens,
        output_tokens=span.output_tokens,
        cost_micro_usd=None if price is None else price.cost_micro_usd,
        price_version=None if price is None else price.price_version,
        finish_reason=span.finish_reason,
        response_id=span.response_id,
        marked=span.marked,
        span_digest=commitment(salt, span.digest),
        input_digest=None if span.input is None else commitment(salt, span.input),
        output_digest=None if span.output is None else commitment(salt, span.output),
        attributes_digest=commitment(salt, span.attributes),
        prev_hash=prev_hash,
        step_hash=GENESIS,
        salted=True,
    )
    return structs.replace(record, step_hash=step_hash(record))


def _known(record: StepRecord, salt: bytes) -> KnownStep:
    return KnownStep(
        trace_id=record.trace_id,
        step_index=record.step_index,
        span_id=record.span_id,
        parent_span_id=record.parent_span_id,
        name=record.name,
        kind=record.kind,
        skill_name=record.skill_name,
        status=record.status,
        outcome_code=record.outcome_code,
        status_message=record.status_message,
        started_ns=record.started_ns,
        ended_ns=record.ended_ns,
        provider=record.provider,
        provider_type=record.provider_type,
        model=record.model,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cost_micro_usd=record.cost_micro_usd,
        span_digest=record.span_digest,
        step_hash=record.step_hash,
        salt=salt,
        redacted_at=None,
        run_key=None,
    )
