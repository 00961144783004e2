"""Judging runs and steps by rules, and deciding whether a rule may be written. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from domains.policies.conditions import CompiledCondition, compile_condition, evaluate_all, read_facts
from spine.contracts.enums import EvaluationOutcome, RuleMode, RulePhase, Scope
from spine.contracts.errors import ConditionInvalid, ValidationFailed
from spine.contracts.governance import CreatePolicyRule, RetirePolicyRule, UpdatePolicyRule
from spine.contracts.operations import Invariant
from spine.contracts.policy_facts import FACTS, PAYLOAD_FACTS, FactValue
from spine.contracts.ports import ActiveRule, RuleVerdict, Subject
from spine.services.canonical_json import canonical, digest, json_text
from spine.services.commitments import commitment
from spine.services.texts import check_text

MAX_NAME: Final = 256
MAX_DESCRIPTION: Final = 1024
MAX_SCOPE_ID: Final = 100
MAX_REASON: Final = 1024
SHOWN_TEXT: Final = 500

# A condition means what its facts mean, so the fact model is part of what a rule's digest commits to.
FACT_MODEL: Final = digest("\n".join(f"{fact.name}:{fact.type}:{fact.phase}" for fact in FACTS).encode()).hex()

Condition = CompiledCondition | ConditionInvalid

SCOPE_FACTS: Final = {Scope.AGENT: "run.agent_id", Scope.PROJECT: "run.project_id"}
OUTCOMES: Final = {
    RuleMode.BLOCK: EvaluationOutcome.BLOCK,
    RuleMode.WARN: EvaluationOutcome.WARN,
    RuleMode.AUDIT: EvaluationOutcome.AUDIT,
}

BI_POLICY_001: Final = Invariant(
    "BI-POLICY-001",
    "a rule needs a condition",
    lambda request, *_: request.condition is None or bool(request.condition.strip()),
)


def judge(rules: Sequence[ActiveRule], phase: RulePhase, subjects: Sequence[Subject]) -> list[RuleVerdict]:
    """Evaluate the rules of this phase whose scope covers the subjects; a rule that covers none gives no verdict."""
    judged = [Judged(rule, _condition(rule), []) for rule in rules if rule.phase is phase and rule.mode in OUTCOMES]
    for subject in subjects if judged else ():
        _ask([one for one in judged if _covers(one.rule, subject.facts)], subject)
    return [verdict for one in judged for verdict in _verdicts(one)]


class Judged(Struct, frozen=True):
    """A rule, its condition or what is wrong with it, and what it says of each subject that it covers."""

    rule: ActiveRule
    condition: Condition
    answers: list[tuple[Subject, bool | str]]


def _condition(rule: ActiveRule) -> Condition:
    try:
        return compile_condition(rule.condition)
    except ConditionInvalid as error:  # written under another fact model
        return error


def _covers(rule: ActiveRule, facts: Mapping[str, FactValue]) -> bool:
    fact = SCOPE_FACTS.get(rule.scope)
    return fact is None or facts.get(fact) == rule.scope_id


def _ask(judged: Sequence[Judged], subject: Subject) -> None:
    """Have the rules' conditions evaluated over a subject's facts, all at once."""
    conditions = [one.condition for one in judged if isinstance(one.condition, CompiledCondition)]
    answers = iter(evaluate_all(conditions, subject.facts))
    for one in judged:
        said = one.condition.message if isinstance(one.condition, ConditionInvalid) else next(answers)
        one.answers.append((subject, said))


def _verdicts(judged: Judged) -> list[RuleVerdict]:
    """One verdict for each subject that is not allowed, then one for all that are."""
    rule, condition = judged.rule, judged.condition
    verdicts: list[RuleVerdict] = []
    allowed: list[Subject] = []
    for subject, held in judged.answers:
        if held is False:
            allowed.append(subject)
        elif held is True:
            verdicts.append(_verdict(rule, condition, subject, OUTCOMES[rule.mode], f"{_shown(rule.condition)} held"))
        else:
            verdicts.append(_verdict(rule, condition, subject, EvaluationOutcome.ERROR, held))
    return [*verdicts, _allowed(rule, condition, allowed)] if allowed else verdicts


def _verdict(
    rule: ActiveRule, condition: Condition, subject: Subject, outcome: EvaluationOutcome, reason: str
) -> RuleVerdict:
    return RuleVerdict(
        rule=rule,
        outcome=outcome,
        count=1,
        step_index=subject.step_index,
        facts=_facts_json(condition, subject),
        reason=_shown(reason),
    )


def _allowed(rule: ActiveRule, condition: Condition, subjects: Sequence[Subject]) -> RuleVerdict:
    only = subjects[0] if len(subjects) == 1 else None
    return RuleVerdict(
        rule=rule,
        outcome=EvaluationOutcome.ALLOW,
        count=len(subjects),
        step_index=None if only is None else only.step_index,
        facts=_facts_json(condition, only) if only is not None and only.step_index is None else "{}",
        reason="the condition did not hold",
    )


def _facts_json(condition: Condition, subject: Subject) -> str:
    facts = {} if isinstance(condition, ConditionInvalid) else read_facts(condition, subject.facts)
    return json_text({name: shown_fact(name, value, subject.salt) for name, value in facts.items()})


def shown_fact(name: str, value: FactValue, salt: bytes | None) -> FactValue:
    """A fact as a verdict shows it: long texts are cut; of a payload its length and the commitment that its step holds.

    Commitments of steps from before there were salts, which are plain digests, are called so.
    """
    if not isinstance(value, str):
        return value if -(2**63) <= value < 2**63 else str(value)
    text = value.encode(errors="replace")
    if name in PAYLOAD_FACTS:
        return f"{'sha256' if salt is None else 'salted'}:{commitment(salt, text).hex()} ({len(value)} characters)"
    return _shown(text.decode())


def is_cut(value: FactValue) -> bool:
    """Whether a shown fact may be the beginning of a longer text."""
    return isinstance(value, str) and len(value) == SHOWN_TEXT + 1 and value.endswith("…")


def _shown(text: str) -> str:
    """A text for people, cut where it is long, without the one character that the database cannot hold."""
    cut = text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}…"
    return cut.replace("\0", "\ufffd")


def rule_digest(version: int, rule: CreatePolicyRule) -> bytes:
    """SHA-256 over everything that decides what this version of a rule says; its description does not."""
    return digest(
        canonical(
            {
                "condition": rule.condition,
                "consequence": rule.consequence,
                "fact_model": FACT_MODEL,
                "mode": rule.mode,
                "name": rule.name,
                "scope": rule.scope,
                "scope_id": rule.scope_id,
                "version": version,
            },
        ),
    )


def check_new_rule(request: CreatePolicyRule) -> None:
    """Raise ValidationFailed, or ConditionInvalid with its place, for a rule that may not be written."""
    check_text(request.name, "name", MAX_NAME)
    check_text(request.description, "description", MAX_DESCRIPTION, least=0)
    check_text(request.scope_id, "scopeId", MAX_SCOPE_ID)
    if (request.scope in SCOPE_FACTS) != (request.scope_id is not None):
        raise ValidationFailed("AGENT and PROJECT need a scopeId, other scopes have none", field="scopeId")
    _check_condition(request.condition)


def check_next_version(request: UpdatePolicyRule) -> None:
    """Raise ValidationFailed or ConditionInvalid for a change that may not be written."""
    if (request.condition, request.description, request.mode, request.consequence) == (None,) * 4:
        raise ValidationFailed("nothing to change was given")
    check_text(request.description, "description", MAX_DESCRIPTION, least=0)
    _check_condition(request.condition)


def check_retirement(request: RetirePolicyRule) -> None:
    """A rule retires for a reason, and never in favour of itself."""
    check_text(request.reason, "reason", MAX_REASON)
    if request.superseded_by_key == request.rule_key:
        raise ValidationFailed("a rule cannot supersede itself", field="superseded_by_key")


def _check_condition(condition: str | None) -> None:
    if condition is not None and condition.strip():  # BI-POLICY-001 speaks for an empty one
        compile_condition(condition)
