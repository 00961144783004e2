"""Measuring runs against limits, units, and what may be set. Pure."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from domains.controls.engine import (
    BI_CTRL_001,
    applicable,
    check_disabling,
    check_limit_change,
    check_new_limit,
    read_limits,
)
from spine.contracts.enums import Consequence, LimitLevel, LimitType, Scope
from spine.contracts.errors import ValidationFailed
from spine.contracts.governance import CreateLimit, DisableLimit, UpdateLimit
from spine.contracts.ports import ActiveLimit, RunMeasure


def limit(most: int, limit_type: LimitType = LimitType.TOKENS_TOTAL, **changes: Any) -> ActiveLimit:
    plain = ActiveLimit(
        limit_id=uuid4(),
        name="tokens",
        limit_type=limit_type,
        scope=Scope.TENANT,
        scope_id=None,
        max_value=most,
        consequence=Consequence.ALERT,
    )
    return msgspec.structs.replace(plain, **changes)


def measure(**used: int | None) -> RunMeasure:
    known: dict[str, Any] = {"time_ms": None, "tokens": None, "cost_micro_usd": None, "failures": 0}
    return RunMeasure(agent_id="booker", project_id="flights", **(known | used))


class TestApplicable:
    def test_the_narrowest_scope_wins_even_when_it_is_higher(self) -> None:
        scopes = [(Scope.GLOBAL, None), (Scope.TENANT, None), (Scope.PROJECT, "flights"), (Scope.AGENT, "booker")]
        limits = [limit(10 * n + 10, scope=scope, scope_id=scope_id) for n, (scope, scope_id) in enumerate(scopes)]
        for count in range(1, 5):
            assert applicable(limits[:count], "booker", "flights") == [limits[count - 1]]
            assert applicable(limits[:count][::-1], "booker", "flights") == [limits[count - 1]]

    def test_of_equal_scopes_the_lowest_value_wins(self) -> None:
        low, high = limit(5), limit(50)
        assert applicable([high, low], "a", "p") == [low]

    def test_each_type_has_its_own(self) -> None:
        tokens, time = limit(5), limit(7, LimitType.TIME_MS)
        assert set(applicable([tokens, time], "a", "p")) == {tokens, time}

    def test_other_agents_and_projects_are_not_covered(self) -> None:
        others = [
            limit(1, scope=Scope.AGENT, scope_id="flights"),
            limit(1, scope=Scope.PROJECT, scope_id="booker"),
        ]
        assert applicable(others, "booker", "flights") == []


class TestReadLimits:
    @pytest.mark.parametrize(
        ("value", "level"),
        [(0, None), (79, None), (80, LimitLevel.NEAR), (100, LimitLevel.NEAR), (101, LimitLevel.BREACH)],
    )
    def test_eighty_percent_is_near_and_only_more_than_the_limit_is_a_breach(
        self, value: int, level: LimitLevel | None
    ) -> None:
        [reading] = read_limits([limit(100)], measure(tokens=value))
        assert (reading.value, reading.level) == (value, level)

    def test_what_is_not_known_gives_no_reading(self) -> None:
        limits = [limit(1, kind) for kind in LimitType]
        assert [one.limit.limit_type for one in read_limits(limits, measure())] == [LimitType.FAILURES]

    def test_each_type_reads_its_own_measure(self) -> None:
        limits = [limit(1000, kind) for kind in LimitType]
        readings = read_limits(limits, measure(time_ms=1, tokens=2, cost_micro_usd=3, failures=4))
        assert {one.limit.limit_type: one.value for one in readings} == {
            LimitType.TIME_MS: 1,
            LimitType.TOKENS_TOTAL: 2,
            LimitType.COST_USD: 3,
            LimitType.FAILURES: 4,
        }

    def test_a_limit_of_one_is_near_only_when_reached(self) -> None:
        assert read_limits([limit(1)], measure(tokens=0))[0].level is None
        assert read_limits([limit(1)], measure(tokens=1))[0].level is LimitLevel.NEAR


NEW = CreateLimit(name="tokens", limit_type=LimitType.TOKENS_TOTAL, max_value=Decimal(100))


class TestValidation:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "x" * 257}, "name"),
            ({"name": "\0"}, "name"),
            ({"scope": Scope.AGENT}, "scopeId"),
            ({"scope_id": "a"}, "scopeId"),
            ({"scope": Scope.PROJECT, "scope_id": "x" * 101}, "scopeId"),
            ({"max_value": Decimal("1.5")}, "maxValue"),
        ],
    )
    def test_a_wrong_limit_names_its_field(self, change: dict[str, Any], field: str) -> None:
        with pytest.raises(ValidationFailed) as caught:
            check_new_limit(msgspec.structs.replace(NEW, **change))
        assert caught.value.field == field

    @pytest.mark.parametrize("value", ["0", "-1", "-0.5"])
    def test_bi_ctrl_001_wants_more_than_zero(self, value: str) -> None:
        assert not BI_CTRL_001.holds(msgspec.structs.replace(NEW, max_value=Decimal(value)))
        assert BI_CTRL_001.holds(NEW)
        assert BI_CTRL_001.holds(UpdateLimit(limit_key=uuid4()))

    def test_an_update_changes_something_finite(self) -> None:
        key = uuid4()
        for request in (
            UpdateLimit(limit_key=key),
            UpdateLimit(limit_key=key, name=" "),
            UpdateLimit(limit_key=key, max_value=Decimal("NaN")),
        ):
            with pytest.raises(ValidationFailed):
                check_limit_change(request)
        check_limit_change(UpdateLimit(limit_key=key, max_value=Decimal(10**15)))

    def test_disabling_has_a_reason(self) -> None:
        with pytest.raises(ValidationFailed):
            check_disabling(DisableLimit(limit_key=uuid4(), reason=" "))
