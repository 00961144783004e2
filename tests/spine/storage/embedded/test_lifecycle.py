"""Starting, sharing and stopping the server when nothing goes wrong."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from spine.storage.embedded import EmbeddedPostgres
from tests.spine.storage.embedded.processes import Holder, execute, fetch, is_running, postmaster_pid, wait_for

Hold = Callable[..., Holder]


class TestColdStart:
    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("fsync", "on"),
            ("synchronous_commit", "on"),
            ("full_page_writes", "on"),
            ("data_checksums", "on"),
            ("listen_addresses", ""),
            ("unix_socket_permissions", "0700"),
            ("max_connections", "200"),
            ("server_encoding", "UTF8"),
            ("timezone", "UTC"),
        ],
    )
    def test_the_server_is_durable_and_off_the_network(
        self, server: EmbeddedPostgres, setting: str, value: str
    ) -> None:
        assert fetch(server.connection(), f"SHOW {setting}") == value

    def test_the_locale_is_the_built_in_one(self, server: EmbeddedPostgres) -> None:
        query = "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'hoc'"
        assert fetch(server.connection(), query) == "bC.UTF-8"

    def test_only_the_servers_account_may_enter_the_socket_directory(self, server: EmbeddedPostgres) -> None:
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        assert server.data_dir.stat().st_mode & 0o777 == 0o700

    def test_the_files_say_whose_server_answers(self, server: EmbeddedPostgres) -> None:
        superuser = server.connection("postgres", "postgres")
        assert fetch(superuser, "SHOW data_directory") == str(server.data_dir)
        assert fetch(superuser, "SELECT system_identifier FROM pg_control_system()") == server.system_identifier

    def test_the_server_has_a_session_of_its_own(self, server: EmbeddedPostgres) -> None:
        assert os.getsid(postmaster_pid(server.data_dir)) != os.getsid(0)

    def test_it_can_be_started_within_a_running_event_loop(self, made_dir: Path) -> None:
        async def application() -> object:
            with EmbeddedPostgres.start(made_dir) as running:
                return fetch(running.connection(), "SELECT 1")

        assert asyncio.run(application()) == 1
        assert not is_running(made_dir)


class TestWarmStart:
    def test_data_and_identity_survive_a_stop(self, made_dir: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as first:
            execute(first.connection("hoc_owner"), "CREATE TABLE survivor AS SELECT 42 AS answer")
        assert not is_running(made_dir)
        assert not first.socket_dir.exists()
        with EmbeddedPostgres.start(made_dir) as second:
            assert fetch(second.connection("hoc_owner"), "SELECT answer FROM survivor") == 42
            assert second.system_identifier == first.system_identifier

    def test_a_long_log_is_put_aside(self, copied_dir: Path) -> None:
        with (copied_dir / "postgres.log").open("wb") as log:
            log.truncate(17 << 20)
        EmbeddedPostgres.start(copied_dir).stop()
        assert (copied_dir / "postgres.log.1").stat().st_size == 17 << 20
        assert "database system is ready" in (copied_dir / "postgres.log").read_text()


class TestSharing:
    def test_the_last_one_out_stops_the_server(self, made_dir: Path, hold: Hold) -> None:
        other = hold(made_dir)
        held = other.answer()
        with EmbeddedPostgres.start(made_dir) as ours:
            assert ours.system_identifier == held["system_identifier"]
            other.tell("stop")
            assert fetch(ours.connection(), "SELECT 1") == 1
        assert not is_running(made_dir)

    def test_the_first_one_out_leaves_it_running(self, made_dir: Path, hold: Hold) -> None:
        with EmbeddedPostgres.start(made_dir):
            other = hold(made_dir)
            other.answer()
        assert is_running(made_dir)
        other.tell("stop")
        assert not is_running(made_dir)

    def test_two_holds_in_one_process_count_as_two(self, made_dir: Path) -> None:
        first, second = EmbeddedPostgres.start(made_dir), EmbeddedPostgres.start(made_dir)
        first.stop()
        first.stop()
        assert fetch(second.connection(), "SELECT 1") == 1
        second.stop()
        assert not is_running(made_dir)

    def test_simultaneous_cold_starts_make_one_cluster(self, data_dir: Path, hold: Hold) -> None:
        answers = [holder.answer() for holder in [hold(data_dir) for _ in range(3)]]
        assert len({answer["system_identifier"] for answer in answers}) == 1
        created = [line for answer in answers for line in answer["reports"] if line.startswith("creating")]
        assert len(created) == 1

    def test_a_process_that_just_exits_ends_its_hold(self, made_dir: Path, hold: Hold) -> None:
        other = hold(made_dir)
        other.answer()
        other.close()
        assert not is_running(made_dir)

    def test_the_exit_of_a_forked_child_does_not_end_the_parents_hold(self, made_dir: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as running:
            child = os.fork()
            if child == 0:
                running.stop()
                os._exit(0)
            os.waitpid(child, 0)
            assert fetch(running.connection(), "SELECT 1") == 1
            EmbeddedPostgres.start(made_dir).stop()
            assert fetch(running.connection(), "SELECT 1") == 1
        assert not is_running(made_dir)


class TestSignals:
    def test_ctrl_c_in_the_terminal_does_not_reach_the_server(self, made_dir: Path, hold: Hold) -> None:
        other = hold(made_dir)
        pid = postmaster_pid(Path(other.answer()["cluster"]))
        other.tell("ignore SIGINT")
        os.killpg(other.process.pid, signal.SIGINT)
        with EmbeddedPostgres.start(made_dir) as ours:
            assert postmaster_pid(ours.data_dir) == pid

    def test_ctrl_c_ends_a_holder_and_then_its_server(self, made_dir: Path, hold: Hold) -> None:
        other = hold(made_dir)
        other.answer()
        os.killpg(other.process.pid, signal.SIGINT)
        wait_for(lambda: not is_running(made_dir), "the server ends with its holder")
