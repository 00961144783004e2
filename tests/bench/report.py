"""The figures as a table for people."""

import os

from rich.table import Table

from tests.bench.run import Figures, Plan, Ratio, Results
from tests.bench.serving import BY_HAND, OURS

COLUMNS = ("p50 ms", "p99 ms", "requests/s", "CPU ms")
MEASURED = ("p50_ms", "p99_ms", "per_second", "cpu_ms")


def table(plan: Plan, results: Results) -> Table:
    """One row a server and concurrency; below each pair the ratio, its median and range over the rounds."""
    rounds = "1 round" if plan.rounds == 1 else f"median of {plan.rounds} rounds"
    shown = Table(title=f"console query, first: {plan.first}, {rounds} of {plan.seconds:g} s")
    shown.add_column("at once", justify="right")
    shown.add_column("server", no_wrap=True)
    for column in COLUMNS:
        shown.add_column(column, justify="right", no_wrap=True)
    for concurrency in plan.concurrency:
        for name in (OURS, BY_HAND):
            shown.add_row(str(concurrency), name, *_cells(results.figures[concurrency, name]))
        ratios = [results.ratios[concurrency, name] for name in MEASURED]
        shown.add_row("", "ours / hand-written", *(f"{ratio.median:.2f}" for ratio in ratios), style="bold")
        shown.add_row("", "  least to greatest", *(_range(ratio) for ratio in ratios), style="dim", end_section=True)
    return shown


def notes(plan: Plan, results: Results) -> list[str]:
    """What the table does not say."""
    verdicts = ", ".join(f"{count} {name}" for name, count in results.compared.verdicts.items())
    sent = "; ".join(
        f"{name} {counts.statements} in {counts.round_trips} round trips" for name, counts in results.counts.items()
    )
    asked = sum(figures.requests for figures in results.figures.values())
    processors, load = os.cpu_count(), os.getloadavg()[0]
    return [
        f"Data: {plan.fleet.runs} runs of about {plan.fleet.steps} steps, {plan.fleet.tenants} tenants.",
        f"Both servers answered the same {results.compared.answer_bytes} bytes of JSON (proofs: {verdicts}).",
        f"SQL statements a request, transaction control included: {sent}.",
        f"Ingest: {results.ingest_per_second:.0f} spans/s (one client, ten runs an export, OTLP/JSON, durable).",
        f"CPU is the server process's alone; {asked} requests were measured.",
        f"{processors} processors shared with database and client, load {load:.1f}: only ratios count.",
    ]


def _cells(figures: Figures) -> list[str]:
    return [
        f"{figures.p50_ms:.1f}",
        f"{figures.p99_ms:.1f}",
        f"{figures.per_second:.1f}",
        f"{figures.cpu_ms:.1f}",
    ]


def _range(ratio: Ratio) -> str:
    return f"{ratio.least:.2f}-{ratio.greatest:.2f}"
