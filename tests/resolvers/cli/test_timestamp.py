"""`hoc log timestamp`: a stamp holds over its checkpoint, whatever cosignatures were added, and over no other."""

import base64
from pathlib import Path

import pytest
import typer

from resolvers.cli.timestamp import timestamp
from spine.services.proof.cosignature import Cosigner
from spine.services.proof.note import Signer, sign
from spine.services.proof.timestamp import query
from tests.resolvers.cli.processes import hoc
from tests.spine.services.proof.authority import Authority
from tests.spine.services.proof.small_log import SmallLog

LOG = SmallLog("log.example/one", ["a", "b"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> tuple[Path, Path]:
    """A checkpoint with a cosignature, and the stamp on it as the log had signed it."""
    cosigner = Cosigner("witness.example/w1", bytes(32), lambda: 1)
    note, stamp = tmp_path / "checkpoint", tmp_path / "stamp"
    note.write_text(sign(LOG.checkpoint().text(), [LOG.signer, cosigner]))
    stamp.write_bytes(base64.b64encode(authority.answer(query(LOG.note()).body)))
    return note, stamp


def refusal(capsys: pytest.CaptureFixture[str], note: Path, stamp: Path, root: Path, vkey: str) -> str:
    """What is said when it does not hold."""
    with pytest.raises(typer.Exit) as ended:
        timestamp(note, stamp, vkey, root)
    assert ended.value.exit_code == 1
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


class TestTimestamp:
    def test_is_verified_in_a_process_of_its_own(self, files: tuple[Path, Path], authority: Authority) -> None:
        vkey = LOG.signer.vkey
        done = hoc("log", "timestamp", *files, "--vkey", vkey, "--tsa-root", authority.root)
        assert (done.returncode, done.stdout.endswith("the log log.example/one had 2 leaves\n")) == (0, True)

    def test_may_be_as_the_authority_gave_it(
        self, files: tuple[Path, Path], authority: Authority, capsys: pytest.CaptureFixture[str]
    ) -> None:
        note, stamp = files
        stamp.write_bytes(base64.b64decode(stamp.read_bytes()))
        timestamp(note, stamp, LOG.signer.vkey, authority.root)
        assert capsys.readouterr().out.startswith("VERIFIED: at 2")

    def test_fails_for_any_other_checkpoint_key_root_or_bytes(
        self, files: tuple[Path, Path], authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (note, stamp), vkey = files, LOG.signer.vkey
        other = tmp_path / "other"
        other.write_text(LOG.note(1))
        assert "FAILED the time stamp does not hold" in refusal(capsys, other, stamp, authority.root, vkey)
        stranger = Signer(LOG.origin, bytes(32)).vkey
        assert "no signature of a known key" in refusal(capsys, note, stamp, authority.root, stranger)
        assert "certificate" in refusal(capsys, note, stamp, Authority(tmp_path / "tsa").root, vkey)
        assert "neither DER nor base64" in refusal(capsys, note, note, authority.root, vkey)
        assert "no certificate" in refusal(capsys, note, stamp, note, vkey)
        stamp.write_bytes(b"\x30\x00")
        assert "no time stamp" in refusal(capsys, note, stamp, authority.root, vkey)
