"""What may be added to, and taken from, the list of trusted documents. Pure.

Whether a document is valid GraphQL is checked where the schema is; here, that it is what its SHA-256 says.
"""

import hashlib
import re
from typing import Final

from spine.contracts.errors import TooLarge, ValidationFailed
from spine.contracts.integrations import AddDocuments, FindDocument, NewDocument, RetireDocuments, SetDocumentMode
from spine.services.texts import check_text

MOST_DOCUMENTS: Final = 1_000
MOST_BYTES: Final = 100_000
MAX_REASON: Final = 1024

SHA256: Final = re.compile(r"[0-9a-f]{64}")


def check_added(request: AddDocuments) -> None:
    """1 to 1,000 documents of at most 100,000 bytes each, every one with its own SHA-256."""
    _check_count(len(request.documents), "documents")
    for index, document in enumerate(request.documents):
        _check_document(document, f"documents[{index}]")


def _check_document(document: NewDocument, place: str) -> None:
    if len(document.text.encode(errors="replace")) > MOST_BYTES:
        raise TooLarge(f"{place}.text, in bytes,", MOST_BYTES, field=f"{place}.text")
    check_text(document.text, f"{place}.text", MOST_BYTES)
    check_text(document.name, f"{place}.name", MOST_BYTES)  # which is made of its text
    check_sha256(document.sha256, f"{place}.sha256")
    found = hashlib.sha256(document.text.encode()).hexdigest()
    if document.sha256 != found:
        raise ValidationFailed(f"{place}.sha256 is not that of its text, which is {found}", field=f"{place}.sha256")


def check_sha256(sha256: str, field: str) -> None:
    """A SHA-256 is 64 lower-case hex digits, as the GraphQL-over-HTTP draft writes it."""
    if not SHA256.fullmatch(sha256):
        raise ValidationFailed(f"{field} must be a SHA-256: 64 digits of 0-9 and a-f", field=field)


def check_wanted(request: FindDocument) -> None:
    """A document is asked for by its SHA-256."""
    check_sha256(request.sha256, "sha256")


def check_mode(request: SetDocumentMode) -> None:
    """A mode may be set without a word, but not with an empty one."""
    check_text(request.reason, "reason", MAX_REASON)


def check_retired(request: RetireDocuments) -> None:
    """1 to 1,000 documents are retired for a reason."""
    _check_count(len(request.sha256), "sha256")
    for index, sha256 in enumerate(request.sha256):
        check_sha256(sha256, f"sha256[{index}]")
    check_text(request.reason, "reason", MAX_REASON)


def _check_count(count: int, field: str) -> None:
    if count == 0:
        raise ValidationFailed(f"{field} must not be empty", field=field)
    if count > MOST_DOCUMENTS:
        raise TooLarge(f"the number of {field}", MOST_DOCUMENTS, field=field)
