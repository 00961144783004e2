"""The server that the tools ask: the real demo, on a free port and a data directory of its own."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HOC: Final = Path(sys.executable).with_name("hoc")
START_S: Final = 120.0
STOP_S: Final = 30.0
POLL_S: Final = 0.1
ANNOUNCED: Final = re.compile(r"(http://127\.0\.0\.1:\d+)/.*^key +(\S+)$", re.MULTILINE | re.DOTALL)


class DemoServer:
    """A `hoc demo` that has been started; it serves once it has printed its key."""

    def __init__(self, directory: Path) -> None:
        self.data_dir = directory / "hoc"
        self._printed = directory / "printed"
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        with self._printed.open("w") as output:
            self._process = subprocess.Popen(
                [HOC, "demo", "--port", "0", "--data-dir", self.data_dir],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tools; the server is stopped after them
            )

    def environment(self) -> dict[str, str]:
        """What the tools are told, once the fleet has been played: address, owner's key, and how to make others."""
        deadline = time.monotonic() + START_S
        while (found := ANNOUNCED.search(self.printed)) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the demo server did not start:\n{self.printed}")
            time.sleep(POLL_S)
        return {
            "HOC_URL": found[1],
            "HOC_KEY": found[2],
            "HOC_COMMAND": str(HOC),
            "HOC_DATA_DIR": str(self.data_dir),
        }

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._printed.read_text()

    def stop(self) -> None:
        """Stop it in order, or by force when it takes too long."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise


@contextmanager
def demo_server() -> Iterator[DemoServer]:
    """Start it, and stop it at the end whatever happens; its data goes too."""
    with tempfile.TemporaryDirectory(prefix="hoc-clients-") as directory:
        server = DemoServer(Path(directory))
        try:
            yield server
        finally:
            server.stop()
