"""Reading run bundles strictly: what is not written exactly as `spine.services.proof.bundle` says is refused.

Reading trusts nothing: the file's size, its lines' lengths and their number are bounded before anything is parsed, and
every refusal names the line. Whether the hashes hold is `spine.services.proof.offline`'s to say.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from spine.services.canonical_json import Scalar
from spine.services.proof.bundle import FORMAT, MAX_BUNDLE_BYTES, TLOG_PROOF, LogProof, OlderTree
from spine.services.proof.checkpoint import ROOT_BYTES, decimal
from spine.services.proof.note import MAX_NOTE_CHARS, NoteError, decode_base64
from spine.services.proof.shapes import EVIDENCE, SEAL, STEP, NotARecord, Shape
from spine.services.proof.strict_json import NotStrict, read_object

MAX_LINE_CHARS = 8 * 1024 * 1024
MAX_LINES = 200_000
MAX_PATH = 64
HASH_HEX = 64
HEX_DIGITS = frozenset("0123456789abcdef")
CONSISTENCY_WORDS = 3

T = TypeVar("T")
U = TypeVar("U")


class NotABundle(Exception):
    """A file that is refused before any hash is looked at; the message says which line and why."""


class Record(NamedTuple):
    """A record of the bundle: the hash that it claims, the bytes that were hashed, and what they say."""

    line: int
    hash: bytes
    content: bytes
    fields: dict[str, Scalar]


class Bundle(NamedTuple):
    """A bundle as it is written; nothing of it is verified yet."""

    run: Record
    seals: Sequence[Record]
    steps: Sequence[Record]
    evidence: Sequence[Record]
    older: OlderTree | None
    log: LogProof


def read_bundle(raw: bytes) -> Bundle:
    """The parts of a bundle's file; raises NotABundle."""
    reader = _BundleReader(lines_of(raw))
    reader.demand(FORMAT)
    run = reader.run()
    seals = tuple(reader.records("seal", lambda _: SEAL))
    steps = tuple(reader.records("step", lambda _: STEP))
    evidence = tuple(reader.records("evidence", _evidence_shape))
    return Bundle(run, seals, steps, evidence, reader.older(), reader.log())


def lines_of(raw: bytes) -> list[str]:
    """The lines of a file of bounded size, the last of which must end; raises NotABundle."""
    if len(raw) > MAX_BUNDLE_BYTES:
        raise NotABundle(f"a file has at most {MAX_BUNDLE_BYTES} bytes, this has {len(raw)}")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise NotABundle(f"not UTF-8 at byte {error.start}") from None
    lines = text.split("\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        raise NotABundle(f"a file has at most {MAX_LINES} lines")
    if lines.pop():
        raise NotABundle("the last line has no end: the file is cut off")
    return lines


class LineReader:
    """Takes lines from the top; every refusal names the line, `at` counts those taken."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self.at = 0

    def demand(self, wanted: str) -> None:
        """The next line must be this one."""
        if self.next() != wanted:
            raise self.refused(f"expected {wanted!r}" if wanted else "expected an empty line")

    def path(self) -> tuple[bytes, ...]:
        """The hashes that follow, up to an empty line."""
        path: list[bytes] = []
        while self.peek():
            if len(path) == MAX_PATH:
                raise self.refused(f"a path has at most {MAX_PATH} hashes")
            path.append(self.root(self.next()))
        return tuple(path)

    def root(self, text: str) -> bytes:
        """A hash in base64."""
        found = self.parsed(decode_base64, text)
        if len(found) != ROOT_BYTES:
            raise self.refused(f"a hash has {ROOT_BYTES} bytes")
        return found

    def hash(self, text: str) -> bytes:
        """A hash in hex."""
        if len(text) != HASH_HEX or not HEX_DIGITS.issuperset(text):
            raise self.refused("expected a hash of 64 hexadecimal digits")
        return bytes.fromhex(text)

    def parsed(self, parse: Callable[[T], U], given: T) -> U:
        """What this makes of it, or the refusal of this line."""
        try:
            return parse(given)
        except (NotStrict, NotARecord, NoteError) as error:
            raise self.refused(str(error)) from None

    def peek(self) -> str:
        """The next line, which stays where it is; empty where there is none."""
        return self._lines[self.at] if self.at < len(self._lines) else ""

    def next(self) -> str:
        """The next line, taken."""
        line = self.peek()
        if self.at == len(self._lines):
            raise NotABundle("the file ends too early")
        self.at += 1
        if len(line) > MAX_LINE_CHARS:
            raise self.refused(f"a line has at most {MAX_LINE_CHARS} characters")
        return line

    def refused(self, reason: str) -> NotABundle:
        """The refusal of the line that was taken last."""
        return NotABundle(f"line {self.at}: {reason}")

    def rest(self) -> str:
        """What is left of the file: the checkpoint."""
        note = "".join(f"{line}\n" for line in self._lines[self.at :])
        if len(note) > MAX_NOTE_CHARS:
            raise self.refused(f"a checkpoint has at most {MAX_NOTE_CHARS} characters")
        return note


class _BundleReader(LineReader):
    """What stands in a run's bundle."""

    def run(self) -> Record:
        """The run's fields: those that its seal was made over, whichever they were then."""
        word, _, content = self.next().partition(" ")
        if word != "run":
            raise self.refused("expected the run's record")
        return Record(self.at, b"", content.encode(), self.parsed(read_object, content))

    def records(self, word: str, shape: Callable[[dict[str, Scalar]], Shape | None]) -> Iterator[Record]:
        """The records that follow and begin with this word."""
        start = f"{word} "
        while self.peek().startswith(start):
            hexadecimal, _, content = self.next()[len(start) :].partition(" ")
            fields = self.parsed(read_object, content)
            kind = shape(fields)
            if kind is None:
                raise self.refused(f"no kind of {word}")
            self.parsed(kind.demand, fields)
            yield Record(self.at, self.hash(hexadecimal), content.encode(), fields)

    def older(self) -> OlderTree | None:
        """The earlier state of the log, where there is one."""
        if not self.peek().startswith("consistency "):
            return None
        words = self.next().split(" ")
        if len(words) != CONSISTENCY_WORDS:
            raise self.refused("expected a size and a root")
        size, root = self.parsed(decimal, words[1]), self.root(words[2])
        return OlderTree(size, root, self.path())

    def log(self) -> LogProof:
        """The C2SP tlog-proof; what the format calls extra data is refused, for nothing vouches for it."""
        self.demand("")
        self.demand(TLOG_PROOF)
        word, _, index = self.next().partition(" ")
        if word != "index":
            raise self.refused("expected the leaf's index")
        number, path = self.parsed(decimal, index), self.path()
        self.demand("")
        return LogProof(number, path, self.rest())


def _evidence_shape(fields: dict[str, Scalar]) -> Shape | None:
    kind = fields.get("record")
    return EVIDENCE.get(kind) if isinstance(kind, str) else None
