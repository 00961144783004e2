"""Judging runs and steps, digests, and what may be written. Pure."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
import orjson
import pytest

from domains.policies.conditions import UNDECIDED
from domains.policies.engine import (
    BI_POLICY_001,
    check_new_rule,
    check_next_version,
    check_retirement,
    judge,
    rule_digest,
)
from spine.contracts.enums import Consequence, EvaluationOutcome, RuleMode, RulePhase, Scope
from spine.contracts.errors import ConditionInvalid, ValidationFailed
from spine.contracts.governance import CreatePolicyRule, RetirePolicyRule, UpdatePolicyRule
from spine.contracts.policy_facts import FactValue
from spine.contracts.ports import ActiveRule, Subject
from spine.services.canonical_json import digest
from spine.services.commitments import commitment
from tests.domains.activity.spans import SALT


def rule(condition: str, **changes: Any) -> ActiveRule:
    plain = ActiveRule(
        rule_id=uuid4(),
        name="no drops",
        version=1,
        digest=b"",
        phase=RulePhase.STEP,
        mode=RuleMode.WARN,
        consequence=Consequence.ALERT,
        scope=Scope.TENANT,
        scope_id=None,
        condition=condition,
    )
    return msgspec.structs.replace(plain, **changes)


def step(index: int | None, **facts: FactValue) -> Subject:
    named: dict[str, FactValue] = {"run.agent_id": "booker", "run.project_id": "flights"}
    return Subject(index, named | {name.replace("__", "."): value for name, value in facts.items()})


DROPS = 'step.name == "drop"'


class TestJudge:
    def test_allow_is_summed_over_all_steps(self) -> None:
        [verdict] = judge([rule(DROPS)], RulePhase.STEP, [step(n, step__name="read") for n in range(3)])
        assert (verdict.outcome, verdict.count, verdict.step_index) == (EvaluationOutcome.ALLOW, 3, None)
        assert verdict.facts == "{}"

    def test_one_allowed_step_is_named(self) -> None:
        [verdict] = judge([rule(DROPS)], RulePhase.STEP, [step(4, step__name="read")])
        assert (verdict.count, verdict.step_index, verdict.facts) == (1, 4, "{}")

    @pytest.mark.parametrize(
        ("mode", "outcome"),
        [
            (RuleMode.BLOCK, EvaluationOutcome.BLOCK),
            (RuleMode.WARN, EvaluationOutcome.WARN),
            (RuleMode.AUDIT, EvaluationOutcome.AUDIT),
        ],
    )
    def test_each_step_that_it_holds_for_has_a_verdict_of_the_rules_mode(
        self, mode: RuleMode, outcome: EvaluationOutcome
    ) -> None:
        steps = [step(1, step__name="drop"), step(2, step__name="read"), step(3, step__name="drop")]
        verdicts = judge([rule(DROPS, mode=mode)], RulePhase.STEP, steps)
        assert [(one.outcome, one.count, one.step_index) for one in verdicts] == [
            (outcome, 1, 1),
            (outcome, 1, 3),
            (EvaluationOutcome.ALLOW, 1, 2),
        ]
        assert verdicts[0].facts == '{"step.name":"drop"}'
        assert verdicts[0].reason == 'step.name == "drop" held'

    def test_a_disabled_rule_is_not_evaluated(self) -> None:
        assert judge([rule(DROPS, mode=RuleMode.DISABLED)], RulePhase.STEP, [step(1, step__name="drop")]) == []

    def test_rules_of_another_phase_are_not_evaluated(self) -> None:
        assert judge([rule("true", phase=RulePhase.RUN_END)], RulePhase.STEP, [step(1)]) == []

    def test_a_fact_that_is_missing_is_an_error_and_not_an_allowance(self) -> None:
        [verdict] = judge([rule(DROPS, mode=RuleMode.BLOCK)], RulePhase.STEP, [step(1)])
        assert verdict.outcome is EvaluationOutcome.ERROR
        assert "step.name" in verdict.reason

    def test_a_condition_of_an_older_fact_model_is_an_error_for_each_subject(self) -> None:
        verdicts = judge([rule("step.gone == 1")], RulePhase.STEP, [step(1), step(2)])
        assert [one.outcome for one in verdicts] == [EvaluationOutcome.ERROR] * 2
        assert "there is no fact step.gone" in verdicts[0].reason

    def test_a_run_level_allowance_shows_the_facts_that_it_read(self) -> None:
        total = rule("run.step_count > 5", phase=RulePhase.RUN_END)
        [verdict] = judge([total], RulePhase.RUN_END, [step(None, run__step_count=2)])
        assert (verdict.count, verdict.step_index, verdict.facts) == (1, None, '{"run.step_count":2}')

    @pytest.mark.parametrize(
        ("scope", "scope_id", "covered"),
        [
            (Scope.GLOBAL, None, True),
            (Scope.TENANT, None, True),
            (Scope.PROJECT, "flights", True),
            (Scope.PROJECT, "booker", False),
            (Scope.AGENT, "booker", True),
            (Scope.AGENT, "flights", False),
        ],
    )
    def test_only_what_the_scope_covers_is_judged(self, scope: Scope, scope_id: str | None, covered: bool) -> None:
        verdicts = judge([rule("true", scope=scope, scope_id=scope_id)], RulePhase.STEP, [step(1)])
        assert bool(verdicts) is covered

    def test_no_subjects_give_no_verdicts(self) -> None:
        assert judge([rule("true")], RulePhase.STEP, []) == []

    def test_payloads_appear_in_facts_as_their_commitment_only(self) -> None:
        secret = "card 4111"
        subject = msgspec.structs.replace(step(1, step__input=secret), salt=SALT)
        [verdict] = judge([rule('step.input.contains("card")')], RulePhase.STEP, [subject])
        committed = commitment(SALT, secret.encode()).hex()
        assert verdict.facts == f'{{"step.input":"salted:{committed} (9 characters)"}}'

    def test_payloads_without_a_salt_appear_as_their_digest(self) -> None:
        [verdict] = judge([rule('step.input == "x"')], RulePhase.STEP, [step(1, step__input="x")])
        assert verdict.facts == f'{{"step.input":"sha256:{digest(b"x").hex()} (1 characters)"}}'

    @pytest.mark.parametrize(
        "condition",
        [
            '{"a": true}[step.input]',
            "{1: true}[int(step.output)]",
            "{1: true}[size(step.input)]",
            '[1, 2][int(step.output)] == 1 || step.kind == ""',
        ],
    )
    def test_an_error_quotes_nothing_of_a_payload(self, condition: str) -> None:
        subject = step(1, step__input="4111", step__output="4111", step__kind="CHAT")
        [verdict] = judge([rule(condition)], RulePhase.STEP, [subject])
        assert (verdict.outcome, verdict.reason) == (EvaluationOutcome.ERROR, UNDECIDED)

    def test_long_texts_and_odd_characters_in_facts_are_cut_and_storable(self) -> None:
        name = "drop\0" + "x" * 5_000
        [verdict] = judge([rule('step.name.startsWith("drop")')], RulePhase.STEP, [step(1, step__name=name)])
        assert verdict.outcome is EvaluationOutcome.WARN
        assert len(orjson.loads(verdict.facts)["step.name"]) == 501
        assert "\\u0000" not in verdict.facts

    def test_facts_that_no_database_could_hold_are_an_error_and_never_raise(self) -> None:
        subject = step(1, step__name="\ud800", step__duration_ms=2**80)
        [first] = judge([rule(DROPS)], RulePhase.STEP, [subject])
        [second] = judge([rule("step.duration_ms > 1")], RulePhase.STEP, [subject])
        assert {first.outcome, second.outcome} == {EvaluationOutcome.ERROR}
        orjson.loads(first.facts + "\n")
        orjson.loads(second.facts)


NEW = CreatePolicyRule(name="no drops", condition=DROPS)


class TestDigest:
    def test_everything_that_decides_changes_it_and_the_description_does_not(self) -> None:
        changes: list[dict[str, object]] = [
            {"name": "other"},
            {"condition": "true"},
            {"mode": RuleMode.BLOCK},
            {"consequence": Consequence.ABORT},
            {"scope": Scope.AGENT, "scope_id": "a"},
            {"scope": Scope.AGENT, "scope_id": "b"},
        ]
        digests = {rule_digest(1, msgspec.structs.replace(NEW, **change)) for change in changes}
        assert len(digests | {rule_digest(1, NEW), rule_digest(2, NEW)}) == len(changes) + 2
        assert rule_digest(1, msgspec.structs.replace(NEW, description="why")) == rule_digest(1, NEW)
        assert len(rule_digest(1, NEW)) == 32


class TestValidation:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "  "}, "name"),
            ({"name": "x" * 257}, "name"),
            ({"name": "a\0b"}, "name"),
            ({"name": "\ud800"}, "name"),
            ({"description": "x" * 1025}, "description"),
            ({"scope": Scope.AGENT}, "scopeId"),
            ({"scope": Scope.PROJECT}, "scopeId"),
            ({"scope": Scope.TENANT, "scope_id": "a"}, "scopeId"),
            ({"scope": Scope.GLOBAL, "scope_id": "a"}, "scopeId"),
            ({"scope": Scope.AGENT, "scope_id": "x" * 101}, "scopeId"),
            ({"scope": Scope.AGENT, "scope_id": ""}, "scopeId"),
            ({"condition": "run.cosst > 1"}, "condition"),
        ],
    )
    def test_a_wrong_rule_names_its_field(self, change: dict[str, object], field: str) -> None:
        with pytest.raises(ValidationFailed) as caught:
            check_new_rule(msgspec.structs.replace(NEW, **change))
        assert caught.value.field == field

    @pytest.mark.parametrize("change", [{"name": "x" * 256}, {"description": "x" * 1024}, {"description": ""}])
    def test_the_bounds_are_allowed(self, change: dict[str, object]) -> None:
        check_new_rule(msgspec.structs.replace(NEW, **change))

    def test_bi_policy_001_refuses_an_empty_condition(self) -> None:
        for condition in ("", " \n"):
            empty = msgspec.structs.replace(NEW, condition=condition)
            check_new_rule(empty)
            assert not BI_POLICY_001.holds(empty)
        assert BI_POLICY_001.holds(NEW)
        assert BI_POLICY_001.holds(UpdatePolicyRule(rule_key=UUID(int=1)))

    def test_an_update_changes_something_that_compiles(self) -> None:
        key = uuid4()
        with pytest.raises(ValidationFailed, match="nothing to change"):
            check_next_version(UpdatePolicyRule(rule_key=key))
        with pytest.raises(ConditionInvalid):
            check_next_version(UpdatePolicyRule(rule_key=key, condition="run.x"))
        check_next_version(UpdatePolicyRule(rule_key=key, description=""))

    def test_a_rule_retires_for_a_reason_and_not_in_its_own_favour(self) -> None:
        key = uuid4()
        for request in (
            RetirePolicyRule(rule_key=key, reason=""),
            RetirePolicyRule(rule_key=key, reason="x" * 1025),
            RetirePolicyRule(rule_key=key, reason="old", superseded_by_key=key),
        ):
            with pytest.raises(ValidationFailed):
                check_retirement(request)
        check_retirement(RetirePolicyRule(rule_key=key, reason="old"))
