"""Notes are those of C2SP signed-note and of Go's `sumdb/note`, whose vectors these are."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.services.proof.note import (
    MAX_NOTE_CHARS,
    MAX_SIGNATURES,
    NoteError,
    Signer,
    Verifier,
    decode_base64,
    open_note,
    sign,
    split_note,
)

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
PETERS_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
PETERS = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCHS = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

peter, enoch = Verifier.parse(PETER), Verifier.parse(ENOCH)


class TestAVerifierKey:
    def test_is_read(self) -> None:
        assert (peter.name, peter.key_id.hex()) == ("PeterNeumann", "c74f20a3")

    def test_is_refused_cut_anywhere(self) -> None:
        for start in range(len(PETER) + 1):
            for end in range(start + 1, len(PETER) + 1):
                if (start, end) != (0, len(PETER)):
                    with pytest.raises(NoteError):
                        Verifier.parse(PETER[start:end])

    def test_is_refused_with_any_character_changed(self) -> None:
        for place, character in enumerate(PETER):
            with pytest.raises(NoteError):
                Verifier.parse(f"{PETER[:place]}{chr(ord(character) + 1)}{PETER[place + 1 :]}")

    @pytest.mark.parametrize(
        "vkey",
        [
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "",
            "++",
        ],
    )
    def test_is_refused_when_too_long_or_of_an_unknown_kind(self, vkey: str) -> None:
        with pytest.raises(NoteError):
            Verifier.parse(vkey)


class TestSigning:
    def test_a_seed_and_a_name_make_the_published_key(self) -> None:
        assert Signer("PeterNeumann", PETERS_SEED).vkey == PETER

    def test_makes_the_published_note(self) -> None:
        assert sign(TEXT, [Signer("PeterNeumann", PETERS_SEED)]) == f"{TEXT}\n{PETERS}"

    @pytest.mark.parametrize("text", ["abc", "", "a\tb\n", "a\r\n", "\ud800\n"])
    def test_refuses_text_that_no_note_may_have(self, text: str) -> None:
        with pytest.raises(NoteError):
            sign(text, [Signer("PeterNeumann", PETERS_SEED)])

    @pytest.mark.parametrize("name", ["", "bad name", "a+b", "a\nb", "a\u00a0b", "\ud800"])
    def test_refuses_a_name_that_no_key_may_have(self, name: str) -> None:
        with pytest.raises(NoteError):
            Signer(name, PETERS_SEED)

    @pytest.mark.parametrize("size", [0, 31, 33, 64])
    def test_refuses_a_seed_of_another_length(self, size: int) -> None:
        with pytest.raises(ValueError, match="32"):
            Signer("PeterNeumann", bytes(size))

    @given(st.binary(min_size=32, max_size=32), st.text(st.characters(exclude_categories=["C"])))
    def test_what_is_signed_opens_under_its_key_and_no_other(self, seed: bytes, text: str) -> None:
        signer = Signer("log.example/1", seed)
        note = sign(f"{text}\n", [signer])
        assert open_note(note, [Verifier.parse(signer.vkey)]).text == f"{text}\n"
        with pytest.raises(NoteError):
            open_note(note, [Verifier.parse(Signer("log.example/2", seed).vkey)])


class TestOpening:
    def test_tells_whose_signatures_it_verified(self) -> None:
        note = open_note(f"{TEXT}\n{PETERS}{ENOCHS}", [peter])
        assert (note.text, note.signers) == (TEXT, ("PeterNeumann",))
        assert open_note(f"{TEXT}\n{PETERS}{ENOCHS}", [enoch, peter]).signers == ("PeterNeumann", "EnochRoot")

    def test_refuses_a_note_without_a_signature_of_a_known_key(self) -> None:
        with pytest.raises(NoteError, match="no signature of a known key"):
            open_note(f"{TEXT}\n{PETERS}{ENOCHS}", [])

    def test_refuses_a_bad_signature_of_a_known_key(self) -> None:
        with pytest.raises(NoteError, match=r"invalid signature of key PeterNeumann\+c74f20a3"):
            open_note(f"{TEXT}\n{PETERS[:60]}ABCD{PETERS[60:]}", [peter])
        with pytest.raises(NoteError, match="invalid signature of key PeterNeumann"):
            open_note(f"{TEXT}\n{ENOCHS}{PETERS}".replace("answer", "answers"), [peter])

    def test_refuses_a_bad_second_signature_of_a_known_key(self) -> None:
        with pytest.raises(NoteError, match="invalid signature"):
            open_note(f"{TEXT}\n{PETERS}{PETERS[:60]}ABCD{PETERS[60:]}", [peter])

    def test_names_a_key_once_and_passes_over_what_strangers_signed(self) -> None:
        note = f"{TEXT}\n{PETERS}{PETERS}{ENOCHS}{ENOCHS}{ENOCHS[:60]}ABCD{ENOCHS[60:]}"
        assert open_note(note, [peter]).signers == ("PeterNeumann",)

    def test_passes_over_a_stranger_with_a_known_name_or_a_known_id(self) -> None:
        other = Signer("PeterNeumann", bytes(32))
        named = sign(TEXT, [other])
        with pytest.raises(NoteError, match="no signature of a known key"):
            open_note(named, [peter])
        assert open_note(f"{named}{PETERS}", [peter]).signers == ("PeterNeumann",)
        assert open_note(f"{TEXT}\n{PETERS.replace('PeterNeumann', 'Carmen')}{ENOCHS}", [peter, enoch]).signers == (
            "EnochRoot",
        )

    def test_refuses_a_key_that_is_given_twice_only_where_it_signed(self) -> None:
        with pytest.raises(NoteError, match=r"ambiguous key EnochRoot\+af0cfe78"):
            open_note(f"{TEXT}\n{ENOCHS}", [enoch, peter, enoch])
        assert open_note(f"{TEXT}\n{PETERS}", [enoch, peter, enoch]).signers == ("PeterNeumann",)

    def test_refuses_more_signatures_or_characters_than_a_note_has(self) -> None:
        assert len(split_note(f"{TEXT}\n{PETERS * MAX_SIGNATURES}")[1]) == MAX_SIGNATURES
        for note in (f"{TEXT}\n{PETERS * (MAX_SIGNATURES + 1)}", f"{'a' * MAX_NOTE_CHARS}{TEXT}\n{PETERS}"):
            with pytest.raises(NoteError, match="at most"):
                open_note(note, [peter])

    @pytest.mark.parametrize(
        "note",
        [
            "",
            TEXT,
            f"{TEXT}\n",
            f"{TEXT}\n{PETERS[:-1]}",
            f"\x01{TEXT}\n{PETERS}",
            f"{TEXT}\n{PETERS}".replace("\n", "\r\n"),
            f"\ud800{TEXT}\n{PETERS}",
            f"{TEXT}\n{PETERS.replace('PeterNeumann', 'Bad Name')}",
            f"{TEXT}\n{PETERS.replace('PeterNeumann', 'Bad+Name')}",
            f"{TEXT}\n{PETERS}Unexpected line.\n",
            f"{TEXT}\n{PETERS}\n",
            f"{TEXT}\n{PETERS.replace('— ', '- ')}",
            f"{TEXT}\n{PETERS}— EnochRoot rwz+eA==\n",
            f"{TEXT}\n{PETERS}— EnochRoot\n",
            f"{TEXT}\n{PETERS}— EnochRoot not base64\n",
        ],
    )
    def test_refuses_what_is_not_written_as_notes_are(self, note: str) -> None:
        with pytest.raises(NoteError):
            open_note(note, [peter])

    def test_the_text_ends_at_the_last_empty_line(self) -> None:
        signer = Signer("log.example", bytes(32))
        text = "one\n\ntwo\n\n\nthree\n"
        assert open_note(sign(text, [signer]), [Verifier.parse(signer.vkey)]).text == text


class TestBase64:
    @given(st.binary(max_size=70))
    def test_reads_what_stands_for_bytes(self, content: bytes) -> None:
        assert decode_base64(base64.b64encode(content).decode()) == content

    @pytest.mark.parametrize("text", ["AA", "AA=", "AB==", "AA==\n", " AA==", "AA==AA==", "A-__", "ÄÄ==", "AAA"])
    def test_refuses_every_other_spelling(self, text: str) -> None:
        with pytest.raises(NoteError):
            decode_base64(text)
