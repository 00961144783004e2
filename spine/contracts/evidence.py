"""A run's evidence: what it touched in incidents, policies and controls, and whether each could be read."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.enums import (
    DecisionOutcome,
    DecisionType,
    EvaluationOutcome,
    EvidenceDomain,
    IncidentCategory,
    IncidentSeverity,
    IncidentTrigger,
    LimitLevel,
    LimitType,
    RulePhase,
    SourceStatus,
)
from spine.contracts.paging import NestedPage, PageRequest
from spine.contracts.scalars import BigInt, Json


class IncidentSummary(Struct, frozen=True, gc=False, kw_only=True):
    """Something that went wrong, opened once for its cause."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    source_run_key: UUID
    severity: Annotated[IncidentSeverity, Meta(description="How bad it is.")]
    category: Annotated[IncidentCategory, Meta(description="What kind of thing went wrong.")]
    trigger_type: Annotated[IncidentTrigger, Meta(description="What opened it.")]
    trigger_name: Annotated[str | None, Meta(description="The rule or limit that opened it.")]
    title: Annotated[str, Meta(description="One line for people.")]
    error_code: Annotated[str | None, Meta(description="The failure's code.")]
    error_message: Annotated[str | None, Meta(description="The failure's text.")]
    created_at: Annotated[datetime, Meta(description="When it was opened (UTC).")]


class IncidentFilter(Struct, frozen=True, kw_only=True):
    """Which incidents are wanted; a list field means any of its values."""

    severity: tuple[IncidentSeverity, ...] = ()
    category: tuple[IncidentCategory, ...] = ()
    trigger_type: tuple[IncidentTrigger, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None


class ListIncidents(Struct, frozen=True, kw_only=True):
    """Ask for a page of incidents, newest first."""

    page: PageRequest
    filter: IncidentFilter = IncidentFilter()
    count: bool = False


class IncidentsByKey(Struct, frozen=True):
    """Ask for incidents by key; absent and foreign ones are left out."""

    incident_keys: tuple[UUID, ...]


class PolicyEvaluationSummary(Struct, frozen=True, gc=False, kw_only=True):
    """What one version of a rule said about a run; ALLOW is summed per rule version."""

    id: Annotated[str, Meta(description="Opaque id.")]
    policy_id: Annotated[str, Meta(description="Global id of the rule.")]
    policy_name: Annotated[str, Meta(description="The rule's name at that moment.")]
    rule_version: Annotated[int, Meta(description="The rule's version.")]
    rule_digest: Annotated[str, Meta(description="SHA-256 of that version's text, hex.")]
    phase: Annotated[RulePhase, Meta(description="When it was evaluated.")]
    outcome: Annotated[EvaluationOutcome, Meta(description="What it said.")]
    count: Annotated[BigInt, Meta(description="How many evaluations this row stands for.")]
    step_index: Annotated[int | None, Meta(description="The step that was judged; null for the run or a sum.")]
    facts: Annotated[
        Json,
        Meta(
            description="The facts that the condition read, as JSON; of a payload its length and commitment, which is "
            "the step's `inputHash` or `outputHash`."
        ),
    ]
    reason: Annotated[str, Meta(description="Why, for people.")]
    evaluated_at: Annotated[datetime, Meta(description="When (UTC).")]


class LimitHitSummary(Struct, frozen=True, gc=False, kw_only=True):
    """A run reached a limit: the value that it had then and the limit's value of that moment."""

    id: Annotated[str, Meta(description="Opaque id.")]
    limit_id: Annotated[str, Meta(description="Global id of the limit.")]
    limit_name: Annotated[str, Meta(description="The limit's name at that moment.")]
    limit_type: Annotated[LimitType, Meta(description="What it measures.")]
    level: Annotated[LimitLevel, Meta(description="NEAR or BREACH.")]
    breached_value: Annotated[Decimal, Meta(description="The run's value, in the limit's unit.")]
    threshold_value: Annotated[Decimal, Meta(description="The limit's value at that moment, in its unit.")]
    unit: Annotated[str, Meta(description="ms, tokens, USD or failures.")]
    breached_at: Annotated[datetime, Meta(description="When (UTC).")]


class DecisionSummary(Struct, frozen=True, gc=False, kw_only=True):
    """A governance decision that changed the run."""

    id: Annotated[str, Meta(description="Opaque id.")]
    decision_type: Annotated[DecisionType, Meta(description="What kind of decision.")]
    outcome: Annotated[DecisionOutcome, Meta(description="What was decided.")]
    subject_name: Annotated[str, Meta(description="The rule or limit that decided.")]
    reason: Annotated[str, Meta(description="Why, for people.")]
    decided_at: Annotated[datetime, Meta(description="When (UTC).")]


class EvidenceSource(Struct, frozen=True, gc=False):
    """Whether a domain could be read for this run; only OK makes an empty list mean that nothing happened."""

    domain: Annotated[EvidenceDomain, Meta(description="The domain that was asked.")]
    status: Annotated[SourceStatus, Meta(description="Whether it answered.")]
    truncated: Annotated[bool, Meta(description="Whether more rows exist than were returned.")]


class RunEvidence(Struct, frozen=True):
    """What a run touched. A list is None when its domain was not asked for or could not be read."""

    run_key: UUID
    run_id: Annotated[str, Meta(description="Global id of the run.")]
    incidents: NestedPage[IncidentSummary] | None
    policies: NestedPage[PolicyEvaluationSummary] | None
    limits: NestedPage[LimitHitSummary] | None
    decisions: NestedPage[DecisionSummary] | None
    sources: tuple[EvidenceSource, ...]
    computed_at: datetime


class EvidenceRequest(Struct, frozen=True, kw_only=True):
    """How many rows of each list are wanted below every run; 0 leaves the domain unread, `probe` only asks."""

    run_keys: tuple[UUID, ...]
    incidents: int = 0
    policies: int = 0
    limits: int = 0
    decisions: int = 0
    probe: frozenset[EvidenceDomain] = frozenset()
