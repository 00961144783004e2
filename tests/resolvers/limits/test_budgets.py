"""A key's points: they drain and come back, one budget for all processes, each key and each tenant for itself."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from resolvers.context import RequestContext
from resolvers.limits.bounds import Bounds
from resolvers.limits.budgets import Budgets
from resolvers.schema import build_schema
from spine.bootstrap import Runtime
from spine.contracts.access import LeasePoints, PointsLeased
from spine.contracts.actors import Principal
from spine.contracts.errors import HocError, RateLimited
from spine.settings import Settings
from tests.conftest import Execute
from tests.resolvers.limits.conftest import AskUnder, codes

SIZE = 1_000
PER_SECOND = 100
BOUNDS = Bounds(max_query_cost=SIZE, points_per_key=SIZE, points_per_second=PER_SECOND)
PAGE = "{ auditEntries(first: 97) { nodes { id actor { kind } } } }"
"""200 points at most; 2 and the entries really."""
VIEWER = "{ viewer { rateLimit { limit cost remaining restoreRate resetAt } } }"


def prices(times: int) -> str:
    """Some 100 points for each time, most of which are used."""
    return "{ " + " ".join(f"a{n}: modelPrices(first: 95) {{ nodes {{ model }} }}" for n in range(times)) + " }"


class Clock:
    """A process's clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A small budget."""
    return Settings(
        data_dir=tmp_path / "hoc",
        key_environment="test",
        max_query_cost=SIZE,
        points_per_key=SIZE,
        points_per_second=PER_SECOND,
    )


async def lease(execute: Execute, principal: Principal, needed: int, wanted: int, returned: int = 0) -> PointsLeased:
    """Lease points as a process does."""
    request = LeasePoints(needed=needed, wanted=wanted, returned=returned)
    leased: PointsLeased = (await execute("api_keys.lease_points", request, principal)).unwrap()
    return leased


@asynccontextmanager
async def connected(superuser: dict[str, Any]) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(**superuser)
    try:
        yield connection
    finally:
        await connection.close()


async def go_back(superuser: dict[str, Any], principal: Principal, seconds: float) -> None:
    """Let a budget have been refilled so long ago."""
    async with connected(superuser) as connection:
        await connection.execute(
            "UPDATE key_budgets SET refilled_at = refilled_at - $1::interval WHERE tenant_id = $2",
            timedelta(seconds=seconds),
            principal.tenant_id,
        )


class TestTheBudget:
    async def test_begins_full_and_drains(self, execute: Execute, principal: Principal) -> None:
        assert await lease(execute, principal, 300, 300) == PointsLeased(300, 700)
        assert (await lease(execute, principal, 1, 10**6)).granted >= 700
        assert (await lease(execute, principal, 50, 50)).granted == 0

    async def test_refills_by_the_databases_time_up_to_its_size(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await lease(execute, principal, SIZE, SIZE)
        await go_back(superuser, principal, 4)
        leased = await lease(execute, principal, 400, 400)
        assert (leased.granted, leased.left < 100) == (400, True)
        await go_back(superuser, principal, 3_600)
        assert await lease(execute, principal, 0, 0) == PointsLeased(0, SIZE)

    async def test_loses_and_gains_nothing_when_the_databases_clock_goes_back(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await lease(execute, principal, 600, 600)
        await go_back(superuser, principal, -3_600)
        assert [await lease(execute, principal, 100, 100) for _ in range(2)] == [
            PointsLeased(100, 300),
            PointsLeased(100, 200),
        ]

    async def test_takes_back_what_was_not_spent_but_never_holds_more_than_its_size(
        self, execute: Execute, principal: Principal
    ) -> None:
        await lease(execute, principal, 500, 500)
        assert (await lease(execute, principal, 0, 0, returned=200)).left >= 700
        assert (await lease(execute, principal, 0, 0, returned=10**6)).left == SIZE

    async def test_grants_part_of_what_is_wanted_but_all_that_is_needed(
        self, execute: Execute, principal: Principal
    ) -> None:
        await lease(execute, principal, 950, 950)
        assert (await lease(execute, principal, 40, 500)).granted in range(50, 60)

    async def test_is_each_keys_and_each_tenants_own(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        await lease(execute, principal, SIZE, SIZE)
        sibling = structs.replace(principal, key_id="another")
        for who in (sibling, other):
            assert await lease(execute, who, 10, 10) == PointsLeased(10, SIZE - 10)

    async def test_grants_no_point_twice_to_many_at_once(self, execute: Execute, principal: Principal) -> None:
        leased = await asyncio.gather(*(lease(execute, principal, 30, 30) for _ in range(60)))
        assert SIZE - 30 < sum(one.granted for one in leased) < SIZE + PER_SECOND

    @pytest.mark.parametrize("wrong", [(-1, 1, 0), (2, 1, 0), (1, 1, -1)])
    async def test_refuses_a_lease_that_makes_no_sense(
        self, execute: Execute, principal: Principal, wrong: tuple[int, int, int]
    ) -> None:
        needed, wanted, returned = wrong
        request = LeasePoints(needed=needed, wanted=wanted, returned=returned)
        result = await execute("api_keys.lease_points", request, principal)
        assert result.error is not None
        assert result.error.code == "VALIDATION"


class TestAKey:
    async def test_drains_is_refused_with_a_hint_and_served_again(self, ask_under: AskUnder) -> None:
        schema = build_schema(BOUNDS)
        expensive = prices(4)
        assert codes(await ask_under(schema, expensive)) == []
        refused = await ask_under(schema, expensive)
        while not codes(refused):
            refused = await ask_under(schema, expensive)
        assert codes(refused) == ["RATE_LIMITED"]
        wait_ms = refused.errors[0].extensions["retryAfterMs"]
        assert 0 < wait_ms <= 4_000
        assert refused.extensions["cost"]["actual"] == 0
        await asyncio.sleep(wait_ms / 1_000)
        assert codes(await ask_under(schema, expensive)) == []

    async def test_sees_how_it_stands(self, ask_under: AskUnder, execute: Execute, principal: Principal) -> None:
        await lease(execute, principal, 900, 900)
        began = datetime.now(UTC)
        shown = (await ask_under(build_schema(BOUNDS), VIEWER)).data["viewer"]["rateLimit"]
        assert (shown["limit"], shown["restoreRate"], shown["cost"]) == (SIZE, PER_SECOND, 3)
        missing = SIZE - shown["remaining"]
        assert 400 < missing < 910
        in_full = timedelta(seconds=missing / PER_SECOND)
        assert began < datetime.fromisoformat(shown["resetAt"]) - in_full < datetime.now(UTC) + timedelta(seconds=0.1)

    async def test_pays_for_what_it_got_and_gets_the_rest_back(self, ask_under: AskUnder) -> None:
        schema = build_schema(BOUNDS)
        cost = (await ask_under(schema, PAGE)).extensions["cost"]
        assert cost["requested"] == 196
        assert cost["actual"] < 20
        assert SIZE - cost["remaining"] <= cost["actual"]

    async def test_of_its_own_is_not_touched_by_another(
        self, ask_under: AskUnder, principal: Principal, other: Principal, execute: Execute
    ) -> None:
        schema = build_schema(BOUNDS)
        await lease(execute, principal, SIZE, SIZE)
        assert codes(await ask_under(schema, PAGE)) == ["RATE_LIMITED"]
        for who in (structs.replace(principal, key_id="another"), other):
            assert codes(await ask_under(schema, PAGE, by=who)) == []

    async def test_is_not_served_when_its_budget_cannot_be_asked_for(
        self, ask_under: AskUnder, runtime: Runtime
    ) -> None:
        await runtime.database.close()
        answer = await ask_under(build_schema(BOUNDS), "{ __typename }")
        assert (answer.data, codes(answer)) == (None, ["UNAVAILABLE"])

    async def test_asks_the_database_at_most_once_a_second(
        self, ask_under: AskUnder, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []
        execute = runtime.registry.execute

        async def counted(name: str, *args: Any, **kwargs: Any) -> Any:
            asked.append(name)
            return await execute(name, *args, **kwargs)

        monkeypatch.setattr(runtime.registry, "execute", counted)
        schema, loop = build_schema(BOUNDS), asyncio.get_running_loop()
        began = loop.time()
        for _ in range(20):
            assert codes(await ask_under(schema, "{ viewer { tenant } }")) == []
        assert asked.count("account.viewer") == 20
        assert asked.count("api_keys.lease_points") <= 1 + math.ceil(loop.time() - began)


class TestProcesses:
    async def test_share_one_budget(self, runtime: Runtime, second: Runtime, principal: Principal) -> None:
        """Two runtimes on one database, each with what a process has of its own."""
        loop = asyncio.get_running_loop()
        processes = ((build_schema(BOUNDS), runtime), (build_schema(BOUNDS), second))
        spent, refused, began = [0, 0], [0, 0], loop.time()
        for turn in range(40):
            schema, served_by = processes[turn % 2]
            async with RequestContext(served_by.registry, principal, "test-request") as context:
                answer: Any = await schema.execute(prices(2), context_value=context)
            spent[turn % 2] += answer.extensions["cost"]["actual"]
            refused[turn % 2] += codes(answer) == ["RATE_LIMITED"]
        assert min(spent) > SIZE / 4
        assert min(refused) > 0
        assert sum(spent) <= SIZE + PER_SECOND * (1 + loop.time() - began)

    async def test_together_overshoot_by_no_more_than_a_seconds_worth(
        self, execute: Execute, principal: Principal
    ) -> None:
        """Each process holds a lease when the budget fills up again; those are over when the rush begins."""
        clock = Clock()
        processes = [Budgets(BOUNDS, clock) for _ in range(8)]

        async def leased(request: LeasePoints) -> PointsLeased:
            return await lease(execute, principal, request.needed, request.wanted, request.returned)

        for budgets in processes:
            await budgets.take(principal, 1, leased)
        began = asyncio.get_running_loop().time()
        clock.now += 1.5
        taken = 0
        for budgets in processes * 60:
            try:
                await budgets.take(principal, 10, leased)
                taken += 10
            except RateLimited:
                continue
        passed = asyncio.get_running_loop().time() - began
        assert SIZE * 0.7 < taken <= SIZE + PER_SECOND * (1 + passed)


class TestAProcess:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def bank(self) -> "Bank":
        return Bank()

    async def test_spends_its_lease_without_asking(self, clock: Clock, bank: "Bank", principal: Principal) -> None:
        budgets = Budgets(BOUNDS, clock)
        for _ in range(10):
            await budgets.take(principal, PER_SECOND // 10, bank)
        assert bank.asked == [(10, PER_SECOND, 0)]
        await budgets.take(principal, 1, bank)
        assert len(bank.asked) == 2

    async def test_gives_back_what_it_did_not_spend_within_a_second(
        self, clock: Clock, bank: "Bank", principal: Principal
    ) -> None:
        budgets = Budgets(BOUNDS, clock)
        await budgets.take(principal, 10, bank)
        clock.now += 1
        await budgets.take(principal, 10, bank)
        assert bank.asked[-1] == (10, PER_SECOND, PER_SECOND - 10)

    async def test_puts_back_into_the_lease_what_a_request_did_not_use(
        self, clock: Clock, bank: "Bank", principal: Principal
    ) -> None:
        budgets = Budgets(BOUNDS, clock)
        charge = await budgets.take(principal, 90, bank)
        charge.settle(5)
        charge.settle(0)  # a second time changes nothing
        await budgets.take(principal, 95, bank)
        assert len(bank.asked) == 1

    async def test_owes_what_a_request_of_an_earlier_lease_did_not_use(
        self, clock: Clock, bank: "Bank", principal: Principal
    ) -> None:
        budgets = Budgets(BOUNDS, clock)
        late = await budgets.take(principal, 100, bank)
        clock.now += 1
        await budgets.take(principal, 100, bank)
        late.settle(40)
        clock.now += 1
        await budgets.take(principal, 1, bank)
        assert bank.asked[-1] == (1, PER_SECOND, 60)

    async def test_refuses_at_once_what_the_budget_cannot_hold_yet(
        self, clock: Clock, bank: "Bank", principal: Principal
    ) -> None:
        budgets = Budgets(BOUNDS, clock)
        bank.left = 50
        with pytest.raises(RateLimited) as refused:
            await budgets.take(principal, 100, bank)
        assert refused.value.retry_after_ms == 500
        clock.now += 0.3
        with pytest.raises(RateLimited) as again:
            await budgets.take(principal, 100, bank)
        assert again.value.retry_after_ms == pytest.approx(200, abs=1)
        assert len(bank.asked) == 1
        clock.now += 0.3
        bank.left = 110
        await budgets.take(principal, 100, bank)

    async def test_takes_turns_for_one_key(self, clock: Clock, bank: "Bank", principal: Principal) -> None:
        budgets = Budgets(BOUNDS, clock)
        await asyncio.gather(*(budgets.take(principal, 10, bank) for _ in range(10)))
        assert len(bank.asked) == 1

    async def test_keeps_its_lease_when_the_database_is_away(
        self, clock: Clock, bank: "Bank", principal: Principal
    ) -> None:
        budgets = Budgets(BOUNDS, clock)
        await budgets.take(principal, 40, bank)
        bank.away = True
        with pytest.raises(HocError):
            await budgets.take(principal, 80, bank)
        await budgets.take(principal, 60, bank)


class Bank:
    """A budget without a database: grants what it is asked for, and remembers what that was."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self.left = SIZE
        self.away = False

    async def __call__(self, request: LeasePoints) -> PointsLeased:
        """Answer a lease, after a turn of the loop."""
        await asyncio.sleep(0)
        if self.away:
            raise HocError("away")
        self.asked.append((request.needed, request.wanted, request.returned))
        self.left = min(SIZE, self.left + request.returned)
        granted = min(request.wanted, self.left) if self.left >= request.needed else 0
        self.left -= granted
        return PointsLeased(granted, self.left)


@pytest.fixture
def second(event_loop: asyncio.AbstractEventLoop, runtime: Runtime, settings: Settings) -> Any:
    """Another runtime on the same database."""
    other = Runtime(settings, connect=runtime._connect)
    event_loop.run_until_complete(other.open(migrating=False))
    yield other
    event_loop.run_until_complete(other.close())
