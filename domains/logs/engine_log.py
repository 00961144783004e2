"""How the log grows, and when it must not be signed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from spine.contracts.log import CheckpointRecord, LogHead, LogLeaf, NodeId, PendingLeaf, SignedTree
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.merkle import HASH_BYTES, append, root
from spine.services.proof.note import NoteError, Verifier, open_note

CONTINUE = "if a backup was restored, `hoc log continue` declares it"


class Growth(Struct, frozen=True):
    """What a batch of leaves adds: the leaves in their places, the subtrees that became whole, the new head."""

    leaves: list[LogLeaf]
    nodes: list[tuple[NodeId, bytes]]
    head: LogHead


def grown(head: LogHead, pending: Sequence[PendingLeaf], now: datetime) -> Growth:
    """The log with these leaves after those that it has, in the order in which they were written."""
    ordered = sorted(pending, key=lambda leaf: leaf.id)
    leaves = [
        LogLeaf(index, leaf.kind, leaf.subject, leaf.version, leaf.leaf_hash, now)
        for index, leaf in enumerate(ordered, head.tree_size)
    ]
    nodes, peaks = append(head.tree_size, peaks_of(head.peaks), [leaf.leaf_hash for leaf in leaves])
    return Growth(leaves, nodes, LogHead(head.epoch, head.tree_size + len(leaves), head.signed_size, b"".join(peaks)))


def peaks_of(joined: bytes) -> tuple[bytes, ...]:
    """The peaks of a tree, largest first, of their joined hashes."""
    return tuple(joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES))


class Standing(Struct, frozen=True):
    """What is known of a log that is to be signed.

    `leaves` is how many there are by their indices, `latest` the latest checkpoint in the database, `signed` what this
    installation signed last in each epoch, and `roots` what the stored nodes give for the sizes that were asked for.
    """

    head: LogHead
    leaves: int
    latest: SignedTree | None
    signed: Mapping[int, SignedTree]
    roots: Mapping[int, bytes]


def refusal(standing: Standing) -> str | None:
    """Why the log must not be signed: it contradicts itself, or what was signed before; None when it may be."""
    head, latest = standing.head, standing.latest
    if standing.leaves != head.tree_size:
        return f"its head counts {head.tree_size} leaves, its last index says {standing.leaves}"
    if standing.roots.get(head.tree_size) != root(peaks_of(head.peaks)):
        return "its stored nodes do not give the root that its head has"
    if latest is not None and standing.roots.get(latest.size) != latest.root:
        return f"its checkpoint of {latest.size} leaves has another root than its stored nodes give"
    return _contradiction(head, standing.signed, standing.roots)


def _contradiction(head: LogHead, signed: Mapping[int, SignedTree], roots: Mapping[int, bytes]) -> str | None:
    """What this installation signed in this epoch or a later one, and the log does not begin with."""
    ahead = max(signed, default=head.epoch)
    if ahead > head.epoch:
        return f"it was signed in epoch {ahead}, and is in epoch {head.epoch} now; {CONTINUE}"
    before = signed.get(head.epoch)
    if before is None or roots.get(before.size) == before.root:
        return None
    if before.size > head.tree_size:
        return f"{before.size} leaves of it were signed, and it has {head.tree_size}; {CONTINUE}"
    return f"another root was signed for its first {before.size} leaves; {CONTINUE}"


def signed_tree(checkpoint: CheckpointRecord, origin: str) -> SignedTree:
    """What the note says, when its signature holds and it is this log's; raises NoteError otherwise."""
    said = Checkpoint.parse(open_note(checkpoint.note, [Verifier.parse(checkpoint.vkey)]).text)
    if said.origin != origin:
        raise NoteError(f"it is of the log {said.origin}, and this one is {origin}")
    if (said.size, said.root) != (checkpoint.tree_size, checkpoint.root_hash):
        raise NoteError("its note says something else than its row")
    return SignedTree(said.size, said.root)
