"""Servers beside one another: bursts in turn, so that a slow minute of the machine falls on all of them.

Ratios are taken within a round and then their median, because absolute figures of one server vary twofold.
"""

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from tests.bench.console import Requests
from tests.bench.load import Burst, burst
from tests.bench.serving import Server

WARM_SECONDS = 0.5

Report = Callable[[str], None]


class Bout(Struct, frozen=True):
    """What is asked of every server: so many requests at once, each server's own in turn."""

    title: str
    concurrency: int
    requests: Requests


class Pace(Struct, frozen=True):
    """So many rounds of bursts of so many seconds, after each of which a server settles for `settling` seconds."""

    rounds: int
    seconds: float
    settling: float


class Figures(Struct, frozen=True):
    """One server in one bout: the median over the rounds of each figure."""

    p50_ms: float
    p99_ms: float
    per_second: float
    answering_ms: float
    cpu_ms: float
    requests: int


class Ratio(Struct, frozen=True):
    """The first server's figure by another's in the same round: median, least and greatest."""

    median: float
    least: float
    greatest: float


class Outcome(Struct, frozen=True):
    """A bout's figures by server, and the first server's ratios by other server and figure."""

    title: str
    figures: Mapping[str, Figures]
    ratios: Mapping[str, Mapping[str, Ratio]]


MEASURES: Mapping[str, Callable[[Burst], float]] = {
    "p50_ms": lambda one: one.quantile_ms(0.5),
    "p99_ms": lambda one: one.quantile_ms(0.99),
    "per_second": Burst.per_second,
    "answering_ms": Burst.answering_ms,
    "cpu_ms": Burst.cpu_ms,
}


async def contest(servers: Sequence[Server], bouts: Sequence[Bout], pace: Pace, report: Report) -> list[Outcome]:
    """Every bout in every round, the servers in another order each time."""
    seconds, rounds = pace.seconds, pace.rounds
    for server in servers:
        for bout in bouts:
            await burst(server, bout.requests[server.name], bout.concurrency, min(WARM_SECONDS, seconds), pace.settling)
    bursts: dict[tuple[str, str], list[Burst]] = {}
    chance = random.Random(rounds)  # noqa: S311 - an order, not a secret
    for number in range(rounds):
        for bout in bouts:
            for server in chance.sample(servers, len(servers)):
                report(f"round {number + 1} of {rounds}: {server.name}, {bout.title}")
                done = await burst(server, bout.requests[server.name], bout.concurrency, seconds, pace.settling)
                bursts.setdefault((bout.title, server.name), []).append(done)
    names = [server.name for server in servers]
    return [_outcome(bout.title, {name: bursts[bout.title, name] for name in names}) for bout in bouts]


def _outcome(title: str, bursts: Mapping[str, Sequence[Burst]]) -> Outcome:
    first, *others = bursts
    return Outcome(
        title,
        {name: _figures(of_server) for name, of_server in bursts.items()},
        {other: {name: _ratio(bursts[first], bursts[other], of) for name, of in MEASURES.items()} for other in others},
    )


def _figures(bursts: Sequence[Burst]) -> Figures:
    medians = {name: statistics.median(of(one) for one in bursts) for name, of in MEASURES.items()}
    return Figures(**medians, requests=sum(len(one.latencies) for one in bursts))


def _ratio(one: Sequence[Burst], other: Sequence[Burst], of: Callable[[Burst], float]) -> Ratio:
    """By round; NaN where a figure cannot be had (processor time without /proc)."""
    ratios = [of(mine) / of(its) if of(its) else math.nan for mine, its in zip(one, other, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
