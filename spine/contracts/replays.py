"""Replays: what is replayed of a run, what came of it, and the reservations that keep a step from being done twice."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import (
    DecisionKind,
    DivergenceKind,
    ReplayBehavior,
    ReplayOutcome,
    ReplayVerdict,
    ReservationState,
)
from spine.contracts.paging import PageRequest


class Divergence(Struct, frozen=True, gc=False, kw_only=True):
    """Where a replay first differs from what was recorded."""

    kind: Annotated[DivergenceKind, Meta(description="What differs.")]
    index: Annotated[int, Meta(description="Chain number of the step, or place in the run's evidence.")]
    is_step: Annotated[bool, Meta(description="Whether it is a step; a governance record otherwise.")]
    expected: Annotated[str, Meta(description="What was recorded: a SHA-256, hex, or the engine's version.")]
    actual: Annotated[str, Meta(description="What the replay gave, in the same form.")]


class StepToReplay(Struct, frozen=True, kw_only=True):
    """A recorded step and what is to be done with it.

    `input_digest` stands for its input in what makes two executions under one key the same, and outputs are compared by
    their commitments under `salt`, that of the recorded one. `redacted` says that its content was erased; `altered` is
    where the record itself is no longer what was chained.
    """

    step_index: int
    span_id: str
    skill_name: str
    behavior: ReplayBehavior
    idempotency_key: str | None
    input: bytes | None
    input_digest: bytes | None
    output: bytes | None
    salt: bytes | None = None
    redacted: bool = False
    altered: Divergence | None = None


class ReplayedStep(Struct, frozen=True, gc=False, kw_only=True):
    """What became of one step."""

    step_index: Annotated[int, Meta(description="Chain number of the step.")]
    span_id: Annotated[str, Meta(description="16 hex characters.")]
    skill_name: Annotated[str, Meta(description="The tool's or the model's name.")]
    behavior: Annotated[ReplayBehavior, Meta(description="What was to be done with it.")]
    outcome: Annotated[ReplayOutcome, Meta(description="What became of it.")]
    from_cache: Annotated[bool, Meta(description="Whether an earlier execution under the same key answered.")]
    reason: Annotated[str | None, Meta(description="Why it was not compared, or how it differs.")]
    output: Annotated[
        str | None,
        Meta(description="Its output; null without PAYLOADS_READ, without one, and where an earlier replay answers."),
    ]
    divergence: Annotated[Divergence | None, Meta(description="How it differs from what was recorded.")]


class ReplayedDecision(Struct, frozen=True, gc=False, kw_only=True):
    """What became of one evaluation, breach or decision, made again from what was recorded."""

    evidence_index: Annotated[int, Meta(description="Its place in the run's evidence.")]
    kind: Annotated[DecisionKind, Meta(description="What was made again.")]
    subject_name: Annotated[str, Meta(description="The rule's or the limit's name at that moment.")]
    step_index: Annotated[int | None, Meta(description="The step that was judged; null for the run or a sum.")]
    outcome: Annotated[ReplayOutcome, Meta(description="What became of it.")]
    reason: Annotated[str | None, Meta(description="Why it could not be made again, or how it differs.")]
    divergence: Annotated[Divergence | None, Meta(description="How it differs from what was recorded.")]


class Replay(Struct, frozen=True, gc=False, kw_only=True):
    """One replay of a run; it is never changed."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    run_key: UUID
    run_id: Annotated[str, Meta(description="Global id of the run.")]
    behavior: Annotated[ReplayBehavior, Meta(description="What was to be done with steps that were not named.")]
    verdict: Annotated[ReplayVerdict, Meta(description="What it says as a whole.")]
    step_count: Annotated[int, Meta(description="How many steps were replayed.")]
    matched_step_count: Annotated[int, Meta(description="How many of them were compared, and equal.")]
    executed_step_count: Annotated[int, Meta(description="How many were executed without being compared.")]
    played_back_step_count: Annotated[int, Meta(description="How many answered with what was recorded.")]
    unchecked_step_count: Annotated[int, Meta(description="How many could not be checked.")]
    decision_count: Annotated[int, Meta(description="How many governance records were to be made again.")]
    matched_decision_count: Annotated[int, Meta(description="How many of them came out as recorded.")]
    unchecked_decision_count: Annotated[int, Meta(description="How many could not be made again.")]
    mismatch_count: Annotated[int, Meta(description="How many steps and governance records differ.")]
    first_divergence: Annotated[Divergence | None, Meta(description="Where it first differs; steps come first.")]
    created_by: Annotated[Actor, Meta(description="Who asked for it.")]
    created_at: Annotated[datetime, Meta(description="When (UTC).")]


class ReplayMismatch(Struct, frozen=True, gc=False, kw_only=True):
    """A step or a governance record that a replay found to differ; it is never changed."""

    id: Annotated[str, Meta(description="Opaque id.")]
    kind: Annotated[DivergenceKind, Meta(description="What differs.")]
    index: Annotated[int, Meta(description="Chain number of the step, or place in the run's evidence.")]
    is_step: Annotated[bool, Meta(description="Whether it is a step; a governance record otherwise.")]
    subject_name: Annotated[str, Meta(description="The skill, the rule or the limit.")]
    expected: Annotated[str, Meta(description="What was recorded: a SHA-256, hex, or the engine's version.")]
    actual: Annotated[str, Meta(description="What the replay gave, in the same form.")]
    reason: Annotated[str, Meta(description="How it differs, for people.")]


class StepBehavior(Struct, frozen=True, kw_only=True):
    """What is to be done with one step."""

    span_id: str
    behavior: ReplayBehavior


class ReplayRun(Struct, frozen=True, kw_only=True):
    """Replay a run: its steps as `behavior` and `steps` say, and every governance decision."""

    idempotency_key: str
    run_key: UUID
    behavior: ReplayBehavior = ReplayBehavior.CHECK
    steps: tuple[StepBehavior, ...] = ()


class RunReplayed(Struct, frozen=True, kw_only=True):
    """A replay with what became of each step and each governance record."""

    replay: Replay
    steps: tuple[ReplayedStep, ...]
    decisions: tuple[ReplayedDecision, ...]


class ReplayMaterial(Struct, frozen=True, kw_only=True):
    """What a replay works on: the steps, and the decisions as they come out when they are made again.

    `shown` says whether whoever asked may read payloads, and so is shown outputs.
    """

    shown: bool
    steps: tuple[StepToReplay, ...]
    decisions: tuple[ReplayedDecision, ...]


class ReplayFilter(Struct, frozen=True, kw_only=True):
    """Which replays are wanted; a list field means any of its values."""

    run_key: UUID | None = None
    verdict: tuple[ReplayVerdict, ...] = ()


class ListReplays(Struct, frozen=True, kw_only=True):
    """Ask for a page of replays, newest first."""

    page: PageRequest
    filter: ReplayFilter = ReplayFilter()
    count: bool = False


class ReplaysByKey(Struct, frozen=True):
    """Ask for replays by key; absent and foreign ones are left out."""

    replay_keys: tuple[UUID, ...]


class MismatchesForReplays(Struct, frozen=True):
    """Ask for the first mismatches of each of these replays."""

    replay_keys: tuple[UUID, ...]
    first: int = 1


class ReserveExecution(Struct, frozen=True, kw_only=True):
    """Take an idempotency key for an execution that ends within `lease_s` seconds."""

    key: str
    request_digest: bytes
    run_key: UUID
    lease_s: int
    repeatable: bool


class Reservation(Struct, frozen=True, kw_only=True):
    """How a key stands: `held` is the caller's proof that it is to execute, and None when it must not.

    RESERVED and not held means that the execution under this key never reported its end, or (`running`) still may.
    """

    state: ReservationState
    held: UUID | None = None
    running: bool = False
    output: bytes | None = None
    error: str | None = None


class FinishExecution(Struct, frozen=True, kw_only=True):
    """Report how an execution ended: with its output, or with what went wrong."""

    key: str
    held: UUID
    output: bytes | None
    error: str | None = None


class KeepReplay(Struct, frozen=True, kw_only=True):
    """Keep a replay and its mismatches."""

    request: ReplayRun
    steps: tuple[ReplayedStep, ...]
    decisions: tuple[ReplayedDecision, ...]
