"""`hoc log`: the key, the check, and a restored backup, on real data directories."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.resolvers.cli.processes import Server, hoc

START = """mutation { startRun(input: { idempotencyKey: "%s", agentId: "clerk", originSystemId: "shop",
    actor: { kind: SERVICE } }) { run { id } userErrors { message } } }"""
CHECKPOINT = """{ logCheckpoint { treeSize note vkey origin epoch }
    auditEntries { nodes { eventType inclusion { treeSize } } } }"""


def log(server: Server, *arguments: object) -> Any:
    """Run `hoc log …` beside the server or without it."""
    tenant = () if arguments[0] == "rotate-key" else ("--tenant", "acme")
    return hoc("log", *arguments, *tenant, "--data-dir", server.data_dir)


def write(server: Server, key: str, word: str) -> None:
    """Start a run, which the ledger tells of."""
    assert server.data(key, START % word)["startRun"]["userErrors"] == []


def signed(server: Server, key: str) -> dict[str, Any]:
    """The latest checkpoint, once it covers the latest entry of the ledger."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = server.data(key, CHECKPOINT)
        checkpoint: dict[str, Any] | None = found["logCheckpoint"]
        if checkpoint is not None and found["auditEntries"]["nodes"][0]["inclusion"] is not None:
            return checkpoint
        time.sleep(0.05)
    raise AssertionError(server.stderr)


class TestTheKey:
    def test_is_printed_and_rotated_beside_a_running_server(self, server: Server) -> None:
        key = server.new_key()
        first = signed(server, key)
        assert log(server, "key").stdout == f"{first['vkey']}\n"
        assert log(server, "rotate-key").returncode == 0
        write(server, key, "after the rotation")
        second = signed(server, key)
        assert second["vkey"] != first["vkey"]
        assert log(server, "key").stdout == f"{second['vkey']}\n"
        assert "LogKeyChanged" in [one["eventType"] for one in server.data(key, CHECKPOINT)["auditEntries"]["nodes"]]


class TestARestoredBackup:
    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "installation" / "hoc"

    def test_is_a_fork_until_it_is_declared(self, place: Path, tmp_path: Path) -> None:
        with Server(place) as server:
            key = server.new_key()
            write(server, key, "in the backup")
            signed(server, key)
        shutil.copytree(place / "postgres", tmp_path / "backup")
        with Server(place) as server:
            write(server, key, "lost")
            lost = signed(server, key)
        shutil.rmtree(place / "postgres")
        shutil.copytree(tmp_path / "backup", place / "postgres")
        with Server(place) as server:
            write(server, key, "instead")
            deadline = time.monotonic() + 60
            while '"log.refused"' not in server.stderr and time.monotonic() < deadline:
                time.sleep(0.05)
            assert "hoc log continue" in server.stderr
            done = log(server, "verify")
            assert (done.returncode, "signed" in done.stderr) == (1, True)
            note = tmp_path / "kept.note"
            note.write_text(lost["note"])
            done = log(server, "continue", "--checkpoint", note, "--reason", "the disk was lost")
            assert done.returncode == 0, done.stderr
            assert done.stdout.endswith(f" as {lost['origin']}/2\n")
            found = signed(server, key)
            assert (found["epoch"], found["origin"]) == (2, f"{lost['origin']}/2")
            done = log(server, "verify")
            assert (done.returncode, " leaves and " in done.stdout) == (0, True), done.stderr
