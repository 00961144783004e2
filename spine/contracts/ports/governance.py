"""Ports that runs are judged, measured and priced through, and that open incidents."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import (
    Consequence,
    EvaluationOutcome,
    IncidentCategory,
    IncidentSeverity,
    IncidentTrigger,
    LimitLevel,
    LimitType,
    RuleMode,
    RulePhase,
    Scope,
)
from spine.contracts.policy_facts import FactValue
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EvaluationRecord,
)
from spine.contracts.statements import InsertRows, Read


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
    """What a rule judges: a step (its chain number) or the run itself (None), with its facts.

    Of payloads a verdict shows the commitment under `salt`: what a step's own record says of them. Facts that were
    erased are absent, so that a condition which reads them is an ERROR, never a guess.
    """

    step_index: int | None
    facts: Mapping[str, FactValue]
    salt: bytes | None = None


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

    engine_version: str

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

    def settled_outcomes(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, EvaluationOutcome]]:
        """What rules said of the runs' starts and steps, each outcome once a run: no later total changes these."""


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


class IncidentCause(Struct, frozen=True, gc=False):
    """What opened an incident, which is the same cause in the same run only once."""

    run_key: UUID
    trigger_type: IncidentTrigger
    trigger_id: UUID | None


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

    def withdraw_incidents(self, run_keys: Sequence[UUID]) -> Read[UUID]:
        """Hides the incidents of withdrawn runs; those that were shown."""

    def withdraw_causes(self, causes: Sequence[IncidentCause]) -> Read[UUID]:
        """Hides incidents whose cause a corrected total has taken back; those that were shown."""

    def restore_causes(self, causes: Sequence[IncidentCause]) -> Read[UUID]:
        """Shows them again, when a later correction brings the cause back; those that were hidden."""


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


class Quoting(Protocol):
    """Prices a call: (provider, model, input tokens, output tokens)."""

    def __call__(
        self, provider: str | None, model: str | None, input_tokens: int | None, output_tokens: int | None, /
    ) -> PriceQuote | None:
        """What the call costs; None when the model or its tokens are unknown."""


class ModelPricing(Protocol):
    """`model_pricing_capability`: what model calls cost."""

    def tenant_prices(self) -> Read[TenantPrice]:
        """The tenant's own prices in force."""

    def quoting(self, prices: Sequence[TenantPrice]) -> Quoting:
        """Says what calls cost, at these prices of the tenant and the shipped ones."""
