"""What the tests of the embedded server do with real processes: hold it from elsewhere, look at it, query it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spine.storage.embedded import PostgresAddress
from spine.storage.embedded.locks import is_free
from spine.storage.embedded.session import run_sql

ROOT = Path(__file__).parents[4]
PATIENCE_SECONDS = 60.0


class Holder:
    """Another process with a hold on a data directory, in a process group of its own."""

    def __init__(
        self,
        data_dir: Path,
        *,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable,),
        pythonpath: Path = ROOT,
        user: int | None = None,
        umask: int = -1,
    ) -> None:
        script = pythonpath / Path(__file__).with_name("holder.py").relative_to(ROOT)
        paths = [str(pythonpath), *filter(None, [os.environ.get("PYTHONPATH")])]
        identity: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        self.process = subprocess.Popen(
            [*command, str(script), str(data_dir)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | dict(environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            text=True,
            start_new_session=True,
            umask=umask,
            **identity,
        )

    def answer(self) -> dict[str, Any]:
        """What it printed first: its hold, or its error."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the holder died without an answer"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tell(self, command: str) -> None:
        """Give a command and wait for its acknowledgement."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline()

    def kill(self) -> None:
        """Send kill -9: no handler of any kind runs."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Let it end by itself, its exit handlers included."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(PATIENCE_SECONDS)


def fetch(address: PostgresAddress, query: str) -> Any:
    """The first column of the first row."""
    return run_sql(address, lambda connection: connection.fetchval(query))


def execute(address: PostgresAddress, script: str) -> None:
    """Run statements."""
    run_sql(address, lambda connection: connection.execute(script))


def postmaster_pid(cluster: Path) -> int:
    """The pid that the live server of the cluster wrote down."""
    return int((cluster / "postmaster.pid").read_text().splitlines()[0])


def is_running(data_dir: Path) -> bool:
    """Whether any PostgreSQL process of that data directory lives."""
    return not is_free(data_dir / "postgres.server.lock")


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.005)
