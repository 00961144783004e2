"""Ports: what one domain offers to the others through its bridge, as protocols of statement builders and judgements.

A bridge capability returns an object of one of these. Statement builders never run anything; the caller runs them in
its own session, so that several domains share one snapshot or one transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import (
    ActorKind,
    Consequence,
    CostStatus,
    EvaluationOutcome,
    IncidentCategory,
    IncidentSeverity,
    IncidentTrigger,
    LimitLevel,
    LimitType,
    ProviderType,
    RefusalKind,
    RiskLevel,
    RuleMode,
    RulePhase,
    RunSource,
    RunState,
    RunStatus,
    Scope,
    SignalSeverity,
    SignalType,
    StepKind,
    StepStatus,
    TerminationReason,
)
from spine.contracts.evidence import DecisionSummary, IncidentSummary, LimitHitSummary, PolicyEvaluationSummary
from spine.contracts.ledger import AuditEvent
from spine.contracts.policy_facts import FactValue
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EvaluationRecord,
    SealRecord,
    StepPayload,
    StepRecord,
)
from spine.contracts.runs import PolicyContext
from spine.contracts.spans import SpanFacts, SpanRecord
from spine.contracts.statements import InsertRows, Read

T = TypeVar("T")


class Ranked(Struct, Generic[T], frozen=True, gc=False):
    """One row below a parent, with the length of the parent's whole list."""

    parent: UUID
    total: int
    value: T


class IncidentsForRun(Protocol):
    """`incidents_for_run_capability`: the newest `first` incidents below each run, with totals."""

    def incidents_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[IncidentSummary]]:
        """Rows ranked newest first per run; a run without incidents has no row."""


class PolicyEvaluations(Protocol):
    """`policy_evaluations_capability`: what rules said of runs, for people and for verification."""

    def evaluations_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[PolicyEvaluationSummary]]:
        """Newest first per run; ALLOW summed per rule version, of RUN_END evaluations only each rule's latest."""

    def decisions_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[DecisionSummary]]:
        """Newest first per run."""

    def evaluation_records(self, run_keys: Sequence[UUID], most: int) -> Read[EvaluationRecord]:
        """Every stored evaluation, at most `most` a run, for recomputing the evidence chain."""

    def decision_records(self, run_keys: Sequence[UUID], most: int) -> Read[DecisionRecord]:
        """Every stored decision, at most `most` a run."""


class LimitBreaches(Protocol):
    """`limit_breaches_capability`: which limits runs reached, for people and for verification."""

    def breaches_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[LimitHitSummary]]:
        """Newest first per run: the latest state of each limit that is still reached."""

    def breach_records(self, run_keys: Sequence[UUID], most: int) -> Read[BreachRecord]:
        """Every stored breach, at most `most` a run."""


class ActiveRule(Struct, frozen=True, gc=False, kw_only=True):
    """A rule in force, as evaluation needs it."""

    rule_id: UUID
    name: str
    version: int
    digest: bytes
    phase: RulePhase
    mode: RuleMode
    consequence: Consequence
    scope: Scope
    scope_id: str | None
    condition: str


class Subject(Struct, frozen=True, gc=False):
    """What a rule judges: a step (its chain number) or the run itself (None), with its facts."""

    step_index: int | None
    facts: Mapping[str, FactValue]


class RuleVerdict(Struct, frozen=True, gc=False, kw_only=True):
    """What one rule said: ALLOW summed over all subjects, anything else one verdict a subject."""

    rule: ActiveRule
    outcome: EvaluationOutcome
    count: int
    step_index: int | None
    facts: str
    reason: str


class RuleEvaluation(Protocol):
    """`rule_evaluation_capability`: the rules in force, their judgement, and where it is written."""

    def active_rules(self) -> Read[ActiveRule]:
        """Every ACTIVE rule whose mode is not DISABLED, in its current version, by name."""

    def judge(self, rules: Sequence[ActiveRule], phase: RulePhase, subjects: Sequence[Subject]) -> list[RuleVerdict]:
        """Evaluate the rules of this phase whose scope covers the subjects; pure, never raises for a bad fact."""

    def insert_evaluations(self, records: Sequence[EvaluationRecord]) -> InsertRows:
        """Append evaluations."""

    def insert_decisions(self, records: Sequence[DecisionRecord]) -> InsertRows:
        """Append decisions."""

    def final_outcomes(self, run_keys: Sequence[UUID]) -> Read[EvaluationRecord]:
        """Of each run and rule the latest RUN_END evaluation."""


class ActiveLimit(Struct, frozen=True, gc=False, kw_only=True):
    """A limit in force; `max_value` is an integer in ms, tokens, micro-USD or failed steps."""

    limit_id: UUID
    name: str
    limit_type: LimitType
    scope: Scope
    scope_id: str | None
    max_value: int
    consequence: Consequence


class RunMeasure(Struct, frozen=True, gc=False, kw_only=True):
    """What a run has used so far; None where it is not known."""

    agent_id: str
    project_id: str
    time_ms: int | None
    tokens: int | None
    cost_micro_usd: int | None
    failures: int


class LimitReading(Struct, frozen=True, gc=False):
    """A limit that applies to a run and what the run has used of it; level None is below 80 %."""

    limit: ActiveLimit
    value: int
    level: LimitLevel | None


class LimitMeasuring(Protocol):
    """`limit_measuring_capability`: the limits in force, how runs stand against them, and where hits are written."""

    def active_limits(self) -> Read[ActiveLimit]:
        """Every ACTIVE limit."""

    def applicable(self, limits: Sequence[ActiveLimit], agent_id: str, project_id: str) -> list[ActiveLimit]:
        """Of each type the limit with the narrowest scope that covers the agent and project; the lowest of equals."""

    def read_limits(self, limits: Sequence[ActiveLimit], measure: RunMeasure) -> list[LimitReading]:
        """How the run stands against its applicable limits."""

    def insert_breaches(self, records: Sequence[BreachRecord]) -> InsertRows:
        """Append hits."""

    def latest_breaches(self, run_keys: Sequence[UUID]) -> Read[BreachRecord]:
        """Of each run and limit the latest record."""


class NewIncident(Struct, frozen=True, gc=False, kw_only=True):
    """A cause that opens an incident; the same cause in the same run opens none again."""

    id: UUID
    run_key: UUID
    trigger_type: IncidentTrigger
    trigger_id: UUID | None
    trigger_name: str | None
    title: str
    severity: IncidentSeverity
    category: IncidentCategory
    error_code: str | None
    error_message: str | None
    created_at: datetime


class IncidentOpening(Protocol):
    """`incident_opening_capability`: how causes become incidents."""

    def for_failure(
        self, run_key: UUID, agent_name: str, code: str | None, message: str | None, now: datetime
    ) -> NewIncident:
        """The incident of a failed run; severity by failure code."""

    def for_policy(self, run_key: UUID, agent_name: str, verdict: RuleVerdict, now: datetime) -> NewIncident:
        """The incident of a BLOCK whose consequence asks for one."""

    def for_limit(self, run_key: UUID, agent_name: str, reading: LimitReading, now: datetime) -> NewIncident:
        """The incident of a breach whose consequence asks for one."""

    def insert_incidents(self, incidents: Sequence[NewIncident]) -> InsertRows:
        """Open incidents; causes that are known are left out."""

    def count_for_runs(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, int]]:
        """How many incidents each run has; a run without any has no row."""

    def withdraw_incidents(self, run_keys: Sequence[UUID]) -> object:
        """A Write that hides the incidents of withdrawn runs."""


class PriceQuote(Struct, frozen=True, gc=False):
    """The price of a model call: micro-USD, and the version of the price that gave it."""

    cost_micro_usd: int
    price_version: str


class TenantPrice(Struct, frozen=True, gc=False, kw_only=True):
    """A tenant's own price in force."""

    provider: str
    model: str
    input_micro_usd_per_million: int
    output_micro_usd_per_million: int
    version: str


class ModelPricing(Protocol):
    """`model_pricing_capability`: what model calls cost."""

    def tenant_prices(self) -> Read[TenantPrice]:
        """The tenant's own prices in force."""

    def quote(
        self,
        prices: Sequence[TenantPrice],
        provider: str | None,
        model: str | None,
        input_tokens: int | None,
        output_tokens: int | None,
    ) -> PriceQuote | None:
        """What a call costs; None when the model or its tokens are unknown."""


class TraceHead(Struct, frozen=True, gc=False):
    """The head of a trace's chain."""

    trace_id: str
    step_count: int
    head_hash: bytes
    refused_count: int


class KnownStep(Struct, frozen=True, gc=False, kw_only=True):
    """What assignment and totals need of a step that is already chained; `run_key` None is not assigned yet."""

    trace_id: str
    step_index: int
    span_id: str
    parent_span_id: str | None
    name: str
    kind: StepKind
    status: StepStatus
    outcome_code: str | None
    status_message: str | None
    started_ns: int
    ended_ns: int
    provider: str | None
    provider_type: ProviderType
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    span_digest: bytes
    step_hash: bytes
    run_key: UUID | None


class Refusal(Struct, frozen=True, gc=False, kw_only=True):
    """A span that was not taken as a step, kept for people."""

    id: UUID
    trace_id: str | None
    span_id: str | None
    kind: RefusalKind
    reason: str
    span_digest: bytes | None
    body: bytes | None
    refused_at: datetime


class RunStep(Struct, frozen=True, gc=False):
    """A step's place in its run."""

    run_key: UUID
    position: int
    trace_id: str
    step_index: int


class TraceWriting(Protocol):
    """`trace_writing_capability`: the chain's write side."""

    def create_heads(self, heads: Sequence[TraceHead], now: datetime) -> InsertRows:
        """Make heads for traces that have none."""

    def lock_heads(self, trace_ids: Sequence[str]) -> Read[TraceHead]:
        """Lock the heads, in the order of their ids."""

    def move_heads(self, heads: Sequence[TraceHead], now: datetime) -> InsertRows:
        """Write the heads' new state."""

    def known_steps(self, trace_ids: Sequence[str]) -> Read[KnownStep]:
        """Every chained step of the traces, by trace and chain number."""

    def known_refusals(self, trace_ids: Sequence[str]) -> Read[tuple[str, str, bytes]]:
        """Trace id, span id and digest of every differing duplicate that was kept."""

    def insert_steps(self, steps: Sequence[StepRecord]) -> InsertRows:
        """Append steps."""

    def insert_payloads(self, payloads: Sequence[StepPayload]) -> InsertRows:
        """Append payloads."""

    def insert_run_steps(self, steps: Sequence[RunStep]) -> InsertRows:
        """Append assignments."""

    def insert_refusals(self, refusals: Sequence[Refusal]) -> InsertRows:
        """Keep refused spans."""

    def latest_seals(self, run_keys: Sequence[UUID]) -> Read[SealRecord]:
        """The newest seal of each run."""

    def insert_seals(self, seals: Sequence[SealRecord]) -> InsertRows:
        """Append seals."""


class TraceHeadSummary(Struct, frozen=True, gc=False, kw_only=True):
    """A trace as proof shows it."""

    trace_id: str
    step_count: int
    refused_count: int
    head_hash: bytes
    created_at: datetime


class TracesStore(Protocol):
    """`traces_store_capability`: the chain's read side."""

    def step_records(self, run_keys: Sequence[UUID]) -> Read[tuple[RunStep, StepRecord | None]]:
        """The runs' steps by run and position; None where an assignment has lost its step."""

    def seals(self, run_keys: Sequence[UUID]) -> Read[SealRecord]:
        """Every seal of the runs, by run and version."""

    def payloads(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, StepPayload]]:
        """The payloads of the runs' steps, by run and position."""

    def heads(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, TraceHeadSummary]]:
        """The traces that hold steps of the runs."""


class FeedbackEvent(Struct, frozen=True, gc=False, kw_only=True):
    """A ledger entry about a signal, as folding needs it."""

    fingerprint: str
    event_type: str
    actor: Actor
    reason: str | None
    after_state: str | None
    created_at: datetime


class AuditLedgerRead(Protocol):
    """`audit_ledger_read_capability`: what the ledger says of signals."""

    def feedback_events(self, fingerprints: Sequence[str]) -> Read[FeedbackEvent]:
        """Every feedback entry of the signals, oldest first (ties by id)."""


class AuditLedgerWrite(Protocol):
    """`audit_ledger_write_capability`: how the registry records a change."""

    def insert_entries(
        self, events: Sequence[AuditEvent], operation: str, actor: Actor, request_id: str, now: datetime
    ) -> InsertRows:
        """Append one entry an event."""


class SpanMapping(Protocol):
    """`span_mapping_capability`: what the GenAI conventions say of a span."""

    def __call__(self, span: SpanRecord) -> SpanFacts:
        """The facts of one span."""


class RunRow(Struct, frozen=True, gc=False, kw_only=True):
    """A run exactly as it is stored; fields in the order of their columns."""

    id: UUID
    trace_id: str
    span_id: str
    parent_span_id: str | None
    parent_run_id: UUID | None
    named_after_root: bool
    withdrawn: bool
    agent_id: str
    agent_name: str
    actor_kind: ActorKind
    actor_id: str | None
    origin_system_id: str
    project_id: str
    conversation_id: str | None
    source: RunSource
    is_synthetic: bool
    provider: str | None
    provider_type: ProviderType
    model: str | None
    goal: str | None
    error_code: str | None
    error_message: str | None
    status: RunStatus
    state: RunState
    termination_reason: TerminationReason | None
    started_ns: int
    completed_ns: int | None
    last_seen_ns: int
    own_input_tokens: int | None
    own_output_tokens: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    cost_status: CostStatus
    step_count: int
    failed_step_count: int
    missing_span_count: int
    refused_span_count: int
    risk_level: RiskLevel
    policy_violation: bool
    incident_count: int
    evidence_count: int
    evidence_head: bytes
    seal_version: int
    attributes: bytes
    span_digest: bytes
    created_at: datetime


class TraceFold(Struct, frozen=True):
    """What all known spans of one trace make: its runs, and which step belongs to which of them.

    `assigned` maps a step's span id to its run's key; a step whose ancestors are not all known is not in it.
    """

    runs: tuple[RunRow, ...]
    assigned: Mapping[str, UUID]


class SpanCost(Protocol):
    """Prices a span's own usage: (provider, model, input tokens, output tokens) to micro-USD or None."""

    def __call__(
        self, provider: str | None, model: str | None, input_tokens: int | None, output_tokens: int | None
    ) -> int | None:
        """The cost, None when unknown."""


class RunFolding(Protocol):
    """`run_folding_capability`: the runs of a trace as a function of all its spans."""

    def fold(
        self,
        runs: Sequence[RunRow],
        steps: Sequence[KnownStep],
        agents: Sequence[SpanFacts],
        roots: Sequence[SpanFacts],
        cost_of: SpanCost,
        refused: int,
        now: datetime,
    ) -> TraceFold:
        """Fold stored runs, all steps (stored and new) and the new agent and root spans into the trace's runs."""

    def known_runs(self, trace_ids: Sequence[str]) -> Read[RunRow]:
        """Every run of the traces."""

    def put_runs(self, runs: Sequence[RunRow]) -> InsertRows:
        """Write runs, new or changed."""


class NewSignal(Struct, frozen=True, gc=False, kw_only=True):
    """A warning about a run; the same fingerprint is written once."""

    id: UUID
    run_key: UUID
    fingerprint: str
    type: SignalType
    severity: SignalSeverity
    dimension: str
    source: str
    summary: str
    policy_context: PolicyContext | None
    created_at: datetime


class SignalRaising(Protocol):
    """`signal_raising_capability`: what governance saw, as signals; None where it is not worth one."""

    def for_verdict(self, tenant_id: UUID, run: RunRow, verdict: RuleVerdict, now: datetime) -> NewSignal | None:
        """POLICY_BREACH for a BLOCK, a WARN or an ERROR."""

    def for_reading(self, tenant_id: UUID, run: RunRow, reading: LimitReading, now: datetime) -> NewSignal | None:
        """THRESHOLD_PROXIMITY for NEAR; COST_, TOKEN_, TIME_RISK or RELIABILITY for a BREACH."""

    def for_failure(self, tenant_id: UUID, run: RunRow, now: datetime) -> NewSignal:
        """RELIABILITY for a failed run."""

    def for_degraded(self, tenant_id: UUID, run: RunRow, now: datetime) -> NewSignal:
        """EVIDENCE_DEGRADED for a run whose evidence is not whole."""

    def insert_signals(self, signals: Sequence[NewSignal]) -> InsertRows:
        """Raise signals; known fingerprints are left out."""
