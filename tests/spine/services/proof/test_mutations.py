"""No bundle that differs from one that verifies, by as little as a bit, verifies: a hammer over lines, fields and bits.

HOC_HAMMER=1 tries every bit of every character and every value of every field, where the suite tries some of them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import orjson
import pytest

from spine.services.canonical_json import canonical, digest
from spine.services.proof.faults import Refused
from spine.services.proof.hashing import EVIDENCE_TAG, SEAL_TAG, STEP_TAG
from spine.services.proof.note import SIGNATURE_PREFIX
from spine.services.proof.offline import verify_bundle
from tests.spine.services.proof.bundles import make_bundle

WHOLE = os.environ.get("HOC_HAMMER") == "1"
SOME = 600

T = TypeVar("T")
TAGS = {"step": STEP_TAG, "seal": SEAL_TAG, "evidence": EVIDENCE_TAG}

made = make_bundle()
raw = made.text.encode()
lines = made.text.split("\n")
numbers = range(len(lines) - 1)


def verifies(text: str | bytes) -> bool:
    try:
        verify_bundle(text if isinstance(text, bytes) else text.encode(), made.trust)
    except Refused:
        return False
    return True


def without(number: int) -> list[str]:
    return lines[:number] + lines[number + 1 :]


def twice(number: int) -> list[str]:
    return [*lines[:number], lines[number], *lines[number:]]


def swapped(number: int) -> list[str]:
    return [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]


def cut(number: int) -> list[str]:
    return [*lines[:number], ""]


def some(every: Sequence[T]) -> Sequence[T]:
    """All of them, or evenly spread ones: an odd step meets every bit of a byte."""
    return every if WHOLE else every[:: len(every) // SOME | 1]


def other_values(value: Any) -> list[Any]:
    """Values near this one, and of other kinds."""
    near: list[Any] = [None, True, False, 0, 1, "", "x", "00", "0" * 64]
    if type(value) is int:
        near += [value + 1, value - 1, -value, str(value), 2**53 - 1]
    if type(value) is str:
        near += [value + "0", value[:-1], value.upper(), value.swapcase(), value[::-1], value + "\u0000"]
    return [each for each in near if (type(each), each) != (type(value), value)]


class TestEveryMutation:
    def test_begins_with_a_bundle_that_verifies(self) -> None:
        assert verifies(raw)

    @pytest.mark.parametrize("change", [without, twice, cut])
    def test_of_a_line_is_refused(self, change: Callable[[int], list[str]]) -> None:
        assert [number for number in numbers if verifies("\n".join(change(number)))] == []

    def test_that_swaps_lines_is_refused_but_for_the_order_of_signatures(self) -> None:
        passed = [number for number in numbers[:-1] if verifies("\n".join(swapped(number)))]
        assert [lines[number][:2] + lines[number + 1][:2] for number in passed] == [SIGNATURE_PREFIX * 2]

    def test_of_a_bit_is_refused(self) -> None:
        passed = []
        for place, bit in some([(place, bit) for place in range(len(raw)) for bit in range(8)]):
            flipped = bytearray(raw)
            flipped[place] ^= 1 << bit
            if verifies(bytes(flipped)):
                passed.append((place, bit))
        assert passed == []

    def test_of_a_field_is_refused_hashed_again_or_not(self) -> None:
        every = [(number, changed) for number in numbers for changed in changed_lines(lines[number])]
        assert len(every) > 10 * SOME
        passed = []
        for number, changed in some(every):
            if verifies("\n".join([*lines[:number], changed, *lines[number + 1 :]])):
                passed.append((number, changed))
        assert passed == []

    def test_by_another_runs_lines_is_refused(self) -> None:
        others = make_bundle().text.split("\n")
        assert len(others) == len(lines)
        differing = [number for number in numbers if lines[number] != others[number]]
        assert {lines[number].split(" ")[0] for number in differing} >= {"run", "seal", "evidence"}
        for number in differing:
            assert not verifies("\n".join([*lines[:number], others[number], *lines[number + 1 :]]))


def changed_lines(line: str) -> Iterator[str]:
    """The line of a record with a field gone, added or changed; with its old hash, and with the one that fits."""
    word, _, rest = line.partition(" ")
    if word == "run":
        yield from (f"run {changed.decode()}" for changed in changed_records(orjson.loads(rest)))
    if word in TAGS:
        stated, _, content = rest.partition(" ")
        for changed in changed_records(orjson.loads(content)):
            yield f"{word} {stated} {changed.decode()}"
            yield f"{word} {digest(TAGS[word] + changed).hex()} {changed.decode()}"


def changed_records(record: dict[str, Any]) -> Iterator[bytes]:
    for name, value in record.items():
        yield canonical({other: kept for other, kept in record.items() if other != name})
        for other in other_values(value):
            yield canonical(record | {name: other})
    yield canonical(record | {"zzz": None})
