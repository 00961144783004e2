"""Replays of runs, and what they found."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.account import actor as _actor  # noqa: F401 - a replay holds an actor
from schema.batched import batched, batched_list
from schema.contract import contract_type
from schema.inputs import contract_input, optional, optional_id, required, required_id
from schema.relay import Connection, Node
from spine.contracts import replays
from spine.contracts.enums import ReplayBehavior, ReplayVerdict

if TYPE_CHECKING:
    from schema.activity.run import Run

MISMATCHES = 10


@contract_type(replays.Divergence, name="Divergence")
class Divergence:
    """Where a replay differs from what was recorded, with both hashes."""


@contract_type(replays.ReplayMismatch, name="ReplayMismatch", ids=("id",))
class ReplayMismatch:
    """A step or a governance record that a replay found to differ; it is never changed."""


@contract_type(replays.Replay, name="Replay", ids=("run_id",))
class Replay(Node):
    """One replay of a run; it is never changed."""

    run: Annotated["Run", strawberry.lazy("schema.activity.run")] | None = batched(
        "activity.runs_by_key",
        key="run_key",
        description="The run that was replayed.",
    )
    mismatches: Connection[ReplayMismatch] | None = batched_list(
        "logs.mismatches_for_replays",
        key="key",
        description="What it found to differ, steps first.",
        first=MISMATCHES,
    )


@contract_type(replays.ReplayedStep, name="ReplayedStep")
class ReplayedStep:
    """What became of one step."""


@contract_type(replays.ReplayedDecision, name="ReplayedDecision")
class ReplayedDecision:
    """What became of one evaluation, breach or decision, made again from what was recorded."""


@contract_input(replays.StepBehavior, name="StepBehaviorInput")
class StepBehaviorInput:
    """What is to be done with one step."""

    span_id: str = required("The step's span, 16 hex characters.")
    behavior: ReplayBehavior = required("What is to be done with it.")


@contract_input(replays.ReplayRun, name="ReplayRunInput")
class ReplayRunInput:
    """Replay a run: its steps as is said here, and every governance decision."""

    idempotency_key: str = required("Names this replay, in 1 to 200 characters; the same request is replayed once.")
    id: strawberry.ID = required_id("run_key", "Run", "The run's global id.")
    behavior: ReplayBehavior | None = optional("What is to be done with every step; CHECK when absent.")
    steps: list[StepBehaviorInput] | None = optional("Steps with which something else is to be done.")


@contract_input(replays.ReplayFilter, name="ReplayFilter")
class ReplayFilter:
    """Which replays are wanted; a given field must hold, a list by any of its values, unless it is empty."""

    run_id: strawberry.ID | None = optional_id("run_key", "Run", "Of this run.")
    verdict: list[ReplayVerdict] | None = optional("With one of these verdicts.")
