"""What people see of evaluations and decisions, composed of a run's stored records. Pure.

The same that `driver_evaluations` composes in the database (tested against each other over generated records): where
a page reads the records anyway, for its proofs, they are not read again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final
from uuid import UUID

from domains.policies.driver import RULE
from spine.contracts.enums import DecisionOutcome, DecisionType, EvaluationOutcome, RulePhase
from spine.contracts.evidence import DecisionSummary, PolicyEvaluationSummary
from spine.contracts.records import DecisionRecord, EvaluationRecord
from spine.contracts.scalars import BigInt, Json
from spine.contracts.statements import Row
from spine.services.ids import node_id

PHASES: Final = {phase.value: phase for phase in RulePhase}
OUTCOMES: Final = {outcome.value: outcome for outcome in EvaluationOutcome}
DECISION_TYPES: Final = {kind.value: kind for kind in DecisionType}
DECISION_OUTCOMES: Final = {outcome.value: outcome for outcome in DecisionOutcome}

AT_END: Final = RulePhase.RUN_END.value
ALLOW: Final = EvaluationOutcome.ALLOW.value

_Shown = tuple[datetime, UUID, EvaluationRecord, int]
"""When it was last evaluated, the id of its first evaluation, that evaluation, and how often."""

_in_order = attrgetter("evidence_index")
_decision = attrgetter("id", "decision_type", "outcome", "subject_name", "reason", "decided_at")


def shown_evaluations(records: Sequence[EvaluationRecord], first: int) -> tuple[list[PolicyEvaluationSummary], int]:
    """Of one run the newest `first`, and how many there are.

    ALLOW is summed per rule version; of a rule's evaluations at the run's end only the latest is shown.
    """
    ordered = sorted(records, key=_in_order)
    latest = {one.rule_id: one for one in ordered if one.phase == AT_END}
    shown: list[_Shown] = []
    allowed: dict[tuple[UUID, int, str], list[EvaluationRecord]] = {}
    for one in ordered:
        if one.phase == AT_END and latest[one.rule_id] is not one:
            continue
        if one.outcome == ALLOW:
            allowed.setdefault((one.rule_id, one.rule_version, one.phase), []).append(one)
        else:
            shown.append((one.evaluated_at, one.id, one, one.count))
    for same in allowed.values():
        count, evaluated_at = sum([one.count for one in same]), max([one.evaluated_at for one in same])
        shown.append((evaluated_at, same[0].id, same[0], count))
    shown.sort(reverse=True)
    return [_shown(*one) for one in shown[:first]], len(shown)


def shown_decisions(records: Sequence[DecisionRecord], first: int) -> tuple[list[DecisionSummary], int]:
    """Of one run the newest `first`, and how many there are."""
    newest = sorted(records, key=attrgetter("decided_at", "id"), reverse=True)[:first]
    return [decision_summary(_decision(one)) for one in newest], len(records)


def _shown(evaluated_at: datetime, key: UUID, one: EvaluationRecord, count: int) -> PolicyEvaluationSummary:
    rule = (one.rule_id, one.rule_name, one.rule_version, one.rule_digest)
    said = (one.phase, one.outcome, count, one.step_index, one.facts, one.reason, evaluated_at)
    return evaluation_summary((key, *rule, *said))


@lru_cache(maxsize=1024)
def _rule_id(key: UUID) -> str:
    """A page shows a few rules hundreds of times."""
    return node_id(RULE, key)


def evaluation_summary(row: Row) -> PolicyEvaluationSummary:
    """One evaluation, or a sum of them; LookupError for what is no phase or outcome.

    Of: key, the rule's key, name, version and digest, phase, outcome, count, step, facts, reason, time.
    """
    outcome = OUTCOMES[row[6]]
    return PolicyEvaluationSummary(
        id=node_id("PolicyEvaluation", row[0]),
        policy_id=_rule_id(row[1]),
        policy_name=row[2],
        rule_version=row[3],
        rule_digest=row[4].hex(),
        phase=PHASES[row[5]],
        outcome=outcome,
        count=BigInt(row[7]),
        step_index=None if outcome is EvaluationOutcome.ALLOW else row[8],
        facts=Json(row[9]),
        reason=row[10],
        evaluated_at=row[11],
    )


def decision_summary(row: Row) -> DecisionSummary:
    """One decision, of: key, type, outcome, subject, reason, time; LookupError for what is no type or outcome."""
    return DecisionSummary(
        id=node_id("Decision", row[0]),
        decision_type=DECISION_TYPES[row[1]],
        outcome=DECISION_OUTCOMES[row[2]],
        subject_name=row[3],
        reason=row[4],
        decided_at=row[5],
    )
