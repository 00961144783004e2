"""Verifying a period export without trusting whoever made it: every leaf between two checkpoints is there, as it was.

The log's key vouches for both checkpoints, and they for everything else: the older tree's peaks give its root, and with
every leaf of the file, hashed again from its record, they grow into the newer one. One leaf more or less, another order
or another letter gives another root.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from spine.services.canonical_json import digest
from spine.services.proof.bundle_reading import NotABundle
from spine.services.proof.faults import Fault, Refused
from spine.services.proof.hashing import SEAL_TAG
from spine.services.proof.leaves import LEAF_TAG, audit_entry, seal_entry
from spine.services.proof.merkle import append, leaf_hash, root
from spine.services.proof.offline import SignedTree, Trust, restored, signed_tree, truncation
from spine.services.proof.period import AUDIT_WORD, SEAL_WORD
from spine.services.proof.period_reading import Leaf, Period, read_period


class VerifiedPeriod(NamedTuple):
    """A period that holds: its leaves, the trees before (None is the empty one) and after them, and the kept one."""

    period: Period
    older: SignedTree | None
    newer: SignedTree
    kept: SignedTree | None


def verify_period(raw: bytes, trust: Trust) -> VerifiedPeriod:
    """Check all of a period export; raises Refused, which names the first thing that does not hold."""
    try:
        period = read_period(raw)
    except NotABundle as error:
        raise Refused(Fault.FORMAT, str(error)) from None
    newer = signed_tree(period.note, trust.keys, trust.witnesses, "the newer checkpoint")
    older = signed_tree(period.before.note, trust.keys, (), "the older checkpoint") if period.before.size else None
    _demand_older(period, older, newer)
    kept = None
    if trust.kept is not None:
        kept = signed_tree(trust.kept, trust.keys, (), "the checkpoint from earlier")
    _demand_growth(period, newer, kept)
    return VerifiedPeriod(period, older, newer, kept)


def _demand_older(period: Period, older: SignedTree | None, newer: SignedTree) -> None:
    """The peaks must be those of the tree that the older checkpoint signs, and that be of the same log."""
    if older is None:
        return
    before = period.before
    if older.origin._replace(epoch=newer.origin.epoch) != newer.origin or older.origin.epoch > newer.origin.epoch:
        raise Refused(Fault.ORIGIN, f"the older checkpoint is of another log: {older.origin}, not {newer.origin}")
    if older.size != before.size:
        reason = f"the older checkpoint has {older.size} leaves, the period begins at {before.size}"
        raise Refused(Fault.CONSISTENCY, reason)
    if root(before.peaks) != older.root:
        raise Refused(Fault.CONSISTENCY, f"the peaks are not those of the older tree of {older.size} leaves")


def _demand_growth(period: Period, newer: SignedTree, kept: SignedTree | None) -> None:
    """The older tree and these leaves must be the newer one, and on the way the kept one."""
    first, stop = period.before.size, period.before.size + len(period.leaves)
    if stop != newer.size:
        reason = f"the newer checkpoint has {newer.size} leaves, the file ends at {stop}: {_difference(stop, newer)}"
        raise Refused(Fault.INCLUSION, reason)
    turn = first if kept is None else _turn(period, newer, kept)
    hashes = [leaf_hash(_entry(leaf)) for leaf in period.leaves]
    _, peaks = append(first, period.before.peaks, hashes[: turn - first])
    if kept is not None and root(peaks) != kept.root:
        reason = f"the log of {newer.size} leaves begins with another tree of {turn} than was signed then"
        raise Refused(Fault.FORK, f"{reason}{restored(newer, kept)}")
    _, peaks = append(turn, peaks, hashes[turn - first :])
    if root(peaks) != newer.root:
        raise Refused(Fault.INCLUSION, _misplaced(period, newer))


def _turn(period: Period, newer: SignedTree, kept: SignedTree) -> int:
    """The size at which the growing tree must be the kept one."""
    if kept.origin._replace(epoch=newer.origin.epoch) != newer.origin:
        raise Refused(Fault.ORIGIN, f"the checkpoint from earlier is of another log: {kept.origin}, not {newer.origin}")
    if kept.size > newer.size or kept.origin.epoch > newer.origin.epoch:
        raise Refused(Fault.TRUNCATION, truncation(newer, kept))
    if kept.size < period.before.size:
        ask = "ask for an export that begins there or before"
        raise Refused(Fault.CONSISTENCY, f"the period begins after the checkpoint of {kept.size} leaves; {ask}")
    return kept.size


def _entry(leaf: Leaf) -> bytes:
    """What the leaf's hash is made over."""
    fields = leaf.fields
    if leaf.word == SEAL_WORD:
        return seal_entry(digest(SEAL_TAG + leaf.content), UUID(str(fields["run_key"])), int(fields["version"] or 0))
    if leaf.word == AUDIT_WORD:
        return audit_entry(UUID(str(fields["id"])), leaf.content)
    return LEAF_TAG + leaf.content


def _difference(stop: int, newer: SignedTree) -> str:
    count = abs(stop - newer.size)
    return f"{count} leaves are missing" if stop < newer.size else f"{count} leaves were added"


def _misplaced(period: Period, newer: SignedTree) -> str:
    """What people are told: which leaf it is no hash of the file can say."""
    return (
        f"a leaf was changed, replaced or moved: the {len(period.leaves)} leaves of the file, after those before them, "
        f"do not give the root that the newer checkpoint has for {newer.size}"
    )


def seconds_of(leaves: Sequence[Leaf]) -> tuple[int, int] | None:
    """When the first and the last of these facts were recorded, in Unix seconds; None where there is no record."""
    named = [leaf.fields.get("sealed_at" if leaf.word == SEAL_WORD else "created_at") for leaf in leaves]
    found = [int(str(instant)) // 1_000_000 for instant in named if instant is not None]
    return (min(found), max(found)) if found else None
