"""Governance while runs go on: rules judge, limits measure, and what follows is recorded in the same transaction.

Facts that are running totals are judged when a run ends; a later, corrected total is judged again and the newest
verdict counts, so the order in which spans arrived never decides.
"""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from spine.contracts.enums import (
    Consequence,
    DecisionOutcome,
    DecisionType,
    EvaluationOutcome,
    IncidentTrigger,
    LimitLevel,
    LimitType,
    RiskLevel,
    RulePhase,
    RunState,
    RunStatus,
)
from spine.contracts.ports import (
    ActiveLimit,
    ActiveRule,
    IncidentCause,
    LimitReading,
    Quoting,
    RuleVerdict,
    RunRow,
    Subject,
)
from spine.contracts.records import BreachRecord, DecisionRecord, EvaluationRecord, EvidenceRecord
from spine.orchestrator.coordinators.recording import Recording, RecordingPorts
from spine.orchestrator.coordinators.run_facts import identity_facts, measure_of, total_facts
from spine.orchestrator.coordinators.run_standing import READING_RISK, History, Standing, raised, verdict_risk
from spine.services.clock import to_ns
from spine.services.ids import uuid7
from spine.services.proof.hashing import GENESIS
from spine.storage.sessions import WriteSession

DECISIONS = {EvaluationOutcome.WARN: DecisionOutcome.WARNED, EvaluationOutcome.BLOCK: DecisionOutcome.BLOCKED}
WITH_INCIDENT = frozenset({Consequence.INCIDENT, Consequence.ABORT})
UNREMARKABLE = frozenset({EvaluationOutcome.ALLOW, EvaluationOutcome.AUDIT})
REFUSING = frozenset({EvaluationOutcome.BLOCK, EvaluationOutcome.ERROR})


class Governance(Struct, frozen=True):
    """What is in force for this transaction."""

    rules: Sequence[ActiveRule]
    limits: Sequence[ActiveLimit]
    quote: Quoting


async def load_governance(session: WriteSession, ports: RecordingPorts) -> Governance:
    """The rules, limits and prices in force, in one statement."""
    rules, limits, prices = await session.fetch_together(
        [ports.rules.active_rules(), ports.limits.active_limits(), ports.pricing.tenant_prices()],
    )
    return Governance(rules, limits, ports.pricing.quoting(prices))


async def load_history(session: WriteSession, ports: RecordingPorts, run_keys: Sequence[UUID]) -> History:
    """What was recorded of these runs before; nothing is asked for new runs."""
    if not run_keys:
        return History({}, {}, {})
    finals, breaches, outcomes = await session.fetch_together(
        [
            ports.rules.final_outcomes(run_keys),
            ports.limits.latest_breaches(run_keys),
            ports.rules.settled_outcomes(run_keys),
        ],
    )
    history = History({key: {} for key in run_keys}, {key: {} for key in run_keys}, {key: set() for key in run_keys})
    for final in finals:
        history.finals[final.run_key][final.rule_id] = final
    for breach in breaches:
        history.breaches[breach.run_key][breach.limit_id] = breach
    for key, outcome in outcomes:
        history.settled[key].add(outcome)
    return history


class RunGovernance:
    """Judges the runs of one recording, and records what follows."""

    def __init__(self, recording: Recording, ports: RecordingPorts, governance: Governance, history: History) -> None:
        self._recording = recording
        self._ports = ports
        self._governance = governance
        self._history = history
        self._standings: dict[UUID, Standing] = {}

    def _standing(self, run: RunRow) -> Standing:
        if run.id not in self._standings:
            self._standings[run.id] = Standing(run.id, self._history)
        return self._standings[run.id]

    def judge_start(self, run: RunRow) -> tuple[RunRow, list[RuleVerdict]]:
        """Judge a run that begins, by its identity."""
        verdicts = self._judge(RulePhase.RUN_START, [Subject(None, identity_facts(run))])
        return self.follow(run, verdicts), verdicts

    def judge_steps(self, run: RunRow, steps: Sequence[Subject]) -> list[RuleVerdict]:
        """Judge steps that join a run, each given with its own facts; `follow` records the verdicts."""
        identity = identity_facts(run)
        subjects = [Subject(step.step_index, {**identity, **step.facts}, step.salt) for step in steps]
        return self._judge(RulePhase.STEP, subjects) if subjects else []

    def judge_end(self, run: RunRow) -> RunRow:
        """Judge an ended run by its totals; only what differs from its latest final evaluation is recorded."""
        verdicts = self._judge(RulePhase.RUN_END, [Subject(None, identity_facts(run) | total_facts(run))])
        for verdict in verdicts:
            if self._standing(run).conclude(verdict):
                cause = IncidentCause(run.id, IncidentTrigger.POLICY, verdict.rule.rule_id)
                self._recording.taken_back.append(cause)
        return self.follow(run, [verdict for verdict in verdicts if self._is_news(run, verdict)])

    def _judge(self, phase: RulePhase, subjects: Sequence[Subject]) -> list[RuleVerdict]:
        return self._ports.rules.judge(self._governance.rules, phase, subjects)

    def _is_news(self, run: RunRow, verdict: RuleVerdict) -> bool:
        known = self._history.final(run.id, verdict.rule.rule_id)
        if known is None:
            return True
        said = (verdict.rule.version, verdict.outcome, verdict.facts)
        return said != (known.rule_version, known.outcome, known.facts)

    def follow(self, run: RunRow, verdicts: Iterable[RuleVerdict]) -> RunRow:
        """Record verdicts with their decisions, signals, incidents and risk."""
        recording, standing = self._recording, self._standing(run)
        records: list[EvidenceRecord] = []
        risk, violated = run.risk_level, run.policy_violation
        for verdict in verdicts:
            if verdict.rule.phase is not RulePhase.RUN_END:
                standing.hear(verdict)
            records.append(_evaluation(run, verdict, recording, self._ports.rules.engine_version))
            if verdict.outcome in UNREMARKABLE:
                continue
            records.extend(self._follow_remarkable(run, verdict))
            risk = raised(risk, verdict_risk(verdict.outcome))
            violated |= verdict.outcome is EvaluationOutcome.BLOCK
        if not records:
            return run
        run = recording.chain(run, records)
        run = structs.replace(run, risk_level=risk, policy_violation=violated)
        recording.runs[run.id] = run
        return run

    def _follow_remarkable(self, run: RunRow, verdict: RuleVerdict) -> Iterator[EvidenceRecord]:
        """Record a verdict's signal and incident; gives its decision, which stands after it in the evidence."""
        recording, ports, rule = self._recording, self._ports, verdict.rule
        signal = ports.signals.for_verdict(recording.tenant_id, run, verdict, recording.now)
        if signal is not None:
            recording.signals.append(signal)
        if verdict.outcome in DECISIONS:
            decision = (DecisionType.POLICY_EVALUATION, DECISIONS[verdict.outcome])
            yield _decision(run, decision, (rule.rule_id, rule.name, verdict.reason), recording)
        if verdict.outcome is EvaluationOutcome.BLOCK and rule.consequence in WITH_INCIDENT:
            recording.incidents.append(ports.incidents.for_policy(run.id, run.agent_name, verdict, recording.now))
            if self._history.final(run.id, rule.rule_id) is not None:
                recording.brought_back.append(IncidentCause(run.id, IncidentTrigger.POLICY, rule.rule_id))

    def measure(self, run: RunRow) -> tuple[RunRow, list[LimitReading]]:
        """Measure a run against its limits; what changed since is recorded."""
        ports, recording = self._ports, self._recording
        applicable = ports.limits.applicable(self._governance.limits, run.agent_id, run.project_id)
        readings = ports.limits.read_limits(applicable, measure_of(run, to_ns(recording.now)))
        for reading in readings:
            run = self._record_reading(run, reading)
        time_limit = next((one.max_value for one in applicable if one.limit_type is LimitType.TIME_MS), None)
        closest = ports.signals.closest(readings)
        context = None if closest is None else msgspec.json.encode(ports.signals.context_of(closest))
        run = structs.replace(run, time_limit_ms=time_limit, policy_context=context)
        recording.runs[run.id] = run
        return run, readings

    def _record_reading(self, run: RunRow, reading: LimitReading) -> RunRow:
        recording, ports, now = self._recording, self._ports, self._recording.now
        known = self._history.hit(run.id, reading.limit.limit_id)
        if self._standing(run).reach(reading):
            recording.taken_back.append(IncidentCause(run.id, IncidentTrigger.LIMIT, reading.limit.limit_id))
        if reading.level == (known.level if known else None):
            return run
        level = reading.level or (known.level if known else LimitLevel.NEAR)
        run = recording.chain(run, [_breach(run, reading, level, recording)])
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
            run = recording.chain(run, [_decision(run, decision, subject, recording)])
        if limit.consequence in WITH_INCIDENT:
            opened = self._ports.incidents.for_limit(run.id, run.agent_name, reading, recording.now)
            recording.incidents.append(opened)
            if limit.limit_id in self._history.breaches.get(run.id, {}):
                recording.brought_back.append(IncidentCause(run.id, IncidentTrigger.LIMIT, limit.limit_id))
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
        standing = self._standing(run)
        if standing.corrected:
            violated = standing.is_violated()
            run = structs.replace(run, risk_level=standing.risk(run.status), policy_violation=violated)
        recording.runs[run.id] = run
        return run


def refusal(verdicts: Iterable[RuleVerdict]) -> RuleVerdict | None:
    """The verdict that refuses: a BLOCK, or a blocking rule that could not be decided."""
    return next((verdict for verdict in verdicts if verdict.outcome in REFUSING and verdict.rule.mode == "BLOCK"), None)


def _evaluation(run: RunRow, verdict: RuleVerdict, recording: Recording, engine: str) -> EvaluationRecord:
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
        engine=engine,
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
