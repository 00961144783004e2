"""The unit of work: what commits, what is rolled back, and that every connection comes back whole."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import Integer, Text, Uuid, bindparam, func, insert, select

from domains.account.tables import tenants
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.errors import Conflict, MisuseError, Unavailable
from spine.contracts.statements import InsertRows, Read, Write
from spine.services.clock import system_clock
from spine.storage.embedded import EmbeddedPostgres
from spine.storage.sessions import SourceFailed, Timeouts
from spine.storage.unit_of_work import OPENING, UNREACHABLE, Database, DatabaseSettings

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

TENANT = bindparam("tenant_id", type_=Uuid())
SLUG: Read[str] = Read(select(tenants.c.slug).where(tenants.c.tenant_id == TENANT), {}, lambda row: str(row[0]))
EVERYBODY: Read[UUID] = Read(select(tenants.c.tenant_id), {}, lambda row: row[0])
PLANNING: Read[str] = Read(select(func.current_setting("plan_cache_mode")), {}, lambda row: str(row[0]))
BOUND: Read[str] = Read(select(func.current_setting("app.tenant_id")), {}, lambda row: str(row[0]))


PID: Read[int] = Read(select(func.pg_backend_pid()), {}, lambda row: int(row[0]))


def nap(seconds: int) -> Read[Any]:
    return Read(select(func.pg_sleep(bindparam("seconds", type_=Integer), type_=Text)), {"seconds": seconds}, tuple)


def failing(divisor: int = 0) -> Read[Any]:
    return Read(select(func.div(1, bindparam("divisor", type_=Integer))), {"divisor": divisor}, tuple)


def a_tenant(slug: str) -> InsertRows:
    return InsertRows(tenants, ("slug", "created_at"), [(slug, system_clock())])


@asynccontextmanager
async def opened(arguments: dict[str, Any], **settings: Any) -> AsyncIterator[Database]:
    database = Database(DatabaseSettings(connect=arguments, **settings))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def app(postgres: EmbeddedPostgres, database_name: str) -> dict[str, Any]:
    """How the app role reaches the file's database."""
    return dict(postgres.connection("hoc_app", database_name).asyncpg_arguments())


async def unfinished(superuser: dict[str, Any]) -> int:
    """How many of the app's sessions stand inside a transaction."""
    connection = await asyncpg.connect(**superuser)
    try:
        query = """SELECT count(*) FROM pg_stat_activity WHERE usename = 'hoc_app' AND datname = current_database()
                   AND (state <> 'idle' OR xact_start IS NOT NULL)"""
        count: int = await connection.fetchval(query)
        return count
    finally:
        await connection.close()


class TestWrites:
    async def test_are_committed_when_the_block_ends(self, runtime: Runtime) -> None:
        tenant = uuid4()
        async with runtime.database.write(tenant) as session:
            await session.insert(a_tenant("kept"))
        async with runtime.database.write(tenant) as session:
            assert await session.fetch(SLUG) == ["kept"]

    async def test_are_rolled_back_when_it_raises(self, runtime: Runtime) -> None:
        tenant = uuid4()

        async def fail() -> None:
            async with runtime.database.write(tenant) as session:
                await session.insert(a_tenant("lost"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        async with runtime.database.write(tenant) as session:
            assert await session.fetch(SLUG) == []

    async def test_are_rolled_back_when_they_are_cancelled(self, runtime: Runtime, superuser: dict[str, Any]) -> None:
        tenant = uuid4()

        async def write() -> None:
            async with runtime.database.write(tenant) as session:
                await session.insert(a_tenant("lost"))
                await session.fetch(nap(30))

        task = asyncio.ensure_future(write())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with runtime.database.write(tenant) as session:
            assert await session.fetch(SLUG) == []
        assert await unfinished(superuser) == 0

    async def test_say_conflict_for_a_key_that_exists(self, runtime: Runtime, principal: Principal) -> None:
        values = {"slug": "twice", "created_at": system_clock()}
        with pytest.raises(Conflict):
            async with runtime.database.write(principal.tenant_id) as session:
                await session.execute(Write(insert(tenants), values))

    async def test_have_no_savepoint_to_go_back_to(self, runtime: Runtime, principal: Principal) -> None:
        with pytest.raises(MisuseError):
            async with runtime.database.write(principal.tenant_id) as session:
                await session.recover()

    async def test_of_one_turn_run_one_after_the_other(self, runtime: Runtime, principal: Principal) -> None:
        inside = 0
        most = 0

        async def write(turn: int) -> None:
            nonlocal inside, most
            async with runtime.database.write(principal.tenant_id, turn):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.01)
                inside -= 1

        await asyncio.gather(*(write(-(2**63)) for _ in range(6)))
        assert most == 1
        await asyncio.gather(*(write(turn) for turn in range(6)))
        assert most > 1


class TestReads:
    async def test_begin_with_their_first_statement_and_not_before(self, app: dict[str, Any]) -> None:
        async with opened(app, pool_size=1, acquire_timeout_s=0.2) as database:
            sessions = [database.request() for _ in range(5)]
            async with sessions[0].reading(uuid4()) as session:
                assert await session.fetch(SLUG) == []
            await sessions[0].close()
            for one in sessions:
                await one.close()

    async def test_in_one_request_wait_for_each_other(self, runtime: Runtime, principal: Principal) -> None:
        request = runtime.database.request()

        async def read() -> list[str]:
            async with request.reading(principal.tenant_id) as session:
                return await session.fetch(SLUG)

        answers = await asyncio.gather(*(read() for _ in range(10)))
        assert len({tuple(answer) for answer in answers}) == 1
        await request.close()
        assert (request.statements, request.round_trips) == (3 + 10 + 1, 1 + 10 + 1)

    async def test_go_on_after_a_failed_statement_in_the_same_snapshot(self, runtime: Runtime) -> None:
        tenant = uuid4()
        request = runtime.database.request()
        async with request.reading(tenant) as session:
            assert await session.fetch(SLUG) == []
            async with runtime.database.write(tenant) as other:
                await other.insert(a_tenant("later"))
            with pytest.raises(asyncpg.DivisionByZeroError):
                await session.fetch(failing())
            await session.recover()
            assert await session.fetch(SLUG) == [], "the snapshot is the same"
            assert await session.fetch(BOUND) == [str(tenant)], "and so is the tenant"
        await request.renew()
        async with request.reading(tenant) as session:
            assert await session.fetch(SLUG) == ["later"]
        await request.close()

    async def test_that_take_too_long_end(self, app: dict[str, Any]) -> None:
        async with opened(app, read=Timeouts(statement_ms=50, lock_ms=50)) as database:
            request = database.request()
            async with request.reading(uuid4()) as session:
                with pytest.raises(asyncpg.QueryCanceledError):
                    await session.fetch(nap(10))
                await session.recover()
                assert await session.fetch(SLUG) == []
            await request.close()

    async def test_that_begin_lasting_are_planned_once_and_others_for_their_values(self, app: dict[str, Any]) -> None:
        modes = []
        async with opened(app, pool_size=1) as database:
            for lasting in (False, True, False):
                request = database.request()
                async with request.reading(uuid4(), lasting=lasting) as session:
                    modes += await session.fetch(PLANNING)
                await request.close()
        assert modes == ["auto", "force_generic_plan", "auto"]

    @pytest.mark.parametrize(("keep_s", "expected"), [(60.0, [True, False, False]), (0.0, [True, True, True])])
    async def test_are_planned_anew_now_and_then_for_tables_that_have_grown(
        self, app: dict[str, Any], monkeypatch: pytest.MonkeyPatch, keep_s: float, expected: list[bool]
    ) -> None:
        monkeypatch.setattr("spine.storage.unit_of_work.KEEP_PLANS_S", keep_s)
        sent: list[str] = []

        class Logging(Connection):
            """A connection that keeps what it sends."""

            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **named)
                self.add_query_logger(lambda query: sent.append(query.query))

        async with opened({**app, "connection_class": Logging}, pool_size=1) as database:

            async def discarded() -> bool:
                sent.clear()
                request = database.request()
                async with request.reading(uuid4(), lasting=True) as session:
                    assert await session.fetch(PLANNING) == ["force_generic_plan"]
                await request.close()
                return any("DISCARD PLANS" in text for text in sent)

            assert [await discarded() for _ in expected] == expected

    async def test_are_planned_as_each_operation_needs_also_after_a_failure(self, app: dict[str, Any]) -> None:
        async with opened(app, pool_size=1, read=Timeouts(statement_ms=100, lock_ms=50)) as database:
            request, tenant_id, modes = database.request(), uuid4(), []
            for lasting in (False, True, True, False, True):
                async with request.reading(tenant_id, lasting=lasting) as session:
                    modes += await session.fetch(PLANNING)
            assert modes == ["auto", "force_generic_plan", "force_generic_plan", "auto", "force_generic_plan"]
            assert session.statements == OPENING + 5 + 3
            assert await session.fetch_wave([nap(10)]) == [SourceFailed("57014")]
            async with request.reading(tenant_id, lasting=True) as session:
                assert await session.fetch(PLANNING) == ["force_generic_plan"]
            async with request.reading(tenant_id) as session:
                assert await session.fetch(PLANNING) == ["auto"]
            await request.close()

    async def test_of_a_wave_fail_alone(self, app: dict[str, Any]) -> None:
        async with opened(app, read=Timeouts(statement_ms=100, lock_ms=50)) as database:
            request = database.request()
            async with request.reading(uuid4()) as session:
                answers = await session.fetch_wave([SLUG, nap(10), EVERYBODY])
                assert answers == [[], SourceFailed("57014"), []]
                assert await session.fetch_wave([]) == []
            await request.close()


class TestConnections:
    async def test_that_could_not_begin_are_given_back(self, app: dict[str, Any]) -> None:
        """When the server had died, every request kept a connection of the pool, until none was left."""
        impossible = Timeouts(statement_ms=-1, lock_ms=50)
        async with opened(app, pool_size=2, acquire_timeout_s=0.2, read=impossible) as database:
            for _ in range(5):
                request = database.request()
                with pytest.raises(asyncpg.InvalidParameterValueError):
                    await request.reading(uuid4()).__aenter__()
                await request.close()
            async with database.write(uuid4()) as session:
                assert await session.fetch(SLUG) == []

    async def test_that_were_ended_by_the_server_are_replaced(
        self, app: dict[str, Any], superuser: dict[str, Any]
    ) -> None:
        async with opened(app, pool_size=2, acquire_timeout_s=1) as database:
            killer = await asyncpg.connect(**superuser)
            for _ in range(5):
                request = database.request()
                async with request.reading(uuid4()) as session:
                    pid = (await session.fetch(PID))[0]
                    await killer.execute("SELECT pg_terminate_backend($1, 1000)", pid)
                    with pytest.raises(UNREACHABLE):
                        await session.fetch(SLUG)
                await request.close()
            await killer.close()

    async def test_come_back_clean_whatever_is_cancelled_when(
        self, app: dict[str, Any], superuser: dict[str, Any]
    ) -> None:
        chance = random.Random(7)  # noqa: S311 - moments that can be had again
        async with opened(app, pool_size=3, acquire_timeout_s=2) as database:

            async def work(tenant: UUID) -> None:
                async with database.write(tenant) as session:
                    await session.insert(a_tenant("a"))
                request = database.request()
                try:
                    async with request.reading(tenant) as session:
                        await session.fetch(SLUG)
                finally:
                    await request.close()

            async def interrupted() -> None:
                task = asyncio.ensure_future(work(uuid4()))
                await asyncio.sleep(chance.random() * 0.012)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

            for _ in range(60):
                await asyncio.gather(*(interrupted() for _ in range(5)))
            await asyncio.sleep(0.1)
            assert await unfinished(superuser) == 0
            for _ in range(3):
                async with database.write(uuid4()) as session:
                    assert await session.fetch(EVERYBODY) == []

    async def test_that_come_back_while_the_pool_closes_are_closed_at_once(self, app: dict[str, Any]) -> None:
        """They were forgotten, and closing waited for them in vain until it terminated them."""
        async with opened(app) as database:
            request = database.request()
            async with request.reading(uuid4()) as session:
                await session.fetch(SLUG)
            returning = asyncio.ensure_future(request.close())
            await asyncio.sleep(0)
            assert not returning.done()
            async with asyncio.timeout(4):
                await database.close()
            await returning
            with pytest.raises(Unavailable):
                await database.acquire()

    async def test_none_free_in_time_is_unavailable(self, app: dict[str, Any]) -> None:
        async with opened(app, pool_size=1, acquire_timeout_s=0.1) as database, database.write(uuid4()):
            with pytest.raises(Unavailable):
                async with database.write(uuid4()):
                    pass

    async def test_a_database_that_is_not_there_is_unavailable(self, app: dict[str, Any]) -> None:
        with pytest.raises(Unavailable):
            await Database(DatabaseSettings(connect=app | {"host": "/nowhere"})).open()
        with pytest.raises(Unavailable):
            await Database(DatabaseSettings(connect=app)).acquire()


class TestTenancyOfOneConnection:
    async def test_two_tenants_interleaved_on_one_connection_never_meet(self, app: dict[str, Any]) -> None:
        async with opened(app, pool_size=1) as database:
            tenants_of_test = {name: uuid4() for name in ("a", "b")}
            for name, tenant in tenants_of_test.items():
                async with database.write(tenant) as session:
                    await session.insert(a_tenant(name))

            async def read(name: str) -> None:
                request = database.request()
                async with request.reading(tenants_of_test[name]) as session:
                    assert await session.fetch(EVERYBODY) == [tenants_of_test[name]]
                    await asyncio.sleep(0)
                    assert await session.fetch(SLUG) == [name]
                await request.close()

            async def write(name: str) -> None:
                async with database.write(tenants_of_test[name]) as session:
                    await session.insert(InsertRows(tenants, ("slug", "created_at"), [("x", system_clock())], "skip"))
                    assert await session.fetch(EVERYBODY) == [tenants_of_test[name]]

            await asyncio.gather(*(one(name) for _ in range(10) for one in (read, write) for name in "ab"))

    async def test_nobody_sees_anything(self, app: dict[str, Any]) -> None:
        async with opened(app, pool_size=1) as database:
            async with database.write(uuid4()) as session:
                await session.insert(a_tenant("a"))
            async with database.anonymous() as anonymous:
                assert await anonymous.fetch(EVERYBODY) == []
            connection = await database.acquire()
            assert await connection.fetchval("SELECT count(*) FROM tenants") == 0, "outside a transaction nothing binds"
            await database.release(connection)
