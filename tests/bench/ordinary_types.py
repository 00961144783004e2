"""The ordinary server's GraphQL types: a class a type, a resolver a field that must be loaded."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import strawberry

from spine.contracts import ports, records
from spine.contracts.log import PlacedLeaf
from spine.services.clock import from_ns
from spine.services.ids import node_id
from spine.services.proof.verify import StoredRun, verify_run
from tests.bench import hand_written_answer as by_hand

Loaded = Any


@strawberry.enum
class RunOrder(Enum):
    """The order of runs."""

    STARTED_AT_DESC = "desc"
    STARTED_AT_ASC = "asc"


@strawberry.type
class Incident:
    id: strawberry.ID
    severity: str
    title: str
    created_at: datetime


@strawberry.type
class PolicyEvaluation:
    id: strawberry.ID
    policy_name: str
    rule_version: int
    outcome: str
    count: int
    evaluated_at: datetime


@strawberry.type
class LimitBreach:
    id: strawberry.ID
    limit_name: str
    breached_value: str
    threshold_value: str
    breached_at: datetime


@strawberry.type
class Decision:
    id: strawberry.ID
    decision_type: str
    outcome: str
    decided_at: datetime


@strawberry.type
class Incidents:
    total_count: int
    nodes: list[Incident]


@strawberry.type
class PolicyEvaluations:
    total_count: int
    nodes: list[PolicyEvaluation]


@strawberry.type
class LimitBreaches:
    total_count: int
    nodes: list[LimitBreach]


@strawberry.type
class Decisions:
    total_count: int
    nodes: list[Decision]


@strawberry.type
class EvidenceSource:
    domain: str
    status: str
    truncated: bool


@strawberry.type
class Evidence:
    run: strawberry.Private[Loaded]
    computed_at: datetime

    @strawberry.field
    async def incidents_caused(self, info: strawberry.Info, first: int) -> Incidents:
        """Newest first."""
        found = await info.context["incidents"].load(self.run.id)
        shown = [one for one in found if not one.withdrawn]
        nodes = [
            Incident(
                id=strawberry.ID(node_id("Incident", one.id)),
                severity=one.severity,
                title=one.title,
                created_at=one.created_at,
            )
            for one in shown[:first]
        ]
        return Incidents(total_count=len(shown), nodes=nodes)

    @strawberry.field
    async def policies_evaluated(self, info: strawberry.Info, first: int) -> PolicyEvaluations:
        """Newest first, ALLOW summed."""
        found = by_hand.policies_of(await info.context["evaluations"].load(self.run.id))
        return PolicyEvaluations(total_count=len(found), nodes=_built(PolicyEvaluation, found[:first]))

    @strawberry.field
    async def limits_hit(self, info: strawberry.Info, first: int) -> LimitBreaches:
        """Newest first."""
        found = by_hand.limits_of(await info.context["breaches"].load(self.run.id))
        return LimitBreaches(total_count=len(found), nodes=_built(LimitBreach, found[:first]))

    @strawberry.field
    async def decisions_made(self, info: strawberry.Info, first: int) -> Decisions:
        """Newest first."""
        found = by_hand.decisions_of(await info.context["decisions"].load(self.run.id))
        return Decisions(total_count=len(found), nodes=_built(Decision, found[:first]))

    @strawberry.field
    async def sources(self, info: strawberry.Info) -> list[EvidenceSource]:
        """Whether there is more than is shown."""
        incidents = [one for one in await info.context["incidents"].load(self.run.id) if not one.withdrawn]
        policies = by_hand.policies_of(await info.context["evaluations"].load(self.run.id))
        decisions = await info.context["decisions"].load(self.run.id)
        limits = by_hand.limits_of(await info.context["breaches"].load(self.run.id))
        cut = {
            "INCIDENTS": len(incidents) > by_hand.INCIDENTS_SHOWN,
            "POLICIES": len(policies) > by_hand.POLICIES_SHOWN or len(decisions) > by_hand.DECISIONS_SHOWN,
            "CONTROLS": len(limits) > by_hand.LIMITS_SHOWN,
        }
        return [EvidenceSource(domain=name, status="OK", truncated=more) for name, more in cut.items()]


@strawberry.type
class FirstBreak:
    step_index: int | None
    kind: str


@strawberry.type
class Integrity:
    model: str
    verification_status: str
    root_hash: str | None
    chain_length: int
    failure_reason: str | None
    first_break: FirstBreak | None


@strawberry.type
class Proof:
    run: strawberry.Private[Loaded]
    verified_at: datetime

    @strawberry.field
    async def integrity(self, info: strawberry.Info) -> Integrity:
        """Recomputed from what is stored."""
        key, load = self.run.id, info.context
        evidence = [
            *_records(records.EvaluationRecord, await load["evaluations"].load(key)),
            *_records(records.DecisionRecord, await load["decisions"].load(key)),
            *_records(records.BreachRecord, await load["breaches"].load(key)),
            *_records(records.EnvironmentRecord, await load["environments"].load(key)),
        ]
        evidence.sort(key=lambda one: one.evidence_index)
        sealed = await load["seals"].load(key)
        stored = StoredRun(
            run=_record(ports.RunRow, self.run),
            seals=_records(records.SealRecord, [seal for seal, _ in sealed]),
            leaves=[None if leaf is None else _record(PlacedLeaf, leaf) for _, leaf in sealed],
            steps=[_placed(*one) for one in await load["steps"].load(key)],
            evidence=evidence,
        )
        verdict = verify_run(load["tenant"].tenant_id, stored)
        found = verdict.first_break
        return Integrity(
            model=verdict.model,
            verification_status=verdict.verification_status,
            root_hash=verdict.root_hash,
            chain_length=verdict.chain_length,
            failure_reason=verdict.failure_reason,
            first_break=None if found is None else FirstBreak(step_index=found.step_index, kind=found.kind),
        )


@strawberry.type
class Actor:
    kind: str
    id: str | None
    name: str | None


@strawberry.type
class Feedback:
    acknowledged: bool
    acknowledged_by: Actor | None
    acknowledged_at: datetime | None
    suppressed: bool
    suppressed_until: datetime | None
    escalated: bool


@strawberry.type
class Signal:
    id: strawberry.ID
    type: str
    severity: str
    fingerprint: str
    created_at: datetime

    @strawberry.field
    async def feedback(self, info: strawberry.Info) -> Feedback:
        """What the ledger says of it."""
        entries = [_entry(one) for one in await info.context["feedback"].load(self.fingerprint)]
        state = by_hand.feedback_of(entries, datetime.now(UTC)).get(self.fingerprint, by_hand.NO_FEEDBACK)
        by = state["acknowledgedBy"]
        return Feedback(**{**_snake(state), "acknowledged_by": None if by is None else Actor(**by)})


@strawberry.type
class Signals:
    total_count: int
    nodes: list[Signal]


@strawberry.type
class Run:
    run: strawberry.Private[Loaded]
    id: strawberry.ID
    agent_name: str
    provider: str | None
    model: str | None
    status: str
    state: str
    risk_level: str
    started_at: datetime
    completed_at: datetime | None
    duration_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: str | None
    cost_status: str

    @classmethod
    def of(cls, run: Loaded) -> "Run":
        """The type's object of an entity."""
        ended = run.completed_ns
        return cls(
            run=run,
            id=strawberry.ID(node_id("Run", run.id)),
            agent_name=run.agent_name,
            provider=run.provider,
            model=run.model,
            status=run.status,
            state=run.state,
            risk_level=run.risk_level,
            started_at=from_ns(run.started_ns),
            completed_at=None if ended is None else from_ns(ended),
            duration_ms=None if ended is None else (ended - run.started_ns) // 1_000_000,
            input_tokens=run.input_tokens,
            output_tokens=run.output_tokens,
            cost_usd=None if run.cost_micro_usd is None else by_hand.usd(run.cost_micro_usd),
            cost_status=run.cost_status,
        )

    @strawberry.field
    def evidence(self) -> Evidence:
        """What it touched."""
        return Evidence(run=self.run, computed_at=datetime.now(UTC))

    @strawberry.field
    def proof(self) -> Proof:
        """Whether it is what was sealed."""
        return Proof(run=self.run, verified_at=datetime.now(UTC))

    @strawberry.field
    async def signals(self, info: strawberry.Info, first: int) -> Signals:
        """Newest first."""
        found = await info.context["signals"].load(self.run.id)
        nodes = [
            Signal(
                id=strawberry.ID(node_id("Signal", one.id)),
                type=one.type,
                severity=one.severity,
                fingerprint=one.fingerprint,
                created_at=one.created_at,
            )
            for one in found[:first]
        ]
        return Signals(total_count=len(found), nodes=nodes)


@strawberry.type
class RunEdge:
    node: Run


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class RunConnection:
    total_count: int
    page_info: PageInfo
    edges: list[RunEdge]


def _built(kind: Any, found: Sequence[by_hand.Json]) -> list[Any]:
    return [kind(**_snake(one)) for one in found]


def _snake(named: by_hand.Json) -> dict[str, Any]:
    return {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name): value for name, value in named.items()}


def _record(record: Any, entity: Loaded) -> Any:
    names = record.__struct_fields__
    return record(**{name: getattr(entity, "run_id" if name == "run_key" else name) for name in names})


def _records(record: Any, entities: Sequence[Loaded]) -> list[Any]:
    return [_record(record, one) for one in entities]


def _placed(place: Loaded, step: Loaded | None) -> tuple[ports.RunStep, records.StepRecord | None]:
    return _record(ports.RunStep, place), None if step is None else _record(records.StepRecord, step)


def _entry(one: Loaded) -> tuple[Any, ...]:
    actor = one.actor_kind, one.actor_id, one.actor_name
    return one.entity_id, one.event_type, *actor, one.after_state, one.created_at
