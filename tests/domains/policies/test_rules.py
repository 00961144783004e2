"""The operations on policy rules, through the registry, on PostgreSQL."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import msgspec
import orjson
import pytest

from domains.policies import driver
from domains.policies.engine import rule_digest
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import Consequence, Permission, Role, RuleMode, RulePhase, RuleStatus, Scope
from spine.contracts.errors import ErrorCode
from spine.contracts.governance import (
    CreatePolicyRule,
    ListPolicyRules,
    PolicyRuleSummary,
    RetirePolicyRule,
    RulesByKey,
    UpdatePolicyRule,
)
from spine.contracts.operations import OperationResult
from spine.contracts.paging import Page, PageRequest
from tests.conftest import Execute
from tests.domains.ledger import ledger_of

DROPS = 'step.name == "drop"'


async def create(execute: Execute, principal: Principal, name: str = "no drops", **fields: Any) -> UUID:
    made = await execute(
        "policies.create_rule", CreatePolicyRule(name=name, **{"condition": DROPS} | fields), principal
    )
    key: UUID = made.unwrap().rule_key
    return key


async def read(execute: Execute, principal: Principal, key: UUID) -> PolicyRuleSummary | None:
    found = await execute("policies.rules_by_key", RulesByKey((key,)), principal)
    rules: dict[UUID, PolicyRuleSummary] = found.unwrap()
    return rules.get(key)


async def listed(execute: Execute, principal: Principal, **fields: Any) -> OperationResult[Page[PolicyRuleSummary]]:
    return await execute("policies.rules", ListPolicyRules(**{"page": PageRequest(100)} | fields), principal)


def code_of(result: OperationResult[Any]) -> ErrorCode | None:
    return None if result.error is None else result.error.code


class TestCreate:
    async def test_a_rule_is_read_as_it_was_written(self, execute: Execute, principal: Principal) -> None:
        key = await create(
            execute,
            principal,
            description="nobody drops tables",
            mode=RuleMode.BLOCK,
            consequence=Consequence.INCIDENT,
            scope=Scope.AGENT,
            scope_id="booker",
        )
        rule = await read(execute, principal, key)
        assert rule is not None
        assert (rule.name, rule.description, rule.condition) == ("no drops", "nobody drops tables", DROPS)
        assert (rule.mode, rule.consequence) == (RuleMode.BLOCK, Consequence.INCIDENT)
        assert (rule.scope, rule.scope_id, rule.phase) == (Scope.AGENT, "booker", RulePhase.STEP)
        assert (rule.version, rule.status, rule.created_by) == (1, RuleStatus.ACTIVE, principal.actor)
        assert rule.created_at == rule.updated_at
        assert (rule.retired_at, rule.retirement_reason) == (None, None)

    async def test_the_digest_is_that_of_the_written_text(self, execute: Execute, principal: Principal) -> None:
        rule = await read(execute, principal, await create(execute, principal))
        assert rule is not None
        assert rule.digest == rule_digest(1, CreatePolicyRule(name="no drops", condition=DROPS)).hex()

    async def test_the_ledger_tells_who_wrote_what(
        self, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        await create(execute, principal)
        entry = (await ledger_of(runtime, principal))[-1]
        assert (entry.event_type, entry.operation, entry.before_state) == (
            "PolicyRuleCreated",
            "policies.create_rule",
            None,
        )
        assert entry.actor == principal.actor
        assert orjson.loads(entry.after_state or "")["condition"] == DROPS

    async def test_a_bad_condition_is_refused_with_its_place_and_nothing_is_written(
        self, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        before = await ledger_of(runtime, principal)
        request = CreatePolicyRule(name="typo", condition="run.status == 'FAILED' &&\n run.cosst > 1")
        result = await execute("policies.create_rule", request, principal)
        assert code_of(result) is ErrorCode.CONDITION_INVALID
        assert (result.error.line, result.error.column) == (2, 5)  # type: ignore[union-attr]
        assert (await listed(execute, principal)).unwrap().nodes == []
        assert await ledger_of(runtime, principal) == before

    @pytest.mark.parametrize("condition", ["", "  \n"])
    async def test_bi_policy_001_refuses_an_empty_condition(
        self, execute: Execute, principal: Principal, condition: str
    ) -> None:
        result = await execute("policies.create_rule", CreatePolicyRule(name="x", condition=condition), principal)
        assert code_of(result) is ErrorCode.INVARIANT_VIOLATION
        assert "BI-POLICY-001" in str(result.error)

    async def test_a_name_is_taken_once_in_a_tenant_and_free_in_another(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        await create(execute, principal)
        again = await execute("policies.create_rule", CreatePolicyRule(name="no drops", condition="true"), principal)
        assert code_of(again) is ErrorCode.CONFLICT
        assert again.error.field == "name"  # type: ignore[union-attr]
        await create(execute, other)

    async def test_of_two_racers_for_a_name_one_wins(self, execute: Execute, principal: Principal) -> None:
        request = CreatePolicyRule(name="race", condition="true")
        results = await asyncio.gather(*(execute("policies.create_rule", request, principal) for _ in range(5)))
        codes = [code_of(result) for result in results]
        assert codes.count(None) == 1
        assert codes.count(ErrorCode.CONFLICT) == 4

    async def test_text_too_long_is_refused(self, execute: Execute, principal: Principal) -> None:
        for fields in ({"name": "x" * 257}, {"description": "x" * 1025}, {"condition": "true //" + "x" * 2000}):
            request = msgspec.structs.replace(CreatePolicyRule(name="x", condition="true"), **fields)
            assert code_of(await execute("policies.create_rule", request, principal)) in {
                ErrorCode.VALIDATION,
                ErrorCode.CONDITION_INVALID,
            }

    async def test_a_viewer_may_read_and_not_write(self, execute: Execute, principal: Principal) -> None:
        viewer = msgspec.structs.replace(principal, role=Role.VIEWER, permissions=frozenset({Permission.POLICIES_READ}))
        result = await execute("policies.create_rule", CreatePolicyRule(name="x", condition="true"), viewer)
        assert code_of(result) is ErrorCode.FORBIDDEN
        assert (await listed(execute, viewer)).error is None


class TestUpdate:
    async def test_a_change_is_a_new_version_with_its_own_digest_and_phase(
        self, execute: Execute, principal: Principal
    ) -> None:
        key = await create(execute, principal, description="first")
        first = await read(execute, principal, key)
        request = UpdatePolicyRule(rule_key=key, condition="run.step_count > 3", expected_version=1)
        (await execute("policies.update_rule", request, principal)).unwrap()
        second = await read(execute, principal, key)
        assert first is not None
        assert second is not None
        assert (second.version, second.condition, second.phase) == (2, "run.step_count > 3", RulePhase.RUN_END)
        assert (second.description, second.mode, second.created_at) == ("first", first.mode, first.created_at)
        assert second.digest != first.digest
        assert second.updated_at > first.updated_at

    async def test_the_ledger_has_both_states(self, execute: Execute, principal: Principal, runtime: Runtime) -> None:
        key = await create(execute, principal)
        request = UpdatePolicyRule(rule_key=key, mode=RuleMode.BLOCK)
        (await execute("policies.update_rule", request, principal)).unwrap()
        entry = (await ledger_of(runtime, principal))[-1]
        before, after = orjson.loads(entry.before_state or ""), orjson.loads(entry.after_state or "")
        assert entry.event_type == "PolicyRuleModified"
        assert (before["mode"], after["mode"], before["version"], after["version"]) == ("WARN", "BLOCK", 1, 2)

    async def test_an_older_expected_version_is_a_conflict(self, execute: Execute, principal: Principal) -> None:
        key = await create(execute, principal)
        request = UpdatePolicyRule(rule_key=key, mode=RuleMode.AUDIT, expected_version=1)
        (await execute("policies.update_rule", request, principal)).unwrap()
        again = await execute("policies.update_rule", request, principal)
        assert code_of(again) is ErrorCode.CONFLICT
        rule = await read(execute, principal, key)
        assert rule is not None
        assert rule.version == 2

    async def test_racers_that_expect_nothing_each_write_a_version(
        self, execute: Execute, principal: Principal
    ) -> None:
        key = await create(execute, principal)
        requests = [UpdatePolicyRule(rule_key=key, description=f"number {n}") for n in range(6)]
        results = await asyncio.gather(*(execute("policies.update_rule", one, principal) for one in requests))
        assert [code_of(result) for result in results] == [None] * 6
        rule = await read(execute, principal, key)
        assert rule is not None
        assert rule.version == 7

    async def test_of_racers_that_expect_the_same_version_one_wins(
        self, execute: Execute, principal: Principal
    ) -> None:
        key = await create(execute, principal)
        request = UpdatePolicyRule(rule_key=key, mode=RuleMode.BLOCK, expected_version=1)
        results = await asyncio.gather(*(execute("policies.update_rule", request, principal) for _ in range(4)))
        assert sorted(str(code_of(result)) for result in results) == ["CONFLICT"] * 3 + ["None"]

    async def test_absent_and_foreign_rules_answer_alike(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        foreign, absent = await create(execute, other), uuid4()
        for name, request in (
            ("policies.update_rule", UpdatePolicyRule(rule_key=foreign, mode=RuleMode.BLOCK)),
            ("policies.retire_rule", RetirePolicyRule(rule_key=foreign, reason="mine now")),
        ):
            of_foreign = await execute(name, request, principal)
            of_absent = await execute(name, msgspec.structs.replace(request, rule_key=absent), principal)
            assert code_of(of_foreign) is code_of(of_absent) is ErrorCode.NOT_FOUND
            assert str(of_foreign.error).replace(str(foreign), "") == str(of_absent.error).replace(str(absent), "")
        rule = await read(execute, other, foreign)
        assert rule is not None
        assert (rule.version, rule.status) == (1, RuleStatus.ACTIVE)

    async def test_an_update_of_nothing_or_to_a_bad_condition_is_refused(
        self, execute: Execute, principal: Principal
    ) -> None:
        key = await create(execute, principal)
        nothing = await execute("policies.update_rule", UpdatePolicyRule(rule_key=key), principal)
        assert code_of(nothing) is ErrorCode.VALIDATION
        wrong = await execute("policies.update_rule", UpdatePolicyRule(rule_key=key, condition="1 +"), principal)
        assert code_of(wrong) is ErrorCode.CONDITION_INVALID
        empty = await execute("policies.update_rule", UpdatePolicyRule(rule_key=key, condition=" "), principal)
        assert code_of(empty) is ErrorCode.INVARIANT_VIOLATION


class TestRetire:
    async def test_a_retired_rule_says_when_and_why_and_is_final(
        self, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        key, successor = await create(execute, principal), await create(execute, principal, "better")
        request = RetirePolicyRule(rule_key=key, reason="replaced", superseded_by_key=successor)
        (await execute("policies.retire_rule", request, principal)).unwrap()
        rule = await read(execute, principal, key)
        assert rule is not None
        assert (rule.status, rule.retirement_reason) == (RuleStatus.RETIRED, "replaced")
        assert rule.retired_at is not None
        entry = (await ledger_of(runtime, principal))[-1]
        assert (entry.event_type, entry.reason) == ("PolicyRuleRetired", "replaced")
        for name, later in (
            ("policies.retire_rule", request),
            ("policies.update_rule", UpdatePolicyRule(rule_key=key, mode=RuleMode.BLOCK)),
        ):
            assert code_of(await execute(name, later, principal)) is ErrorCode.CONFLICT

    async def test_a_reason_and_a_known_successor_are_needed(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        key, foreign = await create(execute, principal), await create(execute, other)
        for request, code in (
            (RetirePolicyRule(rule_key=key, reason=""), ErrorCode.VALIDATION),
            (RetirePolicyRule(rule_key=key, reason="x", superseded_by_key=key), ErrorCode.VALIDATION),
            (RetirePolicyRule(rule_key=key, reason="x", superseded_by_key=uuid4()), ErrorCode.NOT_FOUND),
            (RetirePolicyRule(rule_key=key, reason="x", superseded_by_key=foreign), ErrorCode.NOT_FOUND),
        ):
            assert code_of(await execute("policies.retire_rule", request, principal)) is code
        rule = await read(execute, principal, key)
        assert rule is not None
        assert rule.status is RuleStatus.ACTIVE


class TestList:
    async def test_pages_go_newest_first_without_gaps_or_repeats(self, execute: Execute, principal: Principal) -> None:
        keys = [await create(execute, principal, f"rule {n}") for n in range(5)]
        seen: list[UUID] = []
        after = None
        for _ in range(3):
            page = (await listed(execute, principal, page=PageRequest(2, after), count=True)).unwrap()
            assert page.total_count == 5
            seen += [rule.key for rule in page.nodes]
            after = page.cursors[-1]
        assert seen == keys[::-1]
        assert not page.has_next_page

    async def test_a_status_filters_rows_and_count(self, execute: Execute, principal: Principal) -> None:
        keep, gone = await create(execute, principal, "keep"), await create(execute, principal, "gone")
        await execute("policies.retire_rule", RetirePolicyRule(rule_key=gone, reason="old"), principal)
        for status, key in ((RuleStatus.ACTIVE, keep), (RuleStatus.RETIRED, gone)):
            page = (await listed(execute, principal, status=status, count=True)).unwrap()
            assert [rule.key for rule in page.nodes] == [key]
            assert page.total_count == 1

    async def test_another_tenants_rules_are_in_no_list(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        key = await create(execute, other)
        page = (await listed(execute, principal, count=True)).unwrap()
        assert (page.nodes, page.total_count) == ([], 0)
        assert await read(execute, principal, key) is None

    @pytest.mark.parametrize("page", [PageRequest(0), PageRequest(101), PageRequest(5, "zzz"), PageRequest(5, "")])
    async def test_a_bad_page_is_refused(self, execute: Execute, principal: Principal, page: PageRequest) -> None:
        result = await listed(execute, principal, page=page)
        assert code_of(result) is ErrorCode.VALIDATION
        assert result.error is not None
        assert result.error.field in {"first", "after"}

    async def test_by_key_leaves_out_what_is_absent(self, execute: Execute, principal: Principal) -> None:
        key = await create(execute, principal)
        found = (await execute("policies.rules_by_key", RulesByKey((uuid4(), key)), principal)).unwrap()
        assert list(found) == [key]
        assert (await execute("policies.rules_by_key", RulesByKey(()), principal)).unwrap() == {}


class TestActiveRules:
    async def test_only_rules_in_force_in_their_current_version_by_name(
        self, execute: Execute, principal: Principal, other: Principal, runtime: Runtime
    ) -> None:
        await create(execute, other, "foreign")
        second = await create(execute, principal, "b")
        first = await create(execute, principal, "a")
        retired = await create(execute, principal, "retired")
        await create(execute, principal, "off", mode=RuleMode.DISABLED)
        await execute("policies.retire_rule", RetirePolicyRule(rule_key=retired, reason="old"), principal)
        await execute("policies.update_rule", UpdatePolicyRule(rule_key=second, condition="true"), principal)
        async with runtime.database.write(principal.tenant_id) as session:
            rules = await session.fetch(driver.active_rules())
        assert [(rule.rule_id, rule.version, rule.condition) for rule in rules] == [
            (first, 1, DROPS),
            (second, 2, "true"),
        ]
