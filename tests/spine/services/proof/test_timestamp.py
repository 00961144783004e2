"""Time stamps of a real authority hold over the note that was stamped, under its root, and nowhere else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.cosignature import Cosigner
from spine.services.proof.note import NoteError, Signer, Verifier, sign
from spine.services.proof.timestamp import (
    MAX_TOKEN_BYTES,
    TimestampError,
    query,
    read_roots,
    stamped_at,
    stamped_note,
)
from tests.spine.services.proof.authority import Authority

LOG = Signer("log.example/one", bytes(32))
TEXT = Checkpoint(LOG.name, 3, bytes(range(32))).text()
NOTE = sign(TEXT, [LOG])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    return authority.answer(query(NOTE).body)


class TestStamp:
    def test_it_says_when_the_note_was_there(self, authority: Authority, token: bytes) -> None:
        at = stamped_at(token, NOTE, authority.roots())
        assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)

    def test_it_is_bound_to_the_question(self, authority: Authority) -> None:
        asked, roots = query(NOTE), authority.roots()
        answer = authority.answer(asked.body)
        assert asked.nonce is not None
        assert stamped_at(answer, NOTE, roots, nonce=asked.nonce)
        with pytest.raises(TimestampError, match="Nonce"):
            stamped_at(answer, NOTE, roots, nonce=asked.nonce + 1)

    def test_it_holds_when_cosignatures_were_added(self, authority: Authority, token: bytes) -> None:
        cosigned = sign(TEXT, [Cosigner("witness.example", bytes(32), lambda: 1), LOG])
        note = stamped_note(cosigned, Verifier.parse(LOG.vkey))
        assert note == NOTE
        assert stamped_at(token, note, authority.roots())

    def test_a_note_that_the_log_did_not_sign_has_no_stamp(self) -> None:
        with pytest.raises(NoteError):
            stamped_note(NOTE, Verifier.parse(Signer(LOG.name, bytes(31) + b"\1").vkey))


class TestRefusals:
    def test_another_note(self, authority: Authority, token: bytes) -> None:
        other = sign(TEXT.replace("\n3\n", "\n4\n"), [LOG])
        with pytest.raises(TimestampError, match="Mismatch"):
            stamped_at(token, other, authority.roots())

    def test_another_root(self, token: bytes, tmp_path: Path) -> None:
        with pytest.raises(TimestampError, match="certificate"):
            stamped_at(token, NOTE, Authority(tmp_path).roots())

    def test_every_byte_counts_or_changes_nothing(self, authority: Authority, token: bytes) -> None:
        roots = authority.roots()
        at, accepted = stamped_at(token, NOTE, roots), 0
        for place in range(len(token)):
            changed = bytearray(token)
            changed[place] ^= 1
            try:
                assert stamped_at(bytes(changed), NOTE, roots) == at
            except TimestampError:
                continue
            accepted += 1
        assert accepted < 20  # names of algorithms that nobody reads

    def test_whatever_is_no_stamp(self, authority: Authority, token: bytes) -> None:
        roots = authority.roots()
        for garbage in (b"", b"\x30\x00", token[:-1], NOTE.encode(), bytes(MAX_TOKEN_BYTES + 1), query(NOTE).body):
            with pytest.raises(TimestampError):
                stamped_at(garbage, NOTE, roots)

    def test_a_refusal_of_the_authority(self, authority: Authority) -> None:
        refusal = authority.answer(query(NOTE).body.replace(bytes.fromhex("0420"), bytes.fromhex("0421"), 1))
        with pytest.raises(TimestampError):
            stamped_at(refusal, NOTE, authority.roots())

    def test_files_without_certificates(self) -> None:
        for garbage in (b"", b"\0", NOTE.encode()):
            with pytest.raises(TimestampError):
                read_roots(garbage)
