"""Verification finds every change of every stored field, and names its kind and place."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from spine.contracts.enums import BreakKind, IntegrityModel, RunState, VerificationStatus
from spine.contracts.ports import RunRow, RunStep
from spine.contracts.proof import IntegrityVerification
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    SealRecord,
    StepRecord,
)
from spine.services.proof.hashing import step_hash
from spine.services.proof.seal import LEFT_OUT, build_seal
from spine.services.proof.verify import StoredRun, verify_run
from tests.spine.services.proof.records import NOW, TENANT, TRACE, make_run, make_sealed, make_step, tampered

UNTOUCHED = make_sealed()
HELD_BESIDE = {
    "seal_version": BreakKind.SEAL,
    "evidence_count": BreakKind.RUN_EDIT,
    "evidence_head": BreakKind.RUN_EDIT,
}

OF_ATTRIBUTES = {"salt", "attributes_digest", "redacted_at"}


def verdict(stored: StoredRun) -> IntegrityVerification:
    return verify_run(TENANT, stored)


def breaks(stored: StoredRun) -> tuple[BreakKind, int | None]:
    """The kind and place of a verdict that must be FAILED."""
    found = verdict(stored)
    assert found.verification_status is VerificationStatus.FAILED
    assert found.first_break is not None
    assert found.failure_reason is not None
    assert found.failure_reason.startswith(f"{found.first_break.kind}: ")
    return found.first_break.kind, found.first_break.step_index


def with_steps(stored: StoredRun, steps: Sequence[tuple[RunStep, StepRecord | None]]) -> StoredRun:
    return structs.replace(stored, steps=list(steps))


def with_step(stored: StoredRun, place: int, step: StepRecord | None) -> StoredRun:
    steps = list(stored.steps)
    steps[place] = (steps[place][0], step)
    return with_steps(stored, steps)


def step_at(stored: StoredRun, place: int) -> StepRecord:
    step = stored.steps[place][1]
    assert step is not None
    return step


class TestVerdict:
    def test_a_run_as_it_was_sealed_is_verified(self) -> None:
        found = verdict(UNTOUCHED)
        assert found.verification_status is VerificationStatus.VERIFIED
        assert found.model is IntegrityModel.HASH_CHAIN
        assert (found.trust_boundary, found.storage) == ("SYSTEM", "POSTGRES")
        assert found.root_hash == UNTOUCHED.seals[-1].seal_hash.hex()
        assert found.chain_length == 4
        assert (found.failure_reason, found.first_break) == (None, None)

    @given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 7))
    def test_any_run_with_late_steps_and_evidence_is_verified(self, steps: int, late: int, evidence: int) -> None:
        stored = make_sealed(steps, late, evidence)
        assert verdict(stored).verification_status is VerificationStatus.VERIFIED
        assert verdict(stored).chain_length == steps + late

    def test_steps_of_another_run_between_its_own_are_no_gap(self) -> None:
        foreign = make_step(0, b"1" * 32)
        own = [make_step(1, foreign.step_hash), make_step(4, b"2" * 32)]
        stored = make_sealed(steps=0, evidence=0)
        assert breaks(with_steps(stored, [(RunStep(stored.run.id, 0, TRACE, 1), own[0])]))[0] is BreakKind.INSERTION
        resealed = sealed_over(own)
        assert verdict(resealed).verification_status is VerificationStatus.VERIFIED

    def test_a_live_run_without_steps_has_no_trace(self) -> None:
        stored = StoredRun(run=make_run(state=RunState.LIVE), seals=[], steps=[], evidence=[])
        found = verdict(stored)
        assert found.model is IntegrityModel.NONE
        assert found.verification_status is VerificationStatus.UNSUPPORTED
        assert (found.failure_reason or "").startswith("NO_TRACE: ")
        assert (found.root_hash, found.chain_length) == (None, 0)

    def test_a_live_run_with_steps_is_not_sealed(self) -> None:
        run = make_run(state=RunState.LIVE)
        found = verdict(StoredRun(run=run, seals=[], steps=UNTOUCHED.steps, evidence=[]))
        assert found.verification_status is VerificationStatus.UNSUPPORTED
        assert found.failure_reason == "NOT_SEALED: the run is still live"
        assert found.model is IntegrityModel.HASH_CHAIN

    def test_a_run_that_ended_without_steps_has_nothing_to_verify(self) -> None:
        found = verdict(make_sealed(steps=0))
        assert found.verification_status is VerificationStatus.UNSUPPORTED
        assert (found.failure_reason or "").startswith("NO_STEPS: ")

    def test_an_edited_run_without_steps_is_failed(self) -> None:
        stored = make_sealed(steps=0)
        assert breaks(structs.replace(stored, run=structs.replace(stored.run, goal="x"))) == (BreakKind.RUN_EDIT, None)

    def test_evidence_that_was_not_read_is_not_verified(self) -> None:
        found = verdict(structs.replace(UNTOUCHED, evidence=None))
        assert found.verification_status is VerificationStatus.UNVERIFIED_EVIDENCE
        assert found.first_break is None

    def test_an_edited_step_is_found_although_evidence_was_not_read(self) -> None:
        stored = structs.replace(UNTOUCHED, evidence=None)
        assert breaks(with_step(stored, 1, tampered(step_at(stored, 1), "name"))) == (BreakKind.EDIT, 1)

    def test_a_run_of_another_tenant_does_not_verify(self) -> None:
        found = verify_run(UUID(int=1), UNTOUCHED)
        assert found.verification_status is VerificationStatus.FAILED


class TestSteps:
    @pytest.mark.parametrize("place", [0, 2, 3])
    @pytest.mark.parametrize("field", StepRecord.__struct_fields__)
    def test_an_edited_field_is_an_edit_of_that_step(self, field: str, place: int) -> None:
        edited = tampered(step_at(UNTOUCHED, place), field)
        assert breaks(with_step(UNTOUCHED, place, edited)) == (BreakKind.EDIT, place)

    @pytest.mark.parametrize("field", [name for name in StepRecord.__struct_fields__ if name != "step_hash"])
    def test_an_edited_field_is_found_although_the_hash_was_made_to_match(self, field: str) -> None:
        edited = tampered(step_at(UNTOUCHED, 2), field)
        edited = structs.replace(edited, step_hash=step_hash(edited))
        assert breaks(with_step(UNTOUCHED, 2, edited)) == (BreakKind.EDIT, 2)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("span_digest", b"short"),
            ("prev_hash", b"x" * 31),
            ("step_hash", b""),
            ("step_hash", b"x" * 33),
            ("input_tokens", 2**53),
            ("cost_micro_usd", -(2**63)),
            ("kind", "NO_SUCH_KIND"),
            ("status", ""),
            ("span_digest", None),
            ("name", None),
        ],
    )
    def test_a_value_that_nothing_of_ours_writes_is_an_edit(self, field: str, value: Any) -> None:
        edited = structs.replace(step_at(UNTOUCHED, 1), **{field: value})
        assert breaks(with_step(UNTOUCHED, 1, edited)) == (BreakKind.EDIT, 1)

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_lost_step_or_assignment_in_the_middle_is_a_gap_there(self, place: int) -> None:
        steps = list(UNTOUCHED.steps)
        assert breaks(with_step(UNTOUCHED, place, None)) == (BreakKind.GAP, place)
        assert breaks(with_steps(UNTOUCHED, steps[:place] + steps[place + 1 :])) == (BreakKind.GAP, place)

    def test_a_gap_that_was_closed_by_renumbering_is_still_a_gap(self) -> None:
        kept = [step_at(UNTOUCHED, place) for place in (0, 2, 3)]
        steps = [(RunStep(UNTOUCHED.run.id, place, TRACE, step.step_index), step) for place, step in enumerate(kept)]
        assert breaks(with_steps(UNTOUCHED, steps)) == (BreakKind.GAP, 1)

    @pytest.mark.parametrize("kept", [0, 1, 3])
    def test_what_is_missing_at_the_end_is_a_truncation(self, kept: int) -> None:
        assert breaks(with_steps(UNTOUCHED, UNTOUCHED.steps[:kept])) == (BreakKind.TRUNCATION, kept)
        lost = [(placed, step if placed.position < kept else None) for placed, step in UNTOUCHED.steps]
        assert breaks(with_steps(UNTOUCHED, lost)) == (BreakKind.TRUNCATION, kept)

    def test_two_assignments_that_swapped_places_are_a_reorder(self) -> None:
        steps = list(UNTOUCHED.steps)
        first, second = steps[1], steps[3]
        steps[1] = (structs.replace(second[0], position=1), second[1])
        steps[3] = (structs.replace(first[0], position=3), first[1])
        assert breaks(with_steps(UNTOUCHED, steps)) == (BreakKind.REORDER, 1)

    def test_two_steps_that_swapped_numbers_are_a_reorder(self) -> None:
        steps = list(UNTOUCHED.steps)
        steps[1] = (steps[1][0], structs.replace(step_at(UNTOUCHED, 3), step_index=1))
        steps[3] = (steps[3][0], structs.replace(step_at(UNTOUCHED, 1), step_index=3))
        assert breaks(with_steps(UNTOUCHED, steps)) == (BreakKind.REORDER, 1)

    @pytest.mark.parametrize("place", [1, 3])
    def test_an_assignment_moved_to_another_place_is_a_reorder(self, place: int) -> None:
        steps = list(UNTOUCHED.steps)
        steps.append((structs.replace(steps[place][0], position=99), steps.pop(place)[1]))
        assert breaks(with_steps(UNTOUCHED, steps)) == (BreakKind.REORDER, place)

    def test_a_step_after_the_sealed_ones_is_an_insertion(self) -> None:
        added = make_step(4, step_at(UNTOUCHED, 3).step_hash)
        steps = [*UNTOUCHED.steps, (RunStep(UNTOUCHED.run.id, 4, TRACE, 4), added)]
        assert breaks(with_steps(UNTOUCHED, steps)) == (BreakKind.INSERTION, 4)

    def test_a_step_between_the_sealed_ones_is_an_insertion(self) -> None:
        added = make_step(9, step_at(UNTOUCHED, 1).step_hash)
        steps = [placed for placed, _ in UNTOUCHED.steps]
        moved = [structs.replace(placed, position=placed.position + 1) for placed in steps[2:]]
        later = [(placed, step_at(UNTOUCHED, place)) for place, placed in enumerate(moved, 2)]
        inserted = (RunStep(UNTOUCHED.run.id, 2, TRACE, 9), added)
        assert breaks(with_steps(UNTOUCHED, [*UNTOUCHED.steps[:2], inserted, *later])) == (BreakKind.INSERTION, 9)

    def test_an_assignment_that_points_to_another_step_is_found(self) -> None:
        steps = list(UNTOUCHED.steps)
        steps[2] = (structs.replace(steps[2][0], step_index=0), step_at(UNTOUCHED, 0))
        assert breaks(with_steps(UNTOUCHED, steps))[0] is BreakKind.GAP

    @pytest.mark.parametrize("field", ["step_index", "trace_id"])
    def test_an_assignment_that_does_not_agree_with_its_step_is_found(self, field: str) -> None:
        steps = list(UNTOUCHED.steps)
        steps[2] = (tampered(steps[2][0], field), steps[2][1])
        assert verdict(with_steps(UNTOUCHED, steps)).verification_status is VerificationStatus.FAILED

    def test_steps_that_were_sealed_without_a_link_between_them_are_found(self) -> None:
        first = make_step(0, step_at(UNTOUCHED, 0).prev_hash)
        assert breaks(sealed_over([first, make_step(1, b"1" * 32)])) == (BreakKind.GAP, 1)
        assert breaks(sealed_over([make_step(0, b"1" * 32)])) == (BreakKind.GAP, 0)

    @given(st.data())
    def test_whatever_is_done_to_the_steps_is_found(self, data: st.DataObject) -> None:
        steps = list(UNTOUCHED.steps)
        for _ in range(data.draw(st.integers(1, 3))):
            data.draw(st.sampled_from((_drop, _swap, _repeat, _lose, _edit)))(data, steps)
        found = verdict(with_steps(UNTOUCHED, steps))
        same = steps == list(UNTOUCHED.steps)
        assert (found.verification_status is VerificationStatus.VERIFIED) == same


Steps = list[tuple[RunStep, StepRecord | None]]


def _place(data: st.DataObject, steps: Steps) -> int:
    return data.draw(st.integers(0, len(steps) - 1))


def _drop(data: st.DataObject, steps: Steps) -> None:
    if steps:
        del steps[_place(data, steps)]


def _swap(data: st.DataObject, steps: Steps) -> None:
    if steps:
        one, other = _place(data, steps), _place(data, steps)
        steps[one], steps[other] = steps[other], steps[one]


def _repeat(data: st.DataObject, steps: Steps) -> None:
    if steps:
        steps.insert(_place(data, steps), steps[_place(data, steps)])


def _lose(data: st.DataObject, steps: Steps) -> None:
    if steps:
        place = _place(data, steps)
        steps[place] = (steps[place][0], None)


def _edit(data: st.DataObject, steps: Steps) -> None:
    if steps:
        place = _place(data, steps)
        placed, step = steps[place]
        if step is not None:
            steps[place] = (placed, tampered(step, data.draw(st.sampled_from(StepRecord.__struct_fields__))))


def sealed_over(steps: Sequence[StepRecord]) -> StoredRun:
    """A run sealed over exactly these steps."""
    run = make_run(step_count=len(steps))
    seal = build_seal(run, None, [step.step_hash for step in steps], NOW)
    placed = [(RunStep(run.id, place, TRACE, step.step_index), step) for place, step in enumerate(steps)]
    return StoredRun(run=structs.replace(run, seal_version=1), seals=[seal], steps=placed, evidence=[])


class TestRunFields:
    @pytest.mark.parametrize("field", RunRow.__struct_fields__)
    def test_an_edited_field_is_found_and_named(self, field: str) -> None:
        stored = structs.replace(UNTOUCHED, run=tampered(UNTOUCHED.run, field))
        if field in HELD_BESIDE:
            assert breaks(stored) == (HELD_BESIDE[field], None)
        elif field in OF_ATTRIBUTES:
            assert breaks(stored) == (BreakKind.RUN_EDIT, None)
            assert str(verdict(stored).failure_reason).startswith("RUN_EDIT: attributes ")
        elif field in LEFT_OUT:
            assert verdict(stored).verification_status is VerificationStatus.VERIFIED
        elif field == "id":
            assert breaks(stored) == (BreakKind.SEAL, None)
        else:
            assert breaks(stored) == (BreakKind.RUN_EDIT, None)
            assert verdict(stored).failure_reason == f"RUN_EDIT: {field} differs from what was sealed"

    @pytest.mark.parametrize(("field", "value"), [("input_tokens", 2**60), ("status", "WON"), ("created_at", None)])
    def test_a_value_that_nothing_of_ours_writes_is_an_edit(self, field: str, value: Any) -> None:
        run = structs.replace(UNTOUCHED.run, **{field: value})
        assert breaks(structs.replace(UNTOUCHED, run=run)) == (BreakKind.RUN_EDIT, None)

    def test_a_sealed_run_that_was_set_back_to_live_is_found(self) -> None:
        run = structs.replace(UNTOUCHED.run, state=RunState.LIVE)
        assert breaks(structs.replace(UNTOUCHED, run=run)) == (BreakKind.RUN_EDIT, None)
        assert breaks(structs.replace(UNTOUCHED, run=run, seals=[])) == (BreakKind.SEAL, None)


class TestSeals:
    @pytest.mark.parametrize("version", [1, 2])
    @pytest.mark.parametrize("field", SealRecord.__struct_fields__)
    def test_an_edited_field_is_a_broken_seal(self, field: str, version: int) -> None:
        stored = make_sealed(late=2)
        seals = list(stored.seals)
        seals[version - 1] = tampered(seals[version - 1], field)
        assert breaks(structs.replace(stored, seals=seals)) == (BreakKind.SEAL, None)

    @pytest.mark.parametrize("kept", [[], [0], [1], [1, 0], [0, 0]])
    def test_a_missing_or_misplaced_seal_is_a_broken_seal(self, kept: list[int]) -> None:
        stored = make_sealed(late=2)
        seals = [stored.seals[place] for place in kept]
        assert breaks(structs.replace(stored, seals=seals)) == (BreakKind.SEAL, None)

    @pytest.mark.parametrize(
        ("field", "value"), [("step_hashes", b"x" * 31), ("run_record", b"{"), ("sealed_at", None)]
    )
    def test_a_value_that_nothing_of_ours_writes_is_a_broken_seal(self, field: str, value: Any) -> None:
        seal = structs.replace(UNTOUCHED.seals[0], **{field: value})
        assert breaks(structs.replace(UNTOUCHED, seals=[seal])) == (BreakKind.SEAL, None)


class TestEvidence:
    @pytest.mark.parametrize(
        ("index", "field"),
        [
            (index, field)
            for index, kind in enumerate((EvaluationRecord, BreachRecord, DecisionRecord, EnvironmentRecord))
            for field in kind.__struct_fields__
        ],
    )
    def test_an_edited_field_is_found(self, index: int, field: str) -> None:
        stored = make_sealed(evidence=4)
        evidence = list(stored.evidence or ())
        evidence[index] = tampered(evidence[index], field)
        assert breaks(structs.replace(stored, evidence=evidence)) == (BreakKind.EVIDENCE, None)

    @pytest.mark.parametrize("order", [[], [0, 1], [1, 2], [0, 2], [0, 2, 1], [0, 0, 1, 2], [0, 1, 2, 2]])
    def test_a_missing_extra_or_moved_record_is_found(self, order: list[int]) -> None:
        evidence = [list(UNTOUCHED.evidence or ())[index] for index in order]
        assert breaks(structs.replace(UNTOUCHED, evidence=evidence)) == (BreakKind.EVIDENCE, None)

    def test_a_record_chained_after_the_seal_is_found(self) -> None:
        more = make_sealed(evidence=4)
        assert breaks(structs.replace(UNTOUCHED, evidence=more.evidence)) == (BreakKind.EVIDENCE, None)

    @pytest.mark.parametrize(("field", "value"), [("count", 2**60), ("outcome", "MAYBE"), ("evaluated_at", None)])
    def test_a_value_that_nothing_of_ours_writes_is_found(self, field: str, value: Any) -> None:
        evidence = list(UNTOUCHED.evidence or ())
        evidence[0] = structs.replace(evidence[0], **{field: value})
        assert breaks(structs.replace(UNTOUCHED, evidence=evidence)) == (BreakKind.EVIDENCE, None)
