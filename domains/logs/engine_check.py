"""Whether leaves, nodes, head and checkpoints of a log are what the recorded facts give; the first place where not."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct, structs

from domains.logs.engine_log import peaks_of
from spine.contracts.enums import LogFaultKind
from spine.contracts.log import LogLeaf, NodeId, SignedTree
from spine.contracts.log_check import LogCursor, LogFault, LogVerification
from spine.contracts.scalars import BigInt
from spine.services.proof.merkle import append, root

Fact = tuple[str, UUID, int]
"""Kind, key and version of what a leaf is of."""


class Part(Struct, frozen=True):
    """A part of the log: its leaves by index, and the leaf hashes of what is recorded, recomputed.

    `trees` are what signed checkpoints say of sizes within the part; a text says why one says nothing.
    """

    stop: int
    leaves: Mapping[int, LogLeaf]
    facts: Mapping[Fact, bytes]
    trees: Mapping[int, Sequence[SignedTree | str]]


class Rebuilt(Struct, frozen=True):
    """Where the check goes on after a part, the nodes that must be stored for it, and the first fault."""

    cursor: LogCursor
    nodes: Sequence[tuple[NodeId, bytes]]
    fault: LogFault | None


def rebuilt(cursor: LogCursor, part: Part) -> Rebuilt:
    """Rebuild the tree over a part of the leaves, stopping at each signed size, or at the first fault."""
    nodes: list[tuple[NodeId, bytes]] = []
    for size in sorted({*part.trees, part.stop}):
        hashes: list[bytes] = []
        for index in range(cursor.checked, size):
            fault = leaf_fault(index, part)
            if fault is not None:
                return Rebuilt(cursor, nodes, fault)
            hashes.append(part.leaves[index].leaf_hash)
        whole, peaks = append(cursor.checked, peaks_of(cursor.peaks), hashes)
        nodes += whole
        cursor = structs.replace(cursor, checked=size, peaks=b"".join(peaks))
        for tree in part.trees.get(size, ()):
            fault = _tree_fault(cursor, tree)
            if fault is not None:
                return Rebuilt(cursor, nodes, fault)
        if size in part.trees:
            cursor = structs.replace(cursor, agreed=size, checkpoints=cursor.checkpoints + 1)
    return Rebuilt(cursor, nodes, None)


def leaf_fault(index: int, part: Part) -> LogFault | None:
    """Why the leaf at this index is not what is recorded of its fact."""
    leaf = part.leaves.get(index)
    if leaf is None:
        return fault_of(LogFaultKind.LEAF_MISSING, index, f"there is no leaf {index}")
    wanted = part.facts.get((leaf.kind, leaf.subject, leaf.version))
    named = f"{leaf.kind} {leaf.subject} {leaf.version}"
    if wanted is None:
        reason = f"leaf {index} is of {named}, which is not there"
        return fault_of(LogFaultKind.FACT_MISSING, index, reason, subject=named, expected=leaf.leaf_hash)
    if wanted != leaf.leaf_hash:
        reason = f"leaf {index} is not the hash of {named} as it is now"
        return fault_of(LogFaultKind.LEAF, index, reason, subject=named, expected=wanted, actual=leaf.leaf_hash)
    return None


def _tree_fault(cursor: LogCursor, tree: SignedTree | str) -> LogFault | None:
    """Why a signed checkpoint does not agree with the leaves up to its size: one since the last that did is bad."""
    size, found = cursor.checked, root(peaks_of(cursor.peaks))
    if isinstance(tree, str):
        return fault_of(LogFaultKind.CHECKPOINT, cursor.agreed, tree, last=size - 1)
    if tree.root == found:
        return None
    reason = f"what was signed of {size} leaves is not what they give: of those from {cursor.agreed} on one was changed"
    return fault_of(LogFaultKind.CHECKPOINT, cursor.agreed, reason, last=size - 1, expected=tree.root, actual=found)


def node_fault(nodes: Sequence[tuple[NodeId, bytes]], stored: Mapping[NodeId, bytes]) -> LogFault | None:
    """The first stored node that is not what its leaves give."""
    for (level, index), wanted in nodes:
        found = stored.get((level, index))
        if found != wanted:
            first, reason = index << level, f"node {index} of level {level} is not what its leaves give"
            last = (index + 1 << level) - 1
            return fault_of(LogFaultKind.NODE, first, reason, last=last, expected=wanted, actual=found)
    return None


def size_fault(cursor: LogCursor, leaves: int) -> LogFault | None:
    """Why the log has not as many leaves, by their last index, as its head counts or as were signed."""
    signed = cursor.signed
    if leaves != cursor.total:
        reason = f"the log's head counts {cursor.total} leaves, the last index says {leaves}"
        return fault_of(LogFaultKind.HEAD, min(leaves, cursor.total), reason)
    if signed is not None and signed.size > cursor.total:
        reason = f"{signed.size} leaves were signed, and there are {cursor.total}"
        return fault_of(LogFaultKind.TRUNCATED, cursor.total, reason, last=signed.size - 1)
    return None


def head_fault(cursor: LogCursor) -> LogFault | None:
    """Why the head is not what all leaves give."""
    if cursor.peaks == cursor.head_peaks:
        return None
    wanted, found = root(peaks_of(cursor.peaks)), root(peaks_of(cursor.head_peaks))
    reason = "the log's head has another root than its leaves"
    return fault_of(LogFaultKind.HEAD, None, reason, expected=wanted, actual=found)


def unlogged_fault(kind: str, key: UUID, version: int) -> LogFault:
    """A fact that neither has a leaf nor waits for one."""
    named = f"{kind} {key} {version}"
    reason = f"{named} is not in the log, nor does it wait to be"
    return fault_of(LogFaultKind.NOT_LOGGED, None, reason, subject=named)


def fault_of(
    kind: LogFaultKind,
    index: int | None,
    reason: str,
    *,
    last: int | None = None,
    subject: str | None = None,
    expected: bytes | None = None,
    actual: bytes | None = None,
) -> LogFault:
    """A fault from this leaf on; of this leaf alone when no last one is given."""
    last = index if last is None else last
    return LogFault(
        kind=kind,
        leaf_index=None if index is None else BigInt(index),
        last_index=None if last is None else BigInt(last),
        subject=subject,
        expected=None if expected is None else expected.hex(),
        actual=None if actual is None else actual.hex(),
        reason=reason,
    )


def progress_of(cursor: LogCursor, fault: LogFault | None, *, finished: bool) -> LogVerification:
    """What is told of a check at this point."""
    whole = cursor.checked == cursor.total
    return LogVerification(
        finished=finished,
        leaf_count=BigInt(cursor.total),
        leaves_checked=BigInt(cursor.checked),
        checkpoints_checked=cursor.checkpoints,
        facts_checked=BigInt(cursor.facts),
        root_hash=root(peaks_of(cursor.peaks)).hex() if whole else None,
        fault=fault,
    )
