"""The port through which the log is signed: whoever holds the key, and knows what was signed last."""

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from spine.contracts.log import SignedTree


class LogSigning(Protocol):
    """Signing checkpoints, and keeping in mind what was signed. All of it reads or writes files."""

    def origin(self, tenant_id: UUID, epoch: int) -> str:
        """The name of a tenant's log in an epoch."""

    def vkey(self, origin: str) -> str:
        """What the log's readers verify with."""

    def sign(self, origin: str, tree: SignedTree) -> str:
        """The signed note that this log has this tree."""

    def signed(self, tenant_id: UUID) -> Mapping[int, SignedTree]:
        """What was signed last in each epoch, as far as this installation knows."""

    def keep(self, tenant_id: UUID, epoch: int, note: str) -> None:
        """Keep a note in mind before anybody sees it."""
