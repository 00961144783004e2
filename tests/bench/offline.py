"""What verifying one bundle costs a reader: whole processes, from their start to their end."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from msgspec import Struct

from tests.spine.services.proof.bundles import make_bundle

STEPS = 200
ENTRY = "from resolvers.cli.entry import main; main()"
NOTHING = ("-c", "pass")
WAYS = {
    "python alone": NOTHING,
    "python -m spine.services.proof.check": ("-m", "spine.services.proof.check"),
    "hoc verify": ("-c", ENTRY, "verify"),
}


class Offline(Struct, frozen=True):
    """Milliseconds of one way to verify a bundle of `steps` steps: elapsed (least, median), and of processor time."""

    way: str
    steps: int
    least_ms: float
    median_ms: float
    cpu_ms: float


def offline(repeated: int) -> list[Offline]:
    """Each way in turn, again and again; RuntimeError when the bundle does not verify."""
    made = make_bundle(steps=STEPS, late=0, evidence=40)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "run.proof"
        file.write_text(made.text)
        given = (str(file), "--vkey", made.tree.signer.vkey)
        measured = [{way: _once((*start, *given)) for way, start in WAYS.items()} for _ in range(repeated)]
    return [_summary(way, [one[way] for one in measured]) for way in WAYS]


def _once(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Milliseconds of one process: elapsed, and of processor time."""
    before, began = _children(), time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    elapsed, spent = time.perf_counter() - began, _children() - before
    if done.returncode != 0:
        raise RuntimeError(f"the bundle does not verify: {done.stderr}")
    return 1000 * elapsed, 1000 * spent


def _children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _summary(way: str, measured: list[tuple[float, float]]) -> Offline:
    elapsed = [one for one, _ in measured]
    spent = statistics.median(one for _, one in measured)
    return Offline(way, STEPS, min(elapsed), statistics.median(elapsed), spent)
