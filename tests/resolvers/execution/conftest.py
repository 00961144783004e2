"""A small governed tenant, one of whose runs can't be read, and both executors over it."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from schema.relay import global_id
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from tests.resolvers.conftest import govern
from tests.resolvers.execution.both import Both

RUNS = 6


@pytest.fixture
def both(
    event_loop: asyncio.AbstractEventLoop, runtime: Runtime, principal: Principal, superuser: dict[str, Any]
) -> Both:
    """Both executors over the tenant."""
    event_loop.run_until_complete(govern(runtime, principal, RUNS))
    event_loop.run_until_complete(_make_one_unreadable(principal, superuser))
    return Both(runtime, principal)


@pytest.fixture
def ids(event_loop: asyncio.AbstractEventLoop, both: Both) -> list[str]:
    """Global ids of the tenant's objects of each kind, and one of nothing."""
    lists = ("runs(first: 3)", "signals(first: 2)", "incidents(first: 2)", "policyRules", "limits")
    query = "{ " + " ".join(f"{one} {{ nodes {{ id }} }}" for one in lists) + " }"
    rows = event_loop.run_until_complete(both.rows(query))
    return [*(row["id"] for row in rows), str(global_id("Run", UUID(int=1)))]


async def _make_one_unreadable(principal: Principal, superuser: dict[str, Any]) -> None:
    connection = await asyncpg.connect(**superuser)
    await connection.execute(
        "UPDATE runs SET policy_context = '\\x00' WHERE tenant_id = $1 AND id = (SELECT id FROM runs "
        "WHERE tenant_id = $1 AND NOT withdrawn ORDER BY started_ns DESC, id DESC OFFSET 1 LIMIT 1)",
        principal.tenant_id,
    )
    await connection.close()
