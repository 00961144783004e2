"""Fill a database with a fleet: each tenant's newest runs by the operations that everybody uses, the others as clones.

What is stored is sealed, in its tenant's log, and verifies. Filling is bound by this machine's processors, so the work
is split over processes, some hundred runs a piece; what is there already is left alone, so it can be interrupted and
enlarged.
"""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg

from spine.authority.rbac import OWNER
from spine.bootstrap import Runtime
from spine.contracts.access import CreateKey, CreateTenant
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, Role
from spine.contracts.governance import CreatePolicyRule, ListLimits, ListPolicyRules
from spine.contracts.paging import PageRequest
from spine.contracts.runs import IngestSpans, StartRun
from spine.contracts.signals import ChangeSignal, ListSignals, SuppressSignal
from spine.contracts.spans import SpanBatch
from spine.services.clock import system_clock, to_ns
from spine.services.ids import tenant_id_of
from spine.settings import Settings
from tests.bench.copying import Piece, copy_piece
from tests.bench.fleet import Fleet, batches
from tests.bench.governance import LIMITS, RULES
from tests.bench.logs import integrate_in_process, sign
from tests.bench.place import Place

SAMPLE = 100
"""Runs of each tenant that are ingested, not cloned: more than any page shows."""

PIECE = 500
BATCH = 10
LIVE_RUNS = 2
JUDGED = 100
POINTS = 10**9
"""A key never runs dry: what is measured is how fast answers are, not how many a key may have."""

Report = Callable[[int], None]


def fill(place: Place, fleet: Fleet, report: Report, sample: int = SAMPLE) -> list[str]:
    """Store what is missing of the fleet, and answer a new key of each tenant; `report` hears how many are there.

    `sample` runs of each tenant are ingested; the same number must be given when a fleet is enlarged.
    """
    tenants = [f"bench-{number}" for number in range(fleet.tenants)]
    keys, newest_ns = asyncio.run(_prepare(place, tenants))
    sampled = min(sample, fleet.per_tenant())
    whole = [Piece(tenant, range(sampled - 1, -1, -1), newest_ns) for tenant in tenants]
    rest = [
        Piece(tenant, range(start, min(start + PIECE, fleet.per_tenant())), newest_ns)
        for start in range(sampled, fleet.per_tenant(), PIECE)
        for tenant in tenants
    ]
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        _heard(report, [pool.submit(_sample_in_process, place, piece, fleet.steps) for piece in whole])
        _heard(report, [pool.submit(_copy_in_process, place, piece, sampled) for piece in rest])
        _heard(lambda _: None, [pool.submit(integrate_in_process, place, tenant) for tenant in tenants])
    asyncio.run(_sign(place, tenants))
    asyncio.run(_analyze(place))
    return keys


def _heard(report: Report, pieces: Iterable[Future[int]]) -> None:
    for done in as_completed(list(pieces)):
        report(done.result())


def runtime_of(place: Place) -> Runtime:
    """A runtime on this database."""
    settings = Settings(
        data_dir=place.data_dir, key_environment="bench", points_per_key=POINTS, points_per_second=POINTS
    )
    return Runtime(settings, connect=place.connect)


def owner_of(tenant: str) -> Principal:
    """The tenant's owner, as the command line has it."""
    actor = Actor(ActorKind.HUMAN, "bench", "Benchmark")
    return Principal(tenant_id_of(tenant), actor, Role.OWNER, OWNER, "bench")


@asynccontextmanager
async def started(place: Place) -> AsyncIterator[Runtime]:
    """An open runtime."""
    runtime = runtime_of(place)
    await runtime.open()
    try:
        yield runtime
    finally:
        await runtime.close()


async def new_tenant(runtime: Runtime, tenant: str, rules: Sequence[CreatePolicyRule]) -> str:
    """Make a tenant with rules and limits unless it is there, and answer a new key of its."""
    owner = owner_of(tenant)
    (await runtime.registry.execute("account.create_tenant", CreateTenant(tenant), owner)).unwrap()
    page = PageRequest(100, None)
    rules_there = (await runtime.registry.execute("policies.rules", ListPolicyRules(page=page), owner)).unwrap()
    await _create(runtime, "policies.create_rule", _missing(rules, rules_there.nodes), owner)
    limits_there = (await runtime.registry.execute("controls.limits", ListLimits(page=page), owner)).unwrap()
    await _create(runtime, "controls.create_limit", _missing(LIMITS, limits_there.nodes), owner)
    made = await runtime.registry.execute("api_keys.create_key", CreateKey(name="bench", role=Role.ADMIN), owner)
    return str(made.unwrap().key)


def _missing(wanted: Sequence[Any], there: Sequence[Any]) -> list[Any]:
    names = {one.name for one in there}
    return [one for one in wanted if one.name not in names]


async def _create(runtime: Runtime, operation: str, wanted: Sequence[Any], owner: Principal) -> None:
    for one in wanted:
        (await runtime.registry.execute(operation, one, owner)).unwrap()


async def _prepare(place: Place, tenants: list[str]) -> tuple[list[str], int]:
    """A key of each tenant, and the time of the newest run: when the first tenant was made."""
    async with started(place) as runtime:
        keys = [await new_tenant(runtime, tenant, RULES) for tenant in tenants]
    made = await _superuser_reads(
        place, "SELECT created_at FROM tenants WHERE tenant_id = $1", tenant_id_of(tenants[0])
    )
    return keys, to_ns(made)


async def _sign(place: Place, tenants: list[str]) -> None:
    """A checkpoint of each tenant's log, over all that it has."""
    async with started(place) as runtime:
        for tenant in tenants:
            await sign(runtime, tenant)


def _sample_in_process(place: Place, piece: Piece, steps: int) -> int:
    return asyncio.run(_sample(place, piece, steps))


def _copy_in_process(place: Place, piece: Piece, sampled: int) -> int:
    return asyncio.run(copy_piece(place, piece, sampled))


async def _sample(place: Place, piece: Piece, steps: int) -> int:
    """Ingest the piece, start a few runs that stay live, and say something of the signals; once."""
    owner = owner_of(piece.tenant)
    if await _superuser_reads(place, JUDGED_BEFORE, owner.tenant_id):
        return len(piece.numbers)
    async with started(place) as runtime:
        for spans in batches(piece.tenant, piece.numbers, steps, piece.newest_ns, BATCH):
            request = IngestSpans(SpanBatch(tuple(spans), ()))
            (await runtime.registry.execute("activity.ingest_spans", request, owner)).unwrap()
        await _start_runs(runtime, owner)
        await _judge_signals(runtime, owner)
    return len(piece.numbers)


JUDGED_BEFORE = "SELECT EXISTS (SELECT FROM audit_ledger WHERE tenant_id = $1 AND entity_type = 'SIGNAL')"


async def _superuser_reads(place: Place, statement: str, *arguments: object) -> Any:
    connection = await asyncpg.connect(**place.superuser)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def _start_runs(runtime: Runtime, owner: Principal) -> None:
    for number in range(LIVE_RUNS):
        request = StartRun(
            idempotency_key=f"live-{number}",
            agent_id="live-agent",
            actor=Actor(ActorKind.SERVICE, None, None),
            origin_system_id="bench-fleet",
        )
        (await runtime.registry.execute("activity.start_run", request, owner)).unwrap()


async def _judge_signals(runtime: Runtime, owner: Principal) -> None:
    """Every third signal is suppressed, every fifth escalated, the others are acknowledged."""
    listed = await runtime.registry.execute("activity.signals", ListSignals(page=PageRequest(JUDGED, None)), owner)
    until = system_clock() + timedelta(days=7)
    for number, signal in enumerate(listed.unwrap().nodes):
        if number % 3 == 0:
            suppress = SuppressSignal(signal_key=signal.key, until=until, reason="known for this release")
            (await runtime.registry.execute("activity.suppress_signal", suppress, owner)).unwrap()
        operation = "activity.escalate_signal" if number % 5 == 0 else "activity.acknowledge_signal"
        (await runtime.registry.execute(operation, ChangeSignal(signal_key=signal.key), owner)).unwrap()


async def _analyze(place: Place) -> None:
    """What autovacuum would do in its own time: statistics, and pages known to be visible to all."""
    connection = await asyncpg.connect(**place.superuser)
    try:
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
