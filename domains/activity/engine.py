"""Folding a trace into its runs: a pure function of all its spans, so their order of arrival can't matter.

An agent span is a run; a step belongs to its nearest agent ancestor, known only when every span between them is. A
trace without any agent span is one run per root, named after it; such a run is withdrawn when an agent span arrives.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import structs

from domains.activity.engine_totals import Totals, total_up
from spine.contracts.enums import (
    ActorKind,
    CostStatus,
    ProviderType,
    RiskLevel,
    RunSource,
    RunState,
    RunStatus,
    StepStatus,
    TerminationReason,
)
from spine.contracts.ports import KnownStep, RunRow, SpanCost, TraceFold
from spine.contracts.spans import SpanFacts
from spine.services.commitments import commitment
from spine.services.ids import uuid7

DEFAULT_PROJECT = "default"
UNKNOWN_SYSTEM = "unknown"
TIMEOUT_CODES = frozenset({"timeout", "TimeoutError", "EXECUTION_TIMEOUT", "deadline_exceeded"})


def fold(
    runs: Sequence[RunRow],
    steps: Sequence[KnownStep],
    agents: Sequence[SpanFacts],
    roots: Sequence[SpanFacts],
    cost_of: SpanCost,
    refused: int,
    now: datetime,
) -> TraceFold:
    """Fold stored runs, all steps and the new agent and root spans into the trace's runs."""
    agent_runs = [run for run in runs if not run.named_after_root] + [run_of(span, now) for span in agents]
    if agent_runs:
        withdrawn = [structs.replace(run, withdrawn=True) for run in runs if run.named_after_root]
        active = agent_runs
    else:
        withdrawn = []
        active = [*runs, *(_named_after_root(span, now) for span in roots)]
    lineage = Lineage(active, steps, by_root=not agent_runs)
    assigned = {step.span_id: key for step in steps if (key := lineage.run_of_step(step)) is not None}
    members: dict[UUID, list[KnownStep]] = {run.id: [] for run in active}
    for step in steps:
        if step.span_id in assigned:
            members[assigned[step.span_id]].append(step)
    active = [_with_model(run, members[run.id]) for run in active]
    totals = total_up(active, steps, members, lineage.causes, cost_of)
    missing = sum(1 for step in steps if lineage.is_orphan(step))
    folded = [
        _folded(run, members[run.id], totals[run.id], lineage.parent_run(run), missing, refused) for run in active
    ]
    return TraceFold(runs=(*folded, *withdrawn), assigned=assigned)


class Lineage:
    """Who descends from whom in one trace."""

    def __init__(self, runs: Iterable[RunRow], steps: Iterable[KnownStep], *, by_root: bool) -> None:
        self._runs: dict[str, UUID] = {run.span_id: run.id for run in runs}
        self._by_root = by_root
        self.parents: dict[str, str | None] = {step.span_id: step.parent_span_id for step in steps}
        if not by_root:
            self.parents.update({run.span_id: run.parent_span_id for run in runs})
        self.causes = without_circles(self.parents)
        self._nearest_by_parents: dict[str, UUID | None] = {}
        self._nearest_by_causes: dict[str, UUID | None] = {}
        self._roots: dict[str, str | None] = {}

    def is_orphan(self, step: KnownStep) -> bool:
        """Whether the span that caused the step has not arrived."""
        return step.parent_span_id is not None and step.parent_span_id not in self.parents

    def run_of_step(self, step: KnownStep) -> UUID | None:
        """The run of a step: its nearest agent ancestor, or its root where there is no agent at all.

        A circle of spans is no reason to look elsewhere: a step that has found its run never leaves it for another.
        """
        if self._by_root:
            return self._runs.get(self._root(step.span_id) or "")
        return self._nearest(step.parent_span_id, self.parents, self._nearest_by_parents)

    def parent_run(self, run: RunRow) -> UUID | None:
        """The run that caused a run; a run reported by mutation names its parent itself."""
        if run.source is RunSource.SDK:
            return run.parent_run_id
        return None if self._by_root else self._nearest(self.causes[run.span_id], self.causes, self._nearest_by_causes)

    def _nearest(
        self, span_id: str | None, parents: Mapping[str, str | None], known: dict[str, UUID | None]
    ) -> UUID | None:
        """The run of the first span that has one, from this span upwards; `known` keeps it for all on the way."""
        path = []
        while span_id is not None and span_id not in self._runs and span_id not in known:
            known[span_id] = None  # for now, and for good in a circle
            path.append(span_id)
            span_id = parents.get(span_id)
        found = None if span_id is None else self._runs.get(span_id, known.get(span_id))
        if found is not None:
            known.update(dict.fromkeys(path, found))
        return found

    def _root(self, span_id: str) -> str | None:
        """The uppermost span above this one; None where that has not arrived, and in a circle."""
        path = []
        root: str | None = None
        while span_id not in self._roots:
            self._roots[span_id] = None  # for now, and for good in a circle
            path.append(span_id)
            if span_id not in self.parents:
                break
            parent = self.parents[span_id]
            if parent is None:
                root = span_id
                break
            span_id = parent
        else:
            root = self._roots[span_id]
        if root is not None:
            self._roots.update(dict.fromkeys(path, root))
        return root


def without_circles(parents: Mapping[str, str | None]) -> dict[str, str | None]:
    """The parents, None for every span that is its own ancestor: nothing causes itself."""
    causes = dict(parents)
    cleared: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        span_id: str | None = start
        while span_id is not None and span_id not in cleared and span_id not in path:
            path[span_id] = None
            span_id = parents.get(span_id)
        if span_id is not None and span_id in path:
            walked = list(path)
            causes |= dict.fromkeys(walked[walked.index(span_id) :])
        cleared.update(path)  # `|=` would copy the whole set, as a dict's keys are none
    return causes


def _with_model(run: RunRow, members: Sequence[KnownStep]) -> RunRow:
    """The run with its own provider and model, else those of its first call that names one."""
    calls = sorted((s for s in members if s.model or s.provider), key=lambda s: (s.started_ns, s.span_id))
    return structs.replace(
        run,
        provider=run.own_provider or next((call.provider for call in calls if call.provider), None),
        provider_type=run.provider_type if run.own_provider else _family(calls),
        model=run.own_model or next((call.model for call in calls if call.model), None),
    )


def _folded(
    run: RunRow, members: Sequence[KnownStep], totals: Totals, parent: UUID | None, missing: int, refused: int
) -> RunRow:
    heard = [run.last_seen_ns, *(max(step.started_ns, step.ended_ns) for step in members)]
    return structs.replace(
        run,
        parent_run_id=parent,
        last_seen_ns=max(heard),
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cost_micro_usd=totals.cost_micro_usd,
        cost_status=totals.cost_status,
        step_count=len(members),
        failed_step_count=sum(1 for step in members if step.status is StepStatus.FAILURE),
        missing_span_count=missing,
        refused_span_count=refused,
    )


def _family(calls: Sequence[KnownStep]) -> ProviderType:
    return next((call.provider_type for call in calls if call.provider), ProviderType.OTHER)


def _named_after_root(span: SpanFacts, now: datetime) -> RunRow:
    """The run of a trace without agents: the root's own name says what ran, its service is the agent."""
    run = run_of(span, now)
    return structs.replace(run, named_after_root=True, agent_name=span.name or run.agent_name)


def run_of(span: SpanFacts, now: datetime) -> RunRow:
    """A new run from its span; over OTLP a run is complete when it is heard of."""
    failed = span.status is StepStatus.FAILURE
    return RunRow(
        id=uuid7(),
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        parent_run_id=None,
        named_after_root=False,
        withdrawn=False,
        agent_id=span.agent_id or span.agent_name or span.name,
        agent_name=span.agent_name or span.agent_id or span.name,
        actor_kind=ActorKind.HUMAN if span.user_id else ActorKind.SERVICE,
        actor_id=span.user_id or None,
        origin_system_id=span.origin_system_id or UNKNOWN_SYSTEM,
        project_id=span.project_id or DEFAULT_PROJECT,
        conversation_id=span.conversation_id,
        source=RunSource.AGENT,
        is_synthetic=span.is_synthetic,
        provider=span.provider,
        provider_type=span.provider_type,
        model=span.model,
        goal=span.goal,
        error_code=span.outcome_code if failed else None,
        error_message=span.status_message if failed else None,
        status=RunStatus.FAILED if failed else RunStatus.SUCCEEDED,
        state=RunState.COMPLETED,
        termination_reason=_reason(span, failed=failed),
        started_ns=span.started_ns,
        completed_ns=max(span.ended_ns, span.started_ns),
        last_seen_ns=max(span.ended_ns, span.started_ns),
        own_provider=span.provider,
        own_model=span.model,
        own_input_tokens=span.input_tokens if span.is_agent else None,
        own_output_tokens=span.output_tokens if span.is_agent else None,
        input_tokens=None,
        output_tokens=None,
        cost_micro_usd=None,
        cost_status=CostStatus.COMPLETE,
        step_count=0,
        failed_step_count=0,
        missing_span_count=0,
        refused_span_count=0,
        risk_level=RiskLevel.NORMAL,
        policy_violation=False,
        incident_count=0,
        evidence_count=0,
        evidence_head=b"",
        seal_version=0,
        time_limit_ms=None,
        policy_context=None,
        attributes=span.attributes,
        span_digest=commitment(span.salt, span.digest),
        created_at=now,
        salt=span.salt,
        attributes_digest=None,
        redacted_at=None,
    )


def _reason(span: SpanFacts, *, failed: bool) -> TerminationReason:
    if not failed:
        return TerminationReason.COMPLETED
    return TerminationReason.TIMEOUT if span.outcome_code in TIMEOUT_CODES else TerminationReason.SYSTEM_FAILURE
