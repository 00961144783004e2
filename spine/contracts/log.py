"""The tenant's log: leaves of facts, the head that orders them, signed checkpoints, and proofs between them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.enums import LeafKind
from spine.contracts.paging import PageRequest
from spine.contracts.scalars import BigInt

NodeId = tuple[int, int]
"""Level and index of a perfect subtree; level 0 are the leaves."""


class PendingLeaf(Struct, frozen=True, gc=False):
    """A leaf that waits for its index; ids are in the order in which facts were written."""

    id: UUID
    kind: LeafKind
    subject: UUID
    version: int
    leaf_hash: bytes
    queued_at: datetime


class LogLeaf(Struct, frozen=True, gc=False):
    """A leaf in its place."""

    leaf_index: int
    kind: LeafKind
    subject: UUID
    version: int
    leaf_hash: bytes
    integrated_at: datetime


class PlacedLeaf(Struct, frozen=True, gc=False):
    """Where a fact's leaf stands, and what it is."""

    leaf_index: int
    leaf_hash: bytes


class LogHead(Struct, frozen=True, gc=False):
    """How far the log goes: `peaks` are the hashes of the perfect subtrees of `tree_size`, largest first, joined.

    Of the leaves the latest checkpoint covers `signed_size`. An `epoch` begins with each declared restore.
    """

    epoch: int
    tree_size: int
    signed_size: int
    peaks: bytes


class SignedTree(Struct, frozen=True, gc=False):
    """What a checkpoint says of the tree: its number of leaves and its root hash."""

    size: int
    root: bytes


class CheckpointRecord(Struct, frozen=True, gc=False):
    """A checkpoint as it is stored; `note` is what was signed, and with it the signature."""

    tree_size: int
    epoch: int
    root_hash: bytes
    note: str
    vkey: str
    created_at: datetime


class CheckpointWitness(Struct, frozen=True, gc=False, kw_only=True):
    """A witness that has cosigned a checkpoint."""

    name: Annotated[str, Meta(description="The name in its key.")]
    vkey: Annotated[str, Meta(description="Its key, as this server is configured; take it from a source of your own.")]
    at: Annotated[datetime, Meta(description="When it says that this was the log's newest checkpoint (UTC).")]


class CheckpointTimestamp(Struct, frozen=True, gc=False, kw_only=True):
    """An authority's stamp on a checkpoint."""

    at: Annotated[datetime, Meta(description="When the authority says that it saw the checkpoint (UTC).")]
    token: Annotated[str, Meta(description="Its whole answer, a TimeStampResp of RFC 3161: base64 of its DER.")]


class VouchedCheckpoint(Struct, frozen=True):
    """A checkpoint, the witnesses that have cosigned it, and its time stamp."""

    record: CheckpointRecord
    witnesses: tuple[CheckpointWitness, ...]
    timestamp: CheckpointTimestamp | None


class Integrate(Struct, frozen=True):
    """Give waiting leaves their indices, no more than so many at once."""

    most: int


class Integrated(Struct, frozen=True):
    """How many leaves got an index, and how many, up to 10,000, wait; `busy` says that another sequencer is at it."""

    count: int
    waiting: int
    busy: bool


class SignCheckpoint(Struct, frozen=True):
    """Sign the log as it is, unless that is signed already."""


class Signing(Struct, frozen=True):
    """What came of signing: whether a checkpoint was signed, of which size, or why the log may not be signed."""

    tree_size: int
    signed: bool
    refusal: str | None
    busy: bool


class ContinueLog(Struct, frozen=True, kw_only=True):
    """Declare that a backup was restored, which is older than the last known checkpoint: the log goes on from there."""

    checkpoint: str
    reason: str


class LogContinued(Struct, frozen=True, kw_only=True):
    """The log's new name, and of how many leaves it goes on."""

    origin: str
    epoch: int
    restored_size: int


class FindLogKey(Struct, frozen=True):
    """Ask for the key that signs the tenant's log."""


class LogKey(Struct, frozen=True, kw_only=True):
    """The key that signs the tenant's log from now on; `tree_size` is 0 where there is no log yet."""

    vkey: str
    tree_size: int


class TenantsWaiting(Struct, frozen=True):
    """Ask which tenants have leaves that wait for an index or a signature."""


class Inclusion(Struct, frozen=True, gc=False, kw_only=True):
    """That a fact is in the log: its leaf leads by the path to the root that the checkpoint signs."""

    leaf_index: Annotated[BigInt, Meta(description="The leaf's index, from 0.")]
    leaf_hash: Annotated[str, Meta(description="The leaf's hash, hex.")]
    tree_size: Annotated[BigInt, Meta(description="How many leaves the checkpoint covers.")]
    path: Annotated[tuple[str, ...], Meta(description="The RFC 9162 inclusion path, leaf to root, hex.")]
    checkpoint: Annotated[str, Meta(description="The signed checkpoint (C2SP), as text.")]


class LogCheckpoint(Struct, frozen=True, gc=False, kw_only=True):
    """A signed checkpoint of the tenant's log."""

    note: Annotated[
        str, Meta(description="What was signed, the log's signature and its witnesses': a C2SP signed note.")
    ]
    vkey: Annotated[str, Meta(description="The key to verify it with; take it from a source of your own.")]
    origin: Annotated[str, Meta(description="The log's name.")]
    tree_size: Annotated[BigInt, Meta(description="How many leaves it covers.")]
    root_hash: Annotated[str, Meta(description="The root hash of the tree of so many leaves, hex.")]
    epoch: Annotated[int, Meta(description="1, and one more after each declared restore of a backup.")]
    created_at: Annotated[datetime, Meta(description="When it was signed (UTC).")]
    witnesses: Annotated[tuple[CheckpointWitness, ...], Meta(description="Who has cosigned it.")]
    timestamp: Annotated[CheckpointTimestamp | None, Meta(description="When an authority saw it; null when none did.")]


class LogConsistency(Struct, frozen=True, gc=False, kw_only=True):
    """That the log of the later size begins with the log of the earlier one."""

    from_size: Annotated[BigInt, Meta(description="The earlier size.")]
    to_size: Annotated[BigInt, Meta(description="The later size.")]
    from_root: Annotated[str, Meta(description="The root that the server has for the earlier size, hex.")]
    to_root: Annotated[str, Meta(description="The root that it has for the later size, hex.")]
    path: Annotated[tuple[str, ...], Meta(description="The RFC 9162 consistency path, hex.")]


class FindCheckpoint(Struct, frozen=True, kw_only=True):
    """Ask for the checkpoint of this size, or for the latest."""

    tree_size: int | None = None


class ListCheckpoints(Struct, frozen=True, kw_only=True):
    """Ask for a page of checkpoints, newest first."""

    page: PageRequest
    count: bool = False


class ProveConsistency(Struct, frozen=True, kw_only=True):
    """Ask for the path from one size to a later one; both within the latest checkpoint."""

    from_size: int
    to_size: int


class EntryInclusions(Struct, frozen=True, kw_only=True):
    """Ask for the inclusion of entries of the audit ledger."""

    entry_keys: tuple[UUID, ...]
