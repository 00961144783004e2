"""Causes to incidents. Pure."""

from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest

from domains.incidents.driver import INSERTED, insert_incidents
from domains.incidents.engine import check_list, for_failure, for_limit, for_policy
from spine.contracts.enums import (
    Consequence,
    EvaluationOutcome,
    IncidentCategory,
    IncidentSeverity,
    IncidentTrigger,
    LimitLevel,
    LimitType,
    RuleMode,
    RulePhase,
    Scope,
)
from spine.contracts.errors import ValidationFailed
from spine.contracts.evidence import IncidentFilter, ListIncidents
from spine.contracts.paging import PageRequest
from spine.contracts.ports import ActiveLimit, ActiveRule, LimitReading, RuleVerdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RUN = uuid4()
LIMIT = ActiveLimit(
    limit_id=uuid4(),
    name="budget",
    limit_type=LimitType.COST_USD,
    scope=Scope.TENANT,
    scope_id=None,
    max_value=1_000_000,
    consequence=Consequence.INCIDENT,
)
VERDICT = RuleVerdict(
    rule=ActiveRule(
        rule_id=uuid4(),
        name="no drops",
        version=2,
        digest=b"",
        phase=RulePhase.STEP,
        mode=RuleMode.BLOCK,
        consequence=Consequence.INCIDENT,
        scope=Scope.TENANT,
        scope_id=None,
        condition="true",
    ),
    outcome=EvaluationOutcome.BLOCK,
    count=1,
    step_index=3,
    facts="{}",
    reason="true held",
)


class TestForFailure:
    @pytest.mark.parametrize(
        ("code", "severity", "category"),
        [
            ("AGENT_CRASH", IncidentSeverity.CRITICAL, IncidentCategory.EXECUTION_FAILURE),
            ("EXECUTION_TIMEOUT", IncidentSeverity.HIGH, IncidentCategory.EXECUTION_FAILURE),
            ("skill_error", IncidentSeverity.HIGH, IncidentCategory.EXECUTION_FAILURE),
            ("BUDGET_EXCEEDED", IncidentSeverity.MEDIUM, IncidentCategory.BUDGET_EXCEEDED),
            ("RATE_LIMIT_EXCEEDED", IncidentSeverity.MEDIUM, IncidentCategory.RESOURCE_EXHAUSTION),
            ("RETRY_EXHAUSTED", IncidentSeverity.MEDIUM, IncidentCategory.EXECUTION_FAILURE),
            ("MANUAL_STOP", IncidentSeverity.LOW, IncidentCategory.EXECUTION_FAILURE),
            ("SomethingError", IncidentSeverity.MEDIUM, IncidentCategory.EXECUTION_FAILURE),
            (None, IncidentSeverity.MEDIUM, IncidentCategory.EXECUTION_FAILURE),
        ],
    )
    def test_severity_and_category_follow_the_code(
        self, code: str | None, severity: IncidentSeverity, category: IncidentCategory
    ) -> None:
        incident = for_failure(RUN, "booker", code, "it broke", NOW)
        assert (incident.severity, incident.category) == (severity, category)
        assert (incident.error_code, incident.error_message) == (code, "it broke")
        assert incident.trigger_type is IncidentTrigger.RUN_FAILURE

    def test_the_title_is_one_bounded_line(self) -> None:
        assert for_failure(RUN, "booker", None, None, NOW).title == "booker failed"
        assert len(for_failure(RUN, "x" * 5_000, "E", None, NOW).title) == 200


class TestForPolicyAndLimit:
    def test_a_block_is_a_high_policy_violation_by_the_rule(self) -> None:
        incident = for_policy(RUN, "booker", VERDICT, NOW)
        assert (incident.severity, incident.category) == (IncidentSeverity.HIGH, IncidentCategory.POLICY_VIOLATION)
        assert (incident.trigger_id, incident.trigger_name) == (VERDICT.rule.rule_id, "no drops")

    @pytest.mark.parametrize(
        ("kind", "category"),
        [
            (LimitType.COST_USD, IncidentCategory.BUDGET_EXCEEDED),
            (LimitType.TOKENS_TOTAL, IncidentCategory.BUDGET_EXCEEDED),
            (LimitType.TIME_MS, IncidentCategory.RESOURCE_EXHAUSTION),
            (LimitType.FAILURES, IncidentCategory.RESOURCE_EXHAUSTION),
        ],
    )
    @pytest.mark.parametrize(
        ("consequence", "severity"),
        [(Consequence.INCIDENT, IncidentSeverity.MEDIUM), (Consequence.ABORT, IncidentSeverity.HIGH)],
    )
    def test_a_breach_follows_type_and_consequence(
        self, kind: LimitType, category: IncidentCategory, consequence: Consequence, severity: IncidentSeverity
    ) -> None:
        limit = msgspec.structs.replace(LIMIT, limit_type=kind, consequence=consequence)
        incident = for_limit(RUN, "booker", LimitReading(limit, 1_500_000, LimitLevel.BREACH), NOW)
        assert (incident.severity, incident.category) == (severity, category)
        assert incident.trigger_id == LIMIT.limit_id

    def test_a_cost_breach_is_told_in_dollars(self) -> None:
        incident = for_limit(RUN, "booker", LimitReading(LIMIT, 1_500_000, LimitLevel.BREACH), NOW)
        assert incident.error_message == "more than 1.000000 USD"

    def test_a_breach_is_told_the_same_whatever_was_measured(self) -> None:
        told = {
            for_limit(RUN, "booker", LimitReading(LIMIT, value, LimitLevel.BREACH), NOW).error_message
            for value in (1_500_000, 9_000_000)
        }
        assert len(told) == 1


class TestDedupe:
    def test_the_same_cause_has_the_same_key_and_other_causes_others(self) -> None:
        reading = LimitReading(LIMIT, 2_000_000, LimitLevel.BREACH)
        causes = [
            for_failure(RUN, "a", "X", None, NOW),
            for_failure(RUN, "a", "Y", None, NOW),
            for_policy(RUN, "a", VERDICT, NOW),
            for_policy(RUN, "b", VERDICT, NOW),
            for_limit(RUN, "a", reading, NOW),
        ]
        rows = insert_incidents(causes).rows
        keys = [row[INSERTED.index("dedupe_key")] for row in rows]
        assert keys[0] == keys[1]
        assert keys[2] == keys[3]
        assert len(set(keys)) == 3


def test_times_of_a_filter_need_a_zone() -> None:
    naive_time = NOW.replace(tzinfo=None)
    for naive in (IncidentFilter(created_after=naive_time), IncidentFilter(created_before=naive_time)):
        with pytest.raises(ValidationFailed):
            check_list(ListIncidents(page=PageRequest(1), filter=naive))
    check_list(ListIncidents(page=PageRequest(1), filter=IncidentFilter(created_after=NOW)))
