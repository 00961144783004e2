"""Checking a tenant's whole log against everything that it says it contains, step by step."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.enums import LogFaultKind
from spine.contracts.log import SignedTree
from spine.contracts.scalars import BigInt


class LogFault(Struct, frozen=True, gc=False, kw_only=True):
    """The first thing about the log that does not hold."""

    kind: Annotated[LogFaultKind, Meta(description="What does not hold.")]
    leaf_index: Annotated[BigInt | None, Meta(description="The first leaf that it concerns; null where none is named.")]
    last_index: Annotated[BigInt | None, Meta(description="The last leaf of those among which the bad one is.")]
    subject: Annotated[str | None, Meta(description="The fact, as kind, key and version.")]
    expected: Annotated[str | None, Meta(description="What should be there, hex.")]
    actual: Annotated[str | None, Meta(description="What is there, hex; null when nothing is.")]
    reason: Annotated[str, Meta(description="What is wrong, for people.")]


class LogVerification(Struct, frozen=True, gc=False, kw_only=True):
    """How far the log has been checked, and what was found."""

    finished: Annotated[bool, Meta(description="Whether everything was checked, or a fault ended it.")]
    leaf_count: Annotated[BigInt, Meta(description="How many leaves the log had when this began.")]
    leaves_checked: Annotated[BigInt, Meta(description="How many of them have been checked.")]
    checkpoints_checked: Annotated[int, Meta(description="How many checkpoints have been checked on the way.")]
    facts_checked: Annotated[BigInt, Meta(description="How many recorded facts were looked for in the log.")]
    root_hash: Annotated[str | None, Meta(description="The root rebuilt from all leaves, hex; null before that.")]
    fault: Annotated[LogFault | None, Meta(description="The first fault; null when there is none so far.")]


class LogCursor(Struct, frozen=True, gc=False, kw_only=True):
    """Where a check goes on: after `checked` leaves with their `peaks`, then after the last fact seen, kind by kind.

    `agreed` is the size of the last checkpoint that agreed; leaves up to it are as they were signed. `signed` is what
    this installation had signed last when the check began.
    """

    total: int
    head_peaks: bytes
    signed: SignedTree | None
    checked: int = 0
    peaks: bytes = b""
    agreed: int = 0
    checkpoints: int = 0
    seal: tuple[UUID, int] | None = None
    seals_done: bool = False
    entry: UUID | None = None
    entries_done: bool = False
    batch: UUID | None = None
    facts: int = 0


class VerifyLog(Struct, frozen=True):
    """Check the next part of the log; without a cursor the first."""

    cursor: LogCursor | None = None


class LogStep(Struct, frozen=True):
    """What was found so far, and where to go on; None when that is all."""

    progress: LogVerification
    cursor: LogCursor | None
