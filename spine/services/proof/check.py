"""`python -m spine.services.proof.check FILE --vkey KEY`, and `hoc verify`: a file verified from the command line.

The file is a run's bundle or a period export, as its first line says. Reads files and nothing else. Exit code 0 only if
all holds, 1 with one line that names what does not, 2 for a command that is not one.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from spine.services.proof.bundle import MAX_BUNDLE_BYTES
from spine.services.proof.cosignature import CosignatureVerifier, cosigned_at
from spine.services.proof.faults import Fault, Refused
from spine.services.proof.note import MAX_NOTE_CHARS, NoteError, Verifier
from spine.services.proof.offline import SignedTree, Trust, Verified, verify_bundle
from spine.services.proof.offline_period import VerifiedPeriod, seconds_of, verify_period
from spine.services.proof.period import AUDIT_WORD, LEAF_WORD, PERIOD_FORMAT, SEAL_WORD

HELP = (
    "Verify a run's proof bundle or a period export: no network, no database, no server. "
    "Exit code 0 only if all of it holds."
)


def main(arguments: Sequence[str], program: str) -> int:
    """Verify as the arguments say, and print the result; the exit code."""
    given = _parser(program).parse_args(arguments)
    try:
        trust = Trust(given.vkey, given.witness, _kept(given.checkpoint))
        lines = _verified(_read(given.file, MAX_BUNDLE_BYTES), trust)
    except Refused as error:
        print(_printable(f"FAILED {error}"), file=sys.stderr)  # noqa: T201 - its output is what this program is for
        return 1
    print("\n".join(map(_printable, ["VERIFIED", *lines])))  # noqa: T201
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=HELP, allow_abbrev=False, formatter_class=_help)
    parser.add_argument("file", metavar="FILE", type=Path, help="the bundle or the export")
    parser.add_argument(
        "--vkey",
        metavar="KEY",
        type=_key,
        action="append",
        required=True,
        help="the log's key, from a source that you trust; again for a key before or after it",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="OLD",
        type=Path,
        help="a checkpoint kept from earlier: the log must continue it",
    )
    parser.add_argument(
        "--witness",
        metavar="KEY",
        type=_witness,
        action="append",
        default=[],
        help="a witness that must have cosigned the file's newest checkpoint; again for each",
    )
    return parser


def _help(prog: str) -> argparse.HelpFormatter:
    """Of a fixed width: measuring the terminal's would import more than verifying does."""
    return argparse.HelpFormatter(prog, width=100)


def _key(vkey: str) -> Verifier:
    try:
        return Verifier.parse(vkey)
    except NoteError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _witness(vkey: str) -> CosignatureVerifier:
    try:
        return CosignatureVerifier.parse(vkey)
    except NoteError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _kept(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return _read(file, MAX_NOTE_CHARS).decode()
    except UnicodeDecodeError:
        raise Refused(Fault.FORMAT, f"{file} is not UTF-8") from None


def _read(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(most + 1)
    except OSError as error:
        raise Refused(Fault.FORMAT, f"cannot read {file}: {error.strerror}") from None
    if len(raw) > most:
        raise Refused(Fault.FORMAT, f"{file} has more than {most} bytes")
    return raw


def _printable(line: str) -> str:
    """The line without what a terminal would obey: names in it are whatever the file says."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)


def _verified(raw: bytes, trust: Trust) -> list[str]:
    """What holds, for people: a word and what it is about on each line; raises Refused."""
    if raw.startswith(f"{PERIOD_FORMAT}\n".encode()):
        period = verify_period(raw, trust)
        return [*_period_report(period), *_tree_report(period.newer, period.kept)]
    verified = verify_bundle(raw, trust)
    return [*_run_report(verified), *_tree_report(verified.tree, verified.kept)]


def _run_report(verified: Verified) -> list[str]:
    bundle, tree, _ = verified
    latest = bundle.seals[-1].fields
    return [
        f"run         {latest['run_key']}",
        f"seal        {latest['version']}, made {_instant(int(str(latest['sealed_at'])) // 1_000_000)}",
        f"steps       {len(bundle.steps)}",
        f"evidence    {len(bundle.evidence)}",
        f"log         {tree.origin}",
        f"leaf        {bundle.log.leaf_index} of {tree.size}",
    ]


def _period_report(verified: VerifiedPeriod) -> list[str]:
    leaves, first = verified.period.leaves, verified.period.before.size
    counted = Counter(leaf.word for leaf in leaves)
    between = (
        f"{first} to {verified.newer.size - 1}: {len(leaves)}, none missing" if leaves else "none: it did not grow"
    )
    recorded = seconds_of(leaves)
    lines = [
        f"log         {verified.newer.origin}",
        f"leaves      {between}",
        f"seals       {counted[SEAL_WORD]}",
        f"entries     {counted[AUDIT_WORD]}",
        f"others      {counted[LEAF_WORD]}, committed to",
    ]
    if recorded is not None:
        lines.append(f"recorded    {_instant(recorded[0])} to {_instant(recorded[1])}")
    return [*lines, f"between     the checkpoints of {first} and of {verified.newer.size} leaves"]


def _tree_report(tree: SignedTree, kept: SignedTree | None) -> list[str]:
    lines = [
        f"cosigned    {each.name} at {_instant(cosigned_at(each))}"
        for each in tree.signatures
        if each.name != str(tree.origin)
    ]
    if kept is not None:
        lines.append(f"continues   the checkpoint of {kept.size} leaves")
    if tree.origin.epoch > 1:
        since = "" if kept is None or kept.origin.epoch == tree.origin.epoch else ", since that checkpoint"
        lines.append(f"RESTORED    a restore of a backup was declared{since}: this log is epoch {tree.origin.epoch}")
    return lines


def _instant(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], "python -m spine.services.proof.check"))
