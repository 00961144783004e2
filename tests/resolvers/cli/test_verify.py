"""`hoc verify`: the verifier's own command, by the program's quick entry and in the list of all commands."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from resolvers.cli.main import program
from tests.spine.services.proof.bundles import make_bundle

ENTRY = "from resolvers.cli.entry import main; main()"
HEAVY = {"typer", "rich", "sqlalchemy", "asyncpg", "strawberry", "graphql", "pydantic", "starlette"}

made = make_bundle()


def entered(directory: Path, *arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run `hoc` as its installed program does."""
    command = [sys.executable, *flags, "-c", ENTRY, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)


class TestVerify:
    def test_verifies_in_an_empty_directory(self, tmp_path: Path) -> None:
        (tmp_path / "run.proof").write_text(made.text)
        done = entered(tmp_path, "verify", "run.proof", "--vkey", made.tree.signer.vkey)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"VERIFIED\nrun         {made.stored.run.id}\n")
        assert [path.name for path in tmp_path.iterdir()] == ["run.proof"]

    def test_refuses_with_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "run.proof").write_text(made.text.replace("fine", "good", 1))
        done = entered(tmp_path, "verify", "run.proof", "--vkey", made.tree.signer.vkey)
        assert (done.returncode, done.stdout, done.stderr.startswith("FAILED STEP: step 0")) == (1, "", True)

    def test_is_the_same_as_one_of_typers_commands(self, tmp_path: Path) -> None:
        file = tmp_path / "run.proof"
        file.write_text(made.text)
        arguments = ("verify", str(file), "--vkey", made.tree.signer.vkey)
        whole = CliRunner().invoke(program(), arguments)
        assert (whole.exit_code, whole.stdout) == (0, entered(tmp_path, *arguments).stdout)
        file.write_text("")
        assert CliRunner().invoke(program(), arguments).exit_code == 1

    def test_explains_itself(self, tmp_path: Path) -> None:
        assert entered(tmp_path, "verify", "--help").stdout.startswith("usage: hoc verify")

    def test_is_in_the_list_of_commands_that_every_other_argument_leads_to(self, tmp_path: Path) -> None:
        shown = entered(tmp_path, "--help").stdout
        assert " verify " in shown
        assert " serve " in shown

    @pytest.mark.parametrize("arguments", [("verify",), ("verify", "file"), ("verify", "file", "--vkey", "nonsense")])
    def test_refuses_a_command_that_is_none(self, arguments: tuple[str, ...], tmp_path: Path) -> None:
        done = entered(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: hoc verify" in done.stderr

    def test_imports_nothing_of_the_server(self, tmp_path: Path) -> None:
        done = entered(tmp_path, "verify", "--help", flags=("-X", "importtime"))
        imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
        assert "cryptography" in imported
        assert imported.isdisjoint(HEAVY)
