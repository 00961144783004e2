"""Traces for tests of folding: spans by short names, and what folding makes of them, arrival left out."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from domains.activity.engine import fold
from spine.contracts.ports import KnownStep, RunRow, TraceFold
from spine.contracts.spans import SpanFacts
from spine.services.canonical_json import digest
from spine.services.commitments import commitment
from tests.domains.activity.spans import a_span, facts_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START_NS = 1_779_000_000_000_000_000
PRICES = {"cheap": 1, "dear": 100}


def span_id(name: str) -> str:
    return digest(name.encode()).hex()[:16]


def span(name: str, parent: str | None = None, *, agent: bool = False, started: int = 0, **facts: Any) -> SpanFacts:
    """The facts of a span called `name`; usage, model and the rest by their own names."""
    record = a_span(
        {"gen_ai.operation.name": "invoke_agent" if agent else "chat", "gen_ai.agent.name": name} if agent else {},
        span_id=span_id(name),
        parent_span_id=None if parent is None else span_id(parent),
        name=name,
        started_ns=START_NS + started,
        ended_ns=START_NS + started + 1_000_000,
    )
    return structs.replace(facts_of(record), **facts)


def agent(name: str, parent: str | None = None, **facts: Any) -> SpanFacts:
    return span(name, parent, agent=True, **facts)


def call(name: str, parent: str | None, tokens: int | None = 1, model: str | None = "cheap", **facts: Any) -> SpanFacts:
    """A model call that takes as many input tokens as output tokens."""
    return span(name, parent, input_tokens=tokens, output_tokens=tokens, model=model, **facts)


def cost_of(
    _provider: str | None, model: str | None, input_tokens: int | None, output_tokens: int | None
) -> int | None:
    """A micro-dollar, or a hundred, a token."""
    price = PRICES.get(model or "")
    return None if price is None else price * ((input_tokens or 0) + (output_tokens or 0))


def step(facts: SpanFacts, index: int) -> KnownStep:
    known = {name for name in KnownStep.__struct_fields__ if name in SpanFacts.__struct_fields__}
    return KnownStep(
        step_index=index,
        cost_micro_usd=cost_of(facts.provider, facts.model, facts.input_tokens, facts.output_tokens),
        span_digest=commitment(facts.salt, facts.digest),
        step_hash=b"",
        redacted_at=None,
        run_key=None,
        **{name: getattr(facts, name) for name in known},
    )


class Trace:
    """A trace that grows by exports, folded at each."""

    def __init__(self) -> None:
        self.runs: dict[Any, RunRow] = {}
        self.steps: list[KnownStep] = []
        self.fold: TraceFold

    def add(self, *spans: SpanFacts) -> "Trace":
        agents = [one for one in spans if one.is_agent]
        others = [one for one in spans if not one.is_agent]
        roots = [one for one in others if one.parent_span_id is None]
        self.steps += [step(one, len(self.steps) + place) for place, one in enumerate(others)]
        shown = [run for run in self.runs.values() if not run.withdrawn]
        self.fold = fold(shown, self.steps, agents, roots, cost_of, 0, NOW)
        self.runs |= {run.id: run for run in self.fold.runs}
        return self

    @property
    def shown(self) -> dict[str, RunRow]:
        """The runs that are not withdrawn, by name."""
        return {run.agent_name: run for run in self.runs.values() if not run.withdrawn}

    def steps_of(self, name: str) -> set[str]:
        """The names of a run's steps."""
        key = self.shown[name].id
        return {one.name for one in self.steps if self.fold.assigned.get(one.span_id) == key}

    def outcome(self) -> dict[str, tuple[Any, ...]]:
        """Everything that arrival must not decide, by run."""
        names = {run.id: run.agent_name for run in self.runs.values()}
        return {
            name: (
                structs.replace(run, id=None, parent_run_id=None),
                names.get(run.parent_run_id) if run.parent_run_id else None,
                self.steps_of(name),
            )
            for name, run in self.shown.items()
        }


def shuffled(spans: Sequence[SpanFacts], seed: int) -> list[list[SpanFacts]]:
    """The spans in another order and in several exports."""
    chance = random.Random(seed)  # noqa: S311 - an order that can be had again
    mixed = list(spans)
    chance.shuffle(mixed)
    exports: list[list[SpanFacts]] = [[]]
    for one in mixed:
        if chance.random() < 0.3:
            exports.append([])
        exports[-1].append(one)
    return exports
