"""Executions that take too long are stopped, and nothing of them is left: no task, no statement, no half of a write."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from graphql import get_introspection_query

from resolvers.context import RequestContext
from schema.export import SCHEMA_FILE
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.settings import Settings
from tests.resolvers.limits.conftest import OPEN, AskUnder, codes, schema_under

CONSOLE = (SCHEMA_FILE.parent / "operations" / "console.graphql").read_text("utf-8")
RUNS = "{ runs(first: 1) { nodes { id } } }"
BATCHED = "{ runs(first: 1) { nodes { id signals(first: 1) { nodes { feedback { acknowledged } } } } } }"
CREATE = """mutation { createLimit(input: {name: "slow", limitType: FAILURES, maxValue: "3"}) {
    limit { id } userErrors { code } } }"""
NAMES = "{ limits { nodes { name } } }"
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'hoc_app' AND state <> 'idle'
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The database is more patient than an execution."""
    return Settings(
        data_dir=tmp_path / "hoc",
        key_environment="test",
        source_timeout_ms=60_000,
        statement_timeout_ms=60_000,
        points_per_key=OPEN.points_per_key,
    )


@pytest.fixture
def steady() -> Iterator[None]:
    """No collection of garbage: one over all that a test session holds is longer than a slice."""
    gc.disable()
    yield
    gc.enable()


@asynccontextmanager
async def locked(superuser: dict[str, Any], table: str) -> AsyncIterator[None]:
    """Hold a table so that whoever touches it waits."""
    connection = await asyncpg.connect(**superuser)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def at_work(superuser: dict[str, Any]) -> int:
    """How many of the server's connections are in the middle of something."""
    connection = await asyncpg.connect(**superuser)
    try:
        return int(await connection.fetchval(WAITING))
    finally:
        await connection.close()


async def others() -> set[asyncio.Task[Any]]:
    """Tasks that are left, after a turn for those that are ending."""
    await asyncio.sleep(0.05)
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.usefixtures("governed")
class TestWaiting:
    @pytest.mark.parametrize(("query", "table"), [(RUNS, "runs"), (BATCHED, "signals"), (BATCHED, "audit_ledger")])
    async def test_beyond_the_deadline_is_cut_down_to_the_statement(
        self, ask_under: AskUnder, superuser: dict[str, Any], query: str, table: str
    ) -> None:
        schema = schema_under(deadline_s=0.5)
        async with locked(superuser, table):
            began = time.monotonic()
            answer = await ask_under(schema, query)
            assert 0.4 < time.monotonic() - began < 5
            assert (answer.data, codes(answer)) == (None, ["EXECUTION_TIMEOUT"])
            assert await others() == set()
            assert await at_work(superuser) == 0
        assert codes(await ask_under(schema, query)) == []

    async def test_over_a_stream_is_cut_too(
        self, runtime: Runtime, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        schema = schema_under(deadline_s=0.3)
        async with locked(superuser, "runs"), RequestContext(runtime.registry, principal, "test-request") as context:
            answers = [answer async for answer in await schema.stream(RUNS, context_value=context)]
        assert [codes(answer) for answer in answers] == [["EXECUTION_TIMEOUT"]]
        assert await others() == set()

    async def test_of_a_write_leaves_nothing_of_it(self, ask_under: AskUnder, superuser: dict[str, Any]) -> None:
        before = (await ask_under(schema_under(), NAMES)).data
        async with locked(superuser, "audit_ledger"):  # the limit is written, and its entry waits
            assert codes(await ask_under(schema_under(deadline_s=0.5), CREATE)) == ["EXECUTION_TIMEOUT"]
            assert await at_work(superuser) == 0
        assert (await ask_under(schema_under(), NAMES)).data == before is not None

    async def test_of_a_client_that_is_cancelled_leaves_nothing_running(
        self, ask_under: AskUnder, superuser: dict[str, Any]
    ) -> None:
        async with locked(superuser, "signals"):
            asking = asyncio.ensure_future(ask_under(schema_under(), BATCHED))
            await asyncio.sleep(0.3)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await others() == set()
            assert await at_work(superuser) == 0


@pytest.mark.usefixtures("governed")
class TestWorking:
    async def test_too_long_in_one_go_is_cut(self, ask_under: AskUnder) -> None:
        """All of an introspection is work, and 64 objects of it take some time."""
        schema = schema_under(max_work_ms=0)
        answer = await ask_under(schema, get_introspection_query())
        assert (answer.data, codes(answer)) == (None, ["EXECUTION_TIMEOUT"])
        assert await others() == set()

    async def test_too_long_between_awaits_is_cut_and_nothing_runs_on(self, ask_under: AskUnder) -> None:
        answer = await ask_under(schema_under(max_work_ms=0), CONSOLE, {"first": 50})
        assert (answer.data, codes(answer)) == (None, ["EXECUTION_TIMEOUT"])
        assert await others() == set()

    @pytest.mark.usefixtures("steady")
    async def test_goes_on_in_slices_while_others_have_their_turn(self, ask_under: AskUnder) -> None:
        """Five times a schema's introspection is far more than 100 ms of work; it is never that long in one go."""
        names = "types { name fields { name type { name } args { name type { name } } } }"
        query = "{ " + " ".join(f"a{n}: __schema {{ {names} }}" for n in range(5)) + " }"
        asking = asyncio.ensure_future(ask_under(schema_under(max_work_ms=100), query))
        turns = 0
        while not asking.done():
            await asyncio.sleep(0)
            turns += 1
        sliced = await asking
        assert sliced.errors is None
        assert turns > 5
        assert sliced.data == (await ask_under(schema_under(max_work_ms=60_000), query)).data

    @pytest.mark.usefixtures("steady")
    async def test_on_a_page_is_the_same_in_slices(self, ask_under: AskUnder) -> None:
        whole = await ask_under(schema_under(max_work_ms=60_000), CONSOLE, {"first": 50})
        sliced = await ask_under(schema_under(max_work_ms=50), CONSOLE, {"first": 50})
        assert sliced.errors is None
        assert sliced.extensions["cost"]["actual"] == whole.extensions["cost"]["actual"]
        assert len(sliced.data["runs"]["edges"]) == 50

    async def test_at_a_bomb_ends_at_the_deadline_while_others_are_served(self, ask_under: AskUnder) -> None:
        """The nested query: each signal's run has signals, whose run has signals, and so on, twice at each step."""
        bomb = "id"
        for _ in range(6):
            bomb = "run { " + " ".join(f"{name}: signals(first: 2) {{ nodes {{ {bomb} }} }}" for name in "ab") + " }"
        bomb = f"{{ signals(first: 100) {{ nodes {{ {bomb} }} }} }}"
        schema, other = schema_under(deadline_s=1.0), schema_under()
        began = time.monotonic()
        asking = asyncio.ensure_future(ask_under(schema, bomb))
        served = 0
        while not asking.done():
            assert (await ask_under(other, "{ viewer { tenant } }")).errors is None
            served += 1
        assert codes(await asking) == ["EXECUTION_TIMEOUT"]
        assert time.monotonic() - began < 8
        assert served > 1
        assert await others() == set()
