"""What people and verification see of limits that runs reached, on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec

from domains.controls import driver_breaches as driver
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import LimitLevel, LimitType
from spine.contracts.records import BreachRecord
from spine.contracts.statements import Read
from spine.services.ids import key_of, uuid7

START = datetime(2026, 3, 1, tzinfo=UTC)


def hit(run: UUID, index: int, limit: UUID, level: LimitLevel, **changes: Any) -> BreachRecord:
    plain = BreachRecord(
        run_key=run,
        evidence_index=index,
        id=uuid7(),
        limit_id=limit,
        limit_name="budget",
        limit_type=LimitType.COST_USD,
        level=level,
        cleared=False,
        breached_value=900_000,
        threshold_value=1_000_000,
        breached_at=START + timedelta(seconds=index),
        evidence_hash=b"\x02" * 32,
    )
    return msgspec.structs.replace(plain, **changes)


async def append(runtime: Runtime, principal: Principal, *records: BreachRecord) -> None:
    async with runtime.database.write(principal.tenant_id) as session:
        await session.insert(driver.insert_breaches(records))


async def fetch(runtime: Runtime, principal: Principal, read: Read[Any]) -> list[Any]:
    async with runtime.database.write(principal.tenant_id) as session:
        return await session.fetch(read)


class TestForPeople:
    async def test_only_a_limits_latest_state_is_shown_with_the_values_of_its_moment(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        run, limit = uuid7(), uuid4()
        near = hit(run, 0, limit, LimitLevel.NEAR)
        breach = hit(run, 1, limit, LimitLevel.BREACH, breached_value=1_200_000)
        await append(runtime, principal, near, breach)
        [row] = await fetch(runtime, principal, driver.breaches_for_runs([run], 10))
        assert (row.parent, row.total) == (run, 1)
        shown = row.value
        assert key_of(shown.id, "LimitBreach") == breach.id
        assert key_of(shown.limit_id, "Limit") == limit
        assert (shown.level, shown.unit) == (LimitLevel.BREACH, "USD")
        assert (shown.breached_value, shown.threshold_value) == (Decimal("1.2"), Decimal(1))
        assert shown.breached_at == breach.breached_at

    async def test_a_limit_that_is_no_longer_reached_is_left_out_and_not_counted(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        run, gone, kept = uuid7(), uuid4(), uuid4()
        await append(
            runtime,
            principal,
            hit(run, 0, gone, LimitLevel.NEAR),
            hit(run, 1, kept, LimitLevel.NEAR),
            hit(run, 2, gone, LimitLevel.NEAR, cleared=True),
        )
        [row] = await fetch(runtime, principal, driver.breaches_for_runs([run], 10))
        assert (row.total, key_of(row.value.limit_id, "Limit")) == (1, kept)
        latest = await fetch(runtime, principal, driver.latest_breaches([run]))
        assert {(one.limit_id, one.cleared) for one in latest} == {(gone, True), (kept, False)}

    async def test_a_limit_reached_again_is_shown_again(self, runtime: Runtime, principal: Principal) -> None:
        run, limit = uuid7(), uuid4()
        states = [False, True, False]
        await append(
            runtime, principal, *(hit(run, n, limit, LimitLevel.NEAR, cleared=one) for n, one in enumerate(states))
        )
        assert len(await fetch(runtime, principal, driver.breaches_for_runs([run], 10))) == 1

    async def test_each_run_has_its_own_first_rows_newest_first(self, runtime: Runtime, principal: Principal) -> None:
        runs = [uuid7(), uuid7()]
        limits = [uuid4() for _ in range(3)]
        for run in runs:
            await append(runtime, principal, *(hit(run, n, one, LimitLevel.NEAR) for n, one in enumerate(limits)))
        rows = await fetch(runtime, principal, driver.breaches_for_runs(runs, 2))
        assert [(row.parent, row.total, key_of(row.value.limit_id, "Limit")) for row in rows] == [
            (run, 3, limit) for run in runs for limit in (limits[2], limits[1])
        ]

    async def test_another_tenants_rows_are_not_there(
        self, runtime: Runtime, principal: Principal, other: Principal
    ) -> None:
        run = uuid7()
        await append(runtime, other, hit(run, 0, uuid4(), LimitLevel.BREACH))
        for read in (
            driver.breaches_for_runs([run], 9),
            driver.breach_records([run], 9),
            driver.latest_breaches([run]),
        ):
            assert await fetch(runtime, principal, read) == []


class TestRecords:
    async def test_records_come_back_exactly_in_the_order_of_the_chain(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        run = uuid7()
        records = [hit(run, n, uuid4(), LimitLevel.BREACH, breached_value=2**63 - 1) for n in range(3)]
        await append(runtime, principal, *records[::-1])
        assert await fetch(runtime, principal, driver.breach_records([run], 10)) == records
        assert await fetch(runtime, principal, driver.breach_records([run], 1)) == records[:1]

    async def test_the_fields_of_a_record_are_the_columns_that_are_written(self) -> None:
        insert = driver.insert_breaches([])
        assert insert.columns == ("run_id", *BreachRecord.__struct_fields__[1:])
        assert {*insert.columns, "tenant_id"} == {column.name for column in insert.table.c}
