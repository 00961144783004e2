"""The witness protocol, without a socket: what a log sends is read back, and only what continues is accepted."""

from contextlib import suppress
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.cosignature import CosignatureVerifier, Cosigner, cosigned_at
from spine.services.proof.note import NoteError, Signer, Verifier, sign
from spine.services.proof.witness import (
    MAX_PROOF_LINES,
    MAX_SUBMISSION_BYTES,
    Logs,
    Refused,
    Submission,
    demand_successor,
    open_submission,
    read_cosignatures,
)
from tests.spine.services.proof.small_log import SEED, SmallLog, entries

ORIGIN = "log.example/one"
LOGS: Logs = {ORIGIN: [Verifier.parse(Signer(ORIGIN, SEED).vkey)]}
HASH = "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
COSIGNER = Cosigner("witness.example/w1", bytes(32), lambda: 1_700_000_000)
VERIFIERS = [CosignatureVerifier.parse(COSIGNER.vkey)]


def judged(submission: Submission, known: Checkpoint | None) -> Checkpoint | HTTPStatus:
    """The checkpoint that a witness would cosign, or the status that it would answer."""
    try:
        _, checkpoint = open_submission(Submission.parse(submission.body()), LOGS)
        demand_successor(submission, checkpoint, known)
    except Refused as refused:
        return refused.status
    return checkpoint


class TestSubmission:
    def test_is_written_as_the_specification_shows_it(self) -> None:
        log = SmallLog(ORIGIN, entries(0, 3))
        old, one, two, empty, origin, *_ = log.submission(1).body().decode().split("\n")
        assert (old, empty, origin) == ("old 1", "", ORIGIN)
        assert len(one) == len(two) == 44
        assert SmallLog(ORIGIN, ["a"]).submission(0).body().startswith(b"old 0\n\nlog.example/one\n1\n")

    def test_is_read_back(self) -> None:
        submission = SmallLog(ORIGIN, entries(0, 13)).submission(5)
        assert Submission.parse(submission.body()) == submission

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"old 0",
            b"old 0\n",
            b"old 0\nlog.example/one\n1\n",
            b"0\n\nnote",
            b"new 0\n\nnote",
            b"old\n\nnote",
            b"old  0\n\nnote",
            b"old -1\n\nnote",
            b"old 00\n\nnote",
            b"old 01\n\nnote",
            b"old 1.0\n\nnote",
            "old \N{ARABIC-INDIC DIGIT ONE}\n\nnote".encode(),
            b"old 9223372036854775808\n\nnote",
            b"old 1\nAAAA\n\nnote",
            b"old 1\n!\n\nnote",
            b"old 1\n" + HASH.replace("=", "").encode() + b"\nnote",
            b"old 1\n" + HASH.replace("AA=", "AB=").encode() + b"\nnote",
            b"old 1\r\n\r\nnote",
            b"old 1\n\n\xff",
            b"old 0\n" + HASH.encode() * (MAX_PROOF_LINES + 1) + b"\nnote",
        ],
    )
    def test_anything_else_is_a_bad_request(self, body: bytes) -> None:
        with pytest.raises(Refused) as refused:
            Submission.parse(body)
        assert refused.value.status == HTTPStatus.BAD_REQUEST

    @given(st.binary(max_size=300) | st.text(alphabet="old 019\n=AK", max_size=200).map(str.encode))
    def test_whatever_is_sent_is_read_or_refused(self, body: bytes) -> None:
        with suppress(Refused):
            open_submission(Submission.parse(body), {**LOGS, "": LOGS[ORIGIN], "0": LOGS[ORIGIN]})

    def test_the_longest_that_a_log_may_send_fits(self) -> None:
        signatures = f"\N{EM DASH} {'x' * 200} {'A' * 6_668}\n" * 12
        note = f"{'o' * 500}\n9223372036854775807\n{HASH}\n{signatures}"
        body = Submission(2**63 - 1, (bytes(32),) * MAX_PROOF_LINES, note).body()
        assert len(Submission.parse(body).proof) == MAX_PROOF_LINES
        assert len(body) < MAX_SUBMISSION_BYTES


class TestWhoMayAsk:
    def test_a_log_that_is_not_witnessed_is_not_found(self) -> None:
        assert judged(SmallLog("log.example/two", ["a"]).submission(0), None) == HTTPStatus.NOT_FOUND

    def test_a_note_without_the_log_s_signature_is_forbidden(self) -> None:
        stranger = SmallLog(ORIGIN, ["a"], seed=bytes(32))
        assert judged(stranger.submission(0), None) == HTTPStatus.FORBIDDEN

    def test_a_bad_signature_of_the_log_s_key_is_forbidden(self) -> None:
        submission = SmallLog(ORIGIN, ["a"]).submission(0)
        changed = submission._replace(note=submission.note.replace("\n1\n", "\n2\n"))
        assert judged(changed, None) == HTTPStatus.FORBIDDEN

    def test_the_key_of_another_witnessed_log_is_forbidden(self) -> None:
        other = Signer("log.example/two", bytes(32))
        logs = {**LOGS, other.name: [Verifier.parse(other.vkey)]}
        note = sign(SmallLog(ORIGIN, ["a"]).checkpoint().text(), [other])
        with pytest.raises(Refused) as refused:
            open_submission(Submission(0, (), note), logs)
        assert refused.value.status == HTTPStatus.FORBIDDEN

    def test_either_key_of_a_log_that_is_changing_its_key_will_do(self) -> None:
        new = Signer(ORIGIN, bytes(32))
        logs = {ORIGIN: [*LOGS[ORIGIN], Verifier.parse(new.vkey)]}
        for signers in ([new], [Signer(ORIGIN, SEED)], [new, Signer(ORIGIN, SEED)]):
            text = SmallLog(ORIGIN, ["a"]).checkpoint().text()
            assert open_submission(Submission(0, (), sign(text, signers)), logs)[1].size == 1

    @pytest.mark.parametrize("text", [f"{ORIGIN}\n1\n", f"{ORIGIN}\n01\n{HASH}", f"{ORIGIN}\n1\nAAAA\n"])
    def test_what_is_signed_but_no_checkpoint_is_a_bad_request(self, text: str) -> None:
        signed = Submission(0, (), sign(text, [Signer(ORIGIN, SEED)]))
        assert judged(signed, None) == HTTPStatus.BAD_REQUEST

    def test_an_old_size_beyond_the_new_one_is_a_bad_request(self) -> None:
        log = SmallLog(ORIGIN, entries(0, 3))
        assert judged(Submission(4, (), log.note()), log.checkpoint()) == HTTPStatus.BAD_REQUEST


class TestSuccession:
    @given(st.integers(0, 40), st.integers(0, 40))
    def test_every_honest_step_is_accepted(self, old: int, more: int) -> None:
        log = SmallLog(ORIGIN, entries(0, old + more))
        assert judged(log.submission(old), log.checkpoint(old)) == log.checkpoint()

    @given(st.integers(1, 40), st.integers(0, 40), st.data())
    def test_no_fork_is(self, known: int, more: int, data: st.DataObject) -> None:
        log = SmallLog(ORIGIN, entries(0, known))
        common = data.draw(st.integers(0, known - 1))
        fork = log.restored(common, *entries(common, known + more, "other"))
        assert judged(fork.submission(known), log.checkpoint()) == HTTPStatus.UNPROCESSABLE_ENTITY

    def test_the_wrong_old_size_is_told_the_right_one(self) -> None:
        log = SmallLog(ORIGIN, entries(0, 9))
        with pytest.raises(Refused) as refused:
            demand_successor(log.submission(4), log.checkpoint(), log.checkpoint(7))
        assert (refused.value.status, refused.value.known_size) == (HTTPStatus.CONFLICT, 7)

    def test_a_proof_from_nothing_is_empty(self) -> None:
        log = SmallLog(ORIGIN, ["a"])
        assert judged(log.submission(0)._replace(proof=(bytes(32),)), None) == HTTPStatus.UNPROCESSABLE_ENTITY

    def test_an_empty_tree_has_one_root(self) -> None:
        assert judged(SmallLog(ORIGIN).submission(0), None) == SmallLog(ORIGIN).checkpoint()
        lying = Submission(0, (), sign(Checkpoint(ORIGIN, 0, bytes(32)).text(), [Signer(ORIGIN, SEED)]))
        assert judged(lying, None) == HTTPStatus.UNPROCESSABLE_ENTITY

    def test_the_same_tree_again_is_accepted_without_a_proof_only(self) -> None:
        log = SmallLog(ORIGIN, entries(0, 5))
        again = log.submission(5)
        assert judged(again, log.checkpoint()) == log.checkpoint()
        assert judged(again._replace(proof=(bytes(32),)), log.checkpoint()) == HTTPStatus.UNPROCESSABLE_ENTITY


class TestAnswer:
    def test_the_cosignatures_of_known_witnesses_are_taken(self) -> None:
        text = SmallLog(ORIGIN, ["a"]).checkpoint().text()
        stranger = Cosigner("witness.example/w2", bytes(32), lambda: 1)
        _, answer = sign(text, [stranger, COSIGNER]).split("\n\n")
        (found,) = read_cosignatures(text, answer, VERIFIERS)
        assert (found.name, cosigned_at(found)) == (COSIGNER.name, 1_700_000_000)

    @pytest.mark.parametrize("answer", ["", "\n", "ok\n", "\N{EM DASH} witness.example/w1 AAAA\n"])
    def test_an_answer_without_one_is_refused(self, answer: str) -> None:
        with pytest.raises(NoteError):
            read_cosignatures(SmallLog(ORIGIN, ["a"]).checkpoint().text(), answer, VERIFIERS)

    def test_a_cosignature_of_another_checkpoint_is_refused(self) -> None:
        log = SmallLog(ORIGIN, entries(0, 2))
        _, answer = sign(log.checkpoint(1).text(), [COSIGNER]).split("\n\n")
        with pytest.raises(NoteError, match="invalid signature"):
            read_cosignatures(log.checkpoint().text(), answer, VERIFIERS)

    def test_an_answer_that_smuggles_text_in_is_refused(self) -> None:
        text = SmallLog(ORIGIN, ["a"]).checkpoint().text()
        longer = f"{text}\nand more\n"
        answer = sign(longer, [COSIGNER]).removeprefix(f"{text}\n")
        with pytest.raises(NoteError, match="something else"):
            read_cosignatures(text, answer, VERIFIERS)
