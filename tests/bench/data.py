"""Fill a fresh database with a fleet, through the same operations as everybody: what is stored is sealed and verifies.

Ingest is bound by this machine's processors, so the work is split over processes, some hundred runs a piece.
"""

import asyncio
import multiprocessing
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from spine.authority.rbac import OWNER
from spine.bootstrap import Runtime
from spine.contracts.access import CreateKey, CreateTenant
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, Consequence, LimitType, Role, RuleMode
from spine.contracts.governance import CreateLimit, CreatePolicyRule
from spine.contracts.paging import PageRequest
from spine.contracts.runs import IngestSpans, StartRun
from spine.contracts.signals import ChangeSignal, ListSignals, SuppressSignal
from spine.contracts.spans import SpanBatch
from spine.services.clock import system_clock
from spine.services.ids import tenant_id_of
from spine.settings import Settings
from tests.bench.fleet import FORBIDDEN_TOOL, Fleet, batches
from tests.bench.place import Place

PIECE = 200
BATCH = 10
LIVE_RUNS = 2
POINTS = 10**9
"""A key never runs dry: what is measured is how fast answers are, not how many a key may have."""

RULES = (
    CreatePolicyRule(
        name="no account is deleted",
        condition=f'step.skill_name == "{FORBIDDEN_TOOL}"',
        mode=RuleMode.BLOCK,
        consequence=Consequence.INCIDENT,
    ),
    CreatePolicyRule(name="slow step", condition="step.duration_ms > 1450"),
    CreatePolicyRule(name="many tokens", condition="run.total_tokens > 18000", mode=RuleMode.AUDIT),
    CreatePolicyRule(name="failed steps", condition="run.failed_step_count > 0"),
)
LIMITS = (
    CreateLimit(name="time of a run", limit_type=LimitType.TIME_MS, max_value=Decimal(9000)),
    CreateLimit(
        name="tokens of a run",
        limit_type=LimitType.TOKENS_TOTAL,
        max_value=Decimal(20_000),
        consequence=Consequence.INCIDENT,
    ),
    CreateLimit(name="cost of a run", limit_type=LimitType.COST_USD, max_value=Decimal("0.08")),
)


class Piece(Struct, frozen=True):
    """Some runs of one tenant, to be ingested by one process, the earliest (of the highest number) first."""

    tenant: str
    numbers: range
    steps: int
    newest_ns: int


def fill(place: Place, fleet: Fleet, report: Callable[[int], None]) -> list[str]:
    """Store the fleet and answer one key a tenant; `report` is told how many runs each finished piece had."""
    tenants = [f"bench-{number}" for number in range(fleet.tenants)]
    keys = asyncio.run(_prepare(place, tenants))
    newest_ns = time.time_ns() - 10**9
    each = fleet.per_tenant()
    pieces = [
        Piece(tenant, range(last, max(last - PIECE, -1), -1), fleet.steps, newest_ns)
        for last in range(each - 1, -1, -PIECE)
        for tenant in tenants
    ]
    workers = min(os.cpu_count() or 1, len(pieces))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_ingest_in_process, place, piece) for piece in pieces]):
            report(done.result())
    asyncio.run(_leave_feedback(place, tenants))
    return keys


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


async def new_tenant(runtime: Runtime, tenant: str) -> str:
    """Make a tenant with rules and limits, and answer a key of its."""
    owner = owner_of(tenant)
    (await runtime.registry.execute("account.create_tenant", CreateTenant(tenant), owner)).unwrap()
    for rule in RULES:
        (await runtime.registry.execute("policies.create_rule", rule, owner)).unwrap()
    for limit in LIMITS:
        (await runtime.registry.execute("controls.create_limit", limit, owner)).unwrap()
    made = await runtime.registry.execute("api_keys.create_key", CreateKey(name="bench", role=Role.ADMIN), owner)
    return str(made.unwrap().key)


async def _prepare(place: Place, tenants: list[str]) -> list[str]:
    async with started(place) as runtime:
        return [await new_tenant(runtime, tenant) for tenant in tenants]


def _ingest_in_process(place: Place, piece: Piece) -> int:
    return asyncio.run(_ingest(place, piece))


async def _ingest(place: Place, piece: Piece) -> int:
    owner = owner_of(piece.tenant)
    async with started(place) as runtime:
        for spans in batches(piece.tenant, piece.numbers, piece.steps, piece.newest_ns, BATCH):
            request = IngestSpans(SpanBatch(tuple(spans), ()))
            (await runtime.registry.execute("activity.ingest_spans", request, owner)).unwrap()
    return len(piece.numbers)


async def _leave_feedback(place: Place, tenants: list[str]) -> None:
    """Say something of the newest signals, and start a few runs that stay live."""
    async with started(place) as runtime:
        for tenant in tenants:
            await _start_runs(runtime, owner_of(tenant))
            await _judge_signals(runtime, owner_of(tenant))


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
    listed = await runtime.registry.execute("activity.signals", ListSignals(page=PageRequest(30, None)), owner)
    until = system_clock() + timedelta(days=7)
    for number, signal in enumerate(listed.unwrap().nodes):
        if number % 3 == 0:
            suppress = SuppressSignal(signal_key=signal.key, until=until, reason="known for this release")
            (await runtime.registry.execute("activity.suppress_signal", suppress, owner)).unwrap()
        operation = "activity.escalate_signal" if number % 5 == 0 else "activity.acknowledge_signal"
        (await runtime.registry.execute(operation, ChangeSignal(signal_key=signal.key), owner)).unwrap()
