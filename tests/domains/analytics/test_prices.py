"""Setting and listing model prices through the registry, on PostgreSQL."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import orjson

from domains.analytics import driver, engine
from domains.analytics.pricing import SHIPPED_PRICES
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import Permission, Role
from spine.contracts.errors import ErrorCode
from spine.contracts.governance import ListModelPrices, ModelPriceSummary, SetModelPrice
from spine.contracts.operations import OperationResult
from spine.contracts.paging import Page, PageRequest
from spine.contracts.ports import PriceQuote, TenantPrice
from tests.conftest import Execute
from tests.domains.ledger import ledger_of

GPT = SetModelPrice(
    provider="openai",
    model="gpt-4o",
    input_usd_per_million=Decimal("1.25"),
    output_usd_per_million=Decimal("0.000001"),
    source="contract 17",
)


async def put(execute: Execute, principal: Principal, **fields: Any) -> OperationResult[Any]:
    return await execute("analytics.set_model_price", msgspec.structs.replace(GPT, **fields), principal)


async def listed(execute: Execute, principal: Principal, page: PageRequest) -> OperationResult[Page[ModelPriceSummary]]:
    return await execute("analytics.model_prices", ListModelPrices(page=page, count=True), principal)


async def in_force(runtime: Runtime, principal: Principal) -> list[TenantPrice]:
    async with runtime.database.write(principal.tenant_id) as session:
        return await session.fetch(driver.tenant_prices())


def code_of(result: OperationResult[Any]) -> ErrorCode | None:
    return None if result.error is None else result.error.code


class TestSet:
    async def test_the_newest_version_is_in_force_and_is_quoted(
        self, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        first = (await put(execute, principal)).unwrap()
        second = (await put(execute, principal, input_usd_per_million=Decimal(3))).unwrap()
        assert (first.version, second.version) == (1, 2)
        prices = await in_force(runtime, principal)
        assert [(price.input_micro_usd_per_million, price.version) for price in prices] == [(3_000_000, "tenant-2")]
        assert engine.quoting(prices)("openai", "gpt-4o", 1_000_000, 0) == PriceQuote(3_000_000, "tenant-2")

    async def test_names_are_one_in_any_case_and_blanks(
        self, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        await put(execute, principal)
        changed = (await put(execute, principal, provider=" OpenAI ", model="GPT-4o")).unwrap()
        assert (changed.provider, changed.model, changed.version) == ("openai", "gpt-4o", 2)
        assert len(await in_force(runtime, principal)) == 1

    async def test_the_ledger_tells_the_price(self, execute: Execute, principal: Principal, runtime: Runtime) -> None:
        await put(execute, principal)
        entry = (await ledger_of(runtime, principal))[-1]
        after = orjson.loads(entry.after_state or "")
        assert entry.event_type == "ModelPriceSet"
        assert (after["input_micro_usd_per_million"], after["source"]) == (1_250_000, "contract 17")

    async def test_racers_make_versions_in_a_row_or_conflict(self, execute: Execute, principal: Principal) -> None:
        results = await asyncio.gather(*(put(execute, principal) for _ in range(5)))
        done = sorted(result.unwrap().version for result in results if result.error is None)
        assert done == list(range(1, len(done) + 1))
        assert {code_of(result) for result in results} <= {None, ErrorCode.CONFLICT}

    async def test_what_is_malformed_is_refused(self, execute: Execute, principal: Principal) -> None:
        for fields in (
            {"model": ""},
            {"source": ""},
            {"provider": "a\0"},
            {"input_usd_per_million": Decimal(-1)},
            {"input_usd_per_million": Decimal("0.0000001")},
            {"output_usd_per_million": Decimal("1e400000000")},
            {"output_usd_per_million": Decimal("NaN")},
        ):
            assert code_of(await put(execute, principal, **fields)) is ErrorCode.VALIDATION

    async def test_it_needs_the_right_to_manage_billing(self, execute: Execute, principal: Principal) -> None:
        member = msgspec.structs.replace(
            principal, role=Role.MEMBER, permissions=frozenset({Permission.POLICIES_WRITE, Permission.REPORTS_READ})
        )
        assert code_of(await put(execute, member)) is ErrorCode.FORBIDDEN
        assert code_of(await listed(execute, member, PageRequest(1))) is None


class TestList:
    async def test_own_prices_come_first_and_replace_shipped_ones(self, execute: Execute, principal: Principal) -> None:
        await put(execute, principal)
        await put(execute, principal, provider="", model="house-model")
        page = (await listed(execute, principal, PageRequest(3))).unwrap()
        assert [(price.provider, price.model, price.is_shipped) for price in page.nodes[:2]] == [
            (None, "house-model", False),
            ("openai", "gpt-4o", False),
        ]
        mine = page.nodes[1]
        assert (mine.input_usd_per_million, mine.output_usd_per_million) == (Decimal("1.25"), Decimal("0.000001"))
        assert (mine.source, mine.version) == ("contract 17", "tenant-1")
        assert page.nodes[2].is_shipped
        assert page.total_count == len(SHIPPED_PRICES) + 1

    async def test_every_price_is_on_one_page(self, execute: Execute, principal: Principal) -> None:
        await put(execute, principal)
        seen: list[tuple[object, ...]] = []
        after = None
        while True:
            page = (await listed(execute, principal, PageRequest(20, after))).unwrap()
            seen += [engine.price_order(price) for price in page.nodes]
            if not page.has_next_page:
                break
            after = page.cursors[-1]
        assert len(seen) == len(set(seen)) == page.total_count
        assert seen == sorted(seen)

    async def test_tenants_stay_apart(
        self, execute: Execute, principal: Principal, other: Principal, runtime: Runtime
    ) -> None:
        await put(execute, other)
        assert (await listed(execute, principal, PageRequest(1))).unwrap().nodes[0].is_shipped
        assert await in_force(runtime, principal) == []

    async def test_a_bad_page_is_refused(self, execute: Execute, principal: Principal) -> None:
        for page in (PageRequest(0), PageRequest(101), PageRequest(5, "x")):
            assert code_of(await listed(execute, principal, page)) is ErrorCode.VALIDATION
