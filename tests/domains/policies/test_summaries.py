"""Lists that are composed of records, against those that the database composes of the same rows."""

import random
from datetime import timedelta
from uuid import uuid4

import pytest
from msgspec import structs

from domains.policies import driver_evaluations as driver
from domains.policies.driver_summaries import shown_decisions, shown_evaluations
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import EvaluationOutcome, RulePhase
from spine.contracts.records import DecisionRecord, EvaluationRecord
from spine.services.ids import uuid7
from tests.domains.policies.test_evaluations import START, append, decision, evaluation, fetch

RUNS = 150


def evaluations(random_: random.Random) -> list[EvaluationRecord]:
    """Of one run: few rules and versions, so that much is folded, at few moments, so that ids decide."""
    run, rules = uuid7(), [uuid4() for _ in range(random_.randint(1, 3))]
    return [
        evaluation(
            run,
            index,
            random_.choice(rules),
            random_.choice([EvaluationOutcome.ALLOW, *EvaluationOutcome]),
            phase=random_.choice([*RulePhase]),
            rule_version=random_.randint(1, 2),
            count=random_.randint(1, 5),
            step_index=random_.choice([None, index]),
            evaluated_at=START + timedelta(seconds=random_.randint(0, 3)),
        )
        for index in range(random_.randint(1, 14))
    ]


def decisions(random_: random.Random) -> list[DecisionRecord]:
    """Of one run, at few moments."""
    run = uuid7()
    moments = [START + timedelta(seconds=random_.randint(0, 2)) for _ in range(random_.randint(1, 5))]
    return [structs.replace(decision(run, index), decided_at=moment) for index, moment in enumerate(moments)]


@pytest.mark.parametrize("first", [1, 3, 50])
async def test_evaluations(runtime: Runtime, principal: Principal, first: int) -> None:
    random_ = random.Random(first)  # noqa: S311 - the same every time
    runs = [evaluations(random_) for _ in range(RUNS)]
    await append(runtime, principal, *(record for records in runs for record in records))
    keys = [records[0].run_key for records in runs]
    rows = await fetch(runtime, principal, driver.evaluations_for_runs(keys, first))
    for records in runs:
        own = [row for row in rows if row.parent == records[0].run_key]
        shuffled = random_.sample(records, len(records))
        assert shown_evaluations(shuffled, first) == ([row.value for row in own], own[0].total)


@pytest.mark.parametrize("first", [1, 3, 50])
async def test_decisions(runtime: Runtime, principal: Principal, first: int) -> None:
    random_ = random.Random(first)  # noqa: S311 - the same every time
    runs = [decisions(random_) for _ in range(RUNS)]
    async with runtime.database.write(principal.tenant_id) as session:
        await session.insert(driver.insert_decisions([record for records in runs for record in records]))
    keys = [records[0].run_key for records in runs]
    rows = await fetch(runtime, principal, driver.decisions_for_runs(keys, first))
    for records in runs:
        own = [row for row in rows if row.parent == records[0].run_key]
        shuffled = random_.sample(records, len(records))
        assert shown_decisions(shuffled, first) == ([row.value for row in own], own[0].total)


def test_of_no_record_there_is_nothing() -> None:
    assert shown_evaluations([], 5) == ([], 0)
    assert shown_decisions([], 5) == ([], 0)
