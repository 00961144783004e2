"""`python -m spine.services.proof.check FILE --vkey KEY`, and `hoc verify`: a bundle verified from the command line.

Reads files and nothing else. Exit code 0 only if all holds, 1 with one line that names what does not, 2 for a command
that is not one.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from spine.services.proof.bundle import MAX_BUNDLE_BYTES
from spine.services.proof.cosignature import CosignatureVerifier, cosigned_at
from spine.services.proof.faults import Fault, Refused
from spine.services.proof.note import MAX_NOTE_CHARS, NoteError, Verifier
from spine.services.proof.offline import Trust, Verified, verify_bundle

HELP = "Verify a run's proof bundle: no network, no database, no server. Exit code 0 only if all of it holds."


def main(arguments: Sequence[str], program: str) -> int:
    """Verify as the arguments say, and print the result; the exit code."""
    given = _parser(program).parse_args(arguments)
    try:
        trust = Trust(given.vkey, given.witness, _kept(given.checkpoint))
        verified = verify_bundle(_read(given.file, MAX_BUNDLE_BYTES), trust)
    except Refused as error:
        print(_printable(f"FAILED {error}"), file=sys.stderr)  # noqa: T201 - its output is what this program is for
        return 1
    print("\n".join(map(_printable, _report(verified))))  # noqa: T201
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=HELP, allow_abbrev=False, formatter_class=_help)
    parser.add_argument("file", metavar="FILE", type=Path, help="the bundle")
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
        help="a checkpoint kept from earlier: the bundle's log must continue it",
    )
    parser.add_argument(
        "--witness",
        metavar="KEY",
        type=_witness,
        action="append",
        default=[],
        help="a witness that must have cosigned the bundle's checkpoint; again for each",
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


def _report(verified: Verified) -> list[str]:
    """What holds, for people: a word and what it is about on each line."""
    bundle, tree, kept = verified
    latest = bundle.seals[-1].fields
    lines = [
        "VERIFIED",
        f"run         {latest['run_key']}",
        f"seal        {latest['version']}, made {_instant(int(str(latest['sealed_at'])) // 1_000_000)}",
        f"steps       {len(bundle.steps)}",
        f"evidence    {len(bundle.evidence)}",
        f"log         {tree.origin}",
        f"leaf        {bundle.log.leaf_index} of {tree.size}",
    ]
    lines += [
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
