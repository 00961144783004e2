"""The log's Merkle tree (RFC 9162, section 2): hashing, growing, proof paths and their verification. Pure.

A tree of `size` leaves is the list of its perfect subtrees, largest first: its peaks. A perfect subtree never changes
again, so the nodes that are stored are written once, and a proof is folded from O(log n) of them. Verification follows
RFC 9162 word for word and trusts nothing that it is given: neither the number nor the length of the hashes.
"""

from collections.abc import Iterable, Mapping, Sequence

from spine.services.digests import tagged

HASH_BYTES = 32
EMPTY_ROOT = tagged(b"")(b"")

_leaf_digest = tagged(b"\x00")
_node_digest = tagged(b"\x01")

NodeId = tuple[int, int]
"""Level and index of a perfect subtree: it covers the leaves `[index << level, (index + 1) << level)`."""

Plan = tuple[tuple[NodeId, ...], ...]
"""For each hash of a proof path the perfect subtrees that fold into it."""


class ProofError(Exception):
    """A proof that does not hold; the message says what about it."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf over its entry's bytes."""
    return _leaf_digest(entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return _node_digest(left + right)


def append(
    size: int,
    peaks: Sequence[bytes],
    leaves: Iterable[bytes],
) -> tuple[list[tuple[NodeId, bytes]], tuple[bytes, ...]]:
    """Add leaf hashes to a tree: the subtrees of level 1 and above that became whole, and the new peaks.

    n leaves make fewer than n + log(size + n) nodes.
    """
    nodes: list[tuple[NodeId, bytes]] = []
    stack = list(peaks)
    for index, leaf in enumerate(leaves, size):
        whole, level = leaf, 0
        while index >> level & 1:
            whole, level = node_hash(stack.pop(), whole), level + 1
            nodes.append(((level, index >> level), whole))
        stack.append(whole)
    return nodes, tuple(stack)


def root(peaks: Sequence[bytes]) -> bytes:
    """The root of the tree with these peaks, largest first."""
    if not peaks:
        return EMPTY_ROOT
    folded = peaks[-1]
    for peak in reversed(peaks[:-1]):
        folded = node_hash(peak, folded)
    return folded


def peak_ids(size: int) -> tuple[NodeId, ...]:
    """The perfect subtrees that a tree of this size consists of, largest first."""
    return _cover(0, size)


def inclusion_plan(index: int, size: int) -> Plan:
    """What the path of leaf `index` in the tree of `size` leaves is made of, from the leaf's sibling upwards.

    Raises ProofError when the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    plan: list[tuple[NodeId, ...]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            plan.append(_cover(middle, end))
            end = middle
        else:
            plan.append(_cover(start, middle))
            start = middle
    return tuple(reversed(plan))


def consistency_plan(first: int, second: int) -> Plan:
    """What the proof is made of that the tree of `first` leaves is a prefix of that of `second`.

    It is empty for equal sizes and from the empty tree. Raises ProofError when `first` is the larger one.
    """
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {second} leaves does not begin with one of {first}")
    if first in {0, second}:
        return ()
    plan: list[tuple[NodeId, ...]] = []
    start, end, known = 0, second, True
    while end != first:
        middle = start + _split(end - start)
        if first <= middle:
            plan.append(_cover(middle, end))
            end = middle
        else:
            plan.append(_cover(start, middle))
            start, known = middle, False
    if not known:
        plan.append(_cover(start, end))
    return tuple(reversed(plan))


def path(plan: Plan, hashes: Mapping[NodeId, bytes]) -> list[bytes]:
    """The proof path of a plan; `hashes` holds its nodes, leaves as level 0. Raises KeyError for one that it lacks."""
    return [root([hashes[node] for node in nodes]) for nodes in plan]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash stands at `index` of the tree with this size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size} leaves")
    _demand_hashes((leaf, root, *path))
    place, last, folded = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofError("the inclusion path is too long")
        if place & 1 or place == last:
            folded = node_hash(sibling, folded)
            place, last = _climbed(place, last)
        else:
            folded = node_hash(folded, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the inclusion path is too short")
    if folded != root:
        raise ProofError("the inclusion path does not lead to the root")


def verify_consistency(
    first: int,
    second: int,
    first_root: bytes,
    second_root: bytes,
    path: Sequence[bytes],
) -> None:
    """Check that the first tree is a prefix of the second (RFC 9162, 2.1.4.2).

    Sizes are at least 1: everything follows from an empty tree, so a proof of it proves nothing.
    """
    if not 1 <= first <= second:
        raise ProofError(f"a tree of {second} leaves cannot be shown to begin with one of {first}")
    if first == second:
        if path:
            raise ProofError("the consistency path is too long")
        if first_root != second_root:
            raise ProofError("the roots differ at the same size")
        return
    _demand_hashes((first_root, second_root, *path))
    hashes = list(path) if first & (first - 1) else [first_root, *path]
    _demand_both_roots(first, second, hashes, (first_root, second_root))


def _demand_both_roots(first: int, second: int, hashes: Sequence[bytes], roots: tuple[bytes, bytes]) -> None:
    """Fold the path into both roots at once: a sibling on the left is in the first tree too."""
    if not hashes:
        raise ProofError("the consistency path is too short")
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofError("the consistency path is too long")
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            place, last = _climbed(place, last)
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the consistency path is too short")
    if old != roots[0]:
        raise ProofError("the consistency path does not lead to the older root")
    if new != roots[1]:
        raise ProofError("the consistency path does not lead to the newer root")


def _climbed(place: int, last: int) -> tuple[int, int]:
    """Go up from the last node of a level while it has no sibling there."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _demand_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofError(f"a hash of a proof has {HASH_BYTES} bytes")


def _split(size: int) -> int:
    """The largest power of two below `size`: where RFC 9162 divides a tree."""
    return 1 << (size - 1).bit_length() - 1


def _cover(start: int, end: int) -> tuple[NodeId, ...]:
    """The perfect subtrees that make up the leaves [start, end), largest first; `start` is aligned to the first."""
    nodes: list[NodeId] = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return tuple(nodes)
