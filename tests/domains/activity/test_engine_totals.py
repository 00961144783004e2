"""Totals: leaf usage alone counts, and a price that is not known is never zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.contracts.enums import CostStatus, StepKind
from spine.contracts.ports import RunRow
from tests.domains.activity.folding import Trace, agent, call, span


def run_of(*spans: object) -> RunRow:
    return Trace().add(*spans).shown["boss"]  # type: ignore[arg-type]


def usage(run: RunRow) -> tuple[int | None, int | None]:
    return (run.input_tokens, run.output_tokens)


class TestUsage:
    def test_of_an_agent_that_repeats_its_calls_counts_once(self) -> None:
        run = run_of(agent("boss", input_tokens=30, output_tokens=30), call("1", "boss", 10), call("2", "boss", 20))
        assert usage(run) == (30, 30)

    def test_of_an_agent_without_calls_counts_as_it_says(self) -> None:
        run = run_of(agent("boss", input_tokens=30, output_tokens=5, model="cheap"), span("1", "boss"))
        assert usage(run) == (30, 5)
        assert (run.cost_micro_usd, run.cost_status) == (35, CostStatus.COMPLETE)

    def test_of_a_gateway_between_counts_only_below_it(self) -> None:
        run = run_of(agent("boss"), call("gateway", "boss", 99), call("1", "gateway", 10), call("2", "boss", 5))
        assert usage(run) == (15, 15)

    def test_below_a_plain_span_covers_every_ancestor(self) -> None:
        run = run_of(
            agent("boss", input_tokens=9, output_tokens=9), call("1", "boss", 9), span("2", "1"), call("3", "2", 4)
        )
        assert usage(run) == (4, 4)

    def test_of_a_call_whose_parent_is_missing_still_covers_nobody(self) -> None:
        run = run_of(agent("boss", input_tokens=9, output_tokens=9), call("1", "never", 4))
        assert usage(run) == (9, 9)

    def test_of_a_sub_agent_is_its_own_and_no_longer_its_callers(self) -> None:
        trace = Trace().add(
            agent("boss", input_tokens=30, output_tokens=30),
            call("1", "boss", 10),
            agent("clerk", "boss", input_tokens=20, output_tokens=20),
            call("2", "clerk", 20),
        )
        assert (usage(trace.shown["boss"]), usage(trace.shown["clerk"])) == ((10, 10), (20, 20))

    def test_of_a_sub_agent_without_calls_covers_its_callers(self) -> None:
        trace = Trace().add(agent("boss", input_tokens=30, output_tokens=30), agent("clerk", "boss", input_tokens=7))
        assert (usage(trace.shown["boss"]), usage(trace.shown["clerk"])) == ((None, None), (7, None))

    def test_that_nobody_says_is_unknown_and_not_zero(self) -> None:
        run = run_of(agent("boss"), span("1", "boss"))
        assert usage(run) == (None, None)
        assert (run.cost_micro_usd, run.cost_status) == (0, CostStatus.COMPLETE)

    def test_of_one_direction_leaves_the_other_unknown(self) -> None:
        run = run_of(agent("boss"), span("1", "boss", input_tokens=3, kind=StepKind.CHAT, model="cheap"))
        assert usage(run) == (3, None)

    def test_of_zero_is_usage(self) -> None:
        assert usage(run_of(agent("boss", input_tokens=5), call("1", "boss", 0))) == (0, 0)

    @given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
    def test_of_calls_adds_up(self, counts: list[int]) -> None:
        calls = [call(str(place), "boss", tokens) for place, tokens in enumerate(counts)]
        assert usage(run_of(agent("boss"), *calls)) == (sum(counts), sum(counts))


class TestCost:
    def test_of_priced_calls_is_complete(self) -> None:
        run = run_of(agent("boss"), call("1", "boss", 10, "cheap"), call("2", "boss", 10, "dear"))
        assert (run.cost_micro_usd, run.cost_status) == (2_020, CostStatus.COMPLETE)

    def test_of_some_priced_calls_is_partial(self) -> None:
        run = run_of(agent("boss"), call("1", "boss", 10, "cheap"), call("2", "boss", 10, "unheard of"))
        assert (run.cost_micro_usd, run.cost_status) == (20, CostStatus.PARTIAL)

    @pytest.mark.parametrize("model", ["unheard of", None])
    def test_of_unpriced_calls_is_unknown_and_not_zero(self, model: str | None) -> None:
        run = run_of(agent("boss"), call("1", "boss", 10, model), call("2", "boss", 10, model))
        assert (run.cost_micro_usd, run.cost_status) == (None, CostStatus.UNKNOWN)

    def test_of_a_model_call_without_usage_is_not_known(self) -> None:
        silent = span("1", "boss", kind=StepKind.CHAT)
        assert run_of(agent("boss"), silent).cost_status is CostStatus.UNKNOWN
        assert run_of(agent("boss"), silent, call("2", "boss", 10)).cost_status is CostStatus.PARTIAL

    def test_of_a_covered_call_does_not_matter(self) -> None:
        run = run_of(agent("boss"), call("gateway", "boss", 10, "unheard of"), call("1", "gateway", 10, "cheap"))
        assert (run.cost_micro_usd, run.cost_status) == (20, CostStatus.COMPLETE)

    def test_of_no_call_is_nothing_and_complete(self) -> None:
        run = run_of(agent("boss"), span("1", "boss", kind=StepKind.EXECUTE_TOOL))
        assert (run.cost_micro_usd, run.cost_status) == (0, CostStatus.COMPLETE)

    def test_of_an_agents_own_usage_is_at_its_calls_model(self) -> None:
        silent = span("1", "boss", kind=StepKind.CHAT, model="dear")
        run = run_of(agent("boss", input_tokens=1, output_tokens=1), silent)
        assert (run.cost_micro_usd, run.cost_status) == (200, CostStatus.COMPLETE)
