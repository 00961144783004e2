"""The demo fleet's trusted documents: those that the product ships, and one that no client sends any more."""

import hashlib
from collections.abc import Callable
from typing import Final

from resolvers.cli.client import DOCUMENTS, Client

Act = Callable[[], None]

OLD: Final = "query Console2025 { runs { nodes { id status } } }\n"


def acts(client: Client) -> list[Act]:
    """Adding what is there already, and retiring again, end the same."""
    return [lambda: add(client), lambda: retire_old(client)]


def add(client: Client) -> None:
    """The shipped documents, and the old one."""
    texts = [OLD, *(path.read_bytes().decode() for path in sorted(DOCUMENTS.glob("*.graphql")))]
    wanted = [{"sha256": sha256(text), "text": text} for text in texts]
    client.mutate("documents", "AddTrustedDocuments", {"documents": wanted})


def retire_old(client: Client) -> None:
    """The old one is no longer taken."""
    wanted = {"sha256": [sha256(OLD)], "reason": "the console asks for more now"}
    client.mutate("documents", "RetireTrustedDocuments", wanted)


def sha256(text: str) -> str:
    """What a document is known by."""
    return hashlib.sha256(text.encode()).hexdigest()
