"""Policy conditions: CEL over the typed fact model, checked and bounded when written, evaluated fail-closed.

The runtime checks names and types; what it does not bound is refused here: texts that grow (concatenation), loops over
anything but literals, and patterns that are not literals or too large. What is left costs at most a known number of
units for each character of the facts it reads, and an evaluation over the budget is an error instead of a stall.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

from cel_expr_python import cel
from msgspec import Struct

from domains.policies.engine_expression import Call, CheckedExpression, read_checked
from domains.policies.engine_patterns import pattern_size
from spine.contracts.enums import RulePhase
from spine.contracts.errors import ConditionInvalid, ValidationFailed
from spine.contracts.policy_facts import FACTS, PAYLOAD_FACTS, FactType, FactValue
from spine.services.texts import check_text

ENGINE: Final = f"cel-expr-python/{version('cel-expr-python')} judgement/1"
"""What evaluates conditions, as evaluations record it; our own part counts up when the same facts may answer otherwise.

It stands in each evaluation rather than in the rule's digest, for an engine is replaced while rules stay in force.
"""

MAX_CONDITION: Final = 2_000
MOST_TOGETHER: Final = 32  # conditions in one program: the runtime takes 100,000 characters
MAX_ROUNDS: Final = 1_000  # of all loops that surround a call, multiplied
UNREADABLE: Final = "its facts cannot be read"
UNDECIDED: Final = "it cannot be decided from the step's payload"
MAX_UNITS: Final = 2**26  # about 0.2 s at the slowest, measured: 3.3 ns a unit
PAIRS_A_UNIT: Final = 500  # of characters that a search compares, measured

_TYPES: Final = {FactType.STRING: cel.Type.STRING, FactType.INT: cel.Type.INT, FactType.BOOL: cel.Type.BOOL}
_FACTS: Final = {fact.name: fact for fact in FACTS}
_ENVIRONMENT: Final = cel.NewEnv(variables={fact.name: _TYPES[fact.type] for fact in FACTS})
_PATTERN_PROBE: Final = _ENVIRONMENT.compile("run.goal.matches(run.model)")
_PLACED: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_CODED: Final = re.compile(r"^[A-Z_]+: |(?: \[[A-Z_]+\])$")
_GROWING: Final = frozenset({"add_string", "add_bytes", "add_list"})
_CONTAINS: Final = frozenset({"contains_string", "string_contains_string"})
_MATCHES: Final = frozenset({"matches", "matches_string"})


class CompiledCondition(Struct, frozen=True):
    """A condition that may be evaluated: its text, the facts that it reads, when they are known, and its program.

    `units` bounds its work for each character of the texts it reads; `searches` counts those for one fact in another,
    whose work is the product of both lengths. `texts` are the facts whose length counts, so none where neither does.
    """

    text: str
    facts: tuple[str, ...]
    texts: tuple[str, ...]
    phase: RulePhase
    units: int
    searches: int
    program: Any


class Activation(Struct, frozen=True):
    """A subject's facts, prepared once for all rules; `values` is None when the facts cannot be passed to CEL."""

    facts: Mapping[str, FactValue]
    values: Any


class Together(Struct, frozen=True):
    """Several conditions as one program that answers a list, and the facts that they read."""

    facts: tuple[str, ...]
    program: Any


@lru_cache(maxsize=1024)
def compile_condition(text: str) -> CompiledCondition:
    """Check a condition against the fact model; raises ConditionInvalid with the place of what is wrong."""
    if len(text) > MAX_CONDITION:
        raise ConditionInvalid(f"a condition has at most {MAX_CONDITION} characters", line=1, column=1)
    try:
        check_text(text, "condition", MAX_CONDITION)
    except ValidationFailed as error:
        raise ConditionInvalid(error.message, line=1, column=1) from None
    program = _compiled(text)
    checked = read_checked(program.serialize())
    facts = tuple(sorted(name for name in checked.names if name in _FACTS))
    phase = _phase(text, checked, facts)
    units = sum(_units(text, call) for call in checked.calls)
    searches = sum(call.times or 0 for call in checked.calls if call.overloads & _CONTAINS and not call.written)
    texts = tuple(name for name in facts if _FACTS[name].type is FactType.STRING) if units or searches else ()
    return CompiledCondition(text, facts, texts, phase, units, searches, program)


def activate(facts: Mapping[str, FactValue]) -> Activation:
    """Prepare a subject's facts."""
    try:
        return Activation(facts, _ENVIRONMENT.Activation(facts))
    except (RuntimeError, TypeError, ValueError, UnicodeError):
        return Activation(facts, None)


def evaluate(condition: CompiledCondition, subject: Activation) -> bool | str:
    """Whether the condition holds, or a text saying why that cannot be decided; never raises."""
    length = _length(condition, subject.facts)
    if _is_too_long(condition, length):
        return f"its facts are too long to be judged: {length} characters"
    if subject.values is None:
        return UNREADABLE
    try:
        answer = condition.program.eval(subject.values).value()
    except (RuntimeError, TypeError, ValueError, UnicodeError) as error:
        return _said(condition, str(error)) if _CODED.match(str(error)) else UNREADABLE
    return answer if answer is True or answer is False else _said(condition, str(answer))


def _said(condition: CompiledCondition, message: str) -> str:
    """The runtime's message; not over a payload, which it may quote (`Key not found in map : "…"`)."""
    return UNDECIDED if PAYLOAD_FACTS.intersection(condition.facts) else _plain(message)


def evaluate_all(conditions: Sequence[CompiledCondition], facts: Mapping[str, FactValue]) -> list[bool | str]:
    """What `evaluate` says of each condition.

    As one program where that decides all of them: entering the runtime costs more than most conditions do. Where one
    of them cannot be decided, or is too long for these facts, each is asked alone.
    """
    if len(conditions) > MOST_TOGETHER:
        rest = evaluate_all(conditions[MOST_TOGETHER:], facts)
        return evaluate_all(conditions[:MOST_TOGETHER], facts) + rest
    answers = _answers_together(conditions, facts)
    if answers is not None:
        return answers
    subject = activate(facts)
    return [evaluate(condition, subject) for condition in conditions]


def _answers_together(
    conditions: Sequence[CompiledCondition], facts: Mapping[str, FactValue]
) -> list[bool | str] | None:
    if any(one.texts and _is_too_long(one, _length(one, facts)) for one in conditions):
        return None
    together = _together(tuple([one.text for one in conditions]))
    if together is None:
        return None
    read = {name: facts[name] for name in together.facts if name in facts}
    try:
        answers = together.program.eval(_ENVIRONMENT.Activation(read)).plain_value()
    except (RuntimeError, TypeError, ValueError, UnicodeError):
        return None
    return answers if isinstance(answers, list) else None


@lru_cache(maxsize=256)
def _together(texts: tuple[str, ...]) -> Together | None:
    """Conditions that compile, each on lines of its own, for it may end in a comment; None if not as one."""
    facts = sorted({name for text in texts for name in compile_condition(text).facts})
    try:
        return Together(tuple(facts), _ENVIRONMENT.compile("[(\n" + "\n),(\n".join(texts) + "\n)]"))
    except (RuntimeError, TypeError, ValueError, UnicodeError):
        return None


def _length(condition: CompiledCondition, facts: Mapping[str, FactValue]) -> int:
    """How many characters the condition may have to look at."""
    return sum(len(value) for name in condition.texts if isinstance(value := facts.get(name), str))


def _is_too_long(condition: CompiledCondition, length: int) -> bool:
    return length * (condition.units + condition.searches * length // PAIRS_A_UNIT) > MAX_UNITS


def read_facts(condition: CompiledCondition, facts: Mapping[str, FactValue]) -> dict[str, FactValue]:
    """The facts that the condition read, of those that are known."""
    return {name: facts[name] for name in condition.facts if name in facts}


def _compiled(text: str) -> Any:
    try:
        program = _ENVIRONMENT.compile(text)
    except (RuntimeError, TypeError, ValueError, UnicodeError) as error:
        raise _invalid(str(error)) from None
    if program.return_type() != cel.Type.BOOL:
        kind = program.return_type().name().lower()
        raise ConditionInvalid(f"a condition is true or false, this is of type {kind}", line=1, column=1)
    return program


def _invalid(message: str) -> ConditionInvalid:
    placed = _PLACED.search(message)
    if placed is None:
        return ConditionInvalid(_plain(message), line=1, column=1)
    line, column = int(placed[1]), int(placed[2])
    text = re.sub(r"undeclared reference to '([^']*)'.*", r"there is no fact \1", _plain(placed[3]))
    return ConditionInvalid(text, line=max(line, 1), column=max(column, 1))


def _plain(message: str) -> str:
    """The runtime's message without its status codes, cut to a line."""
    return _CODED.sub("", _CODED.sub("", message.partition("\n")[0])).strip()[:300]


def _refusal(text: str, offset: int, message: str) -> ConditionInvalid:
    """The error at a place in the text; lines and columns count from 1."""
    before = text[:offset]
    return ConditionInvalid(message, line=before.count("\n") + 1, column=offset - before.rfind("\n"))


def _phase(text: str, checked: CheckedExpression, facts: tuple[str, ...]) -> RulePhase:
    phases = {_FACTS[name].phase for name in facts}
    if RulePhase.STEP in phases and RulePhase.RUN_END in phases:
        total = next(name for name in facts if _FACTS[name].phase is RulePhase.RUN_END)
        message = f"{total} is known when the run ends and may not be mixed with facts of a step"
        raise _refusal(text, checked.names[total], message)
    return next((phase for phase in (RulePhase.STEP, RulePhase.RUN_END) if phase in phases), RulePhase.RUN_START)


def _units(text: str, call: Call) -> int:
    """What the call costs at most for each character it reads; raises ConditionInvalid for what has no bound."""
    if call.overloads & _GROWING:
        raise _refusal(text, call.offset, "a condition may not join texts or build lists (+, map, filter)")
    if call.times is None:
        raise _refusal(text, call.offset, "a loop runs over a list that is written out")
    if call.times > MAX_ROUNDS:
        raise _refusal(text, call.offset, f"loops run at most {MAX_ROUNDS} times")
    if call.overloads & _MATCHES:
        return call.times * _checked_pattern(text, call)
    if call.overloads & _CONTAINS:
        return call.times * 10
    return call.times * any("string" in name or "bytes" in name for name in call.overloads)


def _checked_pattern(text: str, call: Call) -> int:
    """The size of a literal pattern that RE2 accepts."""
    if call.literal is None:
        raise _refusal(text, call.offset, "the pattern of matches must be a literal")
    size = pattern_size(call.literal)
    if size is None:
        raise _refusal(text, call.offset, "this pattern is too large")
    answer = _PATTERN_PROBE.eval(data={"run.goal": "", "run.model": call.literal})
    if answer.type() != cel.Type.BOOL:
        raise _refusal(text, call.offset, _plain(str(answer.value())))
    return size
