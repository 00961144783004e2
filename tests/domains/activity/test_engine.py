"""Folding: which runs a trace makes, which step belongs to which, and that the order of arrival decides nothing."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from domains.activity.engine import without_circles
from spine.contracts.enums import ActorKind, RunSource, RunState, RunStatus, StepStatus, TerminationReason
from spine.contracts.spans import SpanFacts
from tests.domains.activity.folding import START_NS, Trace, agent, call, shuffled, span, span_id

NAMES = "abcdefgh"


@st.composite
def traces(draw: st.DrawFn) -> list[SpanFacts]:
    """Any shape: forests, circles, parents that never come, agents and usage anywhere."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    spans = []
    for place, name in enumerate(names):
        parent = draw(st.none() | st.sampled_from([*names, "never"]))
        tokens = draw(st.none() | st.integers(0, 50))
        model = draw(st.sampled_from(["cheap", "dear", "unheard of", None]))
        status = draw(st.sampled_from([StepStatus.SUCCESS, StepStatus.FAILURE]))
        facts = span(name, parent, agent=draw(st.booleans()), started=place)
        spans.append(structs.replace(facts, input_tokens=tokens, output_tokens=tokens, model=model, status=status))
    return spans


class TestTheOrderOfArrival:
    @given(traces(), st.integers(0, 2**32))
    def test_decides_nothing(self, spans: list[SpanFacts], seed: int) -> None:
        whole = Trace().add(*spans)
        pieces = Trace()
        for export in shuffled(spans, seed):
            pieces.add(*export)
        assert pieces.outcome() == whole.outcome()

    @given(traces(), st.integers(0, 2**32))
    def test_never_moves_a_step_from_one_shown_run_to_another(self, spans: list[SpanFacts], seed: int) -> None:
        trace = Trace()
        for export in shuffled(spans, seed):
            before = {} if not trace.runs else dict(trace.fold.assigned)
            trace.add(*export)
            shown = {run.id for run in trace.shown.values()}
            for name, key in before.items():
                assert key not in shown or trace.fold.assigned[name] == key

    @given(traces())
    def test_a_second_fold_changes_nothing(self, spans: list[SpanFacts]) -> None:
        trace = Trace().add(*spans)
        before = dict(trace.runs)
        assert trace.add().runs == before

    @given(traces())
    def test_every_step_is_in_one_run_at_most_and_every_run_counts_its_own(self, spans: list[SpanFacts]) -> None:
        trace = Trace().add(*spans)
        for name, run in trace.shown.items():
            assert run.step_count == len(trace.steps_of(name))
        assert sum(run.step_count for run in trace.shown.values()) == len(trace.fold.assigned) <= len(trace.steps)

    @given(traces())
    def test_no_run_is_its_own_ancestor(self, spans: list[SpanFacts]) -> None:
        runs = Trace().add(*spans).runs
        for run in runs.values():
            seen = set()
            key = run.id
            while key is not None:
                assert key not in seen
                seen.add(key)
                key = runs[key].parent_run_id  # type: ignore[assignment]


class TestAgents:
    def test_a_step_belongs_to_its_nearest_agent(self) -> None:
        trace = Trace().add(
            agent("boss"), agent("clerk", "boss"), call("1", "boss"), call("2", "clerk"), span("3", "2"), call("4", "3")
        )
        assert (trace.steps_of("boss"), trace.steps_of("clerk")) == ({"1"}, {"2", "3", "4"})
        assert trace.shown["clerk"].parent_run_id == trace.shown["boss"].id
        assert trace.shown["boss"].parent_run_id is None

    def test_a_nested_agent_below_a_plain_span_has_its_parent_too(self) -> None:
        trace = Trace().add(agent("boss"), span("between", "boss"), agent("clerk", "between"))
        assert trace.shown["clerk"].parent_run_id == trace.shown["boss"].id

    def test_a_step_waits_for_the_span_between_it_and_its_agent(self) -> None:
        trace = Trace().add(agent("boss"), call("1", "between"))
        assert trace.steps_of("boss") == set()
        assert trace.shown["boss"].missing_span_count == 1
        trace.add(span("between", "boss"))
        assert trace.steps_of("boss") == {"1", "between"}
        assert trace.shown["boss"].missing_span_count == 0

    def test_a_step_beside_the_agent_belongs_to_no_run(self) -> None:
        trace = Trace().add(span("request"), agent("boss", "request"), call("1", "request"), call("2", "boss"))
        assert set(trace.shown) == {"boss"}
        assert trace.steps_of("boss") == {"2"}
        assert trace.shown["boss"].missing_span_count == 0

    def test_two_agents_side_by_side_are_two_runs(self) -> None:
        trace = Trace().add(agent("one"), agent("two"), call("1", "one"), call("2", "two"))
        assert {name: trace.steps_of(name) for name in trace.shown} == {"one": {"1"}, "two": {"2"}}

    def test_a_runs_model_is_its_own_or_its_first_calls(self) -> None:
        first = call("1", "boss", model="dear", started=2, provider="openai")
        second = call("2", "boss", model="cheap", started=1, provider=None)
        trace = Trace().add(agent("boss"), first, second)
        assert (trace.shown["boss"].model, trace.shown["boss"].provider) == ("cheap", "openai")
        own = Trace().add(agent("boss", model="own", provider="anthropic"), first)
        assert (own.shown["boss"].model, own.shown["boss"].provider) == ("own", "anthropic")

    def test_a_run_is_heard_of_until_its_last_step_ends(self) -> None:
        trace = Trace().add(agent("boss"), span("1", "boss", started=5_000_000))
        assert trace.shown["boss"].last_seen_ns == START_NS + 6_000_000
        assert trace.shown["boss"].completed_ns == START_NS + 1_000_000

    @pytest.mark.parametrize(
        ("code", "reason"), [("timeout", TerminationReason.TIMEOUT), ("E1", TerminationReason.SYSTEM_FAILURE)]
    )
    def test_a_failed_agent_is_a_failed_run(self, code: str, reason: TerminationReason) -> None:
        failed = agent("boss", status=StepStatus.FAILURE, outcome_code=code, status_message="it fell")
        run = Trace().add(failed).shown["boss"]
        assert (run.status, run.state, run.termination_reason) == (RunStatus.FAILED, RunState.COMPLETED, reason)
        assert (run.error_code, run.error_message, run.source) == (code, "it fell", RunSource.AGENT)

    def test_a_user_makes_the_actor_human(self) -> None:
        run = Trace().add(agent("boss", user_id="ann")).shown["boss"]
        assert (run.actor_kind, run.actor_id) == (ActorKind.HUMAN, "ann")


class TestTracesWithoutAnAgent:
    def test_are_one_run_a_root_named_after_it(self) -> None:
        trace = Trace().add(span("POST /a"), call("1", "POST /a"), span("GET /b"), call("2", "GET /b"))
        assert {name: trace.steps_of(name) for name in trace.shown} == {
            "POST /a": {"POST /a", "1"},
            "GET /b": {"GET /b", "2"},
        }
        assert {run.named_after_root for run in trace.shown.values()} == {True}
        assert {run.parent_run_id for run in trace.shown.values()} == {None}

    def test_have_no_run_before_their_root_arrives(self) -> None:
        trace = Trace().add(call("1", "root"), call("2", "1"))
        assert trace.shown == {}
        trace.add(span("root"))
        assert trace.steps_of("root") == {"root", "1", "2"}

    def test_are_withdrawn_when_an_agent_arrives_late(self) -> None:
        trace = Trace().add(span("root"), call("1", "root"), call("2", "clerk"))
        named = trace.shown["root"]
        trace.add(agent("clerk", "root"))
        assert set(trace.shown) == {"clerk"}
        assert trace.runs[named.id].withdrawn
        assert trace.steps_of("clerk") == {"2"}

    def test_stay_withdrawn_and_make_no_more_runs(self) -> None:
        trace = Trace().add(span("root")).add(agent("clerk", "root")).add(span("another root")).add(call("1", "clerk"))
        assert set(trace.shown) == {"clerk"}
        assert len(trace.runs) == 2


class TestCircles:
    def test_a_span_that_is_its_own_parent_is_nobodys_child(self) -> None:
        trace = Trace().add(agent("boss", "boss"), call("1", "boss"))
        assert trace.shown["boss"].parent_run_id is None
        assert (trace.shown["boss"].input_tokens, trace.shown["boss"].missing_span_count) == (1, 0)

    def test_agents_in_a_circle_have_no_parents(self) -> None:
        trace = Trace().add(agent("one", "two"), agent("two", "one"), agent("three", "two"), call("1", "three"))
        assert trace.shown["one"].parent_run_id is None
        assert trace.shown["two"].parent_run_id is None
        assert trace.shown["three"].parent_run_id == trace.shown["two"].id

    def test_usage_in_a_circle_is_counted_and_not_lost(self) -> None:
        trace = Trace().add(agent("boss", "2"), call("1", "boss", 3), call("2", "1", 4))
        assert trace.shown["boss"].input_tokens == 7

    def test_steps_in_a_circle_belong_to_no_run(self) -> None:
        trace = Trace().add(call("1", "2"), call("2", "1"), span("root"))
        assert trace.steps_of("root") == {"root"}
        assert Trace().add(agent("boss"), call("1", "2"), call("2", "1")).shown["boss"].step_count == 0

    @given(st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from(NAMES + "xy"), max_size=8))
    def test_only_the_links_of_circles_are_cut(self, parents: dict[str, str | None]) -> None:
        causes = without_circles(parents)
        for name, parent in parents.items():
            assert causes[name] == (None if is_own_ancestor(name, parents) else parent)

    def test_a_trace_as_deep_as_an_export_is_walked_in_time(self) -> None:
        depth = 10_000
        parents = {str(number): str(number - 1) if number else None for number in range(depth)}
        assert without_circles(parents) == parents


def is_own_ancestor(name: str, parents: dict[str, str | None]) -> bool:
    above: Sequence[str | None] = [parents.get(name)]
    for _ in parents:
        above = [*above, parents.get(above[-1] or "")]
    return name in above


def test_names_become_ids_of_spans() -> None:
    assert len(span_id("a")) == 16
