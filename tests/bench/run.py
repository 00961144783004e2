"""One benchmark: the parts that are asked for, each on servers that run beside one another, everything bounded."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack

import uvloop
from msgspec import Struct

from tests.bench.appending import Appended, appending
from tests.bench.console import Compared, check_equal, page_requests, run_requests
from tests.bench.contest import Bout, Outcome, Pace, Report, contest
from tests.bench.counting import Counts, count
from tests.bench.fleet import Fleet
from tests.bench.ingest import Ingested, ingest
from tests.bench.memory import Memory, memory
from tests.bench.offline import Offline, offline
from tests.bench.place import Place, pinned
from tests.bench.serving import BY_HAND, CLIENT_CORE, ONE_STATEMENT, ORDINARY, OURS, Server, serving
from tests.bench.verification import Verification, verification

CONSOLE, SINGLE, GROWTH, VERIFY, BUNDLE, APPEND, INGEST, MEMORY, BESIDE = PARTS = (
    "console",
    "single",
    "growth",
    "verify",
    "bundle",
    "append",
    "ingest",
    "memory",
    "beside",
)
USUAL_PARTS = (CONSOLE, SINGLE, GROWTH, VERIFY, BUNDLE, APPEND, INGEST)
SIZES = (1, 10, 50, 100)
SINGLE_AT_ONCE = (1, 8)
EXPORTERS = (1, 4)
COUNTED = (OURS, BY_HAND, ONE_STATEMENT)


class Plan(Struct, frozen=True):
    """What is measured: `seconds` is the length of each burst, `requests` how many memory is watched over.

    After a burst a server has `settling` seconds for what it does after its answers: the access log, and its leaves.
    """

    fleet: Fleet
    parts: tuple[str, ...] = USUAL_PARTS
    rounds: int = 10
    seconds: float = 0.5
    settling: float = 1.5
    concurrency: tuple[int, ...] = (1, 8)
    first: int = 50
    ingest_seconds: float = 10.0
    requests: int = 100_000
    bundles: int = 20
    leaves: int = 10_000


class Results(Struct, frozen=True):
    """Everything that was measured; a part that was not asked for is empty or None."""

    compared: Compared
    counts: Mapping[str, Counts]
    contests: Mapping[str, Sequence[Outcome]]
    verification: Verification | None = None
    offline: Sequence[Offline] = ()
    appended: Appended | None = None
    ingested: Sequence[Ingested] = ()
    memory: Memory | None = None


class Filled(Struct, frozen=True):
    """A filled database: where, a key of each tenant, and how its server is called."""

    place: Place
    keys: Sequence[str]
    label: str = OURS


def measure(plan: Plan, filled: Filled, report: Report, beside: Filled | None = None) -> Results:
    """Run the plan on a filled database; `beside` is another, whose page's latency is measured in the same rounds."""
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(name, filled.place)) for name in _needed(plan)]
        benchmark = Benchmark(plan, filled, servers, report)
        if beside is not None:
            benchmark.other = stack.enter_context(serving(OURS, beside.place, beside.label)), beside
        with pinned(CLIENT_CORE):
            return uvloop.run(benchmark.run())


def _needed(plan: Plan) -> list[str]:
    """The servers that the plan compares, ours first."""
    names = [OURS, BY_HAND]
    if CONSOLE in plan.parts or GROWTH in plan.parts:
        names.append(ONE_STATEMENT)
    if CONSOLE in plan.parts:
        names.append(ORDINARY)
    return names


class Benchmark:
    """The parts over one set of servers."""

    def __init__(self, plan: Plan, filled: Filled, servers: Sequence[Server], report: Report) -> None:
        self._plan = plan
        self._place, self._keys = filled.place, filled.keys
        self._servers = servers
        self._report = report
        self.other: tuple[Server, Filled] | None = None

    async def run(self) -> Results:
        """Compare all answers, then measure part by part."""
        plan, parts = self._plan, self._plan.parts
        compared = await self._compare()
        contests: dict[str, Sequence[Outcome]] = {}
        measured: dict[str, Callable[[], Awaitable[Sequence[Outcome]]]] = {
            CONSOLE: self._console,
            SINGLE: self._single,
            GROWTH: self._growth,
            BESIDE: self._beside,
        }
        for name, part in measured.items():
            if name in parts:
                contests[name] = await part()
        ours, place = self._servers[0], self._place
        return Results(
            compared=compared,
            counts={name: await count(name, place, self._keys[0], plan.first) for name in COUNTED},
            contests=contests,
            verification=await verification(place, "bench-0", plan.first) if VERIFY in parts else None,
            offline=offline(plan.bundles) if BUNDLE in parts else (),
            appended=await appending(place, plan.leaves) if APPEND in parts else None,
            ingested=[await self._ingest(number) for number in EXPORTERS if INGEST in parts],
            memory=await memory(ours, place, self._keys[0], plan.requests, self._report) if MEMORY in parts else None,
        )

    async def _compare(self) -> Compared:
        """Every page that is measured, and single runs; the answer's figures are of the console's page."""
        sizes = SIZES if GROWTH in self._plan.parts else ()
        for first in sizes:
            await check_equal(self._servers, page_requests(self._servers, self._keys, first))
        pair = self._servers[:2]
        await check_equal(pair, await run_requests(pair, self._keys))
        return await check_equal(self._servers, page_requests(self._servers, self._keys, self._plan.first))

    async def _console(self) -> Sequence[Outcome]:
        requests = page_requests(self._servers, self._keys, self._plan.first)
        bouts = [Bout(f"{number} at once", number, requests) for number in self._plan.concurrency]
        return await self._contest(self._servers, bouts)

    async def _single(self) -> Sequence[Outcome]:
        pair = self._servers[:2]
        requests = await run_requests(pair, self._keys)
        return await self._contest(pair, [Bout(f"{number} at once", number, requests) for number in SINGLE_AT_ONCE])

    async def _growth(self) -> Sequence[Outcome]:
        servers = [server for server in self._servers if server.name != ORDINARY]
        bouts = [Bout(f"first: {size}", 1, page_requests(servers, self._keys, size)) for size in SIZES]
        return await self._contest(servers, bouts)

    async def _beside(self) -> Sequence[Outcome]:
        if self.other is None:
            raise ValueError("there is no other database to measure beside this one")
        server, filled = self.other
        ours = self._servers[0]
        requests = {
            **page_requests([server], filled.keys, self._plan.first),
            **page_requests([ours], self._keys, self._plan.first),
        }
        bouts = [Bout(f"{number} at once", number, requests) for number in self._plan.concurrency]
        return await self._contest([server, ours], bouts)

    async def _contest(self, servers: Sequence[Server], bouts: Sequence[Bout]) -> Sequence[Outcome]:
        pace = Pace(self._plan.rounds, self._plan.seconds, self._plan.settling)
        return await contest(servers, bouts, pace, self._report)

    async def _ingest(self, exporters: int) -> Ingested:
        self._report(f"ingest by {exporters}")
        return await ingest(self._servers[0], self._place, exporters, self._plan.ingest_seconds)
