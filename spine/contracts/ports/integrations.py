"""Ports of client integrations."""

from typing import Protocol

from spine.contracts.integrations import DocumentPolicy
from spine.contracts.statements import Read


class DocumentPolicies(Protocol):
    """`document_policies_capability`: what tenants say of documents."""

    def document_policy(self) -> Read[DocumentPolicy]:
        """What the tenant says; no row when it never said anything."""
