"""`make bench`: the API beside hand-written endpoints and an ordinary server, in one interleaved run.

The database is kept: filled once, it is used again, and enlarged when more runs are asked for.
"""

import argparse
import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from resolvers.cli import logs
from spine.storage.embedded import EmbeddedPostgres
from spine.storage.migrate import migrate
from tests.bench.data import fill
from tests.bench.fleet import Fleet
from tests.bench.place import Place
from tests.bench.report import as_json, growth_chart, notes, tables
from tests.bench.run import BESIDE, GROWTH, PARTS, USUAL_PARTS, Filled, Plan, measure

MOST_RUNS = 10_000_000
MOST_ROUNDS = 100
MOST_SECONDS = 30.0
MOST_CONNECTIONS = 64
STORED = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM trace_steps)"


class Asked(Struct, frozen=True):
    """What the command line asks for besides the plan."""

    data_dir: Path
    beside: Path | None
    json: Path | None
    chart: Path | None


def asked_of(arguments: list[str] | None = None) -> tuple[Plan, Asked]:
    """The plan that the command line asks for; exits with a message when it is out of bounds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help=f"runs to store, at most {MOST_RUNS}")
    parser.add_argument("--tenants", type=int, default=10, help="tenants that they are of")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(USUAL_PARTS), help="what to measure")
    parser.add_argument("--rounds", type=int, default=10, help=f"rounds, at most {MOST_ROUNDS}")
    parser.add_argument("--seconds", type=float, default=0.5, help=f"length of a burst, at most {MOST_SECONDS:g}")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8], help="connections at once")
    parser.add_argument("--ingest-seconds", type=float, default=10.0, help="how long exports are sent")
    parser.add_argument("--requests", type=int, default=100_000, help="how many the part `memory` sends")
    parser.add_argument("--data-dir", type=Path, default=Path(".bench"), help="where the database is kept")
    parser.add_argument("--beside", type=Path, help="a larger filled database, for the part `beside`")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--chart", type=Path, help="where to write cost against size, as SVG")
    given = parser.parse_args(arguments)
    if not (1 <= given.tenants <= given.runs <= MOST_RUNS and 1 <= given.rounds <= MOST_ROUNDS):
        parser.error("runs, tenants or rounds are out of bounds")
    if not 0 < given.seconds <= MOST_SECONDS or not all(1 <= one <= MOST_CONNECTIONS for one in given.concurrency):
        parser.error("seconds or concurrency are out of bounds")
    if (given.beside is None) == (BESIDE in given.parts):
        parser.error("--beside names the other database of the part `beside`")
    plan = Plan(
        fleet=Fleet(given.runs, given.tenants),
        parts=tuple(given.parts),
        rounds=given.rounds,
        seconds=given.seconds,
        concurrency=tuple(given.concurrency),
        ingest_seconds=given.ingest_seconds,
        requests=given.requests,
    )
    return plan, Asked(given.data_dir, given.beside, given.json, given.chart)


@contextmanager
def database(data_dir: Path) -> Iterator[Place]:
    """The migrated database of a directory, for the time of the block."""
    with EmbeddedPostgres.start(data_dir / "data") as postgres:
        asyncio.run(migrate(dict(postgres.connection("hoc_owner").asyncpg_arguments())))
        yield Place(
            dict(postgres.connection("hoc_app").asyncpg_arguments()),
            dict(postgres.connection("postgres", "hoc").asyncpg_arguments()),
            data_dir / "pepper",
        )


async def stored(place: Place) -> tuple[int, int]:
    """The runs and steps that there are."""
    connection = await asyncpg.connect(**place.superuser)
    try:
        runs, steps = await connection.fetchrow(STORED)
    finally:
        await connection.close()
    return runs, steps


def main() -> None:
    """Fill, measure, print."""
    logs.configure("warning")
    plan, asked = asked_of()
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress, database(asked.data_dir) as place:
        task = progress.add_task("storing runs", total=plan.fleet.per_tenant() * plan.fleet.tenants)
        keys = fill(place, plan.fleet, lambda runs: progress.advance(task, runs))
        say: Callable[[str], None] = lambda step: progress.update(task, description=step, total=None)  # noqa: E731
        there = asyncio.run(stored(place))
        if asked.beside is None:
            results = measure(plan, Filled(place, keys), say)
        else:
            with database(asked.beside) as larger:
                runs, _ = asyncio.run(stored(larger))
                other = Filled(larger, fill(larger, plan.fleet, lambda _: None), f"ours, {runs} runs")
                results = measure(plan, Filled(place, keys), say, other)
    for one in tables(plan, results):
        console.print(one)
    for note in notes(plan, results, there):
        console.print(note)
    if asked.json is not None:
        asked.json.write_bytes(as_json(plan, results, there))
    if asked.chart is not None and GROWTH in plan.parts:
        asked.chart.write_text(growth_chart(results), encoding="utf-8")


if __name__ == "__main__":
    main()
