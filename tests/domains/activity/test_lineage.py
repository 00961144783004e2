"""Who descends from whom: the same as walking up from every span, for a cost that grows with the trace alone."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.activity.engine import Lineage, run_of
from spine.contracts.ports import KnownStep, RunRow
from tests.domains.activity.folding import NOW, agent, call, step

NAMES = "abcdefgh"
DEPTH = 2_000

Parents = dict[str, str | None]


class Counting(dict[str, Any]):
    """Counts how often it is looked into."""

    looks = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.looks += 1
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.looks += 1
        return super().__getitem__(key)


def steps_of(parents: Parents) -> list[KnownStep]:
    return [step(call(name, parent), index) for index, (name, parent) in enumerate(parents.items())]


def walked(step_: KnownStep, above: Parents, runs: dict[str, UUID]) -> UUID | None:
    """The nearest run above, step by step."""
    at = step_.parent_span_id
    for _ in range(len(above) + 2):
        if at is None or at in runs:
            break
        at = above.get(at)
    return None if at is None else runs.get(at)


def topmost(step_: KnownStep, above: Parents) -> str | None:
    """The uppermost span above, step by step."""
    at: str = step_.span_id
    for _ in range(len(above) + 2):
        parent = above.get(at, at)
        if parent is None:
            return at
        at = parent
    return None


parents_of = st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from(NAMES + "xy"), max_size=8)


@given(parents_of, st.sets(st.sampled_from(NAMES)))
def test_a_steps_run_is_its_nearest_agents(parents: Parents, agents: set[str]) -> None:
    runs = [run_of(agent(name, parents.get(name)), NOW) for name in sorted(agents)]
    steps = steps_of({name: parent for name, parent in parents.items() if name not in agents})
    lineage = Lineage(runs, steps, by_root=False)
    above: Parents = {one.span_id: one.parent_span_id for one in steps}
    above |= {run.span_id: run.parent_span_id for run in runs}
    for one in steps:
        assert lineage.run_of_step(one) == walked(one, above, keys_of(runs))


@given(parents_of)
def test_without_agents_it_is_that_of_its_root(parents: Parents) -> None:
    steps = steps_of(parents)
    runs = [run_of(agent(name), NOW) for name, parent in parents.items() if parent is None]
    lineage = Lineage(runs, steps, by_root=True)
    above: Parents = {one.span_id: one.parent_span_id for one in steps}
    for one in steps:
        assert lineage.run_of_step(one) == keys_of(runs).get(topmost(one, above) or "")


def keys_of(runs: Iterable[RunRow]) -> dict[str, UUID]:
    return {run.span_id: run.id for run in runs}


@pytest.mark.parametrize("by_root", [False, True])
@pytest.mark.parametrize("closed", [False, True])
def test_a_deep_trace_is_walked_once_and_not_from_every_span(by_root: bool, closed: bool) -> None:
    parents: Parents = {str(number): str(number - 1) if number else None for number in range(DEPTH)}
    parents["0"] = str(DEPTH - 1) if closed else None
    steps = steps_of(parents)
    lineage = Lineage([], steps, by_root=by_root)
    lineage.parents = counting = Counting(lineage.parents)
    for one in steps:
        lineage.run_of_step(one)
    assert counting.looks <= 2 * DEPTH
