"""What outsiders say of the tenant's checkpoints: witnesses' cosignatures and an authority's time stamps."""

from datetime import datetime

from msgspec import Struct


class Cosignature(Struct, frozen=True, gc=False):
    """A witness's signature line under a checkpoint; `witness` is its vkey."""

    tree_size: int
    witness: str
    line: str
    cosigned_at: datetime
    received_at: datetime


class Timestamp(Struct, frozen=True, gc=False):
    """An authority's whole answer (RFC 3161) to the note of a checkpoint as the log signed it."""

    tree_size: int
    token: bytes
    stamped_at: datetime
    received_at: datetime


class TenantsUnwitnessed(Struct, frozen=True):
    """Ask which tenants' newest checkpoints this witness has not cosigned."""

    witness: str


class TenantsUnstamped(Struct, frozen=True):
    """Ask which tenants' newest checkpoints have no stamp, nor an older one since then."""

    before: datetime


class FindSubmission(Struct, frozen=True):
    """Ask what a witness is to be sent; `known_size` is what it said that it knows, None when it was not asked yet."""

    witness: str
    known_size: int | None


class DueSubmission(Struct, frozen=True):
    """The newest checkpoint, with the proof that it continues the one of `old_size`; none when that is larger."""

    tree_size: int
    old_size: int
    proof: tuple[bytes, ...]
    note: str


class KeepCosignature(Struct, frozen=True):
    """Keep what a witness has signed and the asking process has verified."""

    tree_size: int
    witness: str
    line: str
    cosigned_at: datetime


class FindStampable(Struct, frozen=True):
    """Ask for the newest checkpoint, if nobody has stamped it."""


class Stampable(Struct, frozen=True):
    """A checkpoint to be stamped: the note as the log signed it."""

    tree_size: int
    note: str


class KeepTimestamp(Struct, frozen=True):
    """Keep a stamp that the asking process has verified."""

    tree_size: int
    token: bytes
    stamped_at: datetime
