"""Trees, paths and their verification are those of RFC 9162: by the field's vectors and against a naive tree."""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.services.proof import merkle
from spine.services.proof.merkle import (
    EMPTY_ROOT,
    NodeId,
    ProofError,
    append,
    consistency_plan,
    inclusion_plan,
    leaf_hash,
    node_hash,
    path,
    peak_ids,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parent / "merkle_vectors.json").read_text())
MOST = 130
LEAVES = [leaf_hash(str(number).encode()) for number in range(MOST)]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, as it is written there."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return node_hash(naive_root(leaves[:middle]), naive_root(leaves[middle:]))


def grown(size: int) -> tuple[dict[NodeId, bytes], tuple[bytes, ...]]:
    nodes, peaks = append(0, (), LEAVES[:size])
    return {(0, index): leaf for index, leaf in enumerate(LEAVES[:size])} | dict(nodes), peaks


HASHES, _ = grown(MOST)
ROOTS = [naive_root(LEAVES[:size]) for size in range(MOST + 1)]


def refused(check: Callable[[], None]) -> bool:
    try:
        check()
    except ProofError:
        return True
    return False


def raw(*texts: str) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


def pairs(lowest: int) -> st.SearchStrategy[tuple[int, int]]:
    """A size up to MOST and a number from `lowest` to it."""
    return st.integers(1, MOST).flatmap(lambda size: st.tuples(st.integers(lowest, size), st.just(size)))


class TestTheVectorsOfTheField:
    @pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda vector: str(vector["desc"]))
    def test_an_inclusion_proof_holds_exactly_when_it_should(self, vector: dict[str, Any]) -> None:
        leaf, root = raw(vector["leafHash"], vector["root"])
        proof = raw(*vector["proof"])
        found = refused(lambda: verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof, root))
        assert found is vector["wantErr"]

    @pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda vector: str(vector["desc"]))
    def test_a_consistency_proof_holds_exactly_when_it_should(self, vector: dict[str, Any]) -> None:
        first, second = raw(vector["root1"], vector["root2"])
        proof = raw(*vector["proof"])
        found = refused(lambda: verify_consistency(vector["size1"], vector["size2"], first, second, proof))
        assert found is vector["wantErr"]

    def test_there_are_98_of_each_of_which_6_hold(self) -> None:
        for kind in ("inclusion", "consistency"):
            assert (len(VECTORS[kind]), sum(not each["wantErr"] for each in VECTORS[kind])) == (98, 6)


class TestATree:
    def test_of_nothing_has_the_hash_of_nothing_as_its_root(self) -> None:
        assert merkle.root(()) == EMPTY_ROOT == naive_root([])

    @given(st.lists(st.integers(0, 20), max_size=8).filter(lambda batches: sum(batches) <= MOST))
    def test_grown_in_any_batches_is_the_tree_of_all_its_leaves(self, batches: list[int]) -> None:
        size, stored = 0, dict[NodeId, bytes]()
        peaks: tuple[bytes, ...] = ()
        for batch in batches:
            nodes, peaks = append(size, peaks, LEAVES[size : size + batch])
            assert not stored.keys() & dict(nodes).keys()
            stored |= nodes
            size += batch
        assert merkle.root(peaks) == ROOTS[size]
        assert stored == {node: kept for node, kept in grown(size)[0].items() if node[0] > 0}

    @pytest.mark.parametrize("size", range(MOST + 1))
    def test_is_the_list_of_its_peaks(self, size: int) -> None:
        assert [HASHES[node] for node in peak_ids(size)] == list(grown(size)[1])

    def test_of_n_leaves_takes_fewer_than_n_writes_to_grow(self) -> None:
        nodes, peaks = append(0, (), LEAVES * 100)
        assert len(nodes) == len(LEAVES) * 100 - len(peaks)

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 130])
    def test_stores_each_perfect_subtree_under_the_leaves_that_it_covers(self, size: int) -> None:
        for (level, index), kept in grown(size)[0].items():
            assert kept == naive_root(LEAVES[index << level : (index + 1) << level])


class TestAnInclusionPath:
    @given(pairs(1))
    def test_made_of_stored_nodes_verifies(self, place: tuple[int, int]) -> None:
        index, size = place[0] - 1, place[1]
        verify_inclusion(LEAVES[index], index, size, path(inclusion_plan(index, size), HASHES), ROOTS[size])

    @given(pairs(1), st.integers(0, MOST), st.data())
    def test_verifies_for_no_other_leaf_index_root_or_path(
        self,
        place: tuple[int, int],
        other: int,
        data: st.DataObject,
    ) -> None:
        index, size = place[0] - 1, place[1]
        proof, leaf = path(inclusion_plan(index, size), HASHES), LEAVES[index]
        if other < MOST and other != index:
            assert refused(lambda: verify_inclusion(LEAVES[other], index, size, proof, ROOTS[size]))
            assert refused(lambda: verify_inclusion(leaf, other, size, proof, ROOTS[size]))
        if other != size:
            assert refused(lambda: verify_inclusion(leaf, index, size, proof, ROOTS[other]))
        changed = data.draw(mutations(proof))
        assert refused(lambda: verify_inclusion(leaf, index, size, changed, ROOTS[size]))

    @pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (2**63, 8)])
    def test_of_a_leaf_outside_the_tree_is_refused(self, index: int, size: int) -> None:
        with pytest.raises(ProofError):
            inclusion_plan(index, size)
        with pytest.raises(ProofError):
            verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])

    def test_reads_a_logarithmic_number_of_nodes(self) -> None:
        assert sum(map(len, inclusion_plan(0, 2**40 - 1))) <= 80


class TestAConsistencyPath:
    @given(pairs(1))
    def test_made_of_stored_nodes_verifies(self, sizes: tuple[int, int]) -> None:
        first, second = sizes
        proof = path(consistency_plan(first, second), HASHES)
        verify_consistency(first, second, ROOTS[first], ROOTS[second], proof)

    @given(pairs(1), st.integers(0, MOST), st.data())
    def test_verifies_for_no_other_size_root_or_path(
        self,
        sizes: tuple[int, int],
        other: int,
        data: st.DataObject,
    ) -> None:
        first, second = sizes
        proof = path(consistency_plan(first, second), HASHES)
        if other != first:
            assert refused(lambda: verify_consistency(first, second, ROOTS[other], ROOTS[second], proof))
            assert refused(lambda: verify_consistency(other, second, ROOTS[first], ROOTS[second], proof))
        if other != second:
            assert refused(lambda: verify_consistency(first, second, ROOTS[first], ROOTS[other], proof))
        changed = data.draw(mutations(proof))
        assert refused(lambda: verify_consistency(first, second, ROOTS[first], ROOTS[second], changed))

    def test_from_an_empty_tree_is_empty_and_proves_nothing(self) -> None:
        assert consistency_plan(0, 7) == ()
        with pytest.raises(ProofError):
            verify_consistency(0, 7, EMPTY_ROOT, ROOTS[7], [])

    @pytest.mark.parametrize(("first", "second"), [(4, 3), (-1, 3)])
    def test_into_the_past_is_refused(self, first: int, second: int) -> None:
        with pytest.raises(ProofError):
            consistency_plan(first, second)

    def test_a_hash_that_is_not_stored_is_named(self) -> None:
        with pytest.raises(KeyError, match=r"\(2, 1\)"):
            path(consistency_plan(4, 8), {})


def mutations(proof: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """The path with one hash added, gone, changed by a bit, or two swapped."""
    places = st.integers(0, len(proof))
    changed = places.map(lambda place: [*proof[:place], LEAVES[0], *proof[place:]])
    if not proof:
        return changed
    inside = st.integers(0, len(proof) - 1)
    changed |= inside.map(lambda place: proof[:place] + proof[place + 1 :])
    changed |= st.tuples(inside, st.integers(0, 255)).map(lambda where: _flipped(proof, *where))
    if len(proof) > 1:
        changed |= st.integers(1, len(proof) - 1).map(
            lambda place: [*proof[: place - 1], proof[place], proof[place - 1], *proof[place + 1 :]],
        )
    return changed


def _flipped(proof: list[bytes], place: int, bit: int) -> list[bytes]:
    number = int.from_bytes(proof[place], "big") ^ 1 << bit
    return [*proof[:place], number.to_bytes(32, "big"), *proof[place + 1 :]]
