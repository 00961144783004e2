"""`hoc serve`: what starts stops, and what was acknowledged stays."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from spine.storage.embedded import EmbeddedPostgres
from tests.resolvers.cli.processes import Server, hoc
from tests.spine.storage.embedded.processes import is_running, wait_for

SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "b7ad6b7169203331",
    "name": "invoke_agent booker",
    "startTimeUnixNano": "1779000000000000000",
    "endTimeUnixNano": "1779000001000000000",
}
EXPORT = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}


def refused(completed_code: int, stderr: str) -> str:
    """The only line of a refusal."""
    assert completed_code == 1
    assert "Traceback" not in stderr
    return next(line for line in stderr.splitlines() if line.startswith("hoc: "))


class TestServing:
    def test_an_empty_directory_is_initialised_migrated_and_served(self, server: Server) -> None:
        assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert "graphql" in server.stdout

    def test_a_taken_port_is_said_before_anything_is_started(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            answer = hoc("serve", "--port", port, "--data-dir", tmp_path / "hoc")
        assert f"port {port}" in refused(answer.returncode, answer.stderr)
        assert not (tmp_path / "hoc").exists()

    def test_a_data_directory_that_cannot_be_made_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        answer = hoc("serve", "--port", 0, "--data-dir", tmp_path / "file" / "hoc")
        assert "Not a directory" in refused(answer.returncode, answer.stderr)

    def test_a_wrong_setting_is_named_without_its_value(self) -> None:
        answer = hoc("serve", HOC_POOL_SIZE="s3cret")
        assert answer.returncode == 2
        assert "HOC_POOL_SIZE" in answer.stderr
        assert "s3cret" not in answer.stderr


class TestStopping:
    def test_ctrl_c_stops_two_workers_and_the_database(self, tmp_path: Path) -> None:
        with Server(tmp_path / "hoc", "--workers", "2") as server:
            key = server.new_key()
            assert server.data(key, "{ viewer { tenant } }") == {"viewer": {"tenant": "acme"}}
            assert server.stop(signal.SIGINT, group=True) == 0
        assert not server.has_database
        assert "Traceback" not in server.stderr

    def test_a_signal_during_the_first_start_leaves_nothing_running(self, tmp_path: Path) -> None:
        with Server(tmp_path / "hoc") as server:
            wait_for(lambda: "creating" in server.stderr, "the cluster's creation")
            server.stop(signal.SIGTERM)
        wait_for(lambda: not server.has_database, "the end of what initdb had started")

    def test_workers_end_when_their_parent_is_killed_and_the_next_start_serves_what_was_acknowledged(
        self, tmp_path: Path
    ) -> None:
        with Server(tmp_path / "hoc", "--workers", "2") as server:
            key = server.new_key()
            headers = {"authorization": f"Bearer {key}"}
            httpx.post(f"{server.url}/v1/traces", json=EXPORT, headers=headers).raise_for_status()
            url = server.url
            server.kill()
            wait_for(lambda: not answers(url), "the end of the workers")
        with Server(tmp_path / "hoc") as again:
            assert again.data(key, "{ runs { totalCount } }") == {"runs": {"totalCount": 1}}
            assert again.has_database
            assert again.stop(signal.SIGTERM) == 0
        assert not again.has_database
        assert "Traceback" not in server.stderr + again.stderr


def answers(url: str) -> bool:
    """Whether anything listens."""
    try:
        httpx.get(f"{url}/healthz", timeout=1)
    except httpx.TransportError:
        return False
    return True


class TestYourOwnPostgres:
    @pytest.fixture
    def database(self, postgres: EmbeddedPostgres) -> Iterator[dict[str, str]]:
        """URLs of an empty database, by role."""
        name = f"own_{time.monotonic_ns()}"
        postgres.create_database(name)
        yield {
            role: f"postgresql://{role}@/{name}?host={postgres.socket_dir}&port={postgres.port}"
            for role in ("hoc_app", "hoc_owner", "postgres")
        }
        postgres.drop_database(name)

    def test_it_is_not_ready_until_its_owner_has_migrated_it(self, database: dict[str, str], tmp_path: Path) -> None:
        app = {"DATABASE_URL": database["hoc_app"], "HOC_KEY_PEPPER": "pepper"}
        with Server(tmp_path / "hoc", **app) as server:
            assert httpx.get(f"{server.url}/readyz").status_code == 503
            assert "run: hoc migrate" in server.stderr
            early = hoc("keys", "create", "--tenant", "acme", "--role", "OWNER", "--data-dir", tmp_path / "hoc", **app)
            assert "run: hoc migrate" in refused(early.returncode, early.stderr)
            alone = hoc("migrate", **app)
            assert "DATABASE_OWNER_URL" in refused(alone.returncode, alone.stderr)
            assert hoc("migrate", DATABASE_OWNER_URL=database["hoc_owner"], **app).returncode == 0
            assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert not is_running(tmp_path)

    def test_a_role_that_could_bypass_row_security_is_refused(self, database: dict[str, str], tmp_path: Path) -> None:
        answer = hoc("serve", "--port", 0, "--data-dir", tmp_path, DATABASE_URL=database["postgres"])
        assert "superuser" in refused(answer.returncode, answer.stderr)

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("postgresql://hoc_app:s3cret@127.0.0.1:1/hoc", "cannot be reached"),
            ("mysql://hoc_app:s3cret@127.0.0.1/hoc", "postgresql://"),
            ("s3cret", "postgresql://"),
            ("postgresql://hoc_app:s3cret@db:port/hoc", "postgresql://role:password@host:5432/database"),
            ("postgresql://hoc_app:s3cret@127.0.0.1:1/hoc?sslmode=maybe", "sslmode"),
        ],
    )
    def test_a_database_that_is_none_is_one_line_without_the_password(
        self, url: str, reason: str, tmp_path: Path
    ) -> None:
        answer = hoc("serve", "--port", 0, "--data-dir", tmp_path, DATABASE_URL=url)
        assert reason in refused(answer.returncode, answer.stderr)
        assert "s3cret" not in answer.stderr + answer.stdout
