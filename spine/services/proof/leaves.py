"""What the log's leaves say: which fact, by its id and version, has which hash.

An entry is a tag and the canonical JSON of four keys; what it commits to in full is behind the hash. The tenant is no
part of it: each tenant has a log of its own, named by its checkpoints' origin.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from spine.services.canonical_json import Scalar, canonical, digest
from spine.services.clock import to_us

LEAF_TAG = b"hoc-spine/leaf/v1\n"
LEDGER_TAG = b"hoc-spine/ledger/v1\n"
LEDGER_VERSION = 1
"""An entry of the ledger never has another."""

LEDGER_COLUMNS = frozenset(
    {
        "id",
        "operation",
        "event_type",
        "entity_type",
        "entity_id",
        "actor_kind",
        "actor_id",
        "actor_name",
        "reason",
        "before_state",
        "after_state",
        "request_id",
        "created_at",
    },
)


def leaf_entry(kind: str, key: UUID, version: int, content_hash: bytes) -> bytes:
    """The bytes of a leaf: what RFC 9162 calls its entry."""
    return LEAF_TAG + leaf_content(kind, key, version, content_hash)


def leaf_content(kind: str, key: UUID, version: int, content_hash: bytes) -> bytes:
    """The four keys of a leaf's entry."""
    return canonical({"hash": content_hash.hex(), "id": str(key), "kind": kind, "version": version})


def seal_entry(seal_hash: bytes, run_key: UUID, version: int) -> bytes:
    """The leaf of one version of a run's seal."""
    return leaf_entry("SEAL", run_key, version, seal_hash)


def ledger_entry(row: Mapping[str, Scalar | UUID | datetime]) -> bytes:
    """The leaf of an entry of the audit ledger; `row` holds every column but the tenant's, and nothing else.

    Raises ValueError for a row with other columns: a column that no leaf commits to could be changed unseen.
    """
    key = row.get("id")
    if not isinstance(key, UUID):
        raise TypeError("the id of a ledger entry is a UUID")
    return audit_entry(key, ledger_content(row))


def audit_entry(key: UUID, content: bytes) -> bytes:
    """The leaf of the ledger entry with this content."""
    return leaf_entry("AUDIT", key, LEDGER_VERSION, digest(LEDGER_TAG + content))


def ledger_content(row: Mapping[str, Scalar | UUID | datetime]) -> bytes:
    """What is hashed of a ledger entry, without the tag; raises ValueError for a row with other columns."""
    if row.keys() != LEDGER_COLUMNS:
        raise ValueError(f"not the columns of a ledger entry: {sorted(row.keys() ^ LEDGER_COLUMNS)}")
    return canonical({name: _written(value) for name, value in row.items()})


def _written(value: Scalar | UUID | datetime) -> Scalar:
    """As JSON: an instant as its microseconds' decimal text."""
    if isinstance(value, datetime):
        return str(to_us(value))
    return str(value) if isinstance(value, UUID) else value
