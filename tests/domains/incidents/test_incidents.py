"""Opening, counting, withdrawing and listing incidents, on PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from domains.incidents import driver
from domains.incidents.engine import for_failure
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import IncidentCategory, IncidentSeverity, IncidentTrigger
from spine.contracts.errors import ErrorCode
from spine.contracts.evidence import IncidentFilter, IncidentsByKey, IncidentSummary, ListIncidents
from spine.contracts.operations import OperationResult
from spine.contracts.paging import Page, PageRequest
from spine.contracts.ports import NewIncident
from spine.contracts.statements import Read
from spine.services.ids import key_of, uuid7
from tests.conftest import Execute

START = datetime(2026, 3, 1, tzinfo=UTC)


def incident(run: UUID, second: int = 0, **changes: Any) -> NewIncident:
    made = for_failure(run, "booker", "STEP_FAILURE", "it broke", START + timedelta(seconds=second))
    return msgspec.structs.replace(made, **changes)


def of_limit(run: UUID, second: int = 0, **changes: Any) -> NewIncident:
    fields = {"trigger_type": IncidentTrigger.LIMIT, "trigger_id": uuid4(), "trigger_name": "budget"}
    return incident(run, second, **fields | changes)


async def opened(runtime: Runtime, principal: Principal, *new: NewIncident) -> int:
    async with runtime.database.write(principal.tenant_id) as session:
        return await session.insert(driver.insert_incidents(new))


async def fetch(runtime: Runtime, principal: Principal, read: Read[Any]) -> list[Any]:
    async with runtime.database.write(principal.tenant_id) as session:
        return await session.fetch(read)


async def listed(
    execute: Execute, principal: Principal, page: PageRequest | None = None, **wanted: Any
) -> OperationResult[Page[IncidentSummary]]:
    request = ListIncidents(page=page or PageRequest(100), filter=IncidentFilter(**wanted), count=True)
    return await execute("incidents.list", request, principal)


class TestOpening:
    async def test_the_same_cause_in_the_same_run_opens_one(self, runtime: Runtime, principal: Principal) -> None:
        run, rule = uuid7(), uuid4()
        assert await opened(runtime, principal, incident(run), of_limit(run, trigger_id=rule)) == 2
        assert await opened(runtime, principal, incident(run), of_limit(run, trigger_id=rule)) == 0
        assert await opened(runtime, principal, of_limit(run)) == 1
        assert await opened(runtime, principal, incident(uuid7())) == 1

    async def test_racers_open_one(self, runtime: Runtime, principal: Principal) -> None:
        run = uuid7()
        counts = await asyncio.gather(*(opened(runtime, principal, incident(run)) for _ in range(5)))
        assert sum(counts) == 1

    async def test_two_tenants_may_have_the_same_cause(
        self, runtime: Runtime, principal: Principal, other: Principal
    ) -> None:
        run = uuid7()
        assert await opened(runtime, principal, incident(run)) == 1
        assert await opened(runtime, other, incident(run)) == 1


class TestForRuns:
    async def test_each_run_has_its_newest_first_with_its_total(self, runtime: Runtime, principal: Principal) -> None:
        runs = [uuid7(), uuid7(), uuid7()]
        new = [of_limit(run, second) for run in runs[:2] for second in range(3)]
        await opened(runtime, principal, *new)
        rows = await fetch(runtime, principal, driver.incidents_for_runs(runs, 2))
        assert [(row.parent, row.total, row.value.key) for row in rows] == [
            (runs[0], 3, new[2].id),
            (runs[0], 3, new[1].id),
            (runs[1], 3, new[5].id),
            (runs[1], 3, new[4].id),
        ]
        first = rows[0].value
        assert key_of(first.id, "Incident") == first.key
        assert (first.source_run_key, first.trigger_name, first.created_at) == (runs[0], "budget", new[2].created_at)
        assert (first.error_code, first.error_message) == ("STEP_FAILURE", "it broke")
        counts = await fetch(runtime, principal, driver.count_for_runs(runs))
        assert dict(counts) == {runs[0]: 3, runs[1]: 3}

    async def test_withdrawn_ones_are_in_no_list_and_no_count(
        self, runtime: Runtime, principal: Principal, execute: Execute
    ) -> None:
        gone, kept = uuid7(), uuid7()
        hidden = incident(gone)
        await opened(runtime, principal, hidden, incident(kept))
        async with runtime.database.write(principal.tenant_id) as session:
            assert await session.fetch(driver.withdraw_incidents([gone])) == [hidden.id]
            assert await session.fetch(driver.withdraw_incidents([gone])) == []
        assert [row.parent for row in await fetch(runtime, principal, driver.incidents_for_runs([gone, kept], 5))] == [
            kept
        ]
        assert await fetch(runtime, principal, driver.count_for_runs([gone, kept])) == [(kept, 1)]
        page = (await listed(execute, principal)).unwrap()
        assert ([one.source_run_key for one in page.nodes], page.total_count) == ([kept], 1)
        assert (await execute("incidents.by_key", IncidentsByKey((hidden.id,)), principal)).unwrap() == {}


class TestList:
    async def test_pages_go_newest_first_also_through_equal_times(
        self, runtime: Runtime, principal: Principal, execute: Execute
    ) -> None:
        new = [of_limit(uuid7(), second // 3) for second in range(7)]
        await opened(runtime, principal, *new)
        seen: list[UUID] = []
        after = None
        for _ in range(4):
            page = (await listed(execute, principal, PageRequest(2, after))).unwrap()
            assert page.total_count == 7
            seen += [one.key for one in page.nodes]
            after = page.cursors[-1]
        assert seen == [one.id for one in new[::-1]]
        assert not page.has_next_page

    async def test_each_filter_narrows_rows_and_count(
        self, runtime: Runtime, principal: Principal, execute: Execute
    ) -> None:
        low = incident(uuid7(), 1, severity=IncidentSeverity.LOW)
        budget = of_limit(uuid7(), 2, category=IncidentCategory.BUDGET_EXCEEDED)
        await opened(runtime, principal, low, budget)
        for wanted, keys in (
            ({}, [budget.id, low.id]),
            ({"severity": (IncidentSeverity.LOW,)}, [low.id]),
            ({"severity": (IncidentSeverity.LOW, IncidentSeverity.HIGH)}, [budget.id, low.id]),
            ({"severity": (IncidentSeverity.CRITICAL,)}, []),
            ({"category": (IncidentCategory.BUDGET_EXCEEDED,)}, [budget.id]),
            ({"trigger_type": (IncidentTrigger.RUN_FAILURE,)}, [low.id]),
            ({"created_after": START + timedelta(seconds=2)}, [budget.id]),
            ({"created_before": START + timedelta(seconds=2)}, [low.id]),
            ({"created_after": START, "created_before": START, "severity": (IncidentSeverity.LOW,)}, []),
        ):
            page = (await listed(execute, principal, **wanted)).unwrap()
            assert [one.key for one in page.nodes] == keys, wanted
            assert page.total_count == len(keys)

    async def test_a_time_beyond_the_ends_of_time_is_refused(self, execute: Execute, principal: Principal) -> None:
        first = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
        last = datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))
        beyond: tuple[dict[str, Any], ...] = ({"created_after": first}, {"created_before": last})
        for wanted in beyond:
            error = (await listed(execute, principal, **wanted)).error
            assert error is not None
            assert error.code is ErrorCode.VALIDATION
        ends: dict[str, Any] = {
            "created_after": datetime.min.replace(tzinfo=UTC),
            "created_before": datetime.max.replace(tzinfo=UTC),
        }
        assert (await listed(execute, principal, **ends)).error is None

    async def test_tenants_stay_apart(
        self, runtime: Runtime, principal: Principal, other: Principal, execute: Execute
    ) -> None:
        theirs = incident(uuid7())
        await opened(runtime, other, theirs)
        assert (await listed(execute, principal)).unwrap().total_count == 0
        keys = IncidentsByKey((theirs.id, uuid4()))
        assert (await execute("incidents.by_key", keys, principal)).unwrap() == {}
        assert list((await execute("incidents.by_key", keys, other)).unwrap()) == [theirs.id]
        assert await fetch(runtime, principal, driver.incidents_for_runs([theirs.run_key], 5)) == []

    @pytest.mark.parametrize("page", [PageRequest(0), PageRequest(101), PageRequest(5, "bad cursor")])
    async def test_a_bad_page_is_refused(self, execute: Execute, principal: Principal, page: PageRequest) -> None:
        error = (await listed(execute, principal, page)).error
        assert error is not None
        assert error.code is ErrorCode.VALIDATION

    async def test_a_time_without_a_zone_is_refused(self, execute: Execute, principal: Principal) -> None:
        error = (await listed(execute, principal, created_after=START.replace(tzinfo=None))).error
        assert error is not None
        assert (error.code, error.field) == (ErrorCode.VALIDATION, "createdAfter")
