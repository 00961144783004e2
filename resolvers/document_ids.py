"""The ids of trusted documents; apart from what reads their texts, so that a command that reads none is soon there."""

import re
from typing import Final

from spine.contracts.errors import ValidationFailed

DOCUMENT_ID: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def sha256_of(document_id: object, what: str) -> str:
    """The SHA-256 in a document's id: `sha256:` and 64 lower-case hex digits, or the digits alone.

    That is the prefixed identifier of the GraphQL-over-HTTP draft, and what Apollo's clients and manifests say.
    """
    found = DOCUMENT_ID.fullmatch(document_id) if isinstance(document_id, str) else None
    if found is None:
        raise ValidationFailed(f"{what} must be sha256: and 64 digits of 0-9 and a-f", field=what)
    return found[1]
