"""The real `hoc` in real processes: commands run to their end, servers started, asked and stopped."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx

from resolvers.cli.keys import create_key
from spine.contracts.access import CreateKey
from spine.contracts.enums import Permission, Role
from spine.settings import Settings
from tests.resolvers.http.conftest import PLAIN
from tests.spine.storage.embedded.processes import is_running

HOC = str(Path(sys.executable).with_name("hoc"))
START_SECONDS = 60.0
STOP_SECONDS = 30.0
URL = re.compile(r"http://127\.0\.0\.1:\d+")


def hoc(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [HOC, *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=START_SECONDS, check=False
    )


class Server:
    """A `hoc serve` or `hoc demo` on a port of its own, in a process group of its own; a context manager."""

    def __init__(self, data_dir: Path, *arguments: str, command: str = "serve", **environment: str) -> None:
        self.data_dir = data_dir
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        self._output = data_dir.parent / f"{command}.{time.monotonic_ns()}"
        with self._output.with_suffix(".out").open("w") as out, self._output.with_suffix(".err").open("w") as err:
            self.process = subprocess.Popen(
                [HOC, command, "--port", "0", "--data-dir", str(data_dir), *arguments],
                env={"HOC_DRAIN_S": "0"} | os.environ | environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._output.with_suffix(".out").read_text()

    @property
    def stderr(self) -> str:
        """What it has complained about so far."""
        return self._output.with_suffix(".err").read_text()

    @property
    def url(self) -> str:
        """Its address, once it serves."""
        deadline = time.monotonic() + START_SECONDS
        while not self.stdout.endswith("\n"):
            assert self.process.poll() is None, self.stderr
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.02)
        found = URL.search(self.stdout)
        assert found is not None, self.stdout
        return found[0]

    def new_key(self, *scopes: Permission, role: Role = Role.OWNER, tenant: str = "acme") -> str:
        """Make a key beside it once it serves, as `hoc keys create` does, but without starting a program for it."""
        assert self.url
        wanted = CreateKey(name=f"{role} key", role=role, scopes=scopes)
        making = create_key(Settings(data_dir=self.data_dir), tenant, wanted, lambda _: None)
        with ThreadPoolExecutor(1) as pool:  # the test may have a loop of its own
            return pool.submit(asyncio.run, making).result().key

    def ask(self, key: str, query: str) -> httpx.Response:
        """One GraphQL request."""
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{self.url}/graphql", json={"query": query}, headers=headers, verify=PLAIN, timeout=30)

    def data(self, key: str, query: str) -> Any:
        """The data of a request that succeeds."""
        answer = self.ask(key, query).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def stop(self, number: signal.Signals = signal.SIGTERM, *, group: bool = False) -> int:
        """Send a signal, to the group as a terminal does when asked so, and wait; the exit code."""
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Send kill -9: no handler of any kind runs."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    @property
    def has_database(self) -> bool:
        """Whether any PostgreSQL process of its data directory lives."""
        return is_running(self.data_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()
