"""The leaves of what a write adds: each waits in the log's queue from the fact's own transaction on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from spine.contracts.enums import LeafKind
from spine.contracts.log import PendingLeaf
from spine.contracts.records import SealRecord
from spine.contracts.statements import InsertRows
from spine.services.ids import uuid7
from spine.services.proof.leaves import LEDGER_VERSION, ledger_entry, seal_entry
from spine.services.proof.merkle import leaf_hash


def seal_leaves(seals: Sequence[SealRecord], now: datetime) -> list[PendingLeaf]:
    """A leaf for every version of a seal."""
    hashes = [leaf_hash(seal_entry(seal.seal_hash, seal.run_key, seal.version)) for seal in seals]
    return [
        PendingLeaf(uuid7(), LeafKind.SEAL, seal.run_key, seal.version, leaf, now)
        for seal, leaf in zip(seals, hashes, strict=True)
    ]


def ledger_leaves(insert: InsertRows, now: datetime) -> list[PendingLeaf]:
    """A leaf for every entry that this statement appends to the audit ledger, over its columns as they are stored."""
    rows: list[dict[str, Any]] = [dict(zip(insert.columns, row, strict=True)) for row in insert.rows]
    return [
        PendingLeaf(uuid7(), LeafKind.AUDIT, row["id"], LEDGER_VERSION, leaf_hash(ledger_entry(row)), now)
        for row in rows
    ]
