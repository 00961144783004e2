"""What may be added to the list of trusted documents: bounded, storable, and what its SHA-256 says."""

import hashlib

import pytest

from domains.integrations.engine import (
    MOST_BYTES,
    MOST_DOCUMENTS,
    check_added,
    check_mode,
    check_retired,
    check_wanted,
)
from spine.contracts.enums import DocumentMode
from spine.contracts.errors import HocError, TooLarge, ValidationFailed
from spine.contracts.integrations import AddDocuments, FindDocument, NewDocument, RetireDocuments, SetDocumentMode


def a_document(text: str = "{ viewer { role } }", sha256: str | None = None) -> NewDocument:
    return NewDocument(sha256=sha256 or hashlib.sha256(text.encode()).hexdigest(), text=text)


def refusal(*documents: NewDocument) -> HocError:
    with pytest.raises(HocError) as caught:
        check_added(AddDocuments(documents))
    return caught.value


class TestADocument:
    def test_is_taken_when_it_is_what_its_sha256_says(self) -> None:
        check_added(AddDocuments((a_document(), a_document("{ viewer { tenant } } # ö"))))

    @pytest.mark.parametrize("sha256", ["", "x", "a" * 63, "A" * 64, "sha256:" + "a" * 64, "a" * 64 + "\n"])
    def test_needs_a_sha256_in_lower_case_hex(self, sha256: str) -> None:
        with pytest.raises(ValidationFailed, match="64 digits"):
            check_wanted(FindDocument(sha256))
        if sha256:
            assert refusal(a_document(sha256=sha256)).field == "documents[0].sha256"

    def test_with_anothers_sha256_is_refused_and_told_its_own(self) -> None:
        error = refusal(a_document(), a_document("{ viewer { tenant } }", a_document().sha256))
        assert error.field == "documents[1].sha256"
        assert a_document("{ viewer { tenant } }").sha256 in error.message

    @pytest.mark.parametrize("text", ["", "  ", "{ a }\0", "{ a } \ud800"])
    def test_must_be_text_that_can_be_stored(self, text: str) -> None:
        assert refusal(a_document(text, "a" * 64)).field == "documents[0].text"

    def test_is_bounded_in_bytes(self) -> None:
        check_added(AddDocuments((a_document("#" * MOST_BYTES),)))
        assert isinstance(refusal(a_document("#" + "ö" * (MOST_BYTES // 2))), TooLarge)


class TestACall:
    def test_has_1_to_1000_documents(self) -> None:
        assert isinstance(refusal(), ValidationFailed)
        check_added(AddDocuments((a_document(),) * MOST_DOCUMENTS))
        assert isinstance(refusal(*(a_document(),) * (MOST_DOCUMENTS + 1)), TooLarge)

    def test_that_retires_names_documents_and_a_reason(self) -> None:
        check_retired(RetireDocuments(sha256=("a" * 64,), reason="old"))
        for sha256, reason in (((), "old"), (("a",), "old"), (("a" * 64,), " "), (("a" * 64,), "x" * 1025)):
            with pytest.raises(ValidationFailed):
                check_retired(RetireDocuments(sha256=sha256, reason=reason))

    def test_that_sets_the_mode_may_say_why(self) -> None:
        check_mode(SetDocumentMode(mode=DocumentMode.LOG))
        with pytest.raises(ValidationFailed):
            check_mode(SetDocumentMode(mode=DocumentMode.LOG, reason=""))
