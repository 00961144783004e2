"""Replay of steps: execute them, skip them, or check them against what was recorded.

|         | no key           | the key is new                   | the key was executed before    |
|---------|------------------|----------------------------------|--------------------------------|
| EXECUTE | execute          | reserve, execute, keep           | its output; not executed again |
| CHECK   | execute, compare | reserve, execute, keep, compare  | compare its output             |
| SKIP    | refused          | the recorded output: PLAYED_BACK, which is compared with nothing  |

CHECK compares full SHA-256 hashes of canonical outputs and writes neither the record nor what was kept. The steps that
are given are never changed; what came of each carries its output.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog
from msgspec import Struct, structs

from spine.contracts.enums import DivergenceKind, ReplayBehavior, ReplayOutcome, ReservationState
from spine.contracts.errors import Conflict, ValidationFailed
from spine.contracts.executors import Executor, Executors
from spine.contracts.replays import (
    Divergence,
    FinishExecution,
    ReplayedStep,
    Reservation,
    ReserveExecution,
    StepToReplay,
)
from spine.orchestrator.context import SequenceContext, within_dispatch
from spine.services.canonical_json import digest
from spine.services.outputs import output_hash

EXECUTION_S = 20
LEASE_S = EXECUTION_S + 10
"""An execution is cut before its reservation runs out, so a key that is taken over is executed by nobody else."""

MOST_OUTPUT = 1_048_576

RESERVE = "spine.reserve_execution"
FINISH = "spine.finish_execution"

UNKNOWN_EFFECT = "an earlier execution under this key never reported its end; whether it took effect is not known"
NOTHING_RECORDED = "no output was recorded"

log = structlog.get_logger("hoc.replay")


class Executed(Struct, frozen=True):
    """An output, or why there is none, and what that makes of the step."""

    output: bytes | None
    failure: str | None = None
    without: ReplayOutcome = ReplayOutcome.FAILED
    from_cache: bool = False


class EnforcedStep(Struct, frozen=True):
    """What became of a step, and its output's exact bytes."""

    result: ReplayedStep
    output: bytes | None


class EnforcedTrace(Struct, frozen=True):
    """What became of each step, in the order in which they were given, and where they first differ."""

    steps: tuple[EnforcedStep, ...]
    first_divergence: Divergence | None


class ReplayCoordinator:
    """Enforces what is to be done with each step, once for each key."""

    @staticmethod
    async def enforce_trace(
        ctx: SequenceContext, run_key: UUID, steps: Sequence[StepToReplay], executors: Executors
    ) -> EnforcedTrace:
        """What became of each step; one that differs does not end the replay."""
        done = [await ReplayCoordinator.enforce_step(ctx, run_key, step, executors) for step in steps]
        found = (one.result.divergence for one in done if one.result.divergence is not None)
        return EnforcedTrace(tuple(done), next(found, None))

    @staticmethod
    async def enforce_step(
        ctx: SequenceContext, run_key: UUID, step: StepToReplay, executors: Executors
    ) -> EnforcedStep:
        """What became of a step.

        ValidationFailed for a SKIP without a key; IdempotencyConflict when the key stands for another request,
        Conflict while another executes it.
        """
        within_dispatch("ReplayCoordinator")
        if step.altered is not None:
            return EnforcedStep(_differs(step, step.altered, "the record is not what was chained"), None)
        if step.redacted:
            return EnforcedStep(_result(step, ReplayOutcome.REDACTED, "its content was erased"), None)
        if step.behavior is ReplayBehavior.SKIP:
            return EnforcedStep(_played_back(step), step.output)
        executor = executors.get(step.skill_name)
        if executor is None:
            reason = f"nothing here executes {step.skill_name}"
            return EnforcedStep(_result(step, ReplayOutcome.NO_EXECUTOR, reason), None)
        done = await _executed(ctx, run_key, step, executor)
        return EnforcedStep(_judged(step, done), done.output)


def _played_back(step: StepToReplay) -> ReplayedStep:
    if step.idempotency_key is None:
        raise ValidationFailed("a step is skipped under an idempotency key only", field="idempotencyKey")
    if step.output is None:
        return _result(step, ReplayOutcome.UNREPLAYABLE, NOTHING_RECORDED)
    return _result(step, ReplayOutcome.PLAYED_BACK, None)


async def _executed(ctx: SequenceContext, run_key: UUID, step: StepToReplay, executor: Executor) -> Executed:
    """The output of this key's one execution."""
    key = step.idempotency_key
    if key is None:
        return await _run(step, executor)
    reservation: Reservation = await ctx.perform(
        RESERVE,
        ReserveExecution(
            key=key,
            request_digest=request_digest(step),
            run_key=run_key,
            lease_s=LEASE_S,
            repeatable=executor.repeatable,
        ),
    )
    if reservation.held is None:
        return _earlier(step, reservation)
    done = await _run(step, executor)
    await ctx.perform(FINISH, FinishExecution(key=key, held=reservation.held, output=done.output, error=done.failure))
    return done


def _earlier(step: StepToReplay, reservation: Reservation) -> Executed:
    if reservation.running:
        raise Conflict(f"step {step.step_index} is being executed under this key; ask again later")
    if reservation.state is ReservationState.RESERVED:
        return Executed(None, UNKNOWN_EFFECT, ReplayOutcome.UNREPLAYABLE)
    return Executed(reservation.output, reservation.error, from_cache=True)


async def _run(step: StepToReplay, executor: Executor) -> Executed:
    """Execute now; whatever the skill raises is its failure, named by its type, for its text may quote a secret."""
    try:
        async with asyncio.timeout(EXECUTION_S):
            output = await executor.run(step.input)
    except Exception as error:  # noqa: BLE001 - a skill is foreign code: it fails alone
        log.info("replay.step_failed", skill=step.skill_name, step_index=step.step_index, error=type(error).__name__)
        return Executed(None, f"the skill failed: {type(error).__name__}")
    if len(output) > MOST_OUTPUT:
        return Executed(None, f"its output has more than {MOST_OUTPUT} bytes")
    return Executed(output)


def request_digest(step: StepToReplay) -> bytes:
    """What makes two executions under one key the same: the skill and its input, by the digest that is recorded."""
    return digest(step.skill_name.encode(errors="surrogatepass") + b"\0" + (step.input_digest or b""))


def _judged(step: StepToReplay, done: Executed) -> ReplayedStep:
    if done.output is None:
        return _result(step, done.without, done.failure, from_cache=done.from_cache)
    if step.behavior is ReplayBehavior.EXECUTE:
        return _result(step, ReplayOutcome.EXECUTED, None, from_cache=done.from_cache)
    if step.output is None:
        return _result(step, ReplayOutcome.UNREPLAYABLE, NOTHING_RECORDED, from_cache=done.from_cache)
    expected, actual = output_hash(step.salt, step.output), output_hash(step.salt, done.output)
    if expected == actual:
        return _result(step, ReplayOutcome.MATCHED, None, from_cache=done.from_cache)
    found = Divergence(
        kind=DivergenceKind.OUTPUT, index=step.step_index, is_step=True, expected=expected, actual=actual
    )
    return structs.replace(_differs(step, found, "another output than the recorded one"), from_cache=done.from_cache)


def _differs(step: StepToReplay, found: Divergence, reason: str) -> ReplayedStep:
    return structs.replace(_result(step, ReplayOutcome.MISMATCHED, reason), divergence=found)


def _result(
    step: StepToReplay, outcome: ReplayOutcome, reason: str | None, *, from_cache: bool = False
) -> ReplayedStep:
    return ReplayedStep(
        step_index=step.step_index,
        span_id=step.span_id,
        skill_name=step.skill_name,
        behavior=step.behavior,
        outcome=outcome,
        from_cache=from_cache,
        reason=reason,
        output=None,
        divergence=None,
    )
