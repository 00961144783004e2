"""Lists that are composed of records, against those that the database composes of the same rows."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.statements import InsertRows, Read

RUNS = 150


async def assert_alike(
    runtime: Runtime,
    principal: Principal,
    first: int,
    make: Callable[[random.Random], list[Any]],
    insert: Callable[[Sequence[Any]], InsertRows],
    read: Callable[[Sequence[Any], int], Read[Any]],
    shown: Callable[[Sequence[Any], int], tuple[list[Any], int]],
) -> None:
    """Of many generated runs, the records of each in any order."""
    chance = random.Random(first)  # noqa: S311 - the same every time
    runs = [make(chance) for _ in range(RUNS)]
    async with runtime.database.write(principal.tenant_id) as session:
        await session.insert(insert([record for records in runs for record in records]))
        rows = await session.fetch(read([records[0].run_key for records in runs], first))
    for records in runs:
        own = [row for row in rows if row.parent == records[0].run_key]
        total = own[0].total if own else 0
        assert shown(chance.sample(records, len(records)), first) == ([row.value for row in own], total)
