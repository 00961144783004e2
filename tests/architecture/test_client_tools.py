"""The client tools: each has a project of its own, and npm's packages are pinned as Python's are."""

import json
import re
import runpy
from typing import Any

from tests.architecture.source import PROJECT

CLIENTS = PROJECT / ".ci/clients"
LOCK: dict[str, dict[str, Any]] = json.loads((CLIENTS / "package-lock.json").read_text("utf-8"))["packages"]


def test_every_project_is_run_and_every_tool_has_one() -> None:
    names = [tool.name for tool in runpy.run_path(str(CLIENTS / "catalogue.py"))["TOOLS"]]
    assert sorted(names) == sorted(folder.name for folder in (CLIENTS / "tools").iterdir() if folder.is_dir())


def test_what_is_asked_of_npm_is_an_exact_version() -> None:
    asked = json.loads((CLIENTS / "package.json").read_text("utf-8"))
    versions = asked["devDependencies"].values()
    assert [version for version in versions if not re.fullmatch(r"(npm:\w+@)?\d+\.\d+\.\d+", version)] == []


def test_every_locked_package_has_a_hash_and_none_an_address() -> None:
    locked = {path: entry for path, entry in LOCK.items() if path and not entry.get("inBundle")}
    assert len(locked) > 100
    assert [path for path, entry in locked.items() if not entry.get("integrity", "").startswith("sha512-")] == []
    assert [path for path, entry in LOCK.items() if "resolved" in entry] == []


def test_no_lock_file_is_written_with_addresses() -> None:
    assert "omit-lockfile-registry-resolved=true" in (CLIENTS / ".npmrc").read_text("utf-8").splitlines()
