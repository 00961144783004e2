"""Making evaluations again from what was recorded of them. Pure.

Looked at in this order: the rule's text by its digest, the engine by its version, the facts by what is stored of the
step, then what the rule says now. What was recorded cut (long texts) or as a commitment (payloads) is taken from the
step's own record where that holds it still, and is the same when shortened again; else the evaluation is UNREPLAYABLE.
"""

from collections.abc import Sequence
from typing import Final

import orjson
from msgspec import structs

from domains.policies.conditions import ENGINE, compile_condition
from domains.policies.engine import SCOPE_FACTS, is_cut, judge, rule_digest, shown_fact
from spine.contracts.enums import DivergenceKind, EvaluationOutcome, ReplayOutcome, RulePhase
from spine.contracts.errors import ConditionInvalid
from spine.contracts.governance import CreatePolicyRule
from spine.contracts.policy_facts import FACTS, PAYLOAD_FACTS, FactType, FactValue
from spine.contracts.ports import ActiveRule, Remade, Subject
from spine.contracts.records import EvaluationRecord
from spine.services.canonical_json import canonical, digest, json_text

TYPES: Final = {fact.name: fact.type for fact in FACTS}
MATCHED: Final = Remade(ReplayOutcome.MATCHED)
BEFORE_ENGINES: Final = Remade(
    ReplayOutcome.MATCHED, "it was recorded before engines were: which one said it is unknown"
)

Restored = dict[str, FactValue] | Remade


def replay_evaluation(record: EvaluationRecord, rule: ActiveRule | None, known: Subject) -> Remade:
    """Judge again from the recorded facts; `known`, what is stored of the subject, gives back what was cut."""
    changed = _changed(record, rule)
    if changed is not None or rule is None:
        return changed or MATCHED
    facts = _restored(record, known)
    if isinstance(facts, Remade):
        return facts
    if rule.scope in SCOPE_FACTS and rule.scope_id is not None:  # it covered the subject, or it had not been judged
        facts = facts | {SCOPE_FACTS[rule.scope]: rule.scope_id}
    subject = Subject(record.step_index, facts, known.salt)
    verdicts = judge([structs.replace(rule, phase=record.phase)], record.phase, [subject])
    said = [(verdict.outcome, verdict.reason, verdict.facts) for verdict in verdicts]
    if said == [(record.outcome, record.reason, record.facts)]:
        return _matched(record)
    recorded = said_hash(record.outcome, record.reason, record.facts)
    now = said_hash(*said[0]) if said else ""
    outcome = said[0][0] if said else "nothing"
    return _differs(DivergenceKind.OUTCOME, recorded, now, f"the rule says {outcome}, recorded is {record.outcome}")


def replay_allowed(
    records: Sequence[EvaluationRecord], rule: ActiveRule | None, unnamed: Sequence[Subject]
) -> list[Remade]:
    """Judge again the steps that a rule version allowed; one answer for each record."""
    changed = [_changed(record, rule) for record in records]
    if rule is None or all(changed):
        return [one or MATCHED for one in changed]
    together = _allowed_together(records, structs.replace(rule, phase=RulePhase.STEP), unnamed)
    return [
        said or (_matched(record) if together == MATCHED else together)
        for said, record in zip(changed, records, strict=True)
    ]


def _allowed_together(records: Sequence[EvaluationRecord], rule: ActiveRule, unnamed: Sequence[Subject]) -> Remade:
    count = sum(record.count for record in records)
    if count != len(unnamed):
        reason = f"it sums up steps that it does not name: this version allowed {count} of {len(unnamed)} it may mean"
        return Remade(ReplayOutcome.UNREPLAYABLE, reason)
    read = compile_condition(rule.condition).facts
    missing = next((name for subject in unnamed for name in read if name not in subject.facts), None)
    if missing is not None:
        return Remade(ReplayOutcome.UNREPLAYABLE, f"{missing} of a step is kept no more")
    verdicts = judge([rule], RulePhase.STEP, unnamed)
    other = next((one for one in verdicts if one.outcome is not EvaluationOutcome.ALLOW), None)
    if other is None:
        return MATCHED
    recorded = said_hash(EvaluationOutcome.ALLOW, records[0].reason, records[0].facts)
    now = said_hash(other.outcome, other.reason, other.facts)
    reason = f"the rule says {other.outcome} of step {other.step_index}, recorded is ALLOW"
    return _differs(DivergenceKind.OUTCOME, recorded, now, reason)


def said_hash(outcome: str, reason: str, facts: str) -> str:
    """SHA-256 over what a rule said, hex."""
    return digest(canonical({"facts": facts, "outcome": outcome, "reason": reason})).hex()


def _changed(record: EvaluationRecord, rule: ActiveRule | None) -> Remade | None:
    """Whether the rule's text or the engine are not those of the record."""
    if rule is None:
        return _differs(DivergenceKind.RULE, record.rule_digest.hex(), "", "this version of the rule is gone")
    now = _digest(rule)
    if now != record.rule_digest:
        return _differs(
            DivergenceKind.RULE,
            record.rule_digest.hex(),
            now.hex(),
            "the rule's text, or what its facts mean, was changed",
        )
    if record.engine not in {None, ENGINE}:
        return _differs(DivergenceKind.ENGINE, record.engine or "", ENGINE, "another engine evaluates conditions now")
    try:
        compile_condition(rule.condition)
    except ConditionInvalid as error:
        return Remade(ReplayOutcome.UNREPLAYABLE, f"its condition compiles no more: {error.message}")
    return None


def _digest(rule: ActiveRule) -> bytes:
    return rule_digest(
        rule.version,
        CreatePolicyRule(
            name=rule.name,
            condition=rule.condition,
            mode=rule.mode,
            consequence=rule.consequence,
            scope=rule.scope,
            scope_id=rule.scope_id,
        ),
    )


def _restored(record: EvaluationRecord, known: Subject) -> Restored:
    """The facts as the condition read them."""
    facts: dict[str, FactValue] = {}
    for name, value in orjson.loads(record.facts).items():
        if name not in TYPES:
            return Remade(ReplayOutcome.UNREPLAYABLE, f"there is no fact {name} any more")
        whole = known.facts.get(name)
        shown = None if whole is None else shown_fact(name, whole, known.salt)
        if name.startswith("step.") and shown is not None and shown != value:
            return _other_fact(name, value, shown)
        if name not in PAYLOAD_FACTS and not is_cut(value):
            facts[name] = int(value) if TYPES[name] is FactType.INT else value
        elif whole is None or shown != value:
            kept = "as its commitment" if name in PAYLOAD_FACTS else "cut"
            return Remade(ReplayOutcome.UNREPLAYABLE, f"{name} was recorded {kept}, and is not kept whole elsewhere")
        else:
            facts[name] = whole
    return facts


def _other_fact(name: str, recorded: FactValue, stored: FactValue) -> Remade:
    expected, actual = (digest(json_text({name: value}).encode()).hex() for value in (recorded, stored))
    return _differs(DivergenceKind.FACTS, expected, actual, f"{name} is not what the step's record holds")


def _matched(record: EvaluationRecord) -> Remade:
    return BEFORE_ENGINES if record.engine is None else MATCHED


def _differs(kind: DivergenceKind, expected: str, actual: str, reason: str) -> Remade:
    return Remade(ReplayOutcome.MISMATCHED, reason, kind, expected, actual)
