"""What people and verification see of evaluations and decisions, on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from domains.controls.driver_breaches import breach_records, breaches_for_runs
from domains.incidents.driver import incidents_for_runs
from domains.policies import driver_evaluations as driver
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import DecisionOutcome, DecisionType, EvaluationOutcome, RulePhase
from spine.contracts.evidence import PolicyEvaluationSummary
from spine.contracts.ports import Ranked
from spine.contracts.records import DecisionRecord, EvaluationRecord
from spine.contracts.statements import Read
from spine.services.ids import key_of, uuid7

START = datetime(2026, 3, 1, tzinfo=UTC)
ALLOW, WARN, BLOCK = EvaluationOutcome.ALLOW, EvaluationOutcome.WARN, EvaluationOutcome.BLOCK


def evaluation(run: UUID, index: int, rule: UUID, outcome: EvaluationOutcome, **changes: Any) -> EvaluationRecord:
    plain = EvaluationRecord(
        run_key=run,
        evidence_index=index,
        id=uuid7(),
        rule_id=rule,
        rule_version=1,
        rule_name="no drops",
        rule_digest=b"\x01" * 32,
        phase=RulePhase.STEP,
        outcome=outcome,
        count=1,
        step_index=index,
        facts='{"step.name":"x"}',
        reason="why",
        evaluated_at=START + timedelta(seconds=index),
        evidence_hash=b"\x02" * 32,
    )
    return msgspec.structs.replace(plain, **changes)


def decision(run: UUID, index: int) -> DecisionRecord:
    return DecisionRecord(
        run_key=run,
        evidence_index=index,
        id=uuid7(),
        decision_type=DecisionType.POLICY_EVALUATION,
        outcome=DecisionOutcome.BLOCKED,
        subject_id=uuid4(),
        subject_name="no drops",
        reason="held",
        decided_at=START + timedelta(seconds=index),
        evidence_hash=b"\x03" * 32,
    )


async def append(runtime: Runtime, principal: Principal, *records: EvaluationRecord) -> None:
    async with runtime.database.write(principal.tenant_id) as session:
        await session.insert(driver.insert_evaluations(records))


async def fetch(runtime: Runtime, principal: Principal, read: Read[Any]) -> list[Any]:
    async with runtime.database.write(principal.tenant_id) as session:
        return await session.fetch(read)


async def folded(
    runtime: Runtime, principal: Principal, *runs: UUID, first: int = 50
) -> list[Ranked[PolicyEvaluationSummary]]:
    return await fetch(runtime, principal, driver.evaluations_for_runs(runs, first))


class TestFolding:
    async def test_what_was_not_allowed_is_shown_as_it_is_newest_first(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        run, rule = uuid7(), uuid4()
        records = [evaluation(run, n, rule, outcome) for n, outcome in enumerate([WARN, BLOCK, WARN])]
        await append(runtime, principal, *records)
        rows = await folded(runtime, principal, run)
        assert [row.value.step_index for row in rows] == [2, 1, 0]
        assert [row.value.outcome for row in rows] == [WARN, BLOCK, WARN]
        assert {row.total for row in rows} == {3}
        newest = rows[0].value
        assert key_of(newest.id, "PolicyEvaluation") == records[2].id
        assert key_of(newest.policy_id, "PolicyRule") == rule
        assert (newest.facts, newest.reason, newest.rule_digest) == ('{"step.name":"x"}', "why", "01" * 32)
        assert newest.evaluated_at == records[2].evaluated_at

    async def test_allow_is_summed_per_rule_version_and_phase(self, runtime: Runtime, principal: Principal) -> None:
        run, rule, second = uuid7(), uuid4(), uuid4()
        records = [
            evaluation(run, 0, rule, ALLOW, count=3, step_index=None),
            evaluation(run, 1, rule, WARN),
            evaluation(run, 2, rule, ALLOW, count=4),
            evaluation(run, 3, rule, ALLOW, count=5, rule_version=2),
            evaluation(run, 4, second, ALLOW, count=6),
            evaluation(run, 5, second, ALLOW, count=7, phase=RulePhase.RUN_START),
        ]
        await append(runtime, principal, *records)
        rows = await folded(runtime, principal, run)
        assert [(row.value.outcome, row.value.count) for row in rows] == [
            (ALLOW, 7),
            (ALLOW, 6),
            (ALLOW, 5),
            (ALLOW, 7),
            (WARN, 1),
        ]
        summed = rows[3].value
        assert key_of(summed.id, "PolicyEvaluation") == records[0].id
        assert (summed.evaluated_at, summed.step_index) == (records[2].evaluated_at, None)
        assert {row.total for row in rows} == {5}

    async def test_of_a_runs_end_only_each_rules_latest_counts(self, runtime: Runtime, principal: Principal) -> None:
        run, first, second = uuid7(), uuid4(), uuid4()
        end = {"phase": RulePhase.RUN_END, "step_index": None}
        await append(
            runtime,
            principal,
            evaluation(run, 0, first, BLOCK, **end),
            evaluation(run, 1, second, ALLOW, **end),
            evaluation(run, 2, first, ALLOW, **end, rule_version=2),
            evaluation(run, 3, second, WARN, **end),
            evaluation(run, 4, first, WARN),
        )
        rows = await folded(runtime, principal, run)
        assert [(row.value.phase, row.value.outcome) for row in rows] == [
            (RulePhase.STEP, WARN),
            (RulePhase.RUN_END, WARN),
            (RulePhase.RUN_END, ALLOW),
        ]
        finals = await fetch(runtime, principal, driver.final_outcomes([run]))
        assert {(one.rule_id, one.outcome) for one in finals} == {(first, ALLOW), (second, WARN)}

    async def test_each_run_has_its_own_first_rows_and_total(self, runtime: Runtime, principal: Principal) -> None:
        runs, rule = [uuid7() for _ in range(3)], uuid4()
        for number, run in enumerate(runs):
            await append(runtime, principal, *(evaluation(run, n, rule, WARN) for n in range(number + 1)))
        rows = await folded(runtime, principal, *runs, uuid7(), first=2)
        assert [(row.parent, row.total, row.value.step_index) for row in rows] == [
            (runs[0], 1, 0),
            (runs[1], 2, 1),
            (runs[1], 2, 0),
            (runs[2], 3, 2),
            (runs[2], 3, 1),
        ]

    async def test_another_tenants_rows_are_not_there(
        self, runtime: Runtime, principal: Principal, other: Principal
    ) -> None:
        run = uuid7()
        await append(runtime, other, evaluation(run, 0, uuid4(), WARN))
        assert await folded(runtime, principal, run) == []
        assert await fetch(runtime, principal, driver.evaluation_records([run], 9)) == []
        assert await fetch(runtime, principal, driver.final_outcomes([run])) == []


class TestRecords:
    async def test_records_come_back_exactly_in_the_order_of_the_chain(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        run = uuid7()
        records = [evaluation(run, n, uuid4(), WARN) for n in range(4)]
        await append(runtime, principal, *records[::-1])
        assert await fetch(runtime, principal, driver.evaluation_records([run], 10)) == records
        assert await fetch(runtime, principal, driver.evaluation_records([run], 2)) == records[:2]

    async def test_the_fields_of_a_record_are_the_columns_that_are_written(self) -> None:
        for record, insert in (
            (EvaluationRecord, driver.insert_evaluations([])),
            (DecisionRecord, driver.insert_decisions([])),
        ):
            fields = ("run_id", *record.__struct_fields__[1:])
            assert insert.columns == fields
            assert {*fields, "tenant_id"} == {column.name for column in insert.table.c}

    async def test_decisions_are_shown_newest_first_and_kept_exactly(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        run = uuid7()
        records = [decision(run, n) for n in range(3)]
        async with runtime.database.write(principal.tenant_id) as session:
            await session.insert(driver.insert_decisions(records))
        assert await fetch(runtime, principal, driver.decision_records([run], 10)) == records
        rows = await fetch(runtime, principal, driver.decisions_for_runs([run], 2))
        assert [(row.total, key_of(row.value.id, "Decision")) for row in rows] == [
            (3, records[2].id),
            (3, records[1].id),
        ]
        assert (rows[0].value.outcome, rows[0].value.subject_name) == (DecisionOutcome.BLOCKED, "no drops")


class TestWave:
    async def test_the_lists_of_evidence_go_out_as_one_statement(self, runtime: Runtime, principal: Principal) -> None:
        run = uuid7()
        await append(runtime, principal, evaluation(run, 0, uuid4(), WARN))
        async with runtime.database.write(principal.tenant_id) as session:
            await session.insert(driver.insert_decisions([decision(run, 1)]))
        reads = [
            driver.evaluations_for_runs([run], 5),
            driver.decisions_for_runs([run], 3),
            driver.evaluation_records([run], 9),
            driver.final_outcomes([run]),
            breaches_for_runs([run], 2),
            breach_records([run], 2),
            incidents_for_runs([run], 1),
        ]
        async with runtime.database.write(principal.tenant_id) as session:
            apart = [await session.fetch(read) for read in reads]
            before = session.statements
            assert await session.fetch_wave(reads) == apart
            assert session.statements == before + 1
        assert [len(rows) for rows in apart] == [1, 1, 1, 0, 0, 0, 0]
