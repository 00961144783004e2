"""Limits that runs reached, composed of records, against what the database composes of the same rows."""

import random
from datetime import timedelta
from uuid import uuid4

import pytest

from domains.controls import driver_breaches as driver
from domains.controls.driver_summaries import shown_breaches
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import LimitLevel, LimitType
from spine.contracts.records import BreachRecord
from spine.services.ids import uuid7
from tests.domains.composing import assert_alike
from tests.domains.controls.test_breaches import START, hit


def breaches(chance: random.Random) -> list[BreachRecord]:
    """Of one run: few limits, reached and left again, at few moments, so that ids decide."""
    run, limits = uuid7(), [uuid4() for _ in range(chance.randint(1, 4))]
    return [
        hit(
            run,
            index,
            chance.choice(limits),
            chance.choice([*LimitLevel]),
            limit_type=chance.choice([*LimitType]),
            cleared=chance.random() < 0.3,
            breached_value=chance.randint(1, 9_999_999),
            breached_at=START + timedelta(seconds=chance.randint(0, 3)),
        )
        for index in range(chance.randint(1, 9))
    ]


@pytest.mark.parametrize("first", [1, 2, 50])
async def test_hits(runtime: Runtime, principal: Principal, first: int) -> None:
    read, insert = driver.breaches_for_runs, driver.insert_breaches
    await assert_alike(runtime, principal, first, breaches, insert, read, shown_breaches)


def test_of_no_record_there_is_nothing() -> None:
    assert shown_breaches([], 5) == ([], 0)
