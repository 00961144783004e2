"""Data directories of every kind: odd paths, foreign or damaged contents, full disks, garbage in the environment."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spine.storage.embedded import EmbeddedPostgres, binaries
from spine.storage.embedded import cluster as cluster_module
from spine.storage.embedded import startup as startup_module
from spine.storage.embedded.errors import DataDirForeign, DiskFull, InitFailed, UnsupportedPlatform, VersionMismatch
from spine.storage.embedded.layout import SOCKET_LOCK, SOCKET_PATH_LIMIT
from tests.spine.storage.embedded.conftest import end_server
from tests.spine.storage.embedded.processes import Holder, execute, fetch, is_running

Hold = Callable[..., Holder]


class TestPaths:
    def test_any_path_will_do(self, data_dir: Path) -> None:
        place = data_dir / "two  spaces, \"quotes\" and 'données'" / ("x" * 100) / ("y" * 100)
        place.mkdir(parents=True)
        (place / "notes").write_text("mine")
        with EmbeddedPostgres.start(place) as running:
            assert fetch(running.connection("postgres"), "SHOW data_directory") == str(place / "postgres")
            assert len(os.fsencode(running.socket_dir / SOCKET_LOCK)) <= SOCKET_PATH_LIMIT
        assert not is_running(place)
        assert (place / "notes").read_text() == "mine"

    def test_two_names_of_a_directory_share_one_server(self, made_dir: Path, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to(made_dir)
        with EmbeddedPostgres.start(made_dir) as direct, EmbeddedPostgres.start(tmp_path / "alias") as aliased:
            assert aliased.data_dir == direct.data_dir

    def test_a_squatted_socket_directory_is_passed_over(self, made_dir: Path, tmp_path: Path) -> None:
        with EmbeddedPostgres.start(made_dir) as running:
            usual = running.socket_dir
        usual.symlink_to(tmp_path)
        try:
            with EmbeddedPostgres.start(made_dir) as running:
                assert running.socket_dir != usual
                assert fetch(running.connection(), "SELECT 1") == 1
                with EmbeddedPostgres.start(made_dir) as joined:
                    assert joined.socket_dir == running.socket_dir
        finally:
            usual.unlink()


class TestContents:
    def test_a_cluster_of_another_version_is_refused_with_a_way_out(self, copied_dir: Path) -> None:
        EmbeddedPostgres.start(copied_dir).stop()
        (copied_dir / "postgres" / "PG_VERSION").write_text("17\n")
        with pytest.raises(VersionMismatch, match=r"PostgreSQL 17, .* version 18\. .*pg_upgrade.*dump.*restore"):
            EmbeddedPostgres.start(copied_dir)

    def test_somebodys_own_cluster_is_left_alone(self, data_dir: Path) -> None:
        data_dir.mkdir()
        (data_dir / "PG_VERSION").write_text("18\n")
        with pytest.raises(DataDirForeign, match="DATABASE_URL"):
            EmbeddedPostgres.start(data_dir)
        assert [path.name for path in data_dir.iterdir()] == ["PG_VERSION"]

    def test_files_in_the_clusters_place_are_not_overwritten(self, data_dir: Path) -> None:
        (data_dir / "postgres").mkdir(parents=True)
        (data_dir / "postgres" / "notes").write_text("mine")
        with pytest.raises(InitFailed, match="not empty"):
            EmbeddedPostgres.start(data_dir)
        assert (data_dir / "postgres" / "notes").read_text() == "mine"


class TestDisk:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        place = tmp_path / "disk"
        place.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(place)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
        yield place
        end_server(place / "data" / "postgres")
        subprocess.run(["umount", "--lazy", str(place)], check=True)

    def test_a_first_start_without_enough_space_writes_nothing(self, small_disk: Path) -> None:
        with pytest.raises(DiskFull, match="160 MiB free, 256 MiB needed"):
            EmbeddedPostgres.start(small_disk / "data")
        assert not list((small_disk / "data").glob("postgres*/*"))

    def test_a_disk_that_fills_up_is_named_and_costs_no_data(
        self, small_disk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place, ballast = small_disk / "data", small_disk / "ballast"
        monkeypatch.setattr(cluster_module, "COLD_FREE_BYTES", 0)
        ballast.write_bytes(bytes(140 << 20))
        with pytest.raises(DiskFull):  # within initdb
            EmbeddedPostgres.start(place)
        assert not list(place.glob("postgres*/*"))
        ballast.unlink()
        with EmbeddedPostgres.start(place) as running:
            execute(running.connection("hoc_owner"), "CREATE TABLE kept AS SELECT 42 AS answer")
        ballast.write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize))
        with pytest.raises(DiskFull, match="0 MiB free"):
            EmbeddedPostgres.start(place)
        with monkeypatch.context() as unchecked:
            unchecked.setattr(startup_module, "WARM_FREE_BYTES", 0)
            with pytest.raises(DiskFull):  # within the server
                EmbeddedPostgres.start(place)
        ballast.unlink()
        with EmbeddedPostgres.start(place) as running:
            assert fetch(running.connection("hoc_owner"), "SELECT answer FROM kept") == 42


class TestEnvironment:
    def test_garbage_in_the_environment_does_not_matter(self, data_dir: Path, hold: Hold) -> None:
        garbage = {
            "LANG": "xx_YY.nonsense",
            "LC_ALL": "klingon",
            "PGDATA": "/nonexistent",
            "PGHOST": "example.invalid",
            "PGOPTIONS": "-c nonsense=1",
            "PGPORT": "1",
            "PGSSLMODE": "verify-full",
            "PGUSER": "nobody-at-all",
            "TZ": "Nowhere/Nothing",
        }
        answer = hold(data_dir, environment=garbage).answer()
        assert "error" not in answer
        with EmbeddedPostgres.start(data_dir) as joined:
            assert joined.system_identifier == answer["system_identifier"]
            assert fetch(joined.connection(), "SHOW timezone") == "UTC"

    def test_without_binaries_the_way_out_is_named(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(binaries, "PACKAGE", "no_such_package")
        with pytest.raises(UnsupportedPlatform, match="DATABASE_URL"):
            EmbeddedPostgres.start(data_dir)
        assert not data_dir.exists()
