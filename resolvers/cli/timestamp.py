"""`hoc log timestamp`: a checkpoint's time stamp, verified with no network, no database and no server."""

import binascii
from base64 import b64decode
from pathlib import Path
from typing import Annotated

import typer

from resolvers.cli.console import complain, say
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.note import NoteError, Verifier, split_note
from spine.services.proof.timestamp import TimestampError, read_roots, stamped_at, stamped_note

DER_SEQUENCE = b"\x30"

Note = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The checkpoint: its note.")]
Stamp = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="Its time stamp: base64 as GraphQL shows it, or DER.")
]
Roots = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="PEM file of the authority's root certificate, likewise.")
]


def timestamp(
    checkpoint: Note,
    stamp: Stamp,
    vkey: Annotated[str, typer.Option(metavar="KEY", help="The log's key, from a source that you trust.")],
    tsa_root: Roots,
) -> None:
    """Verify offline when a time stamping authority saw a checkpoint (RFC 3161)."""
    try:
        note = stamped_note(checkpoint.read_text("utf-8", errors="replace"), Verifier.parse(vkey))
        at = stamped_at(_token(stamp.read_bytes()), note, read_roots(tsa_root.read_bytes()))
        said = Checkpoint.parse(split_note(note)[0])
    except (NoteError, TimestampError) as error:
        complain(f"FAILED {error}")
        raise typer.Exit(1) from None
    say(f"VERIFIED: at {at:%Y-%m-%dT%H:%M:%SZ} the log {said.origin} had {said.size} leaves")


def _token(content: bytes) -> bytes:
    if content.startswith(DER_SEQUENCE):
        return content
    try:
        return b64decode(content.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise TimestampError("the time stamp is neither DER nor base64") from error
