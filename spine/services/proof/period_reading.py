"""Reading period exports strictly: what is not written exactly as `spine.services.proof.period` says is refused.

Whether the hashes hold is `spine.services.proof.offline_period`'s to say.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from spine.services.canonical_json import Scalar
from spine.services.proof.bundle_reading import LineReader, lines_of
from spine.services.proof.checkpoint import decimal
from spine.services.proof.note import MAX_NOTE_CHARS
from spine.services.proof.period import AUDIT_WORD, LEAF_WORD, PERIOD_FORMAT, SEAL_WORD, Before
from spine.services.proof.shapes import LEAF, LEDGER_ENTRY, SEAL, Shape
from spine.services.proof.strict_json import read_object

SHAPES: Mapping[str, Shape] = {SEAL_WORD: SEAL, AUDIT_WORD: LEDGER_ENTRY, LEAF_WORD: LEAF}

RECORDED_KINDS = frozenset({"SEAL", "AUDIT"})
"""Leaves of these kinds stand in the file with what they commit to."""


class Leaf(NamedTuple):
    """A leaf of the period: its word, the bytes that were hashed, and what they say."""

    line: int
    word: str
    content: bytes
    fields: Mapping[str, Scalar]


class Period(NamedTuple):
    """A period export as it is written; nothing of it is verified yet."""

    before: Before
    leaves: Sequence[Leaf]
    note: str


def read_period(raw: bytes) -> Period:
    """The parts of a period export; raises NotABundle."""
    reader = _PeriodReader(lines_of(raw))
    reader.demand(PERIOD_FORMAT)
    before = reader.before()
    leaves = tuple(reader.leaves())
    reader.demand("")
    return Period(before, leaves, reader.rest())


class _PeriodReader(LineReader):
    """What stands in a period export."""

    def before(self) -> Before:
        """The tree that the period begins with."""
        word, _, text = self.next().partition(" ")
        if word != "after":
            raise self.refused("expected the size of the older tree")
        size, peaks = self.parsed(decimal, text), self.path()
        if len(peaks) != size.bit_count():
            raise self.refused(f"a tree of {size} leaves has {size.bit_count()} peaks")
        self.demand("")
        return Before(size, peaks, self._note() if size else "")

    def _note(self) -> str:
        """A note in the middle of the file: its text and its signatures, an empty line after each."""
        paragraphs = (self._paragraph(), self._paragraph())
        note = "\n".join(paragraphs)
        if len(note) > MAX_NOTE_CHARS:
            raise self.refused(f"a checkpoint has at most {MAX_NOTE_CHARS} characters")
        return note

    def _paragraph(self) -> str:
        lines = []
        while self.peek():
            lines.append(f"{self.next()}\n")
        self.demand("")
        return "".join(lines)

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf, up to an empty line."""
        while self.peek():
            word, _, content = self.next().partition(" ")
            shape = SHAPES.get(word)
            if shape is None:
                raise self.refused("expected a leaf")
            fields = self.parsed(read_object, content)
            self.parsed(shape.demand, fields)
            if word == LEAF_WORD and fields["kind"] in RECORDED_KINDS:
                raise self.refused(f"a leaf of kind {fields['kind']} without its record")
            yield Leaf(self.at, word, content.encode(), fields)
