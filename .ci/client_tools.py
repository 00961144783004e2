"""Runs every client tool against a real server: one line a tool; 1 when any of them fails.

Usage: client_tools.py [NAME ...]; all of them by default. Without Node only the Python ones run, and the rest is named.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import schema_diff
from clients import workspace
from clients.catalogue import TOOLS, Runtime, Tool
from clients.server import demo_server

COMMAND_S = 180


def main() -> int:
    """Start the server, install meanwhile, run the tools one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names
    if unknown := set(names) - {tool.name for tool in TOOLS}:
        parser.error(f"no client tool is named {', '.join(sorted(unknown))}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    wanted = [tool for tool in TOOLS if not names or tool.name in names]
    tools = tuple(tool for tool in wanted if tool.runtime is not Runtime.NODE or workspace.has_node())
    for tool in wanted:
        if tool not in tools:
            report("skip", tool, "Node is not installed")
    with demo_server() as server:
        workspace.prepare(tools, released_schema())
        for runtime in {tool.runtime: None for tool in tools}:
            workspace.install(runtime)
        told = server.environment()
        passed = [run(tool, told) for tool in tools]
    print(f"{sum(passed)} of {len(passed)} client tools pass")
    return 0 if all(passed) else 1


def end(number: int, _: object) -> NoReturn:
    """End as by Ctrl-C: the server is stopped first."""
    raise SystemExit(128 + number)


def released_schema() -> str | None:
    """The last release's SDL; None when there is none, or the changelog owns up to a breaking change since."""
    tag = schema_diff.git("describe", "--tags", "--abbrev=0")
    approved = schema_diff.approves_breaking(Path("CHANGELOG.md").read_text("utf-8"))
    return None if not tag or approved else schema_diff.git("show", f"{tag}:{schema_diff.SDL}") or None


def run(tool: Tool, told: dict[str, str]) -> bool:
    """Run a tool's commands until one fails; whether none did. What it printed is shown only when one does."""
    begun = time.monotonic()
    environment = os.environ | told | {"PATH": workspace.path_of(tool.runtime), "NO_COLOR": "1"}
    output = ""
    for command in tool.commands:
        status, output = execute(command, workspace.GENERATED / tool.name, environment)
        if status:
            report("FAIL", tool, f"{command}: exit status {status}", time.monotonic() - begun)
            print(output)
            return False
    report("ok", tool, output.rpartition("\n")[2], time.monotonic() - begun)
    return True


def execute(command: str, directory: Path, environment: dict[str, str]) -> tuple[int, str]:
    """A command's exit status and output; one that takes too long is ended, with the status of `timeout`."""
    shell = ["timeout", f"{COMMAND_S}s", "bash", "-c", command]
    done = subprocess.run(
        shell, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout.strip()


def report(verdict: str, tool: Tool, found: str, seconds: float = 0.0) -> None:
    """One line about a tool."""
    print(f"{verdict:4}  {tool.name:18}{seconds:6.1f} s  {found}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
