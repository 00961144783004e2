"""A real `hoc witness serve` in a process of its own, and one that starts faster and dies at a chosen moment.

Run as a program it is the latter: `witnesses.py DIRECTORY VKEY WHEN PORT`.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx
import uvicorn

from resolvers.cli.witness_server import Witness, create_app
from resolvers.cli.witness_state import Checkpoints, cosigner_of
from spine.services.proof.note import Verifier
from spine.services.proof.witness import PATH, Submission
from tests.resolvers.cli.processes import HOC, START_SECONDS, STOP_SECONDS, URL


class WitnessProcess:
    """Witnesses the logs of these vkeys; a context manager."""

    def __init__(self, data_dir: Path, *vkeys: str, command: list[str] | None = None) -> None:
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        given = [part for vkey in vkeys for part in ("--log", vkey)]
        self._output = data_dir.parent / f"witness.{time.monotonic_ns()}"
        with self._output.with_suffix(".out").open("w") as out, self._output.with_suffix(".err").open("w") as err:
            self.process = subprocess.Popen(
                command or [HOC, "witness", "serve", "--port", "0", "--data-dir", str(data_dir), *given],
                cwd=data_dir.parent,
                env=os.environ | {"PYTHONPATH": str(Path.cwd())},
                stdout=out,
                stderr=err,
            )

    @property
    def stdout(self) -> str:
        return self._output.with_suffix(".out").read_text()

    @property
    def stderr(self) -> str:
        return self._output.with_suffix(".err").read_text()

    @property
    def url(self) -> str:
        """Its address, once it says it."""
        deadline = time.monotonic() + START_SECONDS
        while not self.stdout.endswith("\n"):
            assert self.process.poll() is None, self.stderr
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.02)
        found = URL.search(self.stdout)
        assert found is not None, self.stdout
        return found[0]

    @property
    def vkey(self) -> str:
        """What its cosignatures are verified with."""
        assert self.url
        return self.stdout.split()[1]

    def submit(self, submission: Submission | bytes) -> httpx.Response:
        """Send a checkpoint."""
        body = submission if isinstance(submission, bytes) else submission.body()
        return httpx.post(f"{self.url}{PATH}", content=body, timeout=30)

    def kill(self) -> None:
        """Send kill -9."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(STOP_SECONDS)


def dying_witness(data_dir: Path, vkey: str, when: str, port: int = 0) -> WitnessProcess:
    """A witness that kills itself at the first checkpoint, `before` or `after` it has kept it, or `never`."""
    return WitnessProcess(data_dir, command=[sys.executable, __file__, str(data_dir), vkey, when, str(port)])


class DyingCheckpoints(Checkpoints):
    """The real files, in a process that ends while it writes them."""

    when = "before"

    def keep(self, origin: str, note: str) -> None:
        """Keep it or not, and die or not."""
        if self.when != "before":
            super().keep(origin, note)
        if self.when != "never":
            os.kill(os.getpid(), signal.SIGKILL)


def main(data_dir: Path, vkey: str, when: str, port: int) -> None:
    """Serve until that moment."""
    verifier = Verifier.parse(vkey)
    cosigner = cosigner_of(data_dir, None)
    checkpoints = DyingCheckpoints(data_dir / "checkpoints", cosigner.vkey)
    checkpoints.when = when
    listener = socket.create_server(("127.0.0.1", port))
    print(f"Witness {cosigner.vkey} at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    app = create_app(Witness(cosigner, {verifier.name: [verifier]}, checkpoints))
    uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None)).run([listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
