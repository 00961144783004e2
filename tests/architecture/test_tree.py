"""The source tree breaks no architecture rule."""

import pytest

from tests.architecture.rules import SCANS, Rule
from tests.architecture.source import PROJECT


@pytest.mark.parametrize(("rule", "root"), SCANS)
def test_the_tree_keeps_the_rule(rule: Rule, root: str) -> None:
    violations = rule.scan(PROJECT, root)
    assert not violations, "\n" + "\n".join(map(str, violations))
