"""`make bench`: the console query beside a hand-written endpoint, in one interleaved run on a fresh database."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from spine.storage.embedded import EmbeddedPostgres
from spine.storage.migrate import migrate
from tests.bench.data import fill
from tests.bench.fleet import Fleet
from tests.bench.place import Place
from tests.bench.report import notes, table
from tests.bench.run import Plan, measure

MOST_RUNS = 100_000
MOST_ROUNDS = 100
MOST_SECONDS = 30.0
MOST_CONNECTIONS = 64


def plan_of(arguments: list[str] | None = None) -> Plan:
    """The plan that the command line asks for; exits with a message when it is out of bounds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help=f"runs to store, at most {MOST_RUNS}")
    parser.add_argument("--tenants", type=int, default=10, help="tenants that they are of")
    parser.add_argument("--rounds", type=int, default=5, help=f"rounds, at most {MOST_ROUNDS}")
    parser.add_argument("--seconds", type=float, default=2.0, help=f"length of a burst, at most {MOST_SECONDS:g}")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8], help="connections at once")
    given = parser.parse_args(arguments)
    if not (1 <= given.tenants <= given.runs <= MOST_RUNS and 1 <= given.rounds <= MOST_ROUNDS):
        parser.error("runs, tenants or rounds are out of bounds")
    if not 0 < given.seconds <= MOST_SECONDS or not all(1 <= one <= MOST_CONNECTIONS for one in given.concurrency):
        parser.error("seconds or concurrency are out of bounds")
    return Plan(Fleet(given.runs, given.tenants), given.rounds, given.seconds, tuple(given.concurrency))


def main() -> None:
    """Fill, measure, print."""
    plan = plan_of()
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="hoc-bench-") as directory,
        Progress(console=console, transient=True) as progress,
    ):
        task = progress.add_task("starting PostgreSQL", total=None)
        with EmbeddedPostgres.start(Path(directory) / "data") as postgres:
            asyncio.run(migrate(dict(postgres.connection("hoc_owner").asyncpg_arguments())))
            place = Place(dict(postgres.connection("hoc_app").asyncpg_arguments()), Path(directory) / "pepper")
            progress.update(task, description="storing runs", total=plan.fleet.per_tenant() * plan.fleet.tenants)
            keys = fill(place, plan.fleet, lambda runs: progress.advance(task, runs))
            progress.update(task, total=None)
            results = measure(plan, place, keys, lambda step: progress.update(task, description=step))
    console.print(table(plan, results))
    for note in notes(plan, results):
        console.print(note)


if __name__ == "__main__":
    main()
