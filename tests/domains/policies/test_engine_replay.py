"""Evaluations made again, without a database: what is equal, what differs first, and what cannot be made again."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from domains.policies.conditions import ENGINE
from domains.policies.engine import judge, rule_digest
from domains.policies.engine_replay import replay_allowed, replay_evaluation
from spine.contracts.enums import (
    Consequence,
    DivergenceKind,
    EvaluationOutcome,
    ReplayOutcome,
    RuleMode,
    RulePhase,
    Scope,
)
from spine.contracts.governance import CreatePolicyRule
from spine.contracts.policy_facts import FactValue
from spine.contracts.ports import ActiveRule, Subject
from spine.contracts.records import EvaluationRecord

MATCHED, MISMATCHED, UNREPLAYABLE = ReplayOutcome.MATCHED, ReplayOutcome.MISMATCHED, ReplayOutcome.UNREPLAYABLE
LONG = "drop " + "x" * 900


def rule(condition: str, phase: RulePhase = RulePhase.STEP, **changes: Any) -> ActiveRule:
    """A rule with the digest of its text."""
    plain = ActiveRule(
        rule_id=UUID(int=1),
        name="rule",
        version=1,
        digest=b"",
        phase=phase,
        mode=RuleMode.WARN,
        consequence=Consequence.ALERT,
        scope=Scope.TENANT,
        scope_id=None,
        condition=condition,
    )
    made = structs.replace(plain, **changes)
    names = ("name", "condition", "mode", "consequence", "scope", "scope_id")
    text = CreatePolicyRule(**{name: getattr(made, name) for name in names})
    return structs.replace(made, digest=rule_digest(made.version, text))


def known(facts: dict[str, FactValue] | None = None) -> Subject:
    """What is stored of the step."""
    return Subject(4, facts or {})


def recorded(of: ActiveRule, facts: dict[str, FactValue], index: int | None = 4, **changes: Any) -> EvaluationRecord:
    """What the rule says of the facts, as it is recorded."""
    [verdict] = judge([of], of.phase, [Subject(index, facts)])
    record = EvaluationRecord(
        run_key=UUID(int=2),
        evidence_index=0,
        id=UUID(int=3),
        rule_id=of.rule_id,
        rule_version=of.version,
        rule_name=of.name,
        rule_digest=of.digest,
        phase=of.phase,
        outcome=verdict.outcome,
        count=verdict.count,
        step_index=verdict.step_index,
        facts=verdict.facts,
        reason=verdict.reason,
        evaluated_at=datetime(2026, 1, 1, tzinfo=UTC),
        evidence_hash=b"",
        engine=ENGINE,
    )
    return structs.replace(record, **changes)


class TestAnEvaluation:
    @pytest.mark.parametrize(
        ("condition", "facts"),
        [
            ('step.name == "drop"', {"step.name": "drop"}),
            ("step.duration_ms > 5", {"step.duration_ms": 9}),
            ("step.cost_known", {"step.cost_known": True}),
            ('step.name == "drop"', {}),  # an ERROR: the fact is missing
            ("1 / step.duration_ms > 1", {"step.duration_ms": 0}),
            ("true", {"step.name": "drop"}),
        ],
    )
    def test_comes_out_as_it_was_recorded(self, condition: str, facts: dict[str, FactValue]) -> None:
        phase = RulePhase.STEP if "step" in condition else RulePhase.RUN_START
        one = rule(condition, phase)
        assert replay_evaluation(recorded(one, facts), one, known(facts)).outcome is MATCHED

    def test_of_a_runs_end_comes_out_from_its_recorded_facts_alone(self) -> None:
        for most in (5, 50):
            one = rule(f"run.step_count > {most}", RulePhase.RUN_END)
            record = recorded(one, {"run.step_count": 9}, None)
            assert replay_evaluation(record, one, known()).outcome is MATCHED

    def test_of_a_rule_for_one_agent_is_covered_again(self) -> None:
        one = rule("step.duration_ms > 5", scope=Scope.AGENT, scope_id="booker")
        record = recorded(one, {"step.duration_ms": 9, "run.agent_id": "booker"})
        assert replay_evaluation(record, one, known()).outcome is MATCHED

    @pytest.mark.parametrize("name", ["condition", "mode", "consequence", "name"])
    def test_by_another_text_is_the_rules_divergence(self, name: str) -> None:
        one = rule('step.name == "drop"')
        other = {"condition": "step.name == 'x'", "mode": RuleMode.BLOCK, "consequence": "ABORT", "name": "other"}
        said = replay_evaluation(
            recorded(one, {"step.name": "drop"}), structs.replace(one, **{name: other[name]}), known()
        )
        assert (said.outcome, said.kind, said.expected) == (MISMATCHED, DivergenceKind.RULE, one.digest.hex())
        assert len(said.actual) == 64
        assert said.actual != said.expected

    def test_by_another_engine_is_the_engines_divergence(self) -> None:
        one = rule('step.name == "drop"')
        said = replay_evaluation(recorded(one, {"step.name": "drop"}, engine="old"), one, known())
        assert (said.kind, said.expected, said.actual) == (DivergenceKind.ENGINE, "old", ENGINE)

    def test_from_a_fact_that_the_step_does_not_hold_is_the_facts_divergence(self) -> None:
        one = rule("step.duration_ms > 5")
        said = replay_evaluation(recorded(one, {"step.duration_ms": 9}), one, known({"step.duration_ms": 8}))
        assert (said.outcome, said.kind) == (MISMATCHED, DivergenceKind.FACTS)

    @pytest.mark.parametrize("changes", [{"outcome": EvaluationOutcome.BLOCK}, {"reason": "x"}])
    def test_with_another_outcome_or_reason_is_the_outcomes_divergence(self, changes: dict[str, Any]) -> None:
        one = rule('step.name == "drop"')
        said = replay_evaluation(recorded(one, {"step.name": "drop"}, **changes), one, known())
        assert (said.outcome, said.kind) == (MISMATCHED, DivergenceKind.OUTCOME)

    @pytest.mark.parametrize("name", ["step.name", "step.input", "run.goal"])
    def test_from_a_text_that_was_cut_needs_the_whole_text(self, name: str) -> None:
        one = rule(f'{name}.endsWith("xxx")', RulePhase.STEP if name.startswith("step") else RulePhase.RUN_START)
        record = recorded(one, {name: LONG})
        assert replay_evaluation(record, one, known({name: LONG})).outcome is MATCHED
        said = replay_evaluation(record, one, known())
        assert (said.outcome, name in str(said.reason)) == (UNREPLAYABLE, True)

    def test_from_a_text_of_just_that_length_is_not_taken_for_cut_where_the_record_has_it(self) -> None:
        one, text = rule('step.name.startsWith("y")'), "y" * 500 + "…"
        assert replay_evaluation(recorded(one, {"step.name": text}), one, known({"step.name": text})).outcome is MATCHED

    def test_whose_version_is_gone_is_the_rules_divergence(self) -> None:
        one = rule('step.name == "drop"')
        said = replay_evaluation(recorded(one, {"step.name": "drop"}), None, known())
        assert (said.kind, said.actual) == (DivergenceKind.RULE, "")


class TestAllowedSteps:
    RULE = rule('step.name == "drop"')
    STEPS = tuple(Subject(index, {"step.name": f"read {index}"}) for index in range(3))

    def sums(self, *counts: int) -> list[EvaluationRecord]:
        record = recorded(self.RULE, {"step.name": "read"})
        assert record.facts == "{}"
        return [structs.replace(record, count=count) for count in counts]

    def test_are_judged_again_together(self) -> None:
        assert [one.outcome for one in replay_allowed(self.sums(1, 2), self.RULE, self.STEPS)] == [MATCHED, MATCHED]

    def test_of_which_one_is_not_allowed_now_differ(self) -> None:
        steps = (*self.STEPS[:2], Subject(7, {"step.name": "drop"}))
        [said] = replay_allowed(self.sums(3), self.RULE, steps)
        assert (said.outcome, said.kind) == (MISMATCHED, DivergenceKind.OUTCOME)
        assert said.reason == "the rule says WARN of step 7, recorded is ALLOW"

    def test_that_cannot_be_told_from_others_are_unreplayable(self) -> None:
        [said] = replay_allowed(self.sums(2), self.RULE, self.STEPS)
        assert (said.outcome, "does not name" in str(said.reason)) == (UNREPLAYABLE, True)

    def test_whose_content_is_kept_no_more_are_unreplayable(self) -> None:
        [said] = replay_allowed(self.sums(1), self.RULE, [Subject(0, {})])
        assert said == structs.replace(said, outcome=UNREPLAYABLE, reason="step.name of a step is kept no more")

    def test_of_another_text_or_engine_differ(self) -> None:
        changed = structs.replace(self.RULE, condition="step.name == 'x'")
        assert {one.kind for one in replay_allowed(self.sums(3), changed, self.STEPS)} == {DivergenceKind.RULE}
        assert {one.kind for one in replay_allowed(self.sums(3), None, self.STEPS)} == {DivergenceKind.RULE}
        old = [structs.replace(one, engine="old") for one in self.sums(2)]
        said = replay_allowed([*old, *self.sums(1)], self.RULE, self.STEPS)
        assert [one.outcome for one in said] == [MISMATCHED, MATCHED]
