"""Where the tools run: a fresh copy of each one's project beside the schema, and what they are installed into."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from clients.catalogue import Runtime, Tool

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
SOURCES: Final = HERE / "tools"
GENERATED: Final = HERE / "generated"  # below node_modules' parent, where Node looks for packages
NODE_MODULES: Final = HERE / "node_modules"
VENVS: Final = ROOT / ".venv-clients"


def prepare(tools: tuple[Tool, ...], released: str | None) -> None:
    """Copy the tools' projects anew; each gets the schema as a user's project would have it."""
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir()
    for shared in SOURCES.glob("*.mjs"):
        shutil.copy(shared, GENERATED)
    for tool in tools:
        project = shutil.copytree(SOURCES / tool.name, GENERATED / tool.name)
        shutil.copytree(ROOT / "schema/operations", project / "schema/operations")
        shutil.copy(ROOT / "schema/schema.graphql", project / "schema")
        if released is not None:
            (project / "schema/released.graphql").write_text(released, "utf-8")


def install(runtime: Runtime) -> None:
    """Install a runtime's packages, or leave them alone when they are those of the lock file."""
    if runtime is Runtime.NODE:
        install_node_modules()
        return
    constraints = HERE / f"constraints-{runtime}.txt"
    script = ROOT / ".ci/environment.py"
    subprocess.run([sys.executable, script, VENVS / runtime, constraints], cwd=ROOT, check=True)


def install_node_modules() -> None:
    """Run npm ci, with no package's scripts: none of the tools needs any."""
    stamp = NODE_MODULES / ".hoc-stamp"
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    sys.stderr.write("Installing the client tools of package-lock.json\n")
    command = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--loglevel=error"]
    subprocess.run(command, cwd=HERE, stdout=subprocess.DEVNULL, check=True)
    stamp.write_text(wanted, "utf-8")


def has_node() -> bool:
    """Whether the tools that need Node can be run."""
    return shutil.which("node") is not None and shutil.which("npm") is not None


def path_of(runtime: Runtime) -> str:
    """The PATH on which a runtime's commands are found first."""
    first = NODE_MODULES / ".bin" if runtime is Runtime.NODE else VENVS / runtime / "bin"
    return f"{first}{os.pathsep}{os.environ['PATH']}"
