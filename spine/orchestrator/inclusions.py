"""Proofs of inclusion and consistency from the log's stored hashes: what must be read for them, and what they say."""

from collections.abc import Iterable, Mapping

from spine.contracts.errors import Unreadable
from spine.contracts.log import CheckpointRecord, Inclusion, LogConsistency, NodeId, PlacedLeaf
from spine.contracts.scalars import BigInt
from spine.services.proof.merkle import consistency_plan, inclusion_plan, path, peak_ids, root

Hashes = Mapping[NodeId, bytes]


def inclusion_nodes(places: Iterable[PlacedLeaf | None], tree_size: int) -> list[NodeId]:
    """The perfect subtrees that prove these leaves to be in the tree of this size; nothing for those that are not."""
    covered = [place.leaf_index for place in places if place is not None and place.leaf_index < tree_size]
    plans = [inclusion_plan(index, tree_size) for index in covered]
    return [*dict.fromkeys(node for plan in plans for nodes in plan for node in nodes)]


def inclusion_of(place: PlacedLeaf | None, checkpoint: CheckpointRecord | None, hashes: Hashes) -> Inclusion | None:
    """That the leaf is in the checkpoint's tree; None when it is not yet. Unreadable when the log lacks a hash."""
    if place is None or checkpoint is None or place.leaf_index >= checkpoint.tree_size:
        return None
    try:
        found = path(inclusion_plan(place.leaf_index, checkpoint.tree_size), hashes)
    except KeyError as error:
        raise Unreadable("log") from error
    return Inclusion(
        leaf_index=BigInt(place.leaf_index),
        leaf_hash=place.leaf_hash.hex(),
        tree_size=BigInt(checkpoint.tree_size),
        path=tuple(one.hex() for one in found),
        checkpoint=checkpoint.note,
    )


def consistency_nodes(from_size: int, to_size: int) -> list[NodeId]:
    """The perfect subtrees that prove one size to begin the other, and those that both roots are made of."""
    plan = consistency_plan(from_size, to_size)
    both = (*peak_ids(from_size), *peak_ids(to_size))
    return [*dict.fromkeys((*(node for nodes in plan for node in nodes), *both))]


def consistency_of(from_size: int, to_size: int, hashes: Hashes) -> LogConsistency:
    """That the tree of the later size begins with that of the earlier; Unreadable when the log lacks a hash."""
    try:
        found = path(consistency_plan(from_size, to_size), hashes)
        from_root, to_root = (root([hashes[node] for node in peak_ids(size)]) for size in (from_size, to_size))
    except KeyError as error:
        raise Unreadable("log") from error
    return LogConsistency(
        from_size=BigInt(from_size),
        to_size=BigInt(to_size),
        from_root=from_root.hex(),
        to_root=to_root.hex(),
        path=tuple(one.hex() for one in found),
    )
