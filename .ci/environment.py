"""Makes a virtual environment from pinned, hashed requirements, and leaves one alone that is up to date.

Usage: environment.py DIRECTORY REQUIREMENTS [--editable]

Needs only the standard library, because it runs before anything is installed. The stamp holds everything that the
environment was made of, also its own path: an environment that was copied with its checkout is made again.
"""

import argparse
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path("pyproject.toml")


def main() -> int:
    """Bring the environment up to date; 0 when it is, pip's exit status otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("requirements", type=Path)
    parser.add_argument("--editable", action="store_true", help="install this project into it too")
    arguments = parser.parse_args()
    with arguments.requirements.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make demo` and `make test` may be started side by side
        return update(arguments.directory, arguments.requirements, editable=arguments.editable)


def update(directory: Path, requirements: Path, *, editable: bool) -> int:
    """Make what is not there, install what has changed; what runs from the environment meanwhile goes on."""
    wanted = stamp(directory, requirements, editable=editable)
    stamped = directory / "installed.json"
    present = json.loads(stamped.read_text("utf-8")) if stamped.exists() else {}
    if present == wanted:
        return 0
    if any(present.get(key) != wanted[key] for key in ("path", "python")):
        make_empty(directory)
    stamped.unlink(missing_ok=True)
    status = install(directory, requirements, editable=editable)
    if status == 0:
        stamped.write_text(json.dumps(wanted, indent=1), "utf-8")
    return status


def stamp(directory: Path, requirements: Path, *, editable: bool) -> dict[str, object]:
    """Everything that decides what is in the environment."""
    sources = [requirements, PROJECT] if editable else [requirements]
    digests = {str(source): hashlib.sha256(source.read_bytes()).hexdigest() for source in sources}
    return {"path": str(directory.absolute()), "python": sys.version, "sources": digests}


def make_empty(directory: Path) -> None:
    """Start from nothing, also where something half-made or moved is in the way."""
    release = ".".join(map(str, sys.version_info[:3]))
    say(f"Making {directory} with Python {release}")
    shutil.rmtree(directory, ignore_errors=True)
    venv.EnvBuilder(with_pip=True, symlinks=True).create(directory)


def install(directory: Path, requirements: Path, *, editable: bool) -> int:
    """Install the pins, then the project; the build backend is one of the pins, so nothing else is downloaded."""
    total = len(re.findall(r"^\S+==", requirements.read_text("utf-8"), re.MULTILINE))
    status = pip(directory, total, "--require-hashes", "--requirement", str(requirements))
    if status == 0 and editable:
        status = pip(directory, 0, "--no-deps", "--no-build-isolation", "--editable", ".")
    return status


def pip(directory: Path, total: int, *arguments: str) -> int:
    """Run pip install, showing how many of `total` packages it has come to; its own words only when it fails."""
    command = [str(directory / "bin" / "python"), "-m", "pip", "install", "--progress-bar", "off", *arguments]
    output = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            output.append(line)
            if total and line.startswith("Collecting"):
                fetched = sum(earlier.startswith("Collecting") for earlier in output)
                say(f"  fetching package {fetched} of {total}", passing=True)
            elif total and line.startswith("Installing collected packages"):
                say(f"  installing {total} packages")
    if process.returncode:
        say("".join(output))
    return process.returncode


def say(text: str, *, passing: bool = False) -> None:
    """Print a line; a passing one is overwritten by the next, and left out where output is not a terminal."""
    terminal = sys.stderr.isatty()
    if terminal:
        sys.stderr.write(f"\r\x1b[K{text}{'' if passing else chr(10)}")
    elif not passing:
        sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
