"""A log with seals, ledger entries and a leaf of another kind in it, and the export of a part of it."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from spine.services.canonical_json import digest
from spine.services.proof.cosignature import CosignatureVerifier
from spine.services.proof.leaves import leaf_entry, ledger_entry, seal_entry
from spine.services.proof.merkle import append, leaf_hash
from spine.services.proof.note import Verifier
from spine.services.proof.offline import Trust
from spine.services.proof.period import Before, audit_line, build_period, leaf_line, seal_line
from tests.spine.services.proof.bundles import WITNESS, Tree
from tests.spine.services.proof.records import make_sealed

BEGUN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class MadePeriod(NamedTuple):
    """The leaves' lines and hashes, the log, its export, and what its reader brings along."""

    lines: list[str]
    tree: Tree
    text: str
    trust: Trust


def make_period(first: int = 5, count: int = 9, kept: int | None = 8, epoch: int = 1) -> MadePeriod:
    """The export of `count` leaves after the first ones: entries, seals and access batches in turn."""
    made = [_leaf(number) for number in range(count)]
    hashes = [leaf_hash(b"another's %d" % number) for number in range(first)]
    tree = Tree([*hashes, *(leaf for _, leaf in made)], epoch)
    lines = [line for line, _ in made]
    key, witness = Verifier.parse(tree.signer.vkey), CosignatureVerifier.parse(WITNESS.vkey)
    trust = Trust([key], [witness], None if kept is None else tree.checkpoint(kept))
    return MadePeriod(lines, tree, written(tree, first, lines), trust)


def written(tree: Tree, first: int, lines: list[str]) -> str:
    """The export that says this of the log's leaves from `first` on, up to its latest checkpoint."""
    _, peaks = append(0, (), tree.leaves[:first])
    note = tree.checkpoint(first) if first else ""
    return build_period(Before(first, peaks, note), lines, tree.checkpoint(len(tree.leaves)))


def _leaf(number: int) -> tuple[str, bytes]:
    """The line of a leaf, and its hash."""
    if number % 3 == 2:
        said = ("ACCESS", UUID(int=number), 1, digest(b"batch %d" % number))
        return leaf_line(*said), leaf_hash(leaf_entry(*said))
    if number % 3 == 1:
        [*_, seal] = make_sealed(2, 0, 1).seals
        return seal_line(seal), leaf_hash(seal_entry(seal.seal_hash, seal.run_key, seal.version))
    row = make_entry(number)
    return audit_line(row), leaf_hash(ledger_entry(row))


def make_entry(number: int) -> dict[str, Any]:
    """An entry of the ledger."""
    return {
        "id": UUID(int=number),
        "operation": "policies.create_rule",
        "event_type": "PolicyRuleCreated",
        "entity_type": "POLICY_RULE",
        "entity_id": f"rule {number}",
        "actor_kind": "HUMAN",
        "actor_id": "olga",
        "actor_name": None,
        "reason": None,
        "before_state": None,
        "after_state": '{"name":"<b>"}',
        "request_id": "request",
        "created_at": BEGUN + timedelta(minutes=number),
    }
