"""Each rule catches what is planted for it, leaves innocent code alone, and fails where it has nothing to look at."""

import re
from pathlib import Path

import pytest

from tests.architecture.rules import RULES, SCANS, EmptyScanRootError, Rule, Violation
from tests.architecture.source import Module

HERE = Path(__file__).parent
LINES = 60 * "    value += 1\n"


def samples(file: str) -> list[tuple[str, str, str]]:
    """(code, path, source) of every sample; a header is `=== code path`."""
    parts = re.split(r"^=== (\S+) (\S+)\n", (HERE / file).read_text("utf-8"), flags=re.MULTILINE)[1:]
    return list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))


PLANTED = [
    *samples("planted.txt"),
    ("FILE_LENGTH", "schema/relay.py", 400 * "pass\n" + "pass  # here"),
    ("FUNCTION_LENGTH", "schema/relay.py", f"def f(value):  # here\n{LINES}"),
    ("FUNCTION_LENGTH", "schema/relay.py", f"class A:\n  async def f(value):  # here\n{LINES}"),
]
INNOCENT = [
    *samples("innocent.txt"),
    ("FILE_LENGTH", "schema/relay.py", 400 * "pass\n"),
    ("FUNCTION_LENGTH", "schema/relay.py", f"def f():\n    value = 0\n{LINES[:-30]}"),
]


def found(code: str, path: str, source: str) -> list[Violation]:
    """What the rules of this code say of a module; a rule that does not look at it fails the test."""
    module = Module.parse(path, source)
    looking = [rule for rule in RULES if rule.code == code and rule.applies(module.path)]
    assert any(path.startswith(f"{root}/") for rule in looking for root in rule.roots), f"{code} never sees {path}"
    return [violation for rule in looking for violation in rule.violations(module)]


@pytest.mark.parametrize(("code", "path", "source"), PLANTED)
def test_a_planted_violation_is_caught_at_its_line(code: str, path: str, source: str) -> None:
    line = next(number for number, text in enumerate(source.splitlines(), 1) if text.endswith("# here"))
    assert [(one.code, one.path, one.line) for one in found(code, path, source)] == [(code, path, line)]


@pytest.mark.parametrize(("code", "path", "source"), INNOCENT)
def test_innocent_code_is_left_alone(code: str, path: str, source: str) -> None:
    assert found(code, path, source) == []


def test_every_rule_has_a_planted_violation_and_innocent_code() -> None:
    codes = {rule.code for rule in RULES}
    assert {code for code, _, _ in PLANTED} == codes
    assert {code for code, _, _ in INNOCENT} == codes


@pytest.mark.parametrize(("rule", "root"), SCANS)
class TestARuleWithNothingToLookAt:
    def test_fails_when_its_root_is_missing(self, rule: Rule, root: str, tmp_path: Path) -> None:
        with pytest.raises(EmptyScanRootError, match=rule.code):
            rule.scan(tmp_path, root)

    def test_fails_when_its_root_is_empty(self, rule: Rule, root: str, tmp_path: Path) -> None:
        (tmp_path / root).mkdir(parents=True)
        (tmp_path / root / "__init__.py").touch()
        with pytest.raises(EmptyScanRootError, match=rule.code):
            rule.scan(tmp_path, root)


def test_a_violation_says_where_it_is() -> None:
    violation = Violation("L6_COMMIT", "domains/logs/driver.py", 7, ".commit is the unit of work's")
    assert str(violation) == "domains/logs/driver.py:7: L6_COMMIT .commit is the unit of work's"
