"""Who runs the server: an ordinary user, root in a user namespace, or the account to which root drops."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spine.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from tests.spine.storage.embedded.conftest import copy_site, end_server
from tests.spine.storage.embedded.processes import Holder, fetch, is_running, postmaster_pid

Hold = Callable[..., Holder]

NOBODY = 65534
NAMELESS = 54321
SYSTEM_PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take on other accounts")
needs_system_python = pytest.mark.skipif(
    not Path(SYSTEM_PYTHON).exists(), reason="no interpreter that every user may execute"
)


def has_namespaces() -> bool:
    return subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or not has_namespaces(), reason="the kernel does not let us make user namespaces"
)


def runs_as(cluster: Path) -> int:
    """The uid of the live postmaster, as the machine sees it."""
    return Path("/proc", str(postmaster_pid(cluster))).stat().st_uid


@pytest.fixture
def public_dir() -> Iterator[Path]:
    """A directory that every account may enter (pytest's own are closed)."""
    place = Path(tempfile.mkdtemp(prefix="hoc-test-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    end_server(place / "data" / "postgres")
    shutil.rmtree(place)


@needs_namespaces
class TestRootInANamespace:
    def test_files_stay_roots_behind_closed_parents(self, made_dir: Path) -> None:
        assert made_dir.parent.stat().st_mode & 0o777 == 0o700
        with EmbeddedPostgres.start(made_dir) as running:
            assert running.data_dir.stat().st_uid == 0
            assert runs_as(running.data_dir) == 0
            ours, theirs = Path("/proc/self/ns/user"), Path(f"/proc/{postmaster_pid(running.data_dir)}/ns/user")
            assert ours.readlink() != theirs.readlink()

    def test_another_user_is_not_taken_for_root(self, made_dir: Path, open_site: Path) -> None:
        """Unmapped users look like `nobody` to a server in a namespace, so root must not look like that too."""
        with EmbeddedPostgres.start(made_dir) as running:
            running.socket_dir.chmod(0o755)
            (running.socket_dir / ".s.PGSQL.5432").chmod(0o777)
            attempt = subprocess.run(
                [SYSTEM_PYTHON, "-c", CONNECT_AS_SUPERUSER, str(running.socket_dir)],
                env={"PYTHONPATH": str(open_site)},
                user=NAMELESS,
                group=NAMELESS,
                extra_groups=[],
                capture_output=True,
                text=True,
                check=False,
            )
            running.socket_dir.chmod(0o700)
        assert "Peer authentication failed" in attempt.stderr


CONNECT_AS_SUPERUSER = """
import asyncio, asyncpg, sys
asyncio.run(asyncpg.connect(host=sys.argv[1], port=5432, user="postgres", database="postgres", ssl=False))
"""


@needs_root
class TestRootDroppedToAnAccount:
    @pytest.fixture(autouse=True)
    def account(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOC_PG_USER", "nobody")

    def test_the_server_runs_as_the_chosen_account(
        self, public_dir: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with EmbeddedPostgres.start(public_dir / "data") as running:
            assert runs_as(running.data_dir) == running.data_dir.stat().st_uid == NOBODY
            assert running.data_dir == public_dir / "data" / "postgres"
            assert fetch(running.connection(), "SELECT system_user") == "peer:root"
            other = hold(public_dir / "data")
            assert other.answer()["system_identifier"] == running.system_identifier
        other.tell("stop")
        assert not is_running(public_dir / "data")
        monkeypatch.delenv("HOC_PG_USER")  # its cluster stays its own
        with EmbeddedPostgres.start(public_dir / "data") as running:
            assert runs_as(running.data_dir) == NOBODY

    def test_a_cluster_of_roots_is_handed_over(self, public_dir: Path, seed: Path) -> None:
        shutil.copytree(seed, public_dir / "data")
        (public_dir / "data").chmod(0o711)
        reports: list[str] = []
        with EmbeddedPostgres.start(public_dir / "data", report=reports.append) as running:
            assert fetch(running.connection(), "SELECT 1") == 1
            assert runs_as(running.data_dir) == NOBODY
        assert any("now belongs to nobody" in line for line in reports)

    @needs_system_python
    def test_closed_directories_are_left_closed(self, data_dir: Path, public_dir: Path, hold: Hold) -> None:
        """Neither the package nor the data directory can be entered: a copy of the one, another place for the other."""
        site, system_root = data_dir.with_name("site"), public_dir / "system"
        copy_site(site)
        site.chmod(0o700)
        parents = [data_dir.parent, data_dir.parent.parent, site]
        before = [parent.stat().st_mode for parent in parents]

        def start(place: Path) -> tuple[Holder, dict[str, Any]]:
            environment = {"TEST_SYSTEM_ROOT": str(system_root)}
            holder = hold(place, pythonpath=site, command=(SYSTEM_PYTHON,), environment=environment, umask=0o077)
            return holder, holder.answer()

        holder, held = start(data_dir)
        cluster = Path(held["cluster"])
        assert cluster.parent.parent == system_root
        assert runs_as(cluster) == NOBODY
        assert any(f"lies in {cluster}" in line for line in held["reports"])
        assert any(f"runs from {system_root}/pg-" in line for line in held["reports"])
        holder.tell("stop")
        assert [parent.stat().st_mode for parent in parents] == before

        moved = data_dir.rename(data_dir.with_name("moved"))
        holder, again = start(moved)
        assert again["system_identifier"] == held["system_identifier"]
        holder.tell("stop")

        shutil.rmtree(cluster)
        assert start(moved)[1]["error"] == "ClusterMissing"

    @pytest.mark.parametrize("name", ["root", "no-such-account"])
    def test_an_account_that_will_not_do_is_named(
        self, public_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv("HOC_PG_USER", name)
        with pytest.raises(EmbeddedPostgresError, match=name):
            EmbeddedPostgres.start(public_dir / "data")


@needs_root
class TestRootWithoutNamespaces:
    def test_the_service_account_takes_over(self, public_dir: Path, hold: Hold, tmp_path: Path) -> None:
        """The kernel refuses user namespaces in a chroot, just as Docker's seccomp profile does."""
        inside = 'mount --rbind / "$0" && exec chroot "$0" "$@"'
        command = ("unshare", "--mount", "sh", "-c", inside, str(tmp_path), sys.executable)
        if subprocess.run([*command[:-1], "true"], capture_output=True, check=False).returncode != 0:
            pytest.skip("a private mount of the root directory is not allowed here")
        holder = hold(public_dir / "data", command=command)
        held = holder.answer()
        assert pwd.getpwuid(runs_as(Path(held["cluster"]))).pw_name in {"postgres", "nobody"}
        holder.tell("stop")
        assert not is_running(public_dir / "data")


@needs_root
@needs_system_python
class TestOrdinaryUser:
    @pytest.fixture
    def hold_as(self, hold: Hold, open_site: Path) -> Callable[[Path, int], Holder]:
        return lambda data_dir, user: hold(data_dir, user=user, pythonpath=open_site, command=(SYSTEM_PYTHON,))

    def test_runs_and_shares_its_own_server(self, public_dir: Path, hold_as: Callable[[Path, int], Holder]) -> None:
        os.chown(public_dir, NOBODY, NOBODY)
        first = hold_as(public_dir / "data", NOBODY)
        held = first.answer()
        assert runs_as(Path(held["cluster"])) == NOBODY
        second = hold_as(public_dir / "data", NOBODY)
        assert second.answer()["system_identifier"] == held["system_identifier"]
        first.kill()
        second.tell("stop")
        assert not is_running(public_dir / "data")

    def test_a_uid_without_a_name_is_told_so(self, public_dir: Path, hold_as: Callable[[Path, int], Holder]) -> None:
        os.chown(public_dir, NAMELESS, NAMELESS)
        answer = hold_as(public_dir / "data", NAMELESS).answer()
        assert answer["error"] == "UnknownUser"
        assert str(NAMELESS) in answer["message"]

    def test_roots_data_directory_is_refused(self, public_dir: Path, hold_as: Callable[[Path, int], Holder]) -> None:
        (public_dir / "data").mkdir()
        answer = hold_as(public_dir / "data", NOBODY).answer()
        assert answer["error"] == "DataDirNotOwned"
        assert "belongs to root, but this process runs as nobody" in answer["message"]

    def test_roots_cluster_in_a_directory_of_ones_own_is_refused(
        self, public_dir: Path, hold_as: Callable[[Path, int], Holder]
    ) -> None:
        (public_dir / "data" / "postgres").mkdir(parents=True, mode=0o700)
        os.chown(public_dir / "data", NOBODY, NOBODY)
        assert hold_as(public_dir / "data", NOBODY).answer()["error"] == "DataDirNotOwned"

    def test_a_closed_parent_is_named(self, tmp_path: Path, hold_as: Callable[[Path, int], Holder]) -> None:
        answer = hold_as(tmp_path / "data", NOBODY).answer()
        assert answer["error"] == "DataDirUnreachable"
        assert str(tmp_path) in answer["message"]

    def test_root_does_not_run_a_strangers_cluster(self, public_dir: Path) -> None:
        (public_dir / "data" / "postgres").mkdir(parents=True)
        os.chown(public_dir / "data" / "postgres", NAMELESS, NAMELESS)
        with pytest.raises(EmbeddedPostgresError, match=f"belongs to uid {NAMELESS}"):
            EmbeddedPostgres.start(public_dir / "data")
