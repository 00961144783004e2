"""The editor's files are the reviewed ones, or nothing is served."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from resolvers.http.graphiql.assets import CARRIER, PINNED, AssetChanged, carrier, load
from tests.resolvers.cli.processes import hoc


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package's files, to be damaged; the folder lies where an installed package has it."""
    package = tmp_path / CARRIER
    shutil.copytree(carrier(), package / "static" / CARRIER)
    (package / "__init__.py").touch()
    return package / "static" / CARRIER


def test_the_installed_files_are_those_that_were_reviewed() -> None:
    assets = load()
    assert set(PINNED) < set(assets.files)
    assert "django" not in sys.modules
    assert CARRIER not in sys.modules


def test_every_file_that_the_page_asks_for_is_there() -> None:
    assets = load()
    page = assets.page.decode()
    wanted = {part.partition('"')[0] for part in page.split(f"graphiql/assets/{assets.version}/")[1:]}
    assert wanted <= set(assets.files)
    assert "{" not in page


@pytest.mark.parametrize("name", sorted(PINNED))
def test_one_other_byte_is_found_and_the_file_is_named(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(AssetChanged, match=name):
        load(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "graphiql.min.js").unlink()
    with pytest.raises(AssetChanged, match=r"graphiql\.min\.js is missing"):
        load(copy)


def test_the_version_in_the_path_follows_the_content(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = load()
    for name in before.files.keys() - PINNED.keys():
        (tmp_path / name).write_bytes(before.files[name])
    (tmp_path / "page.html").write_text("{version}")
    monkeypatch.setattr("resolvers.http.graphiql.assets.OURS", tmp_path)
    assert load().version == before.version
    (tmp_path / "page.js").write_text("other")
    assert load().version != before.version


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_no_server_starts_with_a_changed_file(copy: Path, tmp_path: Path, command: str) -> None:
    (copy / "react.production.min.js").write_text("alert(1)")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    answer = hoc(command, "--port", 0, "--data-dir", tmp_path / "hoc", PYTHONPATH=path)
    assert answer.returncode == 1
    assert "react.production.min.js is not the file that was reviewed" in answer.stderr
    assert "Traceback" not in answer.stderr
