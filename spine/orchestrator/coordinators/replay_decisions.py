"""Replay of governance: every evaluation, breach and decision of a run made again from what was recorded of it.

A record that is no longer what was chained is a divergence of its own, before anything is made again of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import (
    DecisionKind,
    DecisionOutcome,
    DecisionType,
    DivergenceKind,
    EvaluationOutcome,
    LimitLevel,
    ReplayOutcome,
    RulePhase,
)
from spine.contracts.ports import ActiveRule, BreachReplay, Remade, RuleReplay, RunRow, Subject
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    EvidenceRecord,
    StepPayload,
    StepRecord,
)
from spine.contracts.replays import Divergence, ReplayedDecision
from spine.orchestrator.coordinators.run_facts import identity_facts, step_subject
from spine.orchestrator.coordinators.run_governance import DECISIONS
from spine.services.canonical_json import digest
from spine.services.commitments import matches
from spine.services.proof.hashing import evidence_genesis, evidence_hash
from spine.services.proof.verify import UNHASHABLE

MATCHED = Remade(ReplayOutcome.MATCHED)

RuleVersion = tuple[UUID, int]
StepPlace = tuple[str, int]
GovernanceRecord = EvaluationRecord | BreachRecord | DecisionRecord


class RecordedRun(Struct, frozen=True, kw_only=True):
    """A run as it is stored: its steps, the payloads that are there, its evidence by index, and its rules' versions."""

    tenant_id: UUID
    run: RunRow
    steps: Sequence[StepRecord]
    payloads: Mapping[StepPlace, StepPayload]
    evidence: Sequence[EvidenceRecord]
    rules: Mapping[RuleVersion, ActiveRule]


def replay_decisions(stored: RecordedRun, rules: RuleReplay, breaches: BreachReplay) -> tuple[ReplayedDecision, ...]:
    """What became of each record of the run's evidence, in its order."""
    return tuple(_DecisionReplay(stored, rules, breaches).decisions())


class _DecisionReplay:
    """One run's governance, made again."""

    def __init__(self, stored: RecordedRun, rules: RuleReplay, breaches: BreachReplay) -> None:
        self._stored = stored
        self._rules = rules
        self._breaches = breaches
        self._identity = identity_facts(stored.run)
        self._steps = self._subjects()
        self._allowed = self._allowed_steps()

    def decisions(self) -> Iterator[ReplayedDecision]:
        """Each governance record in its order, chained to the one before as it is stored.

        What was captured of the run's environment is chained among them, and is no decision: proof verifies it.
        """
        head = evidence_genesis(self._stored.tenant_id, self._stored.run.id)
        before: GovernanceRecord | None = None
        for record in self._stored.evidence:
            if not isinstance(record, EnvironmentRecord):
                yield _replayed(record, _altered(record, head) or self._remade(record, before))
                before = record
            head = record.evidence_hash

    def _remade(self, record: GovernanceRecord, before: GovernanceRecord | None) -> Remade:
        if isinstance(record, BreachRecord):
            level = self._breaches.level_of(record.breached_value, record.threshold_value)
            return _remade_breach(record, level)
        if isinstance(record, DecisionRecord):
            return _remade_decision(record, before)
        if record.evidence_index in self._allowed:
            return self._allowed[record.evidence_index]
        known = Subject(record.step_index, self._identity)
        if record.phase is RulePhase.STEP and record.step_index is not None:
            known = self._steps.get(record.step_index, known)
        return self._rules.replay_evaluation(record, self._rule(record), known)

    def _rule(self, record: EvaluationRecord) -> ActiveRule | None:
        return self._stored.rules.get((record.rule_id, record.rule_version))

    def _allowed_steps(self) -> dict[int, Remade]:
        """The sums of allowed steps, by their evidence index: each rule version's together."""
        sums: defaultdict[RuleVersion, list[EvaluationRecord]] = defaultdict(list)
        named: defaultdict[RuleVersion, set[int | None]] = defaultdict(set)
        for record in self._stored.evidence:
            if isinstance(record, EvaluationRecord) and record.phase is RulePhase.STEP:
                version = (record.rule_id, record.rule_version)
                if record.outcome is EvaluationOutcome.ALLOW:
                    sums[version].append(record)
                else:
                    named[version].add(record.step_index)
        remade: dict[int, Remade] = {}
        for version, records in sums.items():
            unnamed = [subject for index, subject in self._steps.items() if index not in named[version]]
            answers = self._rules.replay_allowed(records, self._rule(records[0]), unnamed)
            remade |= {record.evidence_index: answer for record, answer in zip(records, answers, strict=True)}
        return remade

    def _subjects(self) -> dict[int, Subject]:
        """Each step by its chain number; of two traces' steps with one number neither can be meant."""
        numbers = Counter(step.step_index for step in self._stored.steps)
        return {step.step_index: self._subject(step) for step in self._stored.steps if numbers[step.step_index] == 1}

    def _subject(self, step: StepRecord) -> Subject:
        """A step as rules judged it, without payloads that are not what was recorded."""
        payload = self._stored.payloads.get((step.trace_id, step.step_index))
        subject = step_subject(step, payload)
        facts = {**self._identity, **subject.facts}
        given, gave = (None, None) if payload is None else (payload.input, payload.output)
        for name, content, recorded in (
            ("step.input", given, step.input_digest),
            ("step.output", gave, step.output_digest),
        ):
            if not matches(subject.salt, content, recorded):
                facts.pop(name, None)
        return Subject(step.step_index, facts, subject.salt)


def _altered(record: GovernanceRecord, head: bytes) -> Remade | None:
    """Whether the record is not what was chained after the one before it."""
    try:
        now = evidence_hash(record, head)
    except UNHASHABLE:
        now = b""
    if now == record.evidence_hash:
        return None
    return _differs(
        DivergenceKind.RECORD, record.evidence_hash.hex(), now.hex(), "the record is not what was chained here"
    )


def _remade_breach(record: BreachRecord, level: LimitLevel | None) -> Remade:
    recorded = None if record.cleared else record.level
    if level == recorded:
        return MATCHED
    measured = f"{record.breached_value} of {record.threshold_value}"
    return _outcome(f"{recorded} {measured}", f"{level} {measured}", f"{measured} is {level or 'no'} level now")


def _remade_decision(record: DecisionRecord, before: GovernanceRecord | None) -> Remade:
    """A decision follows from the evaluation or the breach that stands before it."""
    if record.decision_type is DecisionType.POLICY_EVALUATION and isinstance(before, EvaluationRecord):
        follows = (before.rule_id, before.rule_name, DECISIONS.get(before.outcome), before.reason)
    elif record.decision_type is DecisionType.LIMIT_ENFORCEMENT and isinstance(before, BreachRecord):
        stopped = DecisionOutcome.STOPPED if before.level is LimitLevel.BREACH and not before.cleared else None
        reason = f"{before.breached_value} is more than {before.threshold_value}"
        follows = (before.limit_id, before.limit_name, stopped, reason)
    else:
        return _outcome(_text((record.outcome,)), "", "nothing that it follows from stands before it")
    recorded = (record.subject_id, record.subject_name, record.outcome, record.reason)
    if recorded == follows:
        return MATCHED
    return _outcome(_text(recorded), _text(follows), "another decision follows from what stands before it")


def _text(said: tuple[object, ...]) -> str:
    return "\n".join(map(str, said))


def _outcome(recorded: str, now: str, reason: str) -> Remade:
    expected, actual = (digest(said.encode()).hex() for said in (recorded, now))
    return _differs(DivergenceKind.OUTCOME, expected, actual, reason)


def _differs(kind: DivergenceKind, expected: str, actual: str, reason: str) -> Remade:
    return Remade(ReplayOutcome.MISMATCHED, reason, kind, expected, actual)


def _replayed(record: GovernanceRecord, remade: Remade) -> ReplayedDecision:
    found = None
    if remade.kind is not None:
        found = Divergence(
            kind=remade.kind,
            index=record.evidence_index,
            is_step=False,
            expected=remade.expected,
            actual=remade.actual,
        )
    kind, name, step_index = _subject(record)
    return ReplayedDecision(
        evidence_index=record.evidence_index,
        kind=kind,
        subject_name=name,
        step_index=step_index,
        outcome=remade.outcome,
        reason=remade.reason,
        divergence=found,
    )


def _subject(record: GovernanceRecord) -> tuple[DecisionKind, str, int | None]:
    if isinstance(record, EvaluationRecord):
        return DecisionKind.EVALUATION, record.rule_name, record.step_index
    if isinstance(record, BreachRecord):
        return DecisionKind.BREACH, record.limit_name, None
    return DecisionKind.DECISION, record.subject_name, None
