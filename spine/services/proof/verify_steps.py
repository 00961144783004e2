"""Verification of a run's steps against the hashes that were sealed, and what kind of break the first difference is."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import BreakKind
from spine.contracts.ports import RunStep
from spine.contracts.records import StepRecord
from spine.services.proof.hashing import step_hash, trace_genesis

PlacedStep = tuple[RunStep, StepRecord | None]

UNHASHABLE = (ValueError, TypeError, AttributeError)


class Break(Struct, frozen=True):
    """A place at which what is stored differs from what was sealed; `step_index` None where no step can be named."""

    kind: BreakKind
    step_index: int | None
    reason: str


def first_step_break(tenant_id: UUID, sealed: Sequence[bytes], steps: Sequence[PlacedStep]) -> Break | None:
    """The first step, by position, that is not what was sealed there; then the first that its trace does not link."""
    if len(steps) == len(sealed) and _in_one_chain(tenant_id, sealed, steps):
        return None
    for place, (placed, step) in enumerate(steps):
        if (
            step is None
            or place >= len(sealed)
            or placed.position != place
            or step.step_hash != sealed[place]
            or _recomputed(step) != step.step_hash
            or step.step_index != placed.step_index
            or step.trace_id != placed.trace_id
        ):
            return _classified(place, sealed, steps)
    if len(steps) < len(sealed):
        return _classified(len(steps), sealed, steps)
    return _link_break(tenant_id, steps)


def _in_one_chain(tenant_id: UUID, sealed: Sequence[bytes], steps: Sequence[PlacedStep]) -> bool:
    """Whether these are the sealed steps, each recomputed, in its place and linked to the one before it in one trace.

    What almost every run is, told in one pass; where it says no, nothing is decided yet.
    """
    trace_id, index, head = None, 0, None
    try:
        for place, (placed, step) in enumerate(steps):
            if step is None or placed.position != place or placed.step_index != step.step_index:
                return False
            if head is None:
                trace_id, index = step.trace_id, step.step_index
                head = trace_genesis(tenant_id, trace_id) if index == 0 else step.prev_hash
            if step.trace_id != trace_id or placed.trace_id != trace_id or step.step_index != index + place:
                return False
            if step.prev_hash != head or sealed[place] != step.step_hash or step_hash(step) != step.step_hash:
                return False
            head = step.step_hash
    except UNHASHABLE:
        return False
    return True


def _recomputed(step: StepRecord) -> bytes | None:
    """The step's hash from its fields; None when they hold what no step can have been sealed with."""
    try:
        return step_hash(step)
    except UNHASHABLE:
        return None


def _classified(place: int, sealed: Sequence[bytes], steps: Sequence[PlacedStep]) -> Break:
    """What kind of break begins at this place."""
    if place >= len(steps):
        missing = _missing_index(place, sealed, steps)
        return Break(BreakKind.TRUNCATION, missing, f"{len(sealed)} steps were sealed, stored are {len(steps)}")
    placed, step = steps[place]
    index = placed.step_index
    if place >= len(sealed):
        return Break(BreakKind.INSERTION, index, f"step {index} was added: only {len(sealed)} steps were sealed")
    if step is None:
        missing = _missing_index(place, sealed, steps)
        index = index if missing is None else missing
        if all(later is None for _, later in steps[place:]):
            return Break(BreakKind.TRUNCATION, index, f"step {index} is missing, and every step after it")
        return Break(BreakKind.GAP, index, f"step {index} is missing")
    return _misplaced(place, sealed, steps, step, index)


def _misplaced(place: int, sealed: Sequence[bytes], steps: Sequence[PlacedStep], step: StepRecord, index: int) -> Break:
    """What kind of break a step is that is there, but not the one that was sealed there, whole and in its place."""
    stored = [None if later is None else later.step_hash for _, later in steps]
    wanted = sealed[place]
    if _recomputed(step) != step.step_hash and (step.step_hash == wanted or step.step_hash not in sealed):
        return Break(BreakKind.EDIT, index, f"step {index} differs from what was sealed")
    if Counter(stored) == Counter(sealed):
        first = min(index, _index_of(wanted, steps, index))
        return Break(BreakKind.REORDER, first, f"step {first} is not in the place in which it was sealed")
    if wanted in stored:
        if len(steps) > len(sealed) or step.step_hash not in sealed:
            return Break(BreakKind.INSERTION, index, f"step {index} was added")
        return Break(BreakKind.REORDER, index, f"step {index} is not in the place in which it was sealed")
    if step.step_hash in sealed:
        missing = _missing_index(place, sealed, steps)
        return Break(BreakKind.GAP, missing, f"the step at position {place} is missing")
    return Break(BreakKind.EDIT, index, f"step {index} differs from what was sealed")


def _index_of(wanted: bytes, steps: Sequence[PlacedStep], otherwise: int) -> int:
    """The chain number of the step with this hash."""
    return next((placed.step_index for placed, step in steps if step and step.step_hash == wanted), otherwise)


def _missing_index(place: int, sealed: Sequence[bytes], steps: Sequence[PlacedStep]) -> int | None:
    """The chain number of a step that is gone, where what is left tells it.

    Either the step that was chained to it is there, or the run's steps before it were its trace's first, in order.
    """
    following = (placed.step_index - 1 for placed, step in steps if step and step.prev_hash == sealed[place])
    known = next(following, None)
    if known is None and all(placed.step_index == at for at, (placed, _) in enumerate(steps[:place])):
        return place
    return known


def _link_break(tenant_id: UUID, steps: Sequence[PlacedStep]) -> Break | None:
    """A step that does not hold the hash of the step before it in its trace, where that one is the run's too."""
    there = [(step.trace_id, step.step_index, step) for _, step in steps if step is not None]
    heads = {(trace_id, index + 1): step.step_hash for trace_id, index, step in there}
    heads |= {(trace_id, 0): trace_genesis(tenant_id, trace_id) for trace_id, index, _ in there if index == 0}
    for trace_id, index, step in there:
        if heads.get((trace_id, index), step.prev_hash) != step.prev_hash:
            return Break(BreakKind.GAP, index, f"step {index} does not follow the step before it in its trace")
    return None
