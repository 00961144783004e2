"""The figures: as tables and notes for people, as JSON for programs, and as a chart."""

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from tests.bench.chart import chart
from tests.bench.contest import Figures, Outcome, Ratio
from tests.bench.run import BESIDE, CONSOLE, GROWTH, SINGLE, SIZES, Plan, Results

COLUMNS = ("p50 ms", "p99 ms", "requests/s", "CPU ms", "settled")
MEASURED = ("p50_ms", "p99_ms", "per_second", "answering_ms", "cpu_ms")
TITLES = {
    CONSOLE: "console query, first: {first}",
    SINGLE: "one run with evidence and proof",
    GROWTH: "console query by its size, one at once",
    BESIDE: "console query, first: {first}, by size of the database",
}


def tables(plan: Plan, results: Results) -> list[Table]:
    """One table a contest: a row a server and bout, below each pair the ratio, its median and range over the rounds."""
    return [_table(TITLES[name].format(first=plan.first), plan, held) for name, held in results.contests.items()]


def _table(title: str, plan: Plan, outcomes: Sequence[Outcome]) -> Table:
    rounds = "1 round" if plan.rounds == 1 else f"median of {plan.rounds} rounds"
    shown = Table(title=f"{title}, {rounds} of {plan.seconds:g} s")
    shown.add_column("", no_wrap=True)
    shown.add_column("server", no_wrap=True, min_width=20)
    for column in COLUMNS:
        shown.add_column(column, justify="right", no_wrap=True)
    for outcome in outcomes:
        first = next(iter(outcome.figures))
        for name, figures in outcome.figures.items():
            shown.add_row(outcome.title, name, *_cells(figures))
        for name, ratios in outcome.ratios.items():
            shown.add_row("", f"{first} / {name}", *(f"{ratios[one].median:.2f}" for one in MEASURED), style="bold")
            shown.add_row("", "  range", *(_range(ratios[one]) for one in MEASURED), style="dim")
        shown.add_section()
    return shown


def notes(plan: Plan, results: Results, stored: tuple[int, int]) -> list[str]:
    """What the tables do not say; `stored` are the runs and steps in the database."""
    verdicts = ", ".join(f"{count} {name}" for name, count in results.compared.verdicts.items())
    sent = "; ".join(
        f"{name} {counts.statements} in {counts.round_trips} round trips" for name, counts in results.counts.items()
    )
    return [
        f"Data: {stored[0]} runs with {stored[1]} steps, {plan.fleet.tenants} tenants.",
        f"All servers answered the same {results.compared.answer_bytes} bytes of JSON (proofs: {verdicts}).",
        f"SQL statements a request, transaction control included: {sent}.",
        *_slopes(results),
        *_verified(results),
        *_offline(results),
        *_appended(results),
        *_ingested(results),
        *_remembered(results),
        "CPU is the server process's alone for one request: until the last answer, and until the server has settled.",
        "What comes after answers (ours: the access log and its leaves) is dearest in short bursts of many tenants.",
        "The servers share one processor, the client has the other, PostgreSQL both.",
        f"{os.cpu_count()} x {_processor()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}.",
    ]


def _slopes(results: Results) -> Iterator[str]:
    for name, points in _growth(results).items():
        (small, low), (large, high) = points[0], points[-1]
        yield f"{name}: {1000 * (high - low) / (large - small):.0f} us of CPU for each further run of the page."


def _verified(results: Results) -> Iterator[str]:
    found = results.verification
    if found is not None:
        yield (
            f"Verification: {found.us_per_run:.0f} us of CPU a run with {found.steps / found.runs:.1f} steps and its "
            f"evidence ({found.us_per_step:.1f} us a step), of which {found.us_per_step_hash:.1f} us a step's hash."
        )


def _offline(results: Results) -> Iterator[str]:
    for found in results.offline:
        yield (
            f"A bundle of {found.steps} steps, {found.way}: {found.median_ms:.0f} ms with start-up, at least "
            f"{found.least_ms:.0f} ms, {found.cpu_ms:.0f} ms of CPU."
        )


def _appended(results: Results) -> Iterator[str]:
    found = results.appended
    if found is not None:
        yield (
            f"Log: {found.leaves} waiting leaves appended and signed in {found.seconds:.2f} s, "
            f"{found.leaves_per_second:.0f} leaves/s; {found.nodes_per_leaf:.3f} node writes a leaf, "
            f"{found.checkpoints} checkpoints."
        )


def _ingested(results: Results) -> Iterator[str]:
    for found in results.ingested:
        yield (
            f"Ingest, {found.exporters} exporters for {found.seconds:.0f} s: {found.spans_per_second:.0f} spans/s, "
            f"{found.p50_ms:.0f} ms an export of ten runs, p99 {found.p99_ms:.0f} ms, {found.cpu_us_per_span:.0f} us "
            f"of CPU a span; {found.copy_ratio:.3f} of a bare COPY's {found.copy_spans_per_second:.0f} spans/s."
        )


def _remembered(results: Results) -> Iterator[str]:
    found = results.memory
    if found is not None:
        sizes = ", ".join(f"{one:.1f}" for one in found.mib)
        yield f"Memory after each tenth of {found.requests} mixed requests: {sizes} MiB, a ratio of {found.ratio:.3f}."


def as_json(plan: Plan, results: Results, stored: tuple[int, int]) -> bytes:
    """Plan, machine and figures."""
    machine = {
        "processors": os.cpu_count(),
        "model": _processor(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load": os.getloadavg(),
    }
    whole = {"plan": plan, "stored": {"runs": stored[0], "steps": stored[1]}, "machine": machine, "results": results}
    return msgspec.json.format(msgspec.json.encode(whole), indent=1)


def growth_chart(results: Results) -> str:
    """Processor time of each server against the number of runs on the page, as SVG."""
    return chart("Server CPU of one console query", "runs on the page", "ms", _growth(results))


def _growth(results: Results) -> dict[str, list[tuple[float, float]]]:
    """By server: the page's size and its CPU in ms, until the last answer."""
    outcomes = results.contests.get(GROWTH, ())
    names = outcomes[0].figures if outcomes else ()
    return {
        name: [(size, outcome.figures[name].answering_ms) for size, outcome in zip(SIZES, outcomes, strict=True)]
        for name in names
    }


def _processor() -> str:
    """What /proc says of the processor's model, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _cells(figures: Figures) -> list[str]:
    return [f"{getattr(figures, name):.1f}" for name in MEASURED]


def _range(ratio: Ratio) -> str:
    return f"{ratio.least:.2f}-{ratio.greatest:.2f}"
