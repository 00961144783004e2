"""Governance while runs go on: rules judge, limits measure, and what follows is recorded in the same transaction.

Facts that are running totals are judged when a run ends; a later, corrected total is judged again and the newest
verdict counts, so the order in which spans arrived never decides. Risk only rises.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from spine.contracts.enums import (
    Consequence,
    DecisionOutcome,
    DecisionType,
    EvaluationOutcome,
    LimitLevel,
    LimitType,
    RiskLevel,
    RulePhase,
    RunState,
    RunStatus,
)
from spine.contracts.policy_facts import FactValue
from spine.contracts.ports import (
    ActiveLimit,
    ActiveRule,
    KnownStep,
    LimitReading,
    RuleVerdict,
    RunMeasure,
    RunRow,
    Subject,
    TenantPrice,
)
from spine.contracts.records import BreachRecord, DecisionRecord, EvaluationRecord
from spine.orchestrator.coordinators.recording import Recording, RecordingPorts
from spine.services.clock import to_ns
from spine.services.ids import uuid7
from spine.services.proof.hashing import GENESIS
from spine.storage.sessions import WriteSession

RISKS = tuple(RiskLevel)
VERDICT_RISK = {
    EvaluationOutcome.WARN: RiskLevel.NEAR_THRESHOLD,
    EvaluationOutcome.ERROR: RiskLevel.AT_RISK,
    EvaluationOutcome.BLOCK: RiskLevel.VIOLATED,
}
READING_RISK = {LimitLevel.NEAR: RiskLevel.NEAR_THRESHOLD, LimitLevel.BREACH: RiskLevel.AT_RISK}
DECISIONS = {EvaluationOutcome.WARN: DecisionOutcome.WARNED, EvaluationOutcome.BLOCK: DecisionOutcome.BLOCKED}
WITH_INCIDENT = frozenset({Consequence.INCIDENT, Consequence.ABORT})
REFUSING = frozenset({EvaluationOutcome.BLOCK, EvaluationOutcome.ERROR})


class Governance(Struct, frozen=True):
    """What is in force for this transaction."""

    rules: Sequence[ActiveRule]
    limits: Sequence[ActiveLimit]
    prices: Sequence[TenantPrice]


class History(Struct, frozen=True):
    """What was recorded of the runs before: the latest final evaluation of a rule, the latest hit of a limit."""

    finals: Mapping[tuple[UUID, UUID], EvaluationRecord]
    breaches: Mapping[tuple[UUID, UUID], BreachRecord]


async def load_governance(session: WriteSession, ports: RecordingPorts) -> Governance:
    """The rules, limits and prices in force, in one statement."""
    rules, limits, prices = await session.fetch_together(
        [ports.rules.active_rules(), ports.limits.active_limits(), ports.pricing.tenant_prices()],
    )
    return Governance(rules, limits, prices)


async def load_history(session: WriteSession, ports: RecordingPorts, run_keys: Sequence[UUID]) -> History:
    """What was recorded of these runs before; nothing is asked for new runs."""
    if not run_keys:
        return History({}, {})
    finals, breaches = await session.fetch_together(
        [ports.rules.final_outcomes(run_keys), ports.limits.latest_breaches(run_keys)],
    )
    return History(
        {(final.run_key, final.rule_id): final for final in finals},
        {(breach.run_key, breach.limit_id): breach for breach in breaches},
    )


def identity_facts(run: RunRow) -> dict[str, FactValue]:
    """The facts of a run that are known when it starts."""
    return {
        "run.agent_id": run.agent_id,
        "run.agent_name": run.agent_name,
        "run.project_id": run.project_id,
        "run.actor_kind": str(run.actor_kind),
        "run.actor_id": run.actor_id or "",
        "run.provider": run.own_provider or "",
        "run.model": run.own_model or "",
        "run.goal": run.goal or "",
        "run.is_synthetic": run.is_synthetic,
    }


def total_facts(run: RunRow) -> dict[str, FactValue]:
    """The facts of a run that are known when it ends."""
    tokens_in, tokens_out = run.input_tokens or 0, run.output_tokens or 0
    return {
        "run.status": str(run.status),
        "run.duration_ms": _duration_ms(run, run.last_seen_ns),
        "run.step_count": run.step_count,
        "run.failed_step_count": run.failed_step_count,
        "run.total_tokens": tokens_in + tokens_out,
        "run.input_tokens": tokens_in,
        "run.output_tokens": tokens_out,
        "run.cost_known": run.cost_micro_usd is not None and run.cost_status == "COMPLETE",
        "run.cost_micro_usd": run.cost_micro_usd or 0,
    }


def step_facts(step: KnownStep, input_bytes: bytes | None, output_bytes: bytes | None) -> dict[str, FactValue]:
    """The facts of one step that a condition may read."""
    return {
        "step.kind": str(step.kind),
        "step.name": step.name,
        "step.skill_name": step.skill_name,
        "step.status": str(step.status),
        "step.error_code": step.outcome_code or "",
        "step.provider": step.provider or "",
        "step.model": step.model or "",
        "step.input": _text(input_bytes),
        "step.output": _text(output_bytes),
        "step.duration_ms": max(0, step.ended_ns - step.started_ns) // 1_000_000,
        "step.input_tokens": step.input_tokens or 0,
        "step.output_tokens": step.output_tokens or 0,
        "step.cost_known": step.cost_micro_usd is not None,
        "step.cost_micro_usd": step.cost_micro_usd or 0,
    }


def _text(content: bytes | None) -> str:
    return "" if content is None else content.decode("utf-8", "replace")


def _duration_ms(run: RunRow, now_ns: int) -> int:
    return ((run.completed_ns or now_ns) - run.started_ns) // 1_000_000


class RunGovernance:
    """Judges the runs of one recording, and records what follows."""

    def __init__(self, recording: Recording, ports: RecordingPorts, governance: Governance, history: History) -> None:
        self._recording = recording
        self._ports = ports
        self._governance = governance
        self._history = history

    def judge_start(self, run: RunRow) -> tuple[RunRow, list[RuleVerdict]]:
        """Judge a run that begins, by its identity."""
        verdicts = self._judge(RulePhase.RUN_START, [Subject(None, identity_facts(run))])
        return self.follow(run, verdicts), verdicts

    def judge_steps(self, run: RunRow, steps: Sequence[tuple[int, Mapping[str, FactValue]]]) -> list[RuleVerdict]:
        """Judge steps that join a run, each given by its chain number and its facts; `follow` records the verdicts."""
        identity = identity_facts(run)
        subjects = [Subject(index, identity | dict(facts)) for index, facts in steps]
        return self._judge(RulePhase.STEP, subjects) if subjects else []

    def judge_end(self, run: RunRow) -> RunRow:
        """Judge an ended run by its totals; only what differs from its latest final evaluation is recorded."""
        verdicts = self._judge(RulePhase.RUN_END, [Subject(None, identity_facts(run) | total_facts(run))])
        return self.follow(run, [verdict for verdict in verdicts if self._is_news(run, verdict)])

    def _judge(self, phase: RulePhase, subjects: Sequence[Subject]) -> list[RuleVerdict]:
        return self._ports.rules.judge(self._governance.rules, phase, subjects)

    def _is_news(self, run: RunRow, verdict: RuleVerdict) -> bool:
        known = self._history.finals.get((run.id, verdict.rule.rule_id))
        if known is None:
            return True
        said = (verdict.rule.version, verdict.outcome, verdict.facts)
        return said != (known.rule_version, known.outcome, known.facts)

    def follow(self, run: RunRow, verdicts: Iterable[RuleVerdict]) -> RunRow:
        """Record verdicts with their decisions, signals, incidents and risk."""
        recording, ports, now = self._recording, self._ports, self._recording.now
        for verdict in verdicts:
            run = recording.chain(run, _evaluation(run, verdict, recording))
            signal = ports.signals.for_verdict(recording.tenant_id, run, verdict, now)
            if signal is not None:
                recording.signals.append(signal)
            if verdict.outcome in DECISIONS:
                decision = (DecisionType.POLICY_EVALUATION, DECISIONS[verdict.outcome])
                subject = (verdict.rule.rule_id, verdict.rule.name, verdict.reason)
                run = recording.chain(run, _decision(run, decision, subject, recording))
            blocked = verdict.outcome is EvaluationOutcome.BLOCK
            if blocked and verdict.rule.consequence in WITH_INCIDENT:
                recording.incidents.append(ports.incidents.for_policy(run.id, run.agent_name, verdict, now))
            risk = VERDICT_RISK.get(verdict.outcome, RiskLevel.NORMAL)
            run = structs.replace(
                run, risk_level=raised(run.risk_level, risk), policy_violation=run.policy_violation or blocked
            )
            recording.runs[run.id] = run
        return run

    def measure(self, run: RunRow) -> tuple[RunRow, list[LimitReading]]:
        """Measure a run against its limits; what changed since is recorded."""
        ports, recording = self._ports, self._recording
        applicable = ports.limits.applicable(self._governance.limits, run.agent_id, run.project_id)
        readings = ports.limits.read_limits(applicable, _measure(run, to_ns(recording.now)))
        for reading in readings:
            run = self._record_reading(run, reading)
        time_limit = next((one.max_value for one in applicable if one.limit_type is LimitType.TIME_MS), None)
        closest = ports.signals.closest(readings)
        context = None if closest is None else msgspec.json.encode(ports.signals.context_of(closest))
        run = structs.replace(run, time_limit_ms=time_limit, policy_context=context)
        recording.runs[run.id] = run
        return run, readings

    def _record_reading(self, run: RunRow, reading: LimitReading) -> RunRow:
        known = self._history.breaches.get((run.id, reading.limit.limit_id))
        level_before = None if known is None or known.cleared else known.level
        if reading.level == level_before:
            return run
        recording, ports, now = self._recording, self._ports, self._recording.now
        level = reading.level or (known.level if known else LimitLevel.NEAR)
        run = recording.chain(run, _breach(run, reading, level, recording))
        if reading.level is None:
            return run
        context = ports.signals.context_of(reading)
        signal = ports.signals.for_reading(recording.tenant_id, run, reading, context, now)
        if signal is not None:
            recording.signals.append(signal)
        if reading.level is LimitLevel.BREACH:
            run = self._follow_breach(run, reading)
        run = structs.replace(run, risk_level=raised(run.risk_level, READING_RISK[reading.level]))
        recording.runs[run.id] = run
        return run

    def _follow_breach(self, run: RunRow, reading: LimitReading) -> RunRow:
        recording, limit = self._recording, reading.limit
        if limit.consequence is Consequence.ABORT:
            decision = (DecisionType.LIMIT_ENFORCEMENT, DecisionOutcome.STOPPED)
            subject = (limit.limit_id, limit.name, f"{reading.value} is more than {limit.max_value}")
            run = recording.chain(run, _decision(run, decision, subject, recording))
        if limit.consequence in WITH_INCIDENT:
            opened = self._ports.incidents.for_limit(run.id, run.agent_name, reading, recording.now)
            recording.incidents.append(opened)
        return run

    def close(self, run: RunRow, before: RunRow | None) -> RunRow:
        """What follows from a run's end itself: failure, and evidence that is not whole."""
        recording, ports, now = self._recording, self._ports, self._recording.now
        if run.state is not RunState.COMPLETED:
            return run
        was_completed = before is not None and before.state is RunState.COMPLETED
        if run.status is RunStatus.FAILED and not was_completed:
            recording.signals.append(ports.signals.for_failure(recording.tenant_id, run, now))
            run = structs.replace(run, risk_level=RiskLevel.VIOLATED)
            failure = ports.incidents.for_failure(run.id, run.agent_name, run.error_code, run.error_message, now)
            recording.incidents.append(failure)
        if run.refused_span_count or run.cost_status != "COMPLETE":
            recording.signals.append(ports.signals.for_degraded(recording.tenant_id, run, now))
        recording.runs[run.id] = run
        return run


def raised(level: RiskLevel, to: RiskLevel) -> RiskLevel:
    """The higher of two risk levels: risk only rises."""
    return max(level, to, key=RISKS.index)


def refusal(verdicts: Iterable[RuleVerdict]) -> RuleVerdict | None:
    """The verdict that refuses: a BLOCK, or a blocking rule that could not be decided."""
    return next((verdict for verdict in verdicts if verdict.outcome in REFUSING and verdict.rule.mode == "BLOCK"), None)


def _measure(run: RunRow, now_ns: int) -> RunMeasure:
    known = run.input_tokens is not None or run.output_tokens is not None
    return RunMeasure(
        agent_id=run.agent_id,
        project_id=run.project_id,
        time_ms=_duration_ms(run, now_ns),
        tokens=(run.input_tokens or 0) + (run.output_tokens or 0) if known else None,
        cost_micro_usd=run.cost_micro_usd,
        failures=run.failed_step_count,
    )


def _evaluation(run: RunRow, verdict: RuleVerdict, recording: Recording) -> EvaluationRecord:
    rule = verdict.rule
    return EvaluationRecord(
        run_key=run.id,
        evidence_index=0,
        id=uuid7(),
        rule_id=rule.rule_id,
        rule_version=rule.version,
        rule_name=rule.name,
        rule_digest=rule.digest,
        phase=rule.phase,
        outcome=verdict.outcome,
        count=verdict.count,
        step_index=verdict.step_index,
        facts=verdict.facts,
        reason=verdict.reason,
        evaluated_at=recording.now,
        evidence_hash=GENESIS,
    )


def _decision(
    run: RunRow,
    decision: tuple[DecisionType, DecisionOutcome],
    subject: tuple[UUID, str, str],
    recording: Recording,
) -> DecisionRecord:
    return DecisionRecord(
        run_key=run.id,
        evidence_index=0,
        id=uuid7(),
        decision_type=decision[0],
        outcome=decision[1],
        subject_id=subject[0],
        subject_name=subject[1],
        reason=subject[2],
        decided_at=recording.now,
        evidence_hash=GENESIS,
    )


def _breach(run: RunRow, reading: LimitReading, level: LimitLevel, recording: Recording) -> BreachRecord:
    return BreachRecord(
        run_key=run.id,
        evidence_index=0,
        id=uuid7(),
        limit_id=reading.limit.limit_id,
        limit_name=reading.limit.name,
        limit_type=reading.limit.limit_type,
        level=level,
        cleared=reading.level is None,
        breached_value=reading.value,
        threshold_value=reading.limit.max_value,
        breached_at=recording.now,
        evidence_hash=GENESIS,
    )
