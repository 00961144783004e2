"""`python -m spine.services.proof.check` in an empty directory, with nothing but the files that it is given."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PROJECT
from tests.spine.services.proof.bundles import WITNESS, Made, Tree, make_bundle
from tests.spine.services.proof.periods import make_period

VERIFIER = "spine.services.proof.check"
HEAVY = ("sqlalchemy", "asyncpg", "typer", "rich", "pydantic", "strawberry", "graphql", "starlette", "httpx", "socket")

GOLDEN = Path(__file__).parent / "golden"

made = make_bundle()


def check(directory: Path, *arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the module as a reader would; the environment holds nothing but where the code is."""
    command = [sys.executable, *flags, "-m", VERIFIER, *arguments]
    environment = {"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def written(directory: Path, one: Made = made) -> tuple[str, ...]:
    """The arguments that verify this bundle whole, from files that were laid into the directory."""
    (directory / "run.proof").write_text(one.text)
    (directory / "old").write_text(one.trust.kept or "")
    return ("run.proof", "--vkey", one.tree.signer.vkey, "--checkpoint", "old", "--witness", WITNESS.vkey)


class TestTheCommand:
    def test_says_what_it_verified(self, tmp_path: Path) -> None:
        done = check(tmp_path, *written(tmp_path))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            "VERIFIED",
            f"run         {made.stored.run.id}",
            "seal        2, made 2026-03-01T12:00:01Z",
            "steps       6",
            "evidence    4",
            f"log         {made.tree.signer.name}",
            "leaf        17 of 23",
            "cosigned    witness.example/w1 at 2026-03-01T12:01:40Z",
            "continues   the checkpoint of 5 leaves",
        ]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "run.proof"]

    def test_verifies_what_an_earlier_program_wrote(self) -> None:
        """The files are kept as they are: what was taken away once verifies for good."""
        key, witness = (GOLDEN / "vkeys").read_text().split()
        done = check(GOLDEN, "run-v1.proof", "--vkey", key, "--witness", witness, "--checkpoint", "kept")
        assert (done.returncode, done.stderr) == (0, "")
        assert "steps       3\n" in done.stdout

    def test_shows_a_declared_restore(self, tmp_path: Path) -> None:
        later = make_bundle(epoch=2)
        before = Tree(later.tree.leaves[:5])
        arguments = written(tmp_path, later)
        (tmp_path / "old").write_text(before.checkpoint(5))
        done = check(tmp_path, *arguments, "--vkey", before.signer.vkey)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == (
            "RESTORED    a restore of a backup was declared, since that checkpoint: this log is epoch 2"
        )

    def test_knows_a_period_export_by_its_first_line(self, tmp_path: Path) -> None:
        period = make_period()
        (tmp_path / "period").write_text(period.text)
        (tmp_path / "old").write_text(period.trust.kept or "")
        arguments = ("period", "--vkey", period.tree.signer.vkey, "--witness", WITNESS.vkey)
        done = check(tmp_path, *arguments, "--checkpoint", "old")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            "VERIFIED",
            f"log         {period.tree.signer.name}",
            "leaves      5 to 13: 9, none missing",
            "seals       3",
            "entries     3",
            "others      3, committed to",
            "recorded    2026-03-01T12:00:00Z to 2026-03-01T12:06:00Z",
            "between     the checkpoints of 5 and of 14 leaves",
            "cosigned    witness.example/w1 at 2026-03-01T12:01:40Z",
            "continues   the checkpoint of 8 leaves",
        ]
        (tmp_path / "period").write_text(period.text.replace("olga", "olag", 1))
        done = check(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("FAILED INCLUSION: a leaf was changed, replaced or moved")

    def test_says_that_nothing_happened(self, tmp_path: Path) -> None:
        period = make_period(5, 0, kept=None)
        (tmp_path / "period").write_text(period.text)
        done = check(tmp_path, "period", "--vkey", period.tree.signer.vkey)
        assert "leaves      none: it did not grow" in done.stdout.splitlines()

    def test_names_what_fails(self, tmp_path: Path) -> None:
        arguments = written(tmp_path)
        (tmp_path / "run.proof").write_text(made.text.replace('"status_message":"fine"', '"status_message":"good"', 1))
        done = check(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("FAILED STEP: step 0 of trace ")
        assert done.stderr.count("\n") == 1

    def test_prints_nothing_that_a_terminal_would_obey(self, tmp_path: Path) -> None:
        head, tail = made.text.split("\nstep ", 1)
        forged = tail.replace('"trace_id":"', '"trace_id":"\\u001b]0;\\n', 1)
        (tmp_path / "run.proof").write_text(f"{head}\nstep {forged}")
        done = check(tmp_path, "run.proof", "--vkey", made.tree.signer.vkey)
        assert (done.returncode, done.stderr.count("\n"), "\x1b" in done.stderr) == (1, 1, False)
        assert done.stderr.startswith("FAILED STEP: step 0 of trace \ufffd]0;\ufffd")

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (None, "FAILED FORMAT: cannot read run.proof: No such file or directory\n"),
            (b"", "FAILED FORMAT: the file ends too early\n"),
            (b"\xff", "FAILED FORMAT: not UTF-8 at byte 0\n"),
        ],
    )
    def test_refuses_a_file_that_is_none(self, content: bytes | None, reason: str, tmp_path: Path) -> None:
        if content is not None:
            (tmp_path / "run.proof").write_bytes(content)
        done = check(tmp_path, "run.proof", "--vkey", made.tree.signer.vkey)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", reason)

    @pytest.mark.parametrize("content", [b"\xff", b"x" * 1_000_001])
    def test_refuses_a_checkpoint_that_is_none(self, content: bytes, tmp_path: Path) -> None:
        arguments = written(tmp_path)
        (tmp_path / "old").write_bytes(content)
        done = check(tmp_path, *arguments)
        assert (done.returncode, done.stderr.startswith("FAILED FORMAT: old ")) == (1, True)

    @pytest.mark.parametrize(
        "arguments",
        [(), ("run.proof",), ("run.proof", "--vkey", "nonsense"), ("run.proof", "--vkey", WITNESS.vkey)],
    )
    def test_refuses_a_command_that_is_none(self, arguments: tuple[str, ...], tmp_path: Path) -> None:
        written(tmp_path)
        done = check(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: python -m spine.services.proof.check" in done.stderr

    def test_imports_nothing_that_needs_a_network_or_a_database(self, tmp_path: Path) -> None:
        done = check(tmp_path, *written(tmp_path), flags=("-X", "importtime"))
        imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines()}
        assert done.returncode == 0
        assert "cryptography" in imported
        assert imported.isdisjoint(HEAVY)
