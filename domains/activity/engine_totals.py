"""Totals of a run: tokens and cost over leaf model calls.

A span's usage counts only when no descendant of it carries any, because agents and gateways repeat their calls' sum.
An unknown price makes the cost PARTIAL or UNKNOWN, never smaller in silence.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import CostStatus, StepKind
from spine.contracts.ports import KnownStep, RunRow, SpanCost

MODEL_CALLS = frozenset({StepKind.CHAT, StepKind.EMBEDDINGS})


class Totals(Struct, frozen=True, gc=False):
    """What a run used; None where nothing is known."""

    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    cost_status: CostStatus


class Call(Struct, frozen=True, gc=False):
    """One counted model call."""

    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None


def total_up(
    runs: Iterable[RunRow],
    steps: Iterable[KnownStep],
    members: Mapping[UUID, Sequence[KnownStep]],
    parents: Mapping[str, str | None],
    cost_of: SpanCost,
) -> dict[UUID, Totals]:
    """The totals of every run of a trace."""
    runs = tuple(runs)
    users = [step.span_id for step in steps if _has_usage(step.input_tokens, step.output_tokens)]
    users += [run.span_id for run in runs if _has_usage(run.own_input_tokens, run.own_output_tokens)]
    covered = _ancestors(users, parents)
    return {run.id: _total(_calls(run, members[run.id], covered, cost_of)) for run in runs}


def _has_usage(input_tokens: int | None, output_tokens: int | None) -> bool:
    return input_tokens is not None or output_tokens is not None


def _ancestors(span_ids: Iterable[str], parents: Mapping[str, str | None]) -> set[str]:
    """Every span that has one of these below it."""
    found: set[str] = set()
    for span_id in span_ids:
        parent = parents.get(span_id)
        while parent is not None and parent not in found:
            found.add(parent)
            parent = parents.get(parent)
    return found


def _calls(run: RunRow, members: Sequence[KnownStep], covered: set[str], cost_of: SpanCost) -> list[Call]:
    own, out = run.own_input_tokens, run.own_output_tokens
    if _has_usage(own, out) and run.span_id not in covered:
        return [Call(own, out, cost_of(run.provider, run.model, own, out))]
    calls = []
    for step in members:
        counted = _has_usage(step.input_tokens, step.output_tokens) or step.kind in MODEL_CALLS
        if counted and step.span_id not in covered:
            calls.append(Call(step.input_tokens, step.output_tokens, step.cost_micro_usd))
    return calls


def _total(calls: Sequence[Call]) -> Totals:
    known = [call.cost_micro_usd for call in calls if call.cost_micro_usd is not None]
    some = CostStatus.PARTIAL if known else CostStatus.UNKNOWN
    status = CostStatus.COMPLETE if len(known) == len(calls) else some
    return Totals(
        _sum(call.input_tokens for call in calls),
        _sum(call.output_tokens for call in calls),
        None if status is CostStatus.UNKNOWN else sum(known),
        status,
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
