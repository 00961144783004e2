"""What kill -9, stale pid files, interrupted first starts and vanished sockets leave behind is put right."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spine.storage.embedded import EmbeddedPostgres
from spine.storage.embedded import startup as startup_module
from spine.storage.embedded.errors import StartFailed, StartTimeout
from spine.storage.embedded.postmaster import is_postmaster
from tests.spine.storage.embedded.processes import Holder, execute, fetch, is_running, postmaster_pid, wait_for

Hold = Callable[..., Holder]


def crash(running: EmbeddedPostgres) -> int:
    """Send kill -9 to the postmaster and wait until its backends noticed; returns its pid."""
    pid = postmaster_pid(running.data_dir)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_running(running.data_dir.parent), "the backends end after their postmaster")
    return pid


def forge_pid(cluster: Path, pid: int) -> None:
    """Put another pid into postmaster.pid, as a container restart does."""
    path = cluster / "postmaster.pid"
    path.write_text("\n".join([str(pid), *path.read_text().splitlines()[1:], ""]))


class TestKilledHolder:
    def test_an_orphan_is_adopted_and_then_stopped(self, made_dir: Path, hold: Hold) -> None:
        other = hold(made_dir)
        cluster = Path(other.answer()["cluster"])
        pid = postmaster_pid(cluster)
        other.kill()
        assert is_running(made_dir)
        with EmbeddedPostgres.start(made_dir) as ours:
            assert postmaster_pid(ours.data_dir) == pid
            assert fetch(ours.connection(), "SELECT 1") == 1
        assert not is_running(made_dir)

    def test_the_remaining_holder_is_the_last_one(self, made_dir: Path, hold: Hold) -> None:
        other = hold(made_dir)
        other.answer()
        with EmbeddedPostgres.start(made_dir) as ours:
            other.kill()
            assert fetch(ours.connection(), "SELECT 1") == 1
        assert not is_running(made_dir)

    def test_a_first_start_killed_within_initdb_is_repeated(self, data_dir: Path, hold: Hold) -> None:
        other = hold(data_dir)
        wait_for(lambda: list(data_dir.glob("postgres.init-*/base")), "initdb has begun")
        os.killpg(other.process.pid, signal.SIGKILL)
        assert not (data_dir / "postgres").exists()
        with EmbeddedPostgres.start(data_dir) as ours:
            assert fetch(ours.connection(), "SELECT 1") == 1
        assert not list(data_dir.glob("postgres.init-*"))

    def test_an_initdb_that_outlives_its_starter_is_waited_for(self, data_dir: Path, hold: Hold) -> None:
        other = hold(data_dir)
        wait_for(lambda: list(data_dir.glob("postgres.init-*/base")), "initdb has begun")
        other.kill()
        reports: list[str] = []
        with EmbeddedPostgres.start(data_dir, report=reports.append) as ours:
            assert fetch(ours.connection(), "SELECT 1") == 1
        assert "waiting for a former initdb to end" in reports
        assert not list(data_dir.glob("postgres.init-*"))

    def test_a_first_start_killed_before_the_roles_existed_is_completed(self, made_dir: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as running:
            execute(running.connection("postgres", "postgres"), "DROP DATABASE hoc")
            execute(running.connection("postgres", "postgres"), "DROP ROLE hoc_app, hoc_keyfinder")
        with EmbeddedPostgres.start(made_dir) as running:
            assert fetch(running.connection(), "SELECT 1") == 1


class TestKilledPostmaster:
    def test_committed_data_survive(self, made_dir: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as running:
            execute(running.connection("hoc_owner"), "CREATE TABLE kept AS SELECT 42 AS answer")
            dead = crash(running)
            with EmbeddedPostgres.start(made_dir) as restarted:
                assert postmaster_pid(restarted.data_dir) != dead
                assert fetch(restarted.connection("hoc_owner"), "SELECT answer FROM kept") == 42
                assert restarted.system_identifier == running.system_identifier
        assert not is_running(made_dir)

    def test_its_holder_starts_it_again_once(self, made_dir: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as running, EmbeddedPostgres.start(made_dir) as also:
            assert running.revive() is False
            crash(running)
            assert running.revive() is True
            assert also.revive() is False
            assert fetch(running.connection(), "SELECT 1") == fetch(also.connection(), "SELECT 1") == 1
        assert running.revive() is False
        assert not is_running(made_dir)

    def test_stopping_after_a_crash_is_no_error(self, made_dir: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as running:
            crash(running)
        assert not is_running(made_dir)

    def test_a_pid_that_now_belongs_to_another_process_is_not_believed(self, made_dir: Path) -> None:
        with (
            subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger,
            EmbeddedPostgres.start(made_dir) as running,
        ):
            crash(running)
            forge_pid(running.data_dir, stranger.pid)
            with EmbeddedPostgres.start(made_dir) as restarted:
                assert fetch(restarted.connection(), "SELECT 1") == 1
            assert stranger.poll() is None
            stranger.kill()

    def test_a_zombie_is_not_taken_for_a_server(self, made_dir: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as running:
            crash(running)
            with subprocess.Popen(["sleep", "30"]) as zombie:
                zombie.kill()
                os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)  # dead, but not collected
                forge_pid(running.data_dir, zombie.pid)
                with EmbeddedPostgres.start(made_dir) as restarted:
                    assert fetch(restarted.connection(), "SELECT 1") == 1

    def test_a_torn_pid_file_is_not_believed(self, made_dir: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as running:
            crash(running)
            (running.data_dir / "postmaster.pid").write_text("")
            with EmbeddedPostgres.start(made_dir) as restarted:
                assert fetch(restarted.connection(), "SELECT 1") == 1


class TestUnreachableServer:
    @pytest.fixture(autouse=True)
    def short_silence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(startup_module, "SILENCE_SECONDS", 0.1)

    def test_an_orphan_without_its_socket_is_restarted(self, made_dir: Path, hold: Hold) -> None:
        other = hold(made_dir)
        held = other.answer()
        pid = postmaster_pid(Path(held["cluster"]))
        other.kill()
        shutil.rmtree(held["socket_dir"])
        with EmbeddedPostgres.start(made_dir) as ours:
            assert not is_postmaster(pid, ours.data_dir)
            assert fetch(ours.connection(), "SELECT 1") == 1

    def test_a_server_that_others_hold_is_left_alone(self, made_dir: Path, hold: Hold) -> None:
        other = hold(made_dir)
        held = other.answer()
        pid = postmaster_pid(Path(held["cluster"]))
        hidden = Path(held["socket_dir"]).rename(held["socket_dir"] + "-hidden")
        with pytest.raises(StartFailed, match="cannot be reached from here"):
            EmbeddedPostgres.start(made_dir)
        assert is_postmaster(pid, Path(held["cluster"]))
        hidden.rename(held["socket_dir"])

    def test_another_clusters_server_on_our_socket_is_not_ours(self, made_dir: Path, server: EmbeddedPostgres) -> None:
        with EmbeddedPostgres.start(made_dir) as ours:
            pid_file = ours.data_dir / "postmaster.pid"
            genuine = pid_file.read_text()
            pid_file.write_text(genuine.replace(str(ours.socket_dir), str(server.socket_dir)))
            with pytest.raises(StartFailed, match="cannot be reached from here"):
                EmbeddedPostgres.start(made_dir)
            pid_file.write_text(genuine)


class TestFailedStart:
    def test_a_server_that_dies_at_once_shows_its_log(self, copied_dir: Path) -> None:
        EmbeddedPostgres.start(copied_dir).stop()
        with (copied_dir / "postgres" / "postgresql.conf").open("a") as settings:
            settings.write("max_connections = many\n")
        with pytest.raises(StartFailed, match='invalid value for parameter "max_connections": "many"'):
            EmbeddedPostgres.start(copied_dir)
        assert not is_running(copied_dir)

    def test_a_server_that_is_too_slow_goes_on_and_is_joined_later(
        self, made_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(startup_module, "START_SECONDS", -1.0)
        with pytest.raises(StartTimeout, match="last lines of its log"):
            EmbeddedPostgres.start(made_dir)
        monkeypatch.undo()
        with EmbeddedPostgres.start(made_dir) as running:
            assert fetch(running.connection(), "SELECT 1") == 1
