"""A log with a run's seal in it, signed and cosigned, and the run's bundle: made by the product's own writers."""

from collections.abc import Sequence
from typing import NamedTuple

from spine.services.proof.bundle import LogProof, OlderTree, SealedRun, build_bundle
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.cosignature import CosignatureVerifier, Cosigner
from spine.services.proof.leaves import seal_entry
from spine.services.proof.merkle import append, consistency_plan, inclusion_plan, leaf_hash, path, root
from spine.services.proof.note import Signer, Verifier, sign
from spine.services.proof.offline import Trust
from spine.services.proof.origin import Origin
from spine.services.proof.verify import StoredRun
from tests.spine.services.proof.records import TENANT, make_sealed

SEED = bytes(range(32))
WITNESS = Cosigner("witness.example/w1", bytes(range(1, 33)), lambda: 1_772_366_500)


class Tree:
    """A log of leaves that is signed by its key, and cosigned by one witness."""

    def __init__(self, leaves: Sequence[bytes], epoch: int = 1) -> None:
        nodes, _ = append(0, (), leaves)
        self.leaves = list(leaves)
        self._hashes = {(0, index): leaf for index, leaf in enumerate(leaves)} | dict(nodes)
        self.signer = Signer(str(Origin("hoc-spine", TENANT, epoch)), SEED)

    def root(self, size: int) -> bytes:
        return root(append(0, (), self.leaves[:size])[1])

    def checkpoint(self, size: int) -> str:
        return sign(Checkpoint(self.signer.name, size, self.root(size)).text(), [self.signer, WITNESS])

    def proof(self, index: int, size: int) -> LogProof:
        found = path(inclusion_plan(index, size), self._hashes)
        return LogProof(index, tuple(found), self.checkpoint(size))

    def older(self, size: int, newer: int) -> OlderTree:
        return OlderTree(size, self.root(size), tuple(path(consistency_plan(size, newer), self._hashes)))


class Made(NamedTuple):
    """A run, its log and its bundle with the proof that the log of 5 leaves is the beginning of that of 23."""

    stored: StoredRun
    tree: Tree
    text: str
    trust: Trust


def make_bundle(steps: int = 4, late: int = 2, evidence: int = 4, epoch: int = 1) -> Made:
    """A completed run of which a late part was sealed again; its latest seal is leaf 17 of 23."""
    return bundle_of(make_sealed(steps, late, evidence), epoch=epoch)


def bundle_of(stored: StoredRun, *, epoch: int = 1, size: int = 23, older: int | None = 5) -> Made:
    """The bundle of this run in a log of others' leaves."""
    leaves = [leaf_hash(b"another's %d" % index) for index in range(size)]
    leaves[size - 6] = seal_leaf(stored)
    tree = Tree(leaves, epoch)
    before = None if older is None else tree.older(older, size)
    text = build_bundle(sealed_run(stored), tree.proof(size - 6, size), before)
    key, witness = Verifier.parse(tree.signer.vkey), CosignatureVerifier.parse(WITNESS.vkey)
    return Made(stored, tree, text, Trust([key], [witness], None if older is None else tree.checkpoint(older)))


def seal_leaf(stored: StoredRun) -> bytes:
    latest = stored.seals[-1]
    return leaf_hash(seal_entry(latest.seal_hash, stored.run.id, latest.version))


def sealed_run(stored: StoredRun) -> SealedRun:
    steps = [step for _, step in stored.steps if step is not None]
    assert stored.evidence is not None
    return SealedRun(TENANT, stored.run.id, stored.seals, steps, stored.evidence)
