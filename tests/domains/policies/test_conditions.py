"""Policy conditions: what is refused with its place, what is read, and that nothing hostile harms the process."""

import subprocess
import sys
import time
from typing import ClassVar

import pytest

from domains.policies.conditions import activate, compile_condition, evaluate, evaluate_all, read_facts
from domains.policies.engine_patterns import MAX_PATTERN_SIZE, pattern_size
from spine.contracts.enums import RulePhase
from spine.contracts.errors import ConditionInvalid, ErrorCode
from spine.contracts.policy_facts import FACTS, FactType, FactValue

TYPICAL: dict[FactType, FactValue] = {FactType.STRING: "x", FactType.INT: 7, FactType.BOOL: True}


def refusal(text: str) -> ConditionInvalid:
    with pytest.raises(ConditionInvalid) as caught:
        compile_condition(text)
    return caught.value


def holds(text: str, **facts: FactValue) -> bool | str:
    named = {name.replace("__", "."): value for name, value in facts.items()}
    return evaluate(compile_condition(text), activate(named))


class TestRefusedWithItsPlace:
    @pytest.mark.parametrize(
        ("text", "line", "column", "message"),
        [
            ("run.cosst > 1", 1, 4, "there is no fact run.cosst"),
            ('run.model == "x" &&\n  run.cosst > 2', 2, 6, "there is no fact run.cosst"),
            ("run.model > 1", 1, 11, "no matching overload"),
            ("run.duration_ms > 1.5", 1, 17, "no matching overload"),
            ("run.model ==", 1, 13, "Syntax error"),
            ("run.model", 1, 1, "is true or false"),
            ("run.step_count + 1", 1, 1, "of type int"),
            ("dyn(run.is_synthetic)", 1, 1, "of type dyn"),
            ("", 1, 1, "1 to 2000 characters"),
            ("  \n ", 1, 1, "1 to 2000 characters"),
            ("run.is_synthetic // " + "x" * 2000, 1, 1, "at most 2000"),
            ('run.model == "a\0b"', 1, 1, "not text"),
            ('run.model == "\ud800"', 1, 1, "not text"),
            ('step.kind == "CHAT" && run.step_count > 3', 1, 27, "may not be mixed"),
            ('run.model + "x" == "yx"', 1, 11, "may not join"),
            ("[1, 2].map(i, i * 2) == [2, 4]", 1, 11, "may not join"),
            ("step.name.matches(step.input)", 1, 18, "must be a literal"),
            ('step.name.matches("(")', 1, 18, "invalid regular expression"),
            ('step.name.matches("(a{1,50}){1,50}")', 1, 18, "too large"),
            ('[["a"]].exists(inner, inner.exists(i, i == run.model))', 1, 35, "written out"),
            ("run", 1, 1, "there is no fact run"),
            ('run["model"] == "x"', 1, 1, "there is no fact run"),
        ],
    )
    def test_a_wrong_condition_names_line_column_and_cause(
        self, text: str, line: int, column: int, message: str
    ) -> None:
        error = refusal(text)
        assert (error.line, error.column) == (line, column), error.message
        assert message in error.message
        assert error.code is ErrorCode.CONDITION_INVALID
        assert error.field == "condition"

    def test_a_position_after_characters_beyond_the_basic_plane_counts_characters(self) -> None:
        assert refusal('run.goal == "\U0001f600\U0001f600" && run.cosst > 1').column == 24


class TestFactsRead:
    def test_every_fact_can_be_read_with_its_type(self) -> None:
        literals = {FactType.STRING: '"x"', FactType.INT: "7", FactType.BOOL: "true"}
        for fact in FACTS:
            condition = compile_condition(f"{fact.name} == {literals[fact.type]}")
            assert condition.facts == (fact.name,)
            assert condition.phase is fact.phase
            assert evaluate(condition, activate({fact.name: TYPICAL[fact.type]})) is True

    def test_names_in_texts_and_comments_are_not_read(self) -> None:
        assert compile_condition('run.model == "run.step_count" // step.name').facts == ("run.model",)

    def test_a_loop_variable_hides_a_fact_of_the_same_name(self) -> None:
        condition = compile_condition('[{"model": "x"}].exists(run, run.model == "x")')
        assert condition.facts == ()
        assert evaluate(condition, activate({"run.model": "other"})) is True

    @pytest.mark.parametrize(
        ("text", "phase"),
        [
            ("true", RulePhase.RUN_START),
            ('run.agent_id == "a"', RulePhase.RUN_START),
            ('step.kind == "CHAT" && run.agent_id == "a"', RulePhase.STEP),
            ("run.step_count > 1 && run.is_synthetic", RulePhase.RUN_END),
        ],
    )
    def test_the_phase_follows_from_the_facts(self, text: str, phase: RulePhase) -> None:
        assert compile_condition(text).phase is phase

    def test_only_known_facts_are_shown(self) -> None:
        condition = compile_condition("run.is_synthetic && run.agent_id != run.model")
        assert read_facts(condition, {"run.is_synthetic": True, "run.goal": "x"}) == {"run.is_synthetic": True}


class TestEvaluation:
    def test_true_and_false(self) -> None:
        assert holds('step.name.startsWith("drop")', step__name="drop table") is True
        assert holds('step.name.startsWith("drop")', step__name="select") is False

    def test_a_word_list_and_a_pattern(self) -> None:
        assert holds('["rm ", "drop "].exists(w, step.input.contains(w))', step__input="rm -rf") is True
        assert holds(r'step.input.matches("\\d{3}-\\d{2}-\\d{4}")', step__input="ssn 123-45-6789.") is True

    def test_the_empty_text_is_a_value(self) -> None:
        assert holds('run.model == ""', run__model="") is True

    @pytest.mark.parametrize(
        ("text", "facts", "message"),
        [
            ("1 / run.step_count > 0", {"run__step_count": 0}, "divide by zero"),
            ("run.step_count + 9223372036854775807 > 0", {"run__step_count": 1}, "overflow"),
            ("int(run.model) > 1", {"run__model": "one"}, "cannot convert"),
            ("run.step_count > 1", {}, "No value with name"),
            ("run.step_count > 1", {"run__step_count": "many"}, "Unexpected value type"),
            ("run.step_count > 1", {"run__step_count": 2**70}, "too big"),
            ('run.model == "x"', {"run__model": None}, "Unexpected value type"),
            ('run.model == "x"', {"run__model": "\ud800"}, "cannot be read"),
        ],
    )
    def test_what_cannot_be_decided_says_why(self, text: str, facts: dict[str, FactValue], message: str) -> None:
        answer = holds(text, **facts)
        assert isinstance(answer, str)
        assert message in answer

    def test_facts_too_long_for_a_costly_condition_are_an_error_and_not_a_stall(self) -> None:
        condition = compile_condition('step.input.matches("(a|b)*a(a|b){100}c")')
        started = time.monotonic()
        answer = evaluate(condition, activate({"step.input": "ab" * 5_000_000}))
        assert "too long" in str(answer)
        assert time.monotonic() - started < 2

    def test_the_slowest_allowed_evaluation_takes_less_than_two_seconds(self) -> None:
        condition = compile_condition('step.input.matches("(a|b)*a(a|b){100}c")')
        started = time.monotonic()
        assert evaluate(condition, activate({"step.input": "ab" * (2**25 // condition.units)})) is False
        assert time.monotonic() - started < 2

    def test_a_fact_may_be_searched_in_another_while_both_are_short(self) -> None:
        mentioned = "step.output.contains(run.actor_id)"
        assert holds(mentioned, step__output="for una", run__actor_id="una") is True
        for condition in (
            "step.input.contains(step.output)",
            "[step.output].exists(w, step.input.contains(w))",
            '["a"].exists(w, [step.output].exists(w, step.input.contains(w)))',
        ):
            started = time.monotonic()
            answer = holds(condition, step__input="a" * 2_000_000, step__output="a" * 1_000_000 + "b")
            assert "too long" in str(answer), condition
            assert time.monotonic() - started < 1

    def test_words_may_be_searched_in_long_texts(self) -> None:
        words = '["rm ", "drop "].exists(w, {"delete": 1}.exists(k, step.input.contains(w) || step.input.contains(k)))'
        assert holds(words, step__input="x" * 500_000 + "delete", run__actor_id="una") is True

    def test_one_activation_serves_many_conditions(self) -> None:
        subject = activate({"run.model": "m", "run.step_count": 3})
        assert evaluate(compile_condition('run.model == "m"'), subject) is True
        assert evaluate(compile_condition("run.step_count == 3"), subject) is True


class TestEvaluationOfAll:
    FACTS: ClassVar[dict[str, FactValue]] = {"run.model": "m", "run.step_count": 0, "run.goal": "a" * 100}
    DECIDED = ('run.model == "m"', "run.step_count > 3 // few are not", '["x", "m"].exists(w, run.model == w)')

    @pytest.mark.parametrize(
        "texts",
        [
            (),
            DECIDED,
            DECIDED * 30,
            (*DECIDED, "1 / run.step_count > 0"),
            (*DECIDED, 'run.agent_id == "unknown"'),
            (*DECIDED * 20, "1 / run.step_count > 0", *DECIDED),
        ],
        ids=["none", "decided", "more than one program holds", "failing", "of an absent fact", "failing among many"],
    )
    def test_is_what_each_says_alone(self, texts: tuple[str, ...]) -> None:
        conditions = [compile_condition(text) for text in texts]
        subject = activate(self.FACTS)
        assert evaluate_all(conditions, self.FACTS) == [evaluate(one, subject) for one in conditions]

    def test_a_condition_that_is_too_long_for_its_facts_leaves_the_others_decided(self) -> None:
        slow = compile_condition('step.input.matches("(a|b)*a(a|b){100}c")')
        fast = compile_condition("run.step_count == 3")
        late, held = evaluate_all([slow, fast], {"step.input": "ab" * 5_000_000, "run.step_count": 3})
        assert "too long" in str(late)
        assert held is True

    def test_a_fact_that_no_condition_reads_may_be_unreadable(self) -> None:
        condition = compile_condition('run.model == "m"')
        assert evaluate_all([condition], {"run.model": "m", "run.goal": "\ud800"}) == [True]


TEN = "[0,0,0,0,0,0,0,0,0,0]"
HOSTILE = {
    "nested loops": ".all(a, ".join([TEN] * 4) + ".all(a, true))))",
    "deep loops": "".join(f"[0].all(v{n}, " for n in range(100)) + "true" + ")" * 100,
    "a long conjunction": "&&".join(["true"] * 20_000),
    "a conjunction within the length": "&&".join(["true"] * 333),
    "a long sum": "+".join(["1"] * 990) + "== 1",
    "deep parentheses": "(" * 990 + "true" + ")" * 990,
    "very deep parentheses": "(" * 100_000,
    "deep lists": "[" * 990 + "]" * 990 + " == []",
    "many negations": "!" * 1_990 + "true",
    "many minuses": "-" * 1_990 + "1 == 1",
    "deep choices": "true ? " * 280 + "true" + " : true" * 280,
    "deep members": "run" + ".a" * 990 + " == 1",
    "a huge text": 'run.model == "' + "x" * 10_000_000 + '"',
    "an open text": '"' * 1_999,
    "doubling by loops": '["xxxxxxxxxx"].exists(a, [a+a+a+a].exists(b, [b+b+b+b].exists(c, c != "")))',
    "a long list": "[" + "0," * 900 + "0].all(i, i == 0)",
    "a bomb of repetitions": 'run.model.matches("' + "(" * 9 + "a" + "{1000})" * 9 + '")',
    "a huge repetition": 'run.model.matches("a{' + "9" * 1900 + '}")',
    "quoted repetitions": r'run.model.matches("\\Q(\\E((a{900}){900})")',
    "nonsense": "\x01\x7f\u2028" * 600,
    "huge number": "9" * 1_990 + " > 1",
    "message": "google.protobuf.ListValue{values: []} == []",
}


class TestHostile:
    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_it_ends_quickly_in_an_answer_or_a_placed_error(self, text: str) -> None:
        started = time.monotonic()
        try:
            evaluate(compile_condition(text), activate({"run.model": "x"}))
            place = (1, 1)
        except ConditionInvalid as error:
            place = (error.line, error.column)
        assert min(place) >= 1
        assert time.monotonic() - started < 1

    def test_none_of_them_needs_much_memory_or_kills_a_process(self) -> None:
        script = (
            "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
            "from tests.domains.policies.test_conditions import *\n"
            "for text in HOSTILE.values():\n"
            "    try: evaluate(compile_condition(text), activate({'run.model': 'x'}))\n"
            "    except ConditionInvalid: pass\n"
            "print('survived')\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
        assert done.stdout == "survived\n", done.stderr


class TestPatternSize:
    @pytest.mark.parametrize(
        ("pattern", "least", "most"),
        [
            ("", 1, 1),
            ("abc", 3, 3),
            (r"\d{3}-\d{2}-\d{4}", 11, 11),
            ("(ab){10}", 20, 40),
            ("((a|b){0,5}){0,5}", 50, 120),
            ("[]a]{3}[^]b]", 4, 4),
            ("[[:alpha:]]{2,}", 2, 2),
            ("(?i)drop|(?:delete){3}", 22, 40),
            (")(){1,5}", 2, 10),
        ],
    )
    def test_counted_repetitions_multiply(self, pattern: str, least: int, most: int) -> None:
        size = pattern_size(pattern)
        assert size is not None
        assert least <= size <= most

    @pytest.mark.parametrize("pattern", ["a{2001}", "(a{50}){50}", "((a|b){500}){9}", r"\Qa", "(a{1000}b{1001})"])
    def test_what_unfolds_beyond_the_limit_is_too_large(self, pattern: str) -> None:
        assert pattern_size(pattern) is None

    def test_the_limit_itself_is_allowed(self) -> None:
        assert pattern_size("a" * MAX_PATTERN_SIZE) == MAX_PATTERN_SIZE
