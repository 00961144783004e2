"""The sequencer: contiguous indices, checkpoints of committed leaves only, whoever dies in between."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import Permission
from spine.contracts.errors import ErrorCode
from spine.contracts.log import Integrate, SignCheckpoint, TenantsWaiting
from spine.orchestrator.sequencer import BATCH, principal_of
from tests.conftest import Execute, MakeTenant
from tests.spine.orchestrator.logged import (
    a_finished_run,
    assert_whole,
    checkpoints_of,
    integrate,
    leaves_of,
    root_of,
    rows_of,
    settle,
    sign,
    tamper,
)
from tests.spine.orchestrator.reporting import Reporter

LEAVES = """INSERT INTO log_pending SELECT $1, gen_random_uuid(), 'AUDIT', gen_random_uuid(), 1,
    sha256(n::text::bytea), now() FROM generate_series(1, $2::int) n"""


async def queue(superuser: dict[str, Any], tenant: Principal, count: int) -> None:
    connection = await asyncpg.connect(**superuser)
    try:
        await connection.execute(LEAVES, tenant.tenant_id, count)
    finally:
        await connection.close()


@asynccontextmanager
async def head_locked(superuser: dict[str, Any], tenant: Principal) -> AsyncIterator[None]:
    """Another sequencer holds the head for the length of the block."""
    connection = await asyncpg.connect(**superuser)
    try:
        async with connection.transaction():
            query = "SELECT 1 FROM log_heads WHERE tenant_id = $1 FOR UPDATE"
            assert await connection.fetchval(query, tenant.tenant_id) == 1
            yield
    finally:
        await connection.close()


class TestIntegrating:
    async def test_gives_every_waiting_leaf_the_next_index(self, reporter: Reporter, superuser: dict[str, Any]) -> None:
        tenant = reporter.principal
        key = await a_finished_run(reporter)
        done = await integrate(reporter.execute, tenant)
        assert (done.count, done.waiting, done.busy) == (5, 0, False)
        rows = await rows_of(superuser, "SELECT * FROM log_leaves WHERE tenant_id = $1", tenant.tenant_id)
        assert ("SEAL", key, 1) in {(row["kind"], row["subject"], row["version"]) for row in rows}
        assert await assert_whole(superuser, tenant.tenant_id) == 5

    async def test_goes_on_in_batches_and_says_how_many_wait(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await queue(superuser, principal, 6)
        assert (await integrate(execute, principal, 3)).waiting == 4
        assert (await integrate(execute, principal, 3)).waiting == 1
        assert (await integrate(execute, principal, 3)).waiting == 0
        assert (await integrate(execute, principal, 3)).count == 0
        assert len(await leaves_of(superuser, principal.tenant_id)) == 7

    async def test_of_ten_thousand_leaves_writes_fewer_than_ten_thousand_nodes(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await queue(superuser, principal, 10_000)
        batches = 1
        while (await integrate(execute, principal, BATCH)).waiting:
            batches += 1
        assert batches == 11
        nodes = await rows_of(superuser, "SELECT level FROM log_nodes WHERE tenant_id = $1", principal.tenant_id)
        assert len(nodes) < 10_001
        assert (await sign(execute, principal)).tree_size == 10_001
        (checkpoint,) = await checkpoints_of(superuser, principal.tenant_id)
        assert checkpoint.root == root_of(await leaves_of(superuser, principal.tenant_id))

    async def test_leaves_the_work_to_whoever_holds_the_head(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await integrate(execute, principal)
        await queue(superuser, principal, 1)
        async with head_locked(superuser, principal):
            assert (await integrate(execute, principal)).busy
            assert (await sign(execute, principal)).busy
        assert (await integrate(execute, principal)).count == 1

    async def test_by_many_at_once_leaves_no_gap_and_no_fork(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        tenant = reporter.principal
        for _ in range(3):
            await queue(superuser, tenant, 20)
            await asyncio.gather(*(integrate(reporter.execute, tenant, 7) for _ in range(8)))
        while (await integrate(reporter.execute, tenant)).waiting:
            continue
        assert len(await leaves_of(superuser, tenant.tenant_id)) == 61

    async def test_takes_a_permission_that_no_machine_has_by_itself(
        self, execute: Execute, principal: Principal
    ) -> None:
        nobody = principal_of(principal.tenant_id)
        nobody = type(nobody)(nobody.tenant_id, nobody.actor, nobody.role, frozenset({Permission.RUNS_WRITE}), "key")
        for operation, request in (("logs.integrate", Integrate(1)), ("logs.sign_checkpoint", SignCheckpoint())):
            error = (await execute(operation, request, nobody)).error
            assert error is not None
            assert error.code is ErrorCode.FORBIDDEN


class TestSigning:
    async def test_covers_what_is_integrated_and_verifies_with_the_published_key(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        tenant_id = reporter.principal.tenant_id
        await a_finished_run(reporter)
        assert await settle(reporter.execute, reporter.principal) == 5
        (checkpoint,) = await checkpoints_of(superuser, tenant_id)
        assert (checkpoint.origin, checkpoint.size) == (f"hoc-spine/{tenant_id}", 5)
        assert checkpoint.root == root_of(await leaves_of(superuser, tenant_id))

    async def test_of_a_log_that_is_signed_already_does_nothing(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await settle(execute, principal)
        again = await sign(execute, principal)
        assert (again.signed, again.tree_size, again.refusal) == (False, 1, None)
        assert len(await checkpoints_of(superuser, principal.tenant_id)) == 1

    async def test_of_a_log_without_leaves_does_nothing(self, execute: Execute, principal: Principal) -> None:
        assert not (await sign(execute, principal)).signed

    async def test_makes_a_checkpoint_for_each_size_that_was_signed(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        sizes = []
        for _ in range(3):
            await a_finished_run(reporter)
            sizes.append(await settle(reporter.execute, reporter.principal))
        assert [one.size for one in await checkpoints_of(superuser, reporter.principal.tenant_id)] == sizes
        await assert_whole(superuser, reporter.principal.tenant_id)

    async def test_after_a_crash_between_keeping_in_mind_and_committing_signs_the_same_again(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await settle(execute, principal)
        (before,) = await checkpoints_of(superuser, principal.tenant_id)
        tenant = f"tenant_id = '{principal.tenant_id}'"
        await tamper(
            superuser,
            f"DELETE FROM log_checkpoints WHERE {tenant}",
            f"UPDATE log_heads SET signed_size = 0 WHERE {tenant}",
        )
        assert (await sign(execute, principal)).signed
        assert await checkpoints_of(superuser, principal.tenant_id) == [before]


class TestTheTenantsThatWait:
    async def test_are_those_with_leaves_without_index_or_signature(
        self, execute: Execute, make_tenant: MakeTenant
    ) -> None:
        queued, unsigned, settled = [await make_tenant() for _ in range(3)]
        await integrate(execute, unsigned)
        await settle(execute, settled)
        waiting = (await execute("logs.tenants_waiting", TenantsWaiting(), None)).unwrap()
        assert {queued.tenant_id, unsigned.tenant_id} <= set(waiting)
        assert settled.tenant_id not in waiting


async def signed_within(superuser: dict[str, Any], tenant: Principal, size: int, seconds: float) -> float:
    """Wait until a checkpoint covers so many leaves; how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        checkpoints = await checkpoints_of(superuser, tenant.tenant_id)
        if checkpoints and checkpoints[-1].size >= size:
            return time.monotonic() - began
        await asyncio.sleep(0.02)
    raise AssertionError(f"no checkpoint of {size} leaves within {seconds} s")


@pytest.fixture
def quiet(event_loop: asyncio.AbstractEventLoop, superuser: dict[str, Any], principal: Principal) -> None:
    """Nothing waits in the logs of tenants that earlier tests left behind."""
    others = f"tenant_id <> '{principal.tenant_id}'"
    event_loop.run_until_complete(
        tamper(
            superuser,
            f"DELETE FROM log_pending WHERE {others}",
            f"UPDATE log_heads SET signed_size = tree_size WHERE {others}",
        )
    )


@pytest.mark.usefixtures("quiet")
class TestASequencer:
    async def test_has_a_checkpoint_over_a_run_within_two_seconds_of_its_end(
        self, runtime: Runtime, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        runtime.keep_log()
        await a_finished_run(reporter)
        assert await signed_within(superuser, reporter.principal, 5, 2) < 2

    async def test_finds_what_waits_since_before_it_started(
        self, runtime: Runtime, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        await a_finished_run(reporter)
        await integrate(reporter.execute, reporter.principal)
        runtime.keep_log()
        await signed_within(superuser, reporter.principal, 5, 2)

    async def test_comes_back_to_a_head_that_another_one_held(
        self, runtime: Runtime, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        await settle(reporter.execute, reporter.principal)
        runtime.keep_log()
        async with head_locked(superuser, reporter.principal):
            await a_finished_run(reporter)
            await asyncio.sleep(0.6)
        await signed_within(superuser, reporter.principal, 5, 2)

    async def test_that_stops_leaves_the_rest_for_the_next(
        self, runtime: Runtime, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        runtime.keep_log()
        await a_finished_run(reporter)
        await runtime.close()
        assert await assert_whole(superuser, reporter.principal.tenant_id) <= 5
        await runtime.open()
        runtime.keep_log()
        await signed_within(superuser, reporter.principal, 5, 2)
