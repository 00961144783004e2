"""Runs, agents and their counts: what the activity domain answers and asks."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.actors import Actor
from spine.contracts.capture import EnvironmentInput
from spine.contracts.enums import (
    CostStatus,
    EvidenceHealth,
    LatencyBucket,
    LimitType,
    ProviderType,
    RiskLevel,
    RiskType,
    RunSource,
    RunState,
    RunStatus,
    Scope,
    StepKind,
    StepStatus,
    TerminationReason,
    ThresholdSource,
)
from spine.contracts.paging import PageRequest
from spine.contracts.scalars import BigInt
from spine.contracts.spans import SpanBatch


class EvaluationOfLimit(StrEnum):
    """How a run stands against its governing limit; ADVISORY means that there is none or no value."""

    OK = "OK"
    NEAR_THRESHOLD = "NEAR_THRESHOLD"
    BREACH = "BREACH"
    ADVISORY = "ADVISORY"


class PolicyContext(Struct, frozen=True, gc=False):
    """The limit that governs a run most closely, and how the run stands against it."""

    policy_id: Annotated[str | None, Meta(description="The governing limit; null when none applies.")]
    policy_name: Annotated[str, Meta(description="Its name, or `Default Safety Thresholds` when none applies.")]
    policy_scope: Annotated[Scope, Meta(description="The scope at which it is set.")]
    limit_type: Annotated[LimitType | None, Meta(description="What it measures.")]
    threshold_value: Annotated[Decimal | None, Meta(description="The limit's value in its unit.")]
    threshold_unit: Annotated[str | None, Meta(description="The unit: ms, tokens, USD or failures.")]
    threshold_source: Annotated[ThresholdSource, Meta(description="Where the limit comes from.")]
    evaluation_outcome: Annotated[EvaluationOfLimit, Meta(description="How the run stands against it.")]
    actual_value: Annotated[Decimal | None, Meta(description="The run's value in the same unit.")]
    risk_type: Annotated[RiskType | None, Meta(description="What the run risks; null for failures or no limit.")]
    proximity_pct: Annotated[float | None, Meta(description="Actual by threshold, in percent, one decimal.")]


class RunSummary(Struct, frozen=True, gc=False, kw_only=True):
    """One agent run: who ran what, when, at what cost, and how close it came to its rules and limits."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    parent_key: UUID | None
    trace_id: Annotated[str, Meta(description="The trace that holds the run's steps, 32 hex characters.")]
    agent_id: Annotated[str, Meta(description="The agent's identifier.")]
    agent_name: Annotated[str, Meta(description="The agent's name.")]
    actor: Annotated[Actor, Meta(description="On whose behalf the run was made.")]
    origin_system_id: Annotated[str, Meta(description="The system that reported the run.")]
    project_id: Annotated[str, Meta(description="The project that the run belongs to.")]
    conversation_id: Annotated[str | None, Meta(description="The conversation that the run is a turn of.")]
    source: Annotated[RunSource, Meta(description="How the run reached the server.")]
    is_synthetic: Annotated[bool, Meta(description="Whether a scenario injected the run.")]
    provider: Annotated[str | None, Meta(description="The model provider's name, as reported.")]
    provider_type: Annotated[ProviderType, Meta(description="The model provider's family.")]
    model: Annotated[str | None, Meta(description="The requested model.")]
    goal: Annotated[str | None, Meta(description="What the run was asked to do.")]
    error_code: Annotated[str | None, Meta(description="The failure's code, if it failed.")]
    error_message: Annotated[str | None, Meta(description="The failure's text, if it failed.")]
    status: Annotated[RunStatus, Meta(description="Where the run stands.")]
    state: Annotated[RunState, Meta(description="Whether it is still going on.")]
    termination_reason: Annotated[TerminationReason | None, Meta(description="Why it ended.")]
    started_at: Annotated[datetime, Meta(description="When it started (UTC).")]
    completed_at: Annotated[datetime | None, Meta(description="When it ended (UTC); null while live.")]
    last_seen_at: Annotated[datetime, Meta(description="The latest time at which it was heard of (UTC).")]
    duration_ms: Annotated[BigInt | None, Meta(description="From start to end, in milliseconds; null while live.")]
    input_tokens: Annotated[BigInt | None, Meta(description="Input tokens over all leaf model calls.")]
    output_tokens: Annotated[BigInt | None, Meta(description="Output tokens over all leaf model calls.")]
    cost_usd: Annotated[Decimal | None, Meta(description="The known cost in US dollars; null when none is known.")]
    cost_status: Annotated[CostStatus, Meta(description="Whether every counted model call has a price.")]
    step_count: Annotated[int, Meta(description="How many steps the run has.")]
    failed_step_count: Annotated[int, Meta(description="How many of them failed.")]
    missing_span_count: Annotated[int, Meta(description="Spans of its trace whose parent has not arrived.")]
    refused_span_count: Annotated[int, Meta(description="Spans of its trace that were refused.")]
    risk_level: Annotated[RiskLevel, Meta(description="How close it came to its rules and limits.")]
    policy_violation: Annotated[bool, Meta(description="Whether a blocking rule was violated.")]
    incident_count: Annotated[int, Meta(description="How many incidents it caused.")]
    latency_bucket: Annotated[LatencyBucket, Meta(description="How its time compares; computed when read.")]
    evidence_health: Annotated[EvidenceHealth, Meta(description="Whether its evidence is whole; computed when read.")]
    policy_context: Annotated[PolicyContext, Meta(description="The limit that governs it most closely.")]
    created_at: Annotated[datetime, Meta(description="When the server first recorded it (UTC).")]
    redacted_at: Annotated[
        datetime | None, Meta(description="When payloads of it were last erased (UTC); null when none were.")
    ]


class RunFilter(Struct, frozen=True, kw_only=True):
    """Which runs are wanted; every given field must hold, a list field means any of its values."""

    project_id: str | None = None
    agent_id: str | None = None
    state: RunState | None = None
    status: tuple[RunStatus, ...] = ()
    risk: bool | None = None
    risk_level: tuple[RiskLevel, ...] = ()
    latency_bucket: tuple[LatencyBucket, ...] = ()
    evidence_health: tuple[EvidenceHealth, ...] = ()
    source: tuple[RunSource, ...] = ()
    provider_type: tuple[ProviderType, ...] = ()
    model: tuple[str, ...] = ()
    is_synthetic: bool | None = None
    parent_key: UUID | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    completed_after: datetime | None = None
    completed_before: datetime | None = None
    text: str | None = None


class RunOrder(StrEnum):
    """The order of a list of runs; ties are broken by id."""

    STARTED_AT_DESC = "STARTED_AT_DESC"
    STARTED_AT_ASC = "STARTED_AT_ASC"


class ListRuns(Struct, frozen=True, kw_only=True):
    """Ask for a page of runs; `count` also asks for the whole list's length.

    Without `latency` the runs have no `latency_bucket`, which takes the history of each agent to compute.
    """

    page: PageRequest
    filter: RunFilter = RunFilter()
    order: RunOrder = RunOrder.STARTED_AT_DESC
    count: bool = False
    latency: bool = True


class RunsByKey(Struct, frozen=True):
    """Ask for runs by key; absent and foreign ones are left out."""

    run_keys: tuple[UUID, ...]


class RunGrouping(StrEnum):
    """What runs are counted by."""

    STATUS = "STATUS"
    STATE = "STATE"
    RISK_LEVEL = "RISK_LEVEL"
    LATENCY_BUCKET = "LATENCY_BUCKET"
    EVIDENCE_HEALTH = "EVIDENCE_HEALTH"
    SOURCE = "SOURCE"
    PROVIDER_TYPE = "PROVIDER_TYPE"
    MODEL = "MODEL"
    AGENT = "AGENT"
    PROJECT = "PROJECT"


class CountRuns(Struct, frozen=True, kw_only=True):
    """Ask for the number of runs in each group."""

    filter: RunFilter
    group_by: RunGrouping


class RunGroup(Struct, frozen=True, gc=False):
    """How many runs share one value."""

    value: Annotated[str | None, Meta(description="The group's value; null where runs have none.")]
    count: Annotated[int, Meta(description="How many runs have it.")]
    percentage: Annotated[float, Meta(description="Share of all counted runs, in percent, two decimals.")]


class RunStats(Struct, frozen=True):
    """Counts for filter chips: every group is exact, the largest first."""

    group_by: Annotated[RunGrouping, Meta(description="What the runs were grouped by.")]
    total: Annotated[int, Meta(description="How many runs were counted.")]
    groups: Annotated[tuple[RunGroup, ...], Meta(description="The groups, largest first, at most 100.")]


class AgentSummary(Struct, frozen=True, gc=False, kw_only=True):
    """An agent, as its runs show it."""

    id: Annotated[str, Meta(description="Opaque global id.")]
    agent_id: Annotated[str, Meta(description="The agent's own identifier.")]
    name: Annotated[str, Meta(description="Its name in its latest run.")]
    run_count: Annotated[int, Meta(description="How many runs it made.")]
    failed_run_count: Annotated[int, Meta(description="How many of them failed.")]
    error_rate: Annotated[float, Meta(description="Failed by completed runs, 0 to 1.")]
    cost_usd: Annotated[Decimal | None, Meta(description="The known cost of its runs in US dollars.")]
    cost_status: Annotated[CostStatus, Meta(description="Whether that cost covers every run.")]
    last_run_at: Annotated[datetime, Meta(description="When its latest run started (UTC).")]


class ListAgents(Struct, frozen=True, kw_only=True):
    """Ask for a page of agents by identifier, over runs started in the given time."""

    page: PageRequest
    started_after: datetime | None = None
    started_before: datetime | None = None
    count: bool = False


class StartRun(Struct, frozen=True, kw_only=True):
    """Report that a run begins. R1-R8: agent and actor are mandatory, a HUMAN has an id, others have none."""

    idempotency_key: str
    agent_id: str
    agent_name: str | None = None
    actor: Actor
    origin_system_id: str
    project_id: str = "default"
    goal: str | None = None
    provider: str | None = None
    model: str | None = None
    conversation_id: str | None = None
    parent_key: UUID | None = None
    trace_id: str | None = None
    is_synthetic: bool = False
    started_at: datetime | None = None
    environment: tuple[EnvironmentInput, ...] = ()


class StepInput(Struct, frozen=True, kw_only=True):
    """One step of a run reported by mutation; `step_id` makes it safe to send twice."""

    step_id: str
    name: str
    kind: StepKind
    skill_name: str | None = None
    status: StepStatus = StepStatus.SUCCESS
    outcome_code: str | None = None
    status_message: str | None = None
    started_at: datetime
    ended_at: datetime
    provider: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input: str | None = None
    output: str | None = None


class AppendSteps(Struct, frozen=True, kw_only=True):
    """Report steps of a live run; refused as a whole when a blocking rule refuses one of them."""

    idempotency_key: str
    run_key: UUID
    steps: tuple[StepInput, ...]


class CompleteRun(Struct, frozen=True, kw_only=True):
    """Report that a run has ended; it is sealed at once."""

    idempotency_key: str
    run_key: UUID
    status: RunStatus
    error_code: str | None = None
    error_message: str | None = None
    termination_reason: TerminationReason | None = None
    completed_at: datetime | None = None


class RedactRun(Struct, frozen=True):
    """Erase the payloads of a run, for a reason that stays on record."""

    run_key: UUID
    reason: str


class RunChanged(Struct, frozen=True):
    """Which run a mutation changed; it is read again to show its new state.

    `refused_by` names the rule that refused what was reported and `reason` says why: the refusal is recorded as the
    run's evidence, what was refused is not.
    """

    run_key: UUID
    refused_by: str | None = None
    reason: str | None = None


class IngestSpans(Struct, frozen=True):
    """Take one export of spans."""

    batch: SpanBatch


class IngestOutcome(Struct, frozen=True):
    """What an export changed: spans taken as new, already known, and refused."""

    accepted: int
    duplicates: int
    refused: int
    runs: int
