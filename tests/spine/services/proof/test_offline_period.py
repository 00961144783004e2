"""A period export verifies, and no other file does: nothing in it is missing, added, moved or altered."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
import pytest

from spine.services.canonical_json import canonical
from spine.services.proof.faults import Fault, Refused
from spine.services.proof.merkle import leaf_hash
from spine.services.proof.note import SIGNATURE_PREFIX, Verifier
from spine.services.proof.offline import Trust
from spine.services.proof.offline_period import VerifiedPeriod, seconds_of, verify_period
from tests.spine.services.proof.bundles import Tree
from tests.spine.services.proof.periods import MadePeriod, make_period, written

WHOLE = os.environ.get("HOC_HAMMER") == "1"
SOME = 400

made = make_period()
lines = made.text.split("\n")
FIRST_LEAF = next(number for number, line in enumerate(lines) if line.startswith("audit "))


def verify(text: str, trust: Trust = made.trust) -> VerifiedPeriod:
    return verify_period(text.encode(), trust)


def refusal(text: str, trust: Trust = made.trust) -> tuple[Fault, str]:
    with pytest.raises(Refused) as raised:
        verify(text, trust)
    return raised.value.fault, raised.value.reason


def verifies(text: str | bytes) -> bool:
    try:
        verify_period(text if isinstance(text, bytes) else text.encode(), made.trust)
    except Refused:
        return False
    return True


class TestAPeriod:
    @pytest.mark.parametrize("first", [0, 1, 4, 5, 7, 64])
    @pytest.mark.parametrize("count", [0, 1, 3, 12])
    def test_verifies_after_a_tree_of_any_size(self, first: int, count: int) -> None:
        if not first + count:
            return
        one = make_period(first, count, kept=None)
        found = verify(one.text, one.trust)
        assert (found.newer.size, len(found.period.leaves)) == (first + count, count)
        assert (None if found.older is None else found.older.size) == (first or None)

    @pytest.mark.parametrize("kept", range(5, 15))
    def test_continues_a_checkpoint_of_any_size_within_it(self, kept: int) -> None:
        one = make_period(kept=kept)
        found = verify(one.text, one.trust).kept
        assert found is not None
        assert found.size == kept

    def test_says_when_its_facts_were_recorded(self) -> None:
        leaves = verify(made.text).period.leaves
        assert seconds_of(leaves) == (1_772_366_400, 1_772_366_400 + 6 * 60)
        assert seconds_of([leaf for leaf in leaves if leaf.word == "leaf"]) is None

    def test_goes_on_over_a_declared_restore(self) -> None:
        later = make_period(epoch=2, kept=None)
        before = Tree(later.tree.leaves[:5])
        text = later.text.replace(later.tree.checkpoint(5), before.checkpoint(5))
        trust = later.trust._replace(keys=[*later.trust.keys, Verifier.parse(before.signer.vkey)])
        assert verify(text, trust).newer.origin.epoch == 2
        assert refusal(text, later.trust)[0] is Fault.SIGNATURE


class TestWhatIsNotWhole:
    def test_a_leaf_that_is_missing_is_counted(self) -> None:
        fault, reason = refusal("\n".join([*lines[:FIRST_LEAF], *lines[FIRST_LEAF + 1 :]]))
        assert (fault, "1 leaves are missing" in reason) == (Fault.INCLUSION, True)

    def test_a_leaf_that_was_added_is_counted(self) -> None:
        fault, reason = refusal("\n".join([*lines[:FIRST_LEAF], lines[FIRST_LEAF], *lines[FIRST_LEAF:]]))
        assert (fault, "1 leaves were added" in reason) == (Fault.INCLUSION, True)

    def test_leaves_in_another_order_are_refused(self) -> None:
        trust = made.trust._replace(kept=None)
        swapped = [*lines[:FIRST_LEAF], lines[FIRST_LEAF + 1], lines[FIRST_LEAF], *lines[FIRST_LEAF + 2 :]]
        assert refusal("\n".join(swapped), trust)[0] is Fault.INCLUSION

    def test_a_period_that_skips_its_first_leaves_is_refused(self) -> None:
        """Its own older tree is signed and right; what lies between is not in the file."""
        shorter = written(made.tree, 7, made.lines[2:])
        assert verify(shorter, made.trust._replace(kept=None)).older is not None
        mixed = shorter.replace("after 7\n", "after 5\n")
        assert refusal(mixed)[0] is Fault.FORMAT

    def test_a_seal_does_not_hide_behind_a_bare_leaf(self) -> None:
        for word, kind in (("seal", "SEAL"), ("audit", "AUDIT")):
            bare = canonical(
                {"hash": "00" * 32, "id": "00000000-0000-0000-0000-000000000001", "kind": kind, "version": 1}
            )
            hidden = [f"leaf {bare.decode()}" if line.startswith(f"{word} ") else line for line in lines]
            fault, reason = refusal("\n".join(hidden))
            assert (fault, f"a leaf of kind {kind} without its record" in reason) == (Fault.FORMAT, True)

    def test_another_logs_older_checkpoint_is_refused(self) -> None:
        other = Tree([leaf_hash(b"x %d" % number) for number in range(5)])
        text = made.text.replace(made.tree.checkpoint(5), other.checkpoint(5))
        assert refusal(text) == (Fault.CONSISTENCY, "the peaks are not those of the older tree of 5 leaves")

    def test_a_checkpoint_of_another_size_is_refused(self) -> None:
        text = made.text.replace(made.tree.checkpoint(5), made.tree.checkpoint(6))
        assert refusal(text)[0] is Fault.CONSISTENCY

    def test_a_fork_shows_against_a_kept_checkpoint(self) -> None:
        forked = Tree([*made.tree.leaves[:6], leaf_hash(b"other"), *made.tree.leaves[7:]])
        assert refusal(made.text, made.trust._replace(kept=forked.checkpoint(8)))[0] is Fault.FORK

    @pytest.mark.parametrize(("kept", "fault"), [(4, Fault.CONSISTENCY), (15, Fault.TRUNCATION)])
    def test_a_kept_checkpoint_outside_it_is_refused(self, kept: int, fault: Fault) -> None:
        longer = Tree([*made.tree.leaves, leaf_hash(b"later")])
        assert refusal(made.text, made.trust._replace(kept=longer.checkpoint(kept)))[0] is fault

    def test_a_witness_that_is_wanted_must_have_cosigned_the_newer_checkpoint(self) -> None:
        last = made.text.rindex(SIGNATURE_PREFIX)
        assert refusal(made.text[:last])[0] is Fault.COSIGNATURE


@dataclass(frozen=True)
class Change:
    """What a hammer does to the lines at a place."""

    name: str
    apply: Callable[[Sequence[str], int], list[str]]


CHANGES = [
    Change("without", lambda of, at: [*of[:at], *of[at + 1 :]]),
    Change("twice", lambda of, at: [*of[:at], of[at], *of[at:]]),
    Change("cut", lambda of, at: [*of[:at], ""]),
    Change("swapped", lambda of, at: [*of[:at], *reversed(of[at : at + 2]), *of[at + 2 :]]),
]


class TestEveryMutation:
    """HOC_HAMMER=1 tries every bit, where the suite tries some of them."""

    @pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
    def test_of_a_line_is_refused(self, change: Change) -> None:
        numbers = range(len(lines) - 1)
        passed = [at for at in numbers if (text := change.apply(lines, at)) != lines and verifies("\n".join(text))]
        signatures = [at for at in passed if lines[at].startswith(SIGNATURE_PREFIX)]
        assert passed == signatures  # the order of signatures, and a witness's on the older checkpoint, say nothing
        assert len(passed) <= 2

    def test_of_a_bit_is_refused(self) -> None:
        raw = made.text.encode()
        every = [(place, bit) for place in range(len(raw)) for bit in range(8)]
        passed = []
        for place, bit in every if WHOLE else every[:: len(every) // SOME | 1]:
            flipped = bytearray(raw)
            flipped[place] ^= 1 << bit
            if verifies(bytes(flipped)):
                passed.append((place, bit))
        assert [place for place in passed if not in_witness_line(place[0])] == []

    def test_of_a_field_is_refused(self) -> None:
        for number in range(FIRST_LEAF, FIRST_LEAF + len(made.lines)):
            word, _, content = lines[number].partition(" ")
            record = orjson.loads(content)
            for name, value in record.items():
                for other in (None, 0, "", f"{value}0", value.swapcase() if isinstance(value, str) else 7):
                    if other == value:
                        continue
                    changed = f"{word} {canonical(record | {name: other}).decode()}"
                    assert not verifies("\n".join([*lines[:number], changed, *lines[number + 1 :]])), (
                        word,
                        name,
                        other,
                    )


def in_witness_line(place: int) -> bool:
    """Whether this byte is of the witness's line below the older checkpoint, which nobody asked for."""
    raw = made.text.encode()
    start = raw.index(b"witness.example")
    return start - 5 < place < raw.index(b"\n", start)


def test_a_long_period_takes_its_time_but_ends() -> None:
    one: MadePeriod = make_period(3, 2_000, kept=None)
    assert len(verify(one.text, one.trust).period.leaves) == 2_000
