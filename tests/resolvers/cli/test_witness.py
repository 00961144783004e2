"""`hoc witness`: a process of its own cosigns what continues, and by no attack two histories of one log."""

import json
import os
import random
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
import typer

from resolvers.cli.witness import verifiers
from resolvers.cli.witness_state import Checkpoints, StateError, cosigner_of
from spine.services.proof.cosignature import CosignatureVerifier
from spine.services.proof.note import NoteError, Signature
from spine.services.proof.witness import MAX_SUBMISSION_BYTES, PATH, Submission, read_cosignatures
from tests.resolvers.cli.processes import hoc
from tests.resolvers.cli.witnesses import WitnessProcess, dying_witness
from tests.spine.services.proof.small_log import SmallLog, entries

ROUNDS: Final = int(os.environ.get("HOC_WITNESS_RACES", "40"))
KILLS: Final = int(os.environ.get("HOC_WITNESS_KILLS", "2"))
ORIGINS: Final = [f"log.example/{number}" for number in range(30)]
MakeLog = Callable[..., SmallLog]


def cosignatures(witness: WitnessProcess, log: SmallLog, answer: httpx.Response) -> tuple[Signature, ...]:
    """Those that verify over the log's newest checkpoint."""
    assert answer.status_code == 200, answer.text
    return read_cosignatures(log.checkpoint().text(), answer.text, [CosignatureVerifier.parse(witness.vkey)])


class Racer(threading.Thread):
    """A server that sends a history of its own as fast as it can, so many times, or until it is told to stop."""

    def __init__(self, url: str, vkey: str, log: SmallLog, rounds: int | None = None) -> None:
        super().__init__()
        self._url, self._verifiers, self._log = url, [CosignatureVerifier.parse(vkey)], log
        self._left = rounds
        self._stopped = threading.Event()
        self.signed: set[tuple[int, bytes]] = set()
        self.failure: Exception | None = None

    def run(self) -> None:
        """Send and grow; a witness that is away comes back."""
        known = 0
        with httpx.Client(base_url=self._url) as http:
            try:
                while self._left != 0 and not self._stopped.is_set():
                    self._left = None if self._left is None else self._left - 1
                    known = self._send(http, known)
            except (AssertionError, NoteError, ValueError) as error:
                self.failure = error

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()
        self.join()

    def _send(self, http: httpx.Client, known: int) -> int:
        """Send the newest checkpoint; the size that the witness knows then."""
        log = self._log
        try:
            answer = http.post(PATH, content=log.submission(known).body())
        except httpx.TransportError:
            time.sleep(0.01)
            return known
        if answer.status_code == 200:
            read_cosignatures(log.checkpoint().text(), answer.text, self._verifiers)
            self.signed.add((log.size, log.checkpoint().root))
        known = int(answer.text) if answer.status_code == 409 else log.size
        log.write(*entries(log.size, max(known, log.size) + 1, str(id(log))))
        return known

    @property
    def history(self) -> set[tuple[int, bytes]]:
        """Every size of its log with its root."""
        return set(enumerate(self._log.roots))


def one_history(racers: list[Racer]) -> set[tuple[int, bytes]]:
    """What was signed for any of them, which must be of one of them alone."""
    assert [racer.failure for racer in racers] == [None] * len(racers)
    signed = set().union(*(racer.signed for racer in racers))
    assert any(signed <= racer.history for racer in racers), "two histories were cosigned"
    return signed


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessProcess]:
    """A witness of thirty logs."""
    vkeys = [SmallLog(origin).signer.vkey for origin in ORIGINS]
    with WitnessProcess(tmp_path_factory.mktemp("witness") / "state", *vkeys) as process:
        yield process


@pytest.fixture(scope="module")
def make_log() -> MakeLog:
    """Give a test a log of its own."""
    unused = iter(ORIGINS)

    def make(*written: str) -> SmallLog:
        return SmallLog(next(unused), written)

    return make


class TestAddCheckpoint:
    def test_a_log_is_witnessed_from_its_first_checkpoint_on(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log, known = make_log("a"), 0
        for _ in range(5):
            answer = witness.submit(log.submission(known))
            (cosignature,) = cosignatures(witness, log, answer)
            assert answer.text == cosignature.line()
            known = log.size
            log.write(*entries(known, known + 7))

    def test_the_wrong_old_size_is_told_the_right_one(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log(*entries(0, 5))
        witness.submit(log.submission(0))
        log.write("more")
        answer = witness.submit(log.submission(0))
        assert (answer.status_code, answer.text) == (409, "5\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"
        assert cosignatures(witness, log, witness.submit(log.submission(int(answer.text))))

    def test_a_lost_answer_is_asked_for_again(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log("a", "b")
        witness.submit(log.submission(0))
        assert cosignatures(witness, log, witness.submit(log.submission(2)))

    def test_each_refusal_has_its_status(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log(*entries(0, 9))
        honest = log.submission(0)
        stranger = SmallLog(log.origin, log.entries, seed=bytes(32))
        assert witness.submit(SmallLog("log.example/unknown", ["a"]).submission(0)).status_code == 404
        assert witness.submit(stranger.submission(0)).status_code == 403
        assert witness.submit(honest._replace(note=honest.note.replace("\n9\n", "\n8\n"))).status_code == 403
        assert witness.submit(honest._replace(old_size=10)).status_code == 400
        assert witness.submit(b"old 00\n\n" + honest.note.encode()).status_code == 400
        assert witness.submit(honest._replace(proof=(bytes(32),))).status_code == 422
        assert witness.submit(b"x" * (MAX_SUBMISSION_BYTES + 1)).status_code == 413
        assert witness.submit(honest).status_code == 200

    def test_nothing_else_is_served(self, witness: WitnessProcess) -> None:
        assert httpx.get(f"{witness.url}{PATH}").status_code == 405
        assert httpx.get(f"{witness.url}/").status_code == 404

    def test_each_request_is_one_line_of_the_log(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log("a", "b")
        before = len(witness.stderr.splitlines())
        witness.submit(log.submission(1))
        (line,) = map(json.loads, witness.stderr.splitlines()[before:])
        assert {"event", "timestamp", "level", "ms"} < set(line)
        wanted = {"status": 409, "origin": log.origin, "old": 1, "size": "2"}
        assert {name: line[name] for name in wanted} == wanted
        assert "0" in line["reason"]


class TestAttacks:
    def test_a_fork_from_an_older_copy_is_refused(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log(*entries(0, 40))
        witness.submit(log.submission(0))
        fork = log.restored(25, *entries(25, 60, "other"))
        assert witness.submit(fork.submission(40)).status_code == 422
        assert (witness.submit(fork.submission(25)).status_code) == 409
        assert witness.submit(Submission(40, tuple(log.write("z").proof(40)), fork.note())).status_code == 422
        assert cosignatures(witness, log, witness.submit(log.submission(40)))

    def test_the_same_size_with_another_root_is_refused(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log(*entries(0, 12))
        witness.submit(log.submission(0))
        fork = log.restored(11, "other")
        assert witness.submit(fork.submission(12)).status_code == 422
        assert witness.submit(fork.submission(0)).status_code == 409

    def test_a_truncated_tree_is_refused(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log(*entries(0, 12))
        witness.submit(log.submission(0))
        assert witness.submit(Submission(12, (), log.note(8))).status_code == 400
        assert witness.submit(log.submission(8, 8)).status_code == 409
        assert witness.submit(log.submission(0, 0)).status_code == 409

    def test_an_old_checkpoint_sent_again_is_refused(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log(*entries(0, 5))
        first = log.submission(0)
        witness.submit(first)
        log.write(*entries(5, 9))
        witness.submit(log.submission(5))
        assert witness.submit(first).status_code == 409
        assert witness.submit(log.submission(5, 5)).status_code == 409

    def test_of_two_servers_that_race_one_wins_at_each_size(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log("a")
        forks = [log, log.restored(0, "b")]
        racers = [Racer(witness.url, witness.vkey, fork, ROUNDS) for fork in forks]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert len(one_history(racers)) > ROUNDS / 4

    def test_many_requests_at_once_cosign_one_checkpoint(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log("a")
        first = [log.restored(0, f"fork {number}").submission(0) for number in range(8)]
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda one=one: answers.append(witness.submit(one).status_code)) for one in first
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] + [409] * 7


class TestCrashes:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_killed_while_it_keeps_a_checkpoint_it_never_signs_another(self, when: str, tmp_path: Path) -> None:
        log = SmallLog("log.example/one", entries(0, 5))
        fork = log.restored(4, "other")
        with dying_witness(tmp_path / "state", log.signer.vkey, when) as dying:
            vkey = dying.vkey
            with pytest.raises(httpx.TransportError):
                dying.submit(log.submission(0))
        with dying_witness(tmp_path / "state", log.signer.vkey, "never") as witness:
            assert witness.vkey == vkey
            if when == "after":
                assert (witness.submit(fork.submission(0)).text) == "5\n"
                assert witness.submit(fork.submission(5)).status_code == 422
                assert cosignatures(witness, log, witness.submit(log.submission(5)))
            else:
                assert cosignatures(witness, fork, witness.submit(fork.submission(0)))
                assert witness.submit(log.submission(5)).status_code == 422

    def test_killed_at_any_moment_while_two_servers_race_it_signs_one_history(self, tmp_path: Path) -> None:
        log = SmallLog("log.example/one", ["a"])
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        vkey = cosigner_of(tmp_path / "state", None).vkey
        racers = [Racer(f"http://127.0.0.1:{port}", vkey, fork) for fork in (log, log.restored(0, "b"))]
        for kill in range(KILLS + 1):
            with dying_witness(tmp_path / "state", log.signer.vkey, "never", port) as witness:
                assert witness.url
                if not kill:
                    for racer in racers:
                        racer.start()
                time.sleep(random.uniform(0.2, 0.4))  # noqa: S311 - any moment will do
                if kill == KILLS:
                    for racer in racers:
                        racer.stop()
                witness.kill()
        assert len(one_history(racers)) > KILLS


class TestState:
    def test_it_is_the_key_and_the_cosigned_checkpoints_alone(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log("a")
        (cosignature,) = cosignatures(witness, log, witness.submit(log.submission(0)))
        kept = [path.read_text() for path in (witness.data_dir / "checkpoints").iterdir()]
        assert log.note() + cosignature.line() in kept
        assert {path.name for path in witness.data_dir.iterdir()} == {"witness-key", "lock", "checkpoints"}
        assert stat.S_IMODE((witness.data_dir / "witness-key").stat().st_mode) == 0o600
        assert not {".hoc", ".hoc-witness"} & {path.name for path in witness.data_dir.parent.iterdir()}

    def test_a_second_witness_on_it_is_refused(self, witness: WitnessProcess) -> None:
        vkey = SmallLog("log.example/0").signer.vkey
        answer = hoc("witness", "serve", "--port", 0, "--data-dir", witness.data_dir, "--log", vkey)
        assert (answer.returncode, "another witness is using" in answer.stderr) == (1, True)

    def test_a_damaged_checkpoint_is_no_beginning(self, witness: WitnessProcess, make_log: MakeLog) -> None:
        log = make_log("a")
        before = set((witness.data_dir / "checkpoints").iterdir())
        witness.submit(log.submission(0))
        (path,) = set((witness.data_dir / "checkpoints").iterdir()) - before
        path.write_text(path.read_text().replace("\n1\n", "\n0\n"))
        answer = witness.submit(log.submission(0))
        assert (answer.status_code, "signs nothing" in answer.text) == (500, True)
        with pytest.raises(StateError, match="is not a checkpoint that hoc-witness cosigned"):
            Checkpoints(witness.data_dir / "checkpoints", witness.vkey).last(log.origin)
        path.write_text(log.note())  # the log's own signature is not the witness's
        assert witness.submit(log.submission(0)).status_code == 500


class TestKey:
    def test_it_is_made_once_under_its_name(self, tmp_path: Path) -> None:
        made = hoc("witness", "key", "--data-dir", tmp_path / "w", "--name", "witness.example/w1").stdout.strip()
        assert made == cosigner_of(tmp_path / "w", None).vkey
        assert CosignatureVerifier.parse(made).name == "witness.example/w1"

    def test_another_name_is_refused(self, tmp_path: Path) -> None:
        cosigner_of(tmp_path, "witness.example/w1")
        with pytest.raises(StateError, match=r"named witness\.example/w1"):
            cosigner_of(tmp_path, "witness.example/w2")

    @pytest.mark.parametrize("content", ["", "PRIVATE+KEY+a+b\n", "PRIVATE+KEY+w+00000000+AQID\n", "w+x+y+z", "\xff"])
    def test_a_damaged_one_is_refused(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "witness-key").write_text(content, encoding="latin-1")
        with pytest.raises(StateError, match="does not hold a witness's key"):
            cosigner_of(tmp_path, None)

    def test_a_key_of_other_software_is_taken(self, tmp_path: Path) -> None:
        made_by_go = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n"
        (tmp_path / "witness-key").write_text(made_by_go)
        assert cosigner_of(tmp_path, None).name == "PeterNeumann"

    def test_what_is_no_key_of_a_log_is_refused(self, tmp_path: Path) -> None:
        for vkey in ("nonsense", cosigner_of(tmp_path, None).vkey):
            with pytest.raises(typer.BadParameter):
                verifiers([vkey])
        vkey = SmallLog("log.example/one").signer.vkey
        assert list(map(len, verifiers([vkey, vkey]).values())) == [1]
