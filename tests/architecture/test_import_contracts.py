"""Every import contract of pyproject.toml is broken by what is planted against it in a copy of the tree."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import PROJECT

PLANTED = {
    "schema/planted.py": "import spine.services",
    "resolvers/planted.py": "import spine.storage",
    "spine/authority/planted.py": "def decide():\n    import asyncpg",
    "spine/services/planted.py": "import resolvers, schema, spine.storage, graphql",
    "spine/storage/planted.py": "import spine.bootstrap, spine.settings, domains.logs",
    "domains/logs/planted.py": "import domains.activity.tables, spine.storage.base, prometheus_client",
    "domains/logs/engine.py": "import domains.logs.tables",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of the copy."""
    copy = tmp_path_factory.mktemp("copy of the tree")
    shutil.copy(PROJECT / "pyproject.toml", copy)
    for package in ("schema", "resolvers", "spine", "domains"):
        shutil.copytree(PROJECT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, source in PLANTED.items():
        (copy / path).write_text(source, "utf-8")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False).stdout


def contracts() -> list[str]:
    """The names of the contracts."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


@pytest.mark.parametrize("name", contracts())
def test_a_planted_import_breaks_the_contract(name: str, report: str) -> None:
    assert f"{name} BROKEN" in report
