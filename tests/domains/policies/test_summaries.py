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
from tests.domains.composing import assert_alike
from tests.domains.policies.test_evaluations import START, decision, evaluation


def evaluations(chance: random.Random) -> list[EvaluationRecord]:
    """Of one run: few rules and versions, so that much is folded, at few moments, so that ids decide."""
    run, rules = uuid7(), [uuid4() for _ in range(chance.randint(1, 3))]
    return [
        evaluation(
            run,
            index,
            chance.choice(rules),
            chance.choice([EvaluationOutcome.ALLOW, *EvaluationOutcome]),
            phase=chance.choice([*RulePhase]),
            rule_version=chance.randint(1, 2),
            count=chance.randint(1, 5),
            step_index=chance.choice([None, index]),
            evaluated_at=START + timedelta(seconds=chance.randint(0, 3)),
        )
        for index in range(chance.randint(1, 14))
    ]


def decisions(chance: random.Random) -> list[DecisionRecord]:
    """Of one run, at few moments."""
    run = uuid7()
    moments = [START + timedelta(seconds=chance.randint(0, 2)) for _ in range(chance.randint(1, 5))]
    return [structs.replace(decision(run, index), decided_at=moment) for index, moment in enumerate(moments)]


@pytest.mark.parametrize("first", [1, 3, 50])
async def test_evaluations(runtime: Runtime, principal: Principal, first: int) -> None:
    read, insert = driver.evaluations_for_runs, driver.insert_evaluations
    await assert_alike(runtime, principal, first, evaluations, insert, read, shown_evaluations)


@pytest.mark.parametrize("first", [1, 3, 50])
async def test_decisions(runtime: Runtime, principal: Principal, first: int) -> None:
    read, insert = driver.decisions_for_runs, driver.insert_decisions
    await assert_alike(runtime, principal, first, decisions, insert, read, shown_decisions)


def test_of_no_record_there_is_nothing() -> None:
    assert shown_evaluations([], 5) == ([], 0)
    assert shown_decisions([], 5) == ([], 0)
