"""One benchmark: both servers at once, bursts in turn, everything bounded."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

import uvloop
from msgspec import Struct

from tests.bench.console import Compared, check_equal, console_requests
from tests.bench.counting import Counts, count
from tests.bench.fleet import Fleet
from tests.bench.ingest import spans_per_second
from tests.bench.load import Burst, burst
from tests.bench.place import Place
from tests.bench.serving import BY_HAND, OURS, Server, serving

WARM_SECONDS = 0.5

Report = Callable[[str], None]


class Plan(Struct, frozen=True):
    """What is measured: `seconds` is the length of each burst."""

    fleet: Fleet
    rounds: int = 5
    seconds: float = 2.0
    concurrency: tuple[int, ...] = (1, 8)
    first: int = 50


class Figures(Struct, frozen=True):
    """One server at one concurrency: the median over the rounds of each figure."""

    p50_ms: float
    p99_ms: float
    per_second: float
    cpu_ms: float
    requests: int


class Ratio(Struct, frozen=True):
    """Ours by hand-written in the same round: median, least and greatest."""

    median: float
    least: float
    greatest: float


class Results(Struct, frozen=True):
    """Everything that was measured; figures by concurrency and server, ratios by concurrency and figure."""

    figures: Mapping[tuple[int, str], Figures]
    ratios: Mapping[tuple[int, str], Ratio]
    counts: Mapping[str, Counts]
    compared: Compared
    ingest_per_second: float


MEASURES: Mapping[str, Callable[[Burst], float]] = {
    "p50_ms": lambda one: one.quantile_ms(0.5),
    "p99_ms": lambda one: one.quantile_ms(0.99),
    "per_second": Burst.per_second,
    "cpu_ms": Burst.cpu_ms,
}


def measure(plan: Plan, place: Place, keys: Sequence[str], report: Report) -> Results:
    """Run the plan on a filled database."""
    with serving(OURS, place) as ours, serving(BY_HAND, place) as by_hand:
        return uvloop.run(_measure(plan, place, keys, (ours, by_hand), report))


async def _measure(
    plan: Plan, place: Place, keys: Sequence[str], servers: tuple[Server, Server], report: Report
) -> Results:
    requests = console_requests(keys, plan.first)
    compared = await check_equal(servers, requests)
    counts = {name: await count(name, place, keys[0], plan.first) for name in (OURS, BY_HAND)}
    for server in servers:
        await burst(server, requests, max(plan.concurrency), min(WARM_SECONDS, plan.seconds))
    bursts: dict[tuple[int, str], list[Burst]] = {}
    for number in range(plan.rounds):
        for concurrency in plan.concurrency:
            for server in servers if number % 2 == 0 else reversed(servers):
                report(f"round {number + 1} of {plan.rounds}: {server.name} at concurrency {concurrency}")
                done = await burst(server, requests, concurrency, plan.seconds)
                bursts.setdefault((concurrency, server.name), []).append(done)
    report("ingest")
    return Results(
        figures={asked: _figures(of_server) for asked, of_server in bursts.items()},
        ratios={
            (concurrency, name): _ratio(bursts[concurrency, OURS], bursts[concurrency, BY_HAND], of)
            for concurrency in plan.concurrency
            for name, of in MEASURES.items()
        },
        counts=counts,
        compared=compared,
        ingest_per_second=await spans_per_second(servers[0], place, plan.fleet.steps, plan.seconds),
    )


def _figures(bursts: Sequence[Burst]) -> Figures:
    medians = {name: statistics.median(of(one) for one in bursts) for name, of in MEASURES.items()}
    return Figures(**medians, requests=sum(len(one.latencies) for one in bursts))


def _ratio(ours: Sequence[Burst], by_hand: Sequence[Burst], of: Callable[[Burst], float]) -> Ratio:
    """By round; NaN where a figure cannot be had (processor time without /proc)."""
    ratios = [of(one) / of(other) if of(other) else math.nan for one, other in zip(ours, by_hand, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
