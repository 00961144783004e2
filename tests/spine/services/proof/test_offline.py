"""A bundle verifies, and what does not hold is named: by kind, and exactly which."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from msgspec import structs

from spine.contracts.records import SealRecord, StepRecord
from spine.services.canonical_json import canonical, digest
from spine.services.proof.bundle import build_bundle
from spine.services.proof.cosignature import CosignatureVerifier, Cosigner
from spine.services.proof.faults import Fault, Refused
from spine.services.proof.hashing import EVIDENCE_TAG, SEAL_TAG, STEP_TAG, seal_hash, step_hash
from spine.services.proof.note import Signer, Verifier, sign
from spine.services.proof.offline import Trust, Verified, verify_bundle
from spine.services.proof.verify import StoredRun
from tests.spine.services.proof.bundles import SEED, WITNESS, Made, Tree, bundle_of, make_bundle, sealed_run
from tests.spine.services.proof.records import make_run, make_sealed, make_step

TAGS = {"step": STEP_TAG, "seal": SEAL_TAG, "evidence": EVIDENCE_TAG}

made = make_bundle()


def verify(text: str, trust: Trust = made.trust) -> Verified:
    return verify_bundle(text.encode(), trust)


def refusal(text: str, trust: Trust = made.trust) -> tuple[Fault, str]:
    with pytest.raises(Refused) as raised:
        verify(text, trust)
    return raised.value.fault, raised.value.reason


def places(word: str, text: str = made.text) -> list[int]:
    """The numbers of the lines that begin with this word."""
    return [number for number, line in enumerate(text.split("\n")) if line.startswith(f"{word} ")]


def edited(change: Callable[[list[str]], object], text: str = made.text) -> str:
    lines = text.split("\n")
    change(lines)
    return "\n".join(lines)


def rewritten(place: int, **changes: Any) -> str:
    """The bundle with fields of the record at this line changed, and its hash made anew."""
    lines = made.text.split("\n")
    word, _, content = lines[place].split(" ", 2)
    written = canonical(orjson.loads(content) | changes)
    lines[place] = f"{word} {digest(TAGS[word] + written).hex()} {written.decode()}"
    return "\n".join(lines)


class TestABundle:
    @pytest.mark.parametrize("size", [(0, 0, 0), (1, 0, 0), (0, 3, 1), (7, 0, 12), (200, 40, 60)])
    def test_verifies_with_any_number_of_steps_and_evidence(self, size: tuple[int, int, int]) -> None:
        one = make_bundle(*size)
        verified = verify(one.text, one.trust)
        assert (len(verified.bundle.steps), len(verified.bundle.evidence)) == (size[0] + size[1], size[2])
        assert (verified.tree.size, verified.kept and verified.kept.size) == (23, 5)

    def test_verifies_without_an_older_tree(self) -> None:
        one = bundle_of(make_sealed(), older=None)
        assert verify(one.text, one.trust).kept is None

    def test_of_a_log_with_one_leaf_verifies(self) -> None:
        stored = make_sealed()
        tree = Tree([bundle_of(stored).tree.leaves[17]])
        text = build_bundle(sealed_run(stored), tree.proof(0, 1))
        assert verify(text, Trust([Verifier.parse(tree.signer.vkey)])).tree.size == 1

    def test_of_a_run_without_a_seal_is_not_made(self) -> None:
        with pytest.raises(ValueError, match="no seal"):
            build_bundle(sealed_run(structs.replace(made.stored, seals=[])), made.tree.proof(17, 23))

    def test_is_an_inclusion_proof_of_c2sp_from_the_empty_line_on(self) -> None:
        proof = made.text.split("\n\n", 1)[1].split("\n")
        assert proof[:2] == ["c2sp.org/tlog-proof@v1", "index 17"]
        assert proof[proof.index("") + 1 :][:2] == [made.tree.signer.name, "23"]


class TestASignature:
    def test_of_an_unknown_key_is_none(self) -> None:
        key = Verifier.parse(Signer(made.tree.signer.name, bytes(32)).vkey)
        fault, reason = refusal(made.text, made.trust._replace(keys=[key]))
        assert (fault, "not signed by a key of the log" in reason) == (Fault.SIGNATURE, True)

    def test_of_a_witness_alone_is_not_the_logs(self) -> None:
        note = sign(made.tree.checkpoint(23).split("\n\n")[0] + "\n", [WITNESS])
        text = made.text[: made.text.index("\n\n", made.text.index("index 17"))] + "\n\n" + note
        assert refusal(text)[0] == Fault.SIGNATURE

    def test_of_an_earlier_or_a_later_key_of_the_log_counts_where_both_are_known(self) -> None:
        later = Verifier.parse(Signer(made.tree.signer.name, bytes(32)).vkey)
        assert verify(made.text, made.trust._replace(keys=[later, *made.trust.keys])).kept is not None

    def test_under_another_logs_name_is_refused(self) -> None:
        other = Signer("hoc-spine/another", SEED)
        text = _resigned(made, other, origin=made.tree.signer.name)
        fault, reason = refusal(text, made.trust._replace(keys=[Verifier.parse(other.vkey)], witnesses=[]))
        assert (fault, "'hoc-spine/another'" in reason) == (Fault.ORIGIN, True)

    def test_of_a_log_that_names_no_tenant_is_refused(self) -> None:
        other = Signer("hoc-spine/another", SEED)
        text = _resigned(made, other, origin=other.name)
        trust = Trust([Verifier.parse(other.vkey)])
        assert refusal(text, trust)[0] == Fault.ORIGIN

    def test_of_another_tenants_log_does_not_fit_the_records(self) -> None:
        other = Signer(f"hoc-spine/{make_run().id}", SEED)
        text = _resigned(made, other, origin=other.name)
        fault, reason = refusal(text, Trust([Verifier.parse(other.vkey)]))
        assert (fault, "step 0" in reason) == (Fault.STEP, True)

    def test_of_every_wanted_witness_is_needed(self) -> None:
        other = Cosigner("witness.example/w2", bytes(32), lambda: 1)
        trust = made.trust._replace(witnesses=[*made.trust.witnesses, CosignatureVerifier.parse(other.vkey)])
        assert refusal(made.text, trust) == (
            Fault.COSIGNATURE,
            "the bundle's checkpoint is not cosigned by witness.example/w2",
        )

    def test_of_a_known_key_that_is_bad_is_refused(self) -> None:
        line = made.text.split("\n")[-2]
        text = made.text.replace(line, line[:-4] + ("AAA=" if line[-4:] != "AAA=" else "BBB="))
        assert refusal(text)[0] == Fault.SIGNATURE

    def test_that_stands_there_twice_is_refused(self) -> None:
        fault, reason = refusal(made.text + made.text.split("\n")[-2] + "\n")
        assert (fault, "twice" in reason) == (Fault.SIGNATURE, True)


class TestARecord:
    @pytest.mark.parametrize(
        ("word", "nth", "fault", "named"),
        [
            ("step", 3, Fault.STEP, "step 3 of trace"),
            ("seal", 1, Fault.SEAL, "seal 2"),
            ("evidence", 2, Fault.EVIDENCE, "record 2 (DecisionRecord)"),
        ],
    )
    def test_that_was_changed_is_named_with_its_line(self, word: str, nth: int, fault: Fault, named: str) -> None:
        place = places(word)[nth]
        text = edited(lambda lines: lines.__setitem__(place, rewritten(place, prev_hash="00").split("\n")[place]))
        original = made.text.split("\n")[place].split(" ")[1]
        lines = text.split("\n") if word != "seal" else rewritten(place, evidence_count=0).split("\n")
        word_, _, content = lines[place].split(" ", 2)
        lines[place] = f"{word_} {original} {content}"
        found, reason = refusal("\n".join(lines))
        assert found == fault
        assert reason.startswith(f"{named}")
        assert f"(line {place + 1})" in reason

    @pytest.mark.parametrize("field", ["name", "status", "started_ns", "output_digest", "input_tokens", "prev_hash"])
    def test_a_step_that_was_changed_and_hashed_again_is_not_the_one_that_was_sealed(self, field: str) -> None:
        other: Any = {"started_ns": "7", "output_digest": "00" * 32, "input_tokens": 7, "prev_hash": "00" * 32}
        fault, reason = refusal(rewritten(places("step")[2], **{field: other.get(field, "other")}))
        assert (fault, reason.startswith("step 2 of trace")) == (Fault.STEP, True)
        assert "not the one that was sealed there" in reason

    def test_steps_that_are_missing_added_or_moved_are_told_apart(self) -> None:
        first, second, last = places("step")[1], places("step")[2], places("step")[-1]
        assert "those from position 5 are missing" in refusal(edited(lambda lines: lines.pop(last)))[1]
        assert "the step before step 2" in refusal(edited(lambda lines: lines.pop(first)))[1]
        moved = refusal(edited(lambda lines: lines.insert(second, lines.pop(first))))
        assert "step 2" in moved[1]
        assert "not in the place" in moved[1]
        assert "was added" in refusal(edited(lambda lines: lines.insert(second, lines[first])))[1]
        assert "was added" in refusal(edited(lambda lines: lines.insert(last + 1, lines[last])))[1]

    def test_a_seal_of_another_run_is_not_this_ones(self) -> None:
        other = make_bundle(evidence=1).text.split("\n")
        stranger = next(line for line in other if line.startswith("seal "))
        fault, reason = refusal(edited(lambda lines: lines.__setitem__(places("seal")[0], stranger)))
        assert (fault, "another run" in reason) == (Fault.SEAL, True)

    def test_a_seal_that_is_missing_or_swapped_is_named(self) -> None:
        first, second = places("seal")
        assert refusal(edited(lambda lines: lines.pop(first))) == (
            Fault.SEAL,
            "seal 1 is missing: 2 stands in its place",
        )
        assert refusal(edited(lambda lines: lines.insert(first, lines.pop(second))))[0] == Fault.SEAL
        assert refusal(edited(lambda lines: lines.__delitem__(slice(first, second + 1)))) == (
            Fault.SEAL,
            "there is no seal",
        )

    def test_dropping_the_latest_seal_and_what_it_covers_leaves_one_that_is_not_the_leaf(self) -> None:
        seals, steps = places("seal"), places("step")
        lines = [line for number, line in enumerate(made.text.split("\n")) if number not in {seals[1], *steps[4:]}]
        run = orjson.loads(lines[places("seal")[0]].split(" ", 2)[2])["run_record"]
        lines[1] = f"run {bytes.fromhex(run).decode()}"
        fault, reason = refusal("\n".join(lines))
        assert (fault, reason.startswith("seal 1 is not leaf 17 of 23")) == (Fault.INCLUSION, True)

    @pytest.mark.parametrize("name", ["agent_id", "cost_micro_usd", "status", "completed_ns"])
    def test_a_field_of_the_run_that_was_changed_is_named(self, name: str) -> None:
        record = orjson.loads(made.text.split("\n")[1][4:])
        other = 7 if isinstance(record[name], int) else "7"
        text = edited(lambda lines: lines.__setitem__(1, f"run {canonical(record | {name: other}).decode()}"))
        assert refusal(text) == (Fault.RUN, f"{name} is not what seal 2 holds")

    def test_evidence_that_is_missing_or_moved_is_named(self) -> None:
        first, *_, last = places("evidence")
        assert refusal(edited(lambda lines: lines.pop(last))) == (
            Fault.EVIDENCE,
            "4 records were sealed, 3 are there",
        )
        assert "record 0 is missing" in refusal(edited(lambda lines: lines.pop(first)))[1]
        assert "record 0 is missing" in refusal(edited(lambda lines: lines.insert(last, lines.pop(first))))[1]
        assert refusal(rewritten(first, reason="other"))[0] == Fault.EVIDENCE

    def test_everything_made_anew_is_not_what_the_log_holds(self) -> None:
        """Whoever rewrites a step and then its chain and seal needs the log's key, too."""
        stored = _rewritten_run(made.stored)
        text = build_bundle(sealed_run(stored), made.tree.proof(17, 23), made.tree.older(5, 23))
        fault, reason = refusal(text)
        assert (fault, "does not lead to the root" in reason) == (Fault.INCLUSION, True)


class TestAnOperatorWhoSignsWhatIsNot:
    """With the log's key in hand every hash can be made to fit; the records must be well-formed all the same."""

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"step_count": 7}, "says 7 steps and lists 6"),
            ({"step_hashes": "00"}, "does not list whole hashes"),
            ({"prev_seal_hash": "00" * 32}, "does not follow"),
            ({"version": 3}, "seal 2 is missing"),
        ],
    )
    def test_a_seal_must_be_one(self, changes: dict[str, Any], named: str) -> None:
        fault, reason = refusal(rewritten(places("seal")[1], **changes))
        assert (fault, named in reason) == (Fault.SEAL, True)

    @pytest.mark.parametrize("changes", [{"evidence_count": 5}, {"evidence_count": -1}, {"evidence_head": "00" * 32}])
    def test_a_seal_must_be_over_the_evidence(self, changes: dict[str, Any]) -> None:
        assert refusal(_signed_anew(made, rewritten(places("seal")[1], **changes)))[0] == Fault.EVIDENCE

    def test_a_run_must_be_the_seals(self) -> None:
        run = orjson.loads(made.stored.seals[1].run_record) | {"id": str(make_run().id)}
        text = rewritten(places("seal")[1], run_record=canonical(run).hex())
        text = edited(lambda lines: lines.__setitem__(1, f"run {canonical(run).decode()}"), text)
        assert refusal(text) == (Fault.RUN, "the run's record is of another run than its seal")

    def test_steps_must_be_linked(self) -> None:
        stored = _rewritten_run(made.stored, relink=False)
        fault, reason = refusal(build_bundle(sealed_run(stored), made.tree.proof(17, 23)))
        assert (fault, "does not follow the step before it" in reason) == (Fault.STEP, True)

    def test_two_steps_must_not_share_a_place(self) -> None:
        stored = make_sealed(3, evidence=0)
        step = make_step(1, made.stored.steps[0][1].step_hash if made.stored.steps[0][1] else b"", name="twin")
        steps = [*(step for _, step in stored.steps if step), step]
        fault, reason = refusal(_sealed_anew(stored, steps))
        assert (fault, reason) == (Fault.STEP, "two steps have the same place in a trace")


class TestACheckpointFromEarlier:
    def test_of_the_same_size_needs_the_same_root(self) -> None:
        same = made.trust._replace(kept=made.tree.checkpoint(23))
        assert verify(made.text, same).kept is not None
        fork = made.trust._replace(kept=Tree([*made.tree.leaves[:22], bytes(32)]).checkpoint(23))
        assert refusal(made.text, fork) == (Fault.FORK, "two trees of 23 leaves with different roots")

    def test_that_is_larger_shows_a_truncation(self) -> None:
        larger = Tree([*made.tree.leaves, bytes(32)]).checkpoint(24)
        fault, reason = refusal(made.text, made.trust._replace(kept=larger))
        assert (fault, "has 23 leaves in the file and had 24" in reason) == (Fault.TRUNCATION, True)

    def test_of_another_history_shows_a_fork(self) -> None:
        fork = Tree([*made.tree.leaves[:4], bytes(32)])
        fault, reason = refusal(made.text, made.trust._replace(kept=fork.checkpoint(5)))
        assert (fault, "begins with another tree of 5" in reason) == (Fault.FORK, True)

    def test_of_another_size_than_the_bundles_proof_begins_at_says_what_to_ask_for(self) -> None:
        fault, reason = refusal(made.text, made.trust._replace(kept=made.tree.checkpoint(6)))
        assert (fault, reason.endswith("ask for the bundle with `from: 6`")) == (Fault.CONSISTENCY, True)

    def test_of_another_log_is_refused(self) -> None:
        other = Tree(made.tree.leaves)
        other.signer = Signer(f"hoc-spine/{make_run().id}", SEED)
        keys = [*made.trust.keys, Verifier.parse(other.signer.vkey)]
        fault, reason = refusal(made.text, made.trust._replace(keys=keys, kept=other.checkpoint(5)))
        assert (fault, "of another log" in reason) == (Fault.ORIGIN, True)

    def test_must_be_signed(self) -> None:
        unsigned = made.tree.checkpoint(5).replace("\n5\n", "\n4\n")
        fault, reason = refusal(made.text, made.trust._replace(kept=unsigned))
        assert (fault, reason.startswith("the checkpoint from earlier")) == (Fault.SIGNATURE, True)

    def test_of_nothing_is_continued_by_anything(self) -> None:
        assert verify(made.text, made.trust._replace(kept=Tree([]).checkpoint(0))).kept is not None

    def test_is_proved_even_when_nobody_asks(self) -> None:
        place = places("consistency")[0] + 1
        text = edited(lambda lines: lines.pop(place))
        assert refusal(text, made.trust._replace(kept=None))[0] == Fault.CONSISTENCY


class TestADeclaredRestore:
    def test_is_seen_where_nothing_was_lost(self) -> None:
        later = make_bundle(epoch=2)
        before = Tree(later.tree.leaves[:5])
        keys = [*later.trust.keys, Verifier.parse(before.signer.vkey)]
        verified = verify(later.text, later.trust._replace(keys=keys, kept=before.checkpoint(5)))
        assert verified.kept is not None
        assert (verified.kept.origin.epoch, verified.tree.origin.epoch) == (1, 2)

    @pytest.mark.parametrize(("size", "fault"), [(5, Fault.FORK), (23, Fault.FORK), (24, Fault.TRUNCATION)])
    def test_is_named_where_leaves_were_lost(self, size: int, fault: Fault) -> None:
        later = make_bundle(epoch=2)
        before = Tree([bytes(32)] * size)
        keys = [*later.trust.keys, Verifier.parse(before.signer.vkey)]
        found, reason = refusal(later.text, later.trust._replace(keys=keys, kept=before.checkpoint(size)))
        assert found == fault
        assert reason.endswith("a restore of a backup was declared between them (epoch 1 to 2)")

    def test_does_not_go_back(self) -> None:
        later = Tree(made.tree.leaves[:5], epoch=2)
        keys = [*made.trust.keys, Verifier.parse(later.signer.vkey)]
        trust = made.trust._replace(keys=keys, kept=later.checkpoint(5))
        assert refusal(made.text, trust)[0] == Fault.TRUNCATION


def _resigned(one: Made, signer: Signer, *, origin: str) -> str:
    """The bundle with a checkpoint of this origin under another key."""
    start = one.text.index("\n\n", one.text.index("\nindex ")) + 2
    checkpoint = one.text[start:].split("\n\n")[0].split("\n")
    return one.text[:start] + sign("\n".join([origin, *checkpoint[1:], ""]), [signer])


def _signed_anew(one: Made, text: str) -> str:
    """The bundle with a log in which its latest seal, whatever it says, is the leaf."""
    latest = text.split("\n")[places("seal", text)[-1]].split(" ", 2)
    record = orjson.loads(latest[2])
    seal = structs.replace(one.stored.seals[-1], seal_hash=bytes.fromhex(latest[1]), version=record["version"])
    again = bundle_of(structs.replace(one.stored, seals=[*one.stored.seals[:-1], seal])).text
    return text[: text.index("\nconsistency ")] + again[again.index("\nconsistency ") :]


def _rewritten_run(stored: StoredRun, *, relink: bool = True) -> StoredRun:
    """The run with its first step changed, the later ones linked anew, and the first seal made over them."""
    steps: list[StepRecord] = []
    for _, step in stored.steps:
        assert step is not None
        changes: dict[str, Any] = {} if steps else {"output_digest": bytes(32)}
        if steps and relink:
            changes = {"prev_hash": steps[-1].step_hash}
        changed = structs.replace(step, **changes)
        steps.append(structs.replace(changed, step_hash=step_hash(changed)))
    seals: list[SealRecord] = []
    for seal in stored.seals:
        covered = len(seals[-1].step_hashes) // 32 if seals else 0
        hashes = [step.step_hash for step in steps[covered : seal.step_count]]
        seals.append(_sealed_over(seal, hashes, seals))
    return structs.replace(
        stored, steps=[(placed, step) for (placed, _), step in zip(stored.steps, steps, strict=True)], seals=seals
    )


def _sealed_over(seal: SealRecord, hashes: Sequence[bytes], before: Sequence[SealRecord]) -> SealRecord:
    previous = before[-1].seal_hash if before else seal.prev_seal_hash
    changed = structs.replace(seal, step_hashes=b"".join(hashes), prev_seal_hash=previous)
    return structs.replace(changed, seal_hash=seal_hash(changed))


def _sealed_anew(stored: StoredRun, steps: Sequence[StepRecord]) -> str:
    """The bundle of a run whose one seal was made over these steps."""
    seal = structs.replace(stored.seals[0], step_count=len(steps))
    seal = _sealed_over(seal, [step.step_hash for step in steps], [])
    return build_bundle(sealed_run(stored)._replace(seals=[seal], steps=steps), made.tree.proof(17, 23))
