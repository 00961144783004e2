"""The operations on limits, through the registry, on PostgreSQL."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
import orjson
import pytest

from domains.controls import driver
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import Consequence, LimitStatus, LimitType, Permission, Role, Scope
from spine.contracts.errors import ErrorCode
from spine.contracts.governance import (
    CreateLimit,
    DisableLimit,
    LimitsByKey,
    LimitSummary,
    ListLimits,
    ListPolicyRules,
    UpdateLimit,
)
from spine.contracts.operations import OperationResult
from spine.contracts.paging import Page, PageRequest
from tests.conftest import Execute
from tests.domains.ledger import ledger_of

TOKENS = CreateLimit(name="tokens", limit_type=LimitType.TOKENS_TOTAL, max_value=Decimal(1000))


async def create(execute: Execute, principal: Principal, **fields: Any) -> UUID:
    made = await execute("controls.create_limit", msgspec.structs.replace(TOKENS, **fields), principal)
    key: UUID = made.unwrap().limit_key
    return key


async def read(execute: Execute, principal: Principal, key: UUID) -> LimitSummary | None:
    limits: dict[UUID, LimitSummary] = (
        await execute("controls.limits_by_key", LimitsByKey((key,)), principal)
    ).unwrap()
    return limits.get(key)


async def listed(execute: Execute, principal: Principal, **fields: Any) -> OperationResult[Page[LimitSummary]]:
    return await execute("controls.limits", ListLimits(**{"page": PageRequest(100)} | fields), principal)


def code_of(result: OperationResult[Any]) -> ErrorCode | None:
    return None if result.error is None else result.error.code


class TestCreate:
    @pytest.mark.parametrize(
        ("limit_type", "value", "unit"),
        [
            (LimitType.TIME_MS, "60000", "ms"),
            (LimitType.TOKENS_TOTAL, "8192", "tokens"),
            (LimitType.COST_USD, "0.250001", "USD"),
            (LimitType.FAILURES, "3", "failures"),
        ],
    )
    async def test_a_limit_is_read_as_it_was_set(
        self, execute: Execute, principal: Principal, limit_type: LimitType, value: str, unit: str
    ) -> None:
        fields = {"scope": Scope.PROJECT, "scope_id": "flights", "consequence": Consequence.ABORT}
        key = await create(execute, principal, limit_type=limit_type, max_value=Decimal(value), **fields)
        limit = await read(execute, principal, key)
        assert limit is not None
        assert (limit.limit_type, limit.max_value, limit.unit) == (limit_type, Decimal(value), unit)
        assert (limit.scope, limit.scope_id, limit.consequence) == (Scope.PROJECT, "flights", Consequence.ABORT)
        assert (limit.status, limit.created_by) == (LimitStatus.ACTIVE, principal.actor)
        assert limit.created_at == limit.updated_at

    async def test_the_ledger_tells_the_value_in_its_unit(
        self, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        await create(execute, principal, limit_type=LimitType.COST_USD, max_value=Decimal("0.5"))
        entry = (await ledger_of(runtime, principal))[-1]
        assert (entry.event_type, entry.before_state) == ("LimitCreated", None)
        after = orjson.loads(entry.after_state or "")
        assert (after["max_value"], after["unit"]) == ("0.500000", "USD")

    @pytest.mark.parametrize("value", ["0", "-1"])
    async def test_bi_ctrl_001_refuses_what_is_not_positive(
        self, execute: Execute, principal: Principal, value: str
    ) -> None:
        request = msgspec.structs.replace(TOKENS, max_value=Decimal(value))
        result = await execute("controls.create_limit", request, principal)
        assert code_of(result) is ErrorCode.INVARIANT_VIOLATION
        assert "BI-CTRL-001" in str(result.error)

    @pytest.mark.parametrize(
        "fields",
        [
            {"max_value": Decimal("1.5")},
            {"max_value": Decimal(2**63)},
            {"max_value": Decimal("1e400000000")},
            {"max_value": Decimal("NaN")},
            {"limit_type": LimitType.COST_USD, "max_value": Decimal("0.0000001")},
            {"name": ""},
            {"name": "a\0"},
            {"scope": Scope.AGENT},
            {"scope_id": "x"},
        ],
    )
    async def test_what_is_malformed_is_refused(
        self, execute: Execute, principal: Principal, fields: dict[str, Any]
    ) -> None:
        result = await execute("controls.create_limit", msgspec.structs.replace(TOKENS, **fields), principal)
        assert code_of(result) is ErrorCode.VALIDATION
        assert (await listed(execute, principal)).unwrap().nodes == []

    async def test_the_largest_value_is_kept_exactly(self, execute: Execute, principal: Principal) -> None:
        limit = await read(execute, principal, await create(execute, principal, max_value=Decimal(2**63 - 1)))
        assert limit is not None
        assert limit.max_value == 2**63 - 1

    async def test_a_viewer_may_not_set_one(self, execute: Execute, principal: Principal) -> None:
        viewer = msgspec.structs.replace(principal, role=Role.VIEWER, permissions=frozenset({Permission.POLICIES_READ}))
        assert code_of(await execute("controls.create_limit", TOKENS, viewer)) is ErrorCode.FORBIDDEN


class TestUpdate:
    async def test_absent_fields_stay(self, execute: Execute, principal: Principal, runtime: Runtime) -> None:
        key = await create(execute, principal, limit_type=LimitType.COST_USD, max_value=Decimal("0.123456"))
        request = UpdateLimit(limit_key=key, name="budget")
        (await execute("controls.update_limit", request, principal)).unwrap()
        limit = await read(execute, principal, key)
        assert limit is not None
        assert (limit.name, limit.max_value) == ("budget", Decimal("0.123456"))
        assert limit.updated_at > limit.created_at
        entry = (await ledger_of(runtime, principal))[-1]
        assert entry.event_type == "LimitUpdated"
        assert orjson.loads(entry.before_state or "")["name"] == "tokens"
        assert orjson.loads(entry.after_state or "")["name"] == "budget"

    async def test_a_value_must_suit_the_limits_own_type(self, execute: Execute, principal: Principal) -> None:
        key = await create(execute, principal)
        for value, code in (
            ("1.5", ErrorCode.VALIDATION),
            ("NaN", ErrorCode.VALIDATION),
            ("Infinity", ErrorCode.VALIDATION),
            ("0", ErrorCode.INVARIANT_VIOLATION),
        ):
            request = UpdateLimit(limit_key=key, max_value=Decimal(value))
            assert code_of(await execute("controls.update_limit", request, principal)) is code
        request = UpdateLimit(limit_key=key, max_value=Decimal(10**15))
        (await execute("controls.update_limit", request, principal)).unwrap()

    async def test_racers_lose_nothing_of_each_other(self, execute: Execute, principal: Principal) -> None:
        key = await create(execute, principal)
        changes = (
            UpdateLimit(limit_key=key, name="renamed"),
            UpdateLimit(limit_key=key, max_value=Decimal(7)),
            UpdateLimit(limit_key=key, consequence=Consequence.ABORT),
        )
        for result in await asyncio.gather(*(execute("controls.update_limit", one, principal) for one in changes)):
            result.unwrap()
        limit = await read(execute, principal, key)
        assert limit is not None
        assert (limit.name, limit.max_value, limit.consequence) == ("renamed", Decimal(7), Consequence.ABORT)

    async def test_absent_and_foreign_limits_answer_alike(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        foreign = await create(execute, other)
        for key in (foreign, uuid4()):
            for name, request in (
                ("controls.update_limit", UpdateLimit(limit_key=key, name="mine")),
                ("controls.disable_limit", DisableLimit(limit_key=key, reason="mine")),
            ):
                result = await execute(name, request, principal)
                assert code_of(result) is ErrorCode.NOT_FOUND
                assert str(result.error) == f"Limit {key} was not found"
        limit = await read(execute, other, foreign)
        assert limit is not None
        assert (limit.name, limit.status) == ("tokens", LimitStatus.ACTIVE)


class TestDisable:
    async def test_a_disabled_limit_is_out_of_force_for_good(
        self, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        key = await create(execute, principal)
        request = DisableLimit(limit_key=key, reason="too strict")
        (await execute("controls.disable_limit", request, principal)).unwrap()
        limit = await read(execute, principal, key)
        assert limit is not None
        assert limit.status is LimitStatus.DISABLED
        entry = (await ledger_of(runtime, principal))[-1]
        assert (entry.event_type, entry.reason) == ("LimitDisabled", "too strict")
        assert code_of(await execute("controls.disable_limit", request, principal)) is ErrorCode.CONFLICT
        change = UpdateLimit(limit_key=key, name="again")
        assert code_of(await execute("controls.update_limit", change, principal)) is ErrorCode.CONFLICT

    async def test_a_reason_is_needed(self, execute: Execute, principal: Principal) -> None:
        key = await create(execute, principal)
        result = await execute("controls.disable_limit", DisableLimit(limit_key=key, reason=" "), principal)
        assert code_of(result) is ErrorCode.VALIDATION


class TestList:
    async def test_pages_go_newest_first_without_gaps_or_repeats(self, execute: Execute, principal: Principal) -> None:
        keys = [await create(execute, principal, name=f"limit {n}") for n in range(5)]
        seen: list[UUID] = []
        after = None
        for _ in range(3):
            page = (await listed(execute, principal, page=PageRequest(2, after), count=True)).unwrap()
            assert page.total_count == 5
            seen += [limit.key for limit in page.nodes]
            after = page.cursors[-1]
        assert seen == keys[::-1]

    async def test_a_status_filters_and_tenants_stay_apart(
        self, execute: Execute, principal: Principal, other: Principal, runtime: Runtime
    ) -> None:
        await create(execute, other)
        keep, gone = await create(execute, principal), await create(execute, principal)
        await execute("controls.disable_limit", DisableLimit(limit_key=gone, reason="old"), principal)
        for status, key in ((LimitStatus.ACTIVE, keep), (LimitStatus.DISABLED, gone)):
            page = (await listed(execute, principal, status=status, count=True)).unwrap()
            assert ([limit.key for limit in page.nodes], page.total_count) == ([key], 1)
        async with runtime.database.write(principal.tenant_id) as session:
            active = await session.fetch(driver.active_limits())
        assert [(limit.limit_id, limit.max_value, limit.scope) for limit in active] == [(keep, 1000, Scope.TENANT)]

    @pytest.mark.parametrize("page", [PageRequest(0), PageRequest(101), PageRequest(5, "%%"), PageRequest(5, "e30")])
    async def test_a_bad_page_is_refused(self, execute: Execute, principal: Principal, page: PageRequest) -> None:
        assert code_of(await listed(execute, principal, page=page)) is ErrorCode.VALIDATION

    async def test_the_cursor_of_another_list_is_refused(self, execute: Execute, principal: Principal) -> None:
        await create(execute, principal)
        cursor = (await listed(execute, principal)).unwrap().cursors[0]
        from_limits = await execute("policies.rules", ListPolicyRules(page=PageRequest(5, cursor)), principal)
        assert code_of(from_limits) is ErrorCode.VALIDATION
