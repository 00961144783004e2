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
from tests.domains.controls.test_breaches import START, append, fetch, hit

RUNS = 150


def breaches(random_: random.Random) -> list[BreachRecord]:
    """Of one run: few limits, reached and left again, at few moments, so that ids decide."""
    run, limits = uuid7(), [uuid4() for _ in range(random_.randint(1, 4))]
    return [
        hit(
            run,
            index,
            random_.choice(limits),
            random_.choice([*LimitLevel]),
            limit_type=random_.choice([*LimitType]),
            cleared=random_.random() < 0.3,
            breached_value=random_.randint(1, 9_999_999),
            breached_at=START + timedelta(seconds=random_.randint(0, 3)),
        )
        for index in range(random_.randint(1, 9))
    ]


@pytest.mark.parametrize("first", [1, 2, 50])
async def test_hits(runtime: Runtime, principal: Principal, first: int) -> None:
    random_ = random.Random(first)  # noqa: S311 - the same every time
    runs = [breaches(random_) for _ in range(RUNS)]
    await append(runtime, principal, *(record for records in runs for record in records))
    rows = await fetch(runtime, principal, driver.breaches_for_runs([one[0].run_key for one in runs], first))
    for records in runs:
        own = [row for row in rows if row.parent == records[0].run_key]
        total = own[0].total if own else 0
        assert shown_breaches(random_.sample(records, len(records)), first) == ([row.value for row in own], total)


def test_of_no_record_there_is_nothing() -> None:
    assert shown_breaches([], 5) == ([], 0)
