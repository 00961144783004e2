"""Feeds on a real database: everything that was committed, once, in order; from now on or since a cursor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from spine.bootstrap import Runtime
from spine.consequences import feed as feed_module
from spine.consequences.channel import KEPT
from spine.contracts.actors import Principal
from spine.contracts.enums import ChangeKind, Topic
from spine.contracts.errors import CursorExpired, FellBehind, ValidationFailed
from spine.contracts.events import Change, Feed, Follow, RunUpdate
from spine.contracts.runs import IngestSpans
from spine.services.ids import uuid7
from spine.settings import Settings
from spine.storage import events as store
from spine.storage.embedded import EmbeddedPostgres
from tests.conftest import Execute
from tests.resolvers.spans import export

WAIT_S = 60.0
Commit = Callable[..., Awaitable[list[UUID]]]


@pytest.fixture
def commit(runtime: Runtime, principal: Principal) -> Commit:
    """Commit so many events in one write."""

    async def write(
        count: int, *, by: Principal = principal, topic: Topic = Topic.RUNS, at: datetime | None = None
    ) -> list[UUID]:
        keys = [uuid7() for _ in range(count)]
        async with runtime.database.write(by.tenant_id) as session:
            changes = [Change(topic, ChangeKind.ADDED, key) for key in keys]
            await store.append(session, changes, at or datetime.now(UTC))
        runtime.hub.committed(by.tenant_id)
        return keys

    return write


@asynccontextmanager
async def following(
    execute: Execute, by: Principal, after: str | None = None, first: int = 100
) -> AsyncIterator[Feed[RunUpdate]]:
    """A feed of runs."""
    async with (await execute("activity.run_updates", Follow(first, after), by)).unwrap() as feed:
        yield feed


async def take(feed: Feed[RunUpdate], count: int) -> list[UUID | None]:
    """The runs of the next events, at least so many."""
    found: list[UUID | None] = []
    async with asyncio.timeout(WAIT_S):
        while len(found) < count:
            found += [one.run_key for one in (await feed.batch()).events]
    return found


class TestAFeed:
    async def test_begins_now_and_says_where(self, execute: Execute, principal: Principal, commit: Commit) -> None:
        await commit(3)
        async with following(execute, principal) as feed:
            start = await feed.batch()
            assert start.events == []
            fresh = await commit(2)
            assert await take(feed, 2) == fresh

    async def test_goes_on_after_a_cursor_without_loss_or_repetition(
        self, execute: Execute, principal: Principal, commit: Commit
    ) -> None:
        async with following(execute, principal) as feed:
            start = (await feed.batch()).cursor
        keys = [key for _ in range(5) for key in await commit(3)]
        async with following(execute, principal, start, first=4) as feed:
            assert (await feed.batch()).events == []
            first = await feed.batch()
            assert [one.run_key for one in first.events] == keys[:4]
        async with following(execute, principal, first.cursor) as feed:
            assert await take(feed, 11) == keys[4:]
        async with following(execute, principal, first.events[1].cursor) as feed:
            assert await take(feed, 13) == keys[2:]

    async def test_holds_the_events_of_its_topic_only(
        self, execute: Execute, principal: Principal, commit: Commit
    ) -> None:
        async with following(execute, principal) as feed:
            await feed.batch()
            await commit(3, topic=Topic.INCIDENTS)
            wanted = await commit(1)
            assert await take(feed, 1) == wanted

    async def test_tells_how_far_it_is_when_only_others_came(
        self, execute: Execute, principal: Principal, commit: Commit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feed_module, "PROGRESS_S", 0.2)
        async with following(execute, principal) as feed:
            start = await feed.batch()
            await commit(3, topic=Topic.INCIDENTS)
            moved = await asyncio.wait_for(feed.batch(), WAIT_S)
            assert (moved.events, moved.cursor == start.cursor) == ([], False)

    async def test_holds_nothing_of_another_tenant(
        self, execute: Execute, principal: Principal, other: Principal, commit: Commit
    ) -> None:
        async with following(execute, principal) as feed:
            await feed.batch()
            await commit(5, by=other)
            mine = await commit(1)
            assert await take(feed, 1) == mine

    async def test_holds_nothing_of_a_write_that_was_rolled_back(
        self, runtime: Runtime, execute: Execute, principal: Principal, commit: Commit
    ) -> None:
        async with following(execute, principal) as feed:
            await feed.batch()
            with pytest.raises(RuntimeError):
                await self.fail(runtime, principal)
            wanted = await commit(1)
            assert await take(feed, 1) == wanted

    async def fail(self, runtime: Runtime, principal: Principal) -> None:
        async with runtime.database.write(principal.tenant_id) as session:
            await store.append(session, [Change(Topic.RUNS, ChangeKind.ADDED, uuid7())], datetime.now(UTC))
            raise RuntimeError

    async def test_misses_nothing_of_writers_that_commit_at_once(
        self, execute: Execute, principal: Principal, commit: Commit
    ) -> None:
        async def writer() -> list[UUID]:
            return [key for _ in range(25) for key in await commit(2)]

        async with following(execute, principal) as feed:
            await feed.batch()
            reading = asyncio.create_task(take(feed, 8 * 50))
            written = await asyncio.gather(*(writer() for _ in range(8)))
            found = await reading
        assert len(found) == len(set(found))
        assert set(found) == {key for keys in written for key in keys}
        for keys in written:
            assert [key for key in found if key in set(keys)] == keys, "each writer's own order is kept"


class TestACursor:
    @pytest.mark.parametrize("cursor", ["", "xx", "WyJldmVudHMiLC0xXQ", "WyJhY3Rpdml0eS5ydW5zIiwxXQ", "\x00", "é" * 9])
    async def test_that_is_none_is_refused(self, execute: Execute, principal: Principal, cursor: str) -> None:
        result = await execute("activity.run_updates", Follow(10, cursor), principal)
        assert isinstance(result.error, ValidationFailed)
        assert result.error.field == "after"

    async def test_that_is_ahead_of_all_events_is_refused(
        self, execute: Execute, principal: Principal, commit: Commit
    ) -> None:
        await commit(3)  # and before them the tenant was made
        result = await execute("activity.run_updates", Follow(10, store.PLACES.cursor(5)), principal)
        assert isinstance(result.error, ValidationFailed)

    @pytest.mark.parametrize("first", [0, -1, 101])
    async def test_a_batch_size_out_of_range_is_refused(
        self, execute: Execute, principal: Principal, first: int
    ) -> None:
        result = await execute("activity.run_updates", Follow(first), principal)
        assert isinstance(result.error, ValidationFailed)

    async def test_whose_events_were_forgotten_has_expired(
        self, runtime: Runtime, execute: Execute, principal: Principal, commit: Commit
    ) -> None:
        old = datetime.now(UTC) - timedelta(hours=200)
        await commit(3, at=old)
        kept = await commit(2)
        async with runtime.database.write(principal.tenant_id) as session:
            await session.execute(store.forget(datetime.now(UTC) - timedelta(hours=72)))  # unless the hub was faster
        expired = await execute("activity.run_updates", Follow(10, store.PLACES.cursor(3)), principal)
        assert isinstance(expired.error, CursorExpired)
        async with following(execute, principal, store.PLACES.cursor(4)) as feed:
            assert await take(feed, 2) == kept

    async def test_old_events_are_forgotten_when_the_tenant_writes(
        self, runtime: Runtime, principal: Principal, commit: Commit, superuser: dict[str, Any]
    ) -> None:
        await commit(3, at=datetime.now(UTC) - timedelta(hours=runtime.settings.event_retention_hours + 1))
        runtime.hub._forgotten.clear()
        await commit(1)
        connection = await asyncpg.connect(**superuser)
        try:
            async with asyncio.timeout(WAIT_S):
                query = "SELECT array_agg(seq ORDER BY seq) FROM events WHERE tenant_id = $1"
                while await connection.fetchval(query, principal.tenant_id) != [1, 5]:  # noqa: ASYNC110 - it is far away
                    await asyncio.sleep(0.05)
        finally:
            await connection.close()


class TestASlowFollower:
    async def test_is_told_to_resume_and_then_loses_nothing(
        self, execute: Execute, principal: Principal, commit: Commit
    ) -> None:
        async with following(execute, principal) as slow, following(execute, principal) as quick:
            start = (await slow.batch()).cursor
            await quick.batch()
            one = await commit(1)
            assert await take(slow, 1) == one
            last = (await commit(1))[0]
            count = 2 * KEPT + 2000
            written = [key for _ in range(count // 1000) for key in await commit(1000)]
            await take(quick, len(written) + 2)
            with pytest.raises(FellBehind):
                await slow.batch()
        async with following(execute, principal, start) as resumed:
            assert await take(resumed, len(written) + 2) == [*one, last, *written]


class TestOtherProcesses:
    @pytest.fixture
    def elsewhere(
        self, event_loop: asyncio.AbstractEventLoop, postgres: EmbeddedPostgres, database_name: str, settings: Settings
    ) -> Any:
        """Another runtime on the same database, as another server process has it."""
        runtime = Runtime(settings, connect=dict(postgres.connection("hoc_app", database_name).asyncpg_arguments()))
        event_loop.run_until_complete(runtime.open())
        yield runtime
        event_loop.run_until_complete(runtime.close())

    async def test_what_another_process_commits_arrives(
        self, elsewhere: Runtime, execute: Execute, principal: Principal
    ) -> None:
        async with following(execute, principal) as feed:
            await feed.batch()
            (await elsewhere.registry.execute("activity.ingest_spans", IngestSpans(export(3)), principal)).unwrap()
            assert len(set(await take(feed, 3))) == 3

    async def test_and_when_the_connection_for_hints_is_lost_too(
        self, runtime: Runtime, elsewhere: Runtime, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        async with following(execute, principal) as feed:
            await feed.batch()
            connection = await asyncpg.connect(**superuser)
            try:
                async with asyncio.timeout(WAIT_S):
                    while not await self.end_listeners(connection):  # noqa: ASYNC110 - it is far away
                        await asyncio.sleep(0.05)
            finally:
                await connection.close()
            (await elsewhere.registry.execute("activity.ingest_spans", IngestSpans(export(3)), principal)).unwrap()
            assert len(set(await take(feed, 3))) == 3
        assert runtime.hub.followers == 0

    async def end_listeners(self, connection: Any) -> int:
        """End every backend of this database that listens; how many there were."""
        query = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE query LIKE 'LISTEN %' AND datname = current_database()"""
        return int(await connection.fetchval(query))


class TestChanges:
    """What operations announce."""

    async def followed(self, execute: Execute, principal: Principal, operation: str) -> list[Any]:
        async with (await execute(operation, Follow(100, store.PLACES.cursor(0)), principal)).unwrap() as feed:
            found: list[Any] = []
            async with asyncio.timeout(WAIT_S):
                await feed.batch()
                found += (await feed.batch()).events
            return found

    async def test_an_export_adds_runs_and_changes_those_it_adds_to(
        self, execute: Execute, principal: Principal
    ) -> None:
        batch = export(1)
        spans = batch.spans
        for part in ((spans[0], spans[2]), (spans[1],), spans):
            request = IngestSpans(type(batch)(tuple(part), ()))
            (await execute("activity.ingest_spans", request, principal)).unwrap()
        found = await self.followed(execute, principal, "activity.run_updates")
        assert [one.kind for one in found] == [ChangeKind.ADDED, ChangeKind.CHANGED]
        assert len({one.run_id for one in found}) == 1

    async def test_a_failed_run_raises_a_signal_and_opens_an_incident(
        self, execute: Execute, principal: Principal
    ) -> None:
        (await execute("activity.ingest_spans", IngestSpans(export(1, failed=True)), principal)).unwrap()
        for operation in ("activity.signal_updates", "incidents.updates"):
            found = await self.followed(execute, principal, operation)
            assert [one.kind for one in found].count(ChangeKind.ADDED) == len(found) >= 1

    async def test_a_refused_operation_is_an_entry_of_the_ledger_and_so_an_event(
        self, execute: Execute, principal: Principal
    ) -> None:
        await execute("no.such_operation", Follow(1), principal)
        found = await self.followed(execute, principal, "logs.audit_updates")
        assert len(found) == 2  # the tenant was made, the operation was refused
