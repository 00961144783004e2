"""Starting PostgreSQL's programs through the launcher, as an account and with an environment of our own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from spine.storage.embedded.account import Account

LAUNCHER = Path(__file__).with_name("launcher.py")
# Nothing of the caller's: a garbage locale makes initdb fail, PG* variables would redirect it.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def run_program(
    argv: Sequence[str], account: Account, *, cwd: Path, keep: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; `keep` are descriptors that it inherits. Never raises for an exit code."""
    return subprocess.run(  # noqa: S603 -- argv is ours
        _command(argv, account, cwd, detach=False),
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=keep,
        text=True,
        errors="replace",
        check=False,
    )


def run_detached(argv: Sequence[str], account: Account, *, cwd: Path, log: int, keep: Sequence[int]) -> None:
    """Start a program in its own session as a child of init, writing to the descriptor `log`; returns at once."""
    subprocess.run(  # noqa: S603 -- argv is ours
        _command(argv, account, cwd, detach=True),
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=keep,
        check=True,
    )


def _command(argv: Sequence[str], account: Account, cwd: Path, *, detach: bool) -> list[str]:
    order = {
        "argv": list(argv),
        "cwd": str(cwd),
        "detach": detach,
        "namespace": account.namespace,
        "drop": account.drop,
    }
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order)]
