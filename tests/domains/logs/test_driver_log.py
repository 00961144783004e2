"""What the database does to take leaves out of the queue: the same, whatever its statistics say of the queue."""

import json
from typing import Any

import asyncpg

from domains.logs.driver_log import TAKE, take_leaves
from spine.contracts.actors import Principal
from spine.storage.compiling import compiled
from tests.domains.activity.test_runs_plan import nodes

QUEUED = """INSERT INTO log_pending SELECT $1, gen_random_uuid(), 'AUDIT', gen_random_uuid(), 1,
    sha256(n::text::bytea), now() FROM generate_series(1, 300) n"""


class TestTaking:
    async def test_a_queue_that_was_empty_when_statistics_were_taken_is_read_once(
        self, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        """Planned as a join, 1,000 of 10,000 leaves took 12 seconds instead of a thousandth of one."""
        statement = compiled(TAKE)
        given = statement.arguments({**take_leaves(100).params, "tenant_id": principal.tenant_id})
        connection = await asyncpg.connect(**superuser)
        try:
            undone = connection.transaction()
            await undone.start()
            await connection.execute("TRUNCATE log_pending; ANALYZE log_pending")
            await connection.execute(QUEUED, principal.tenant_id)
            [row] = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}", *given)
            await undone.rollback()
        finally:
            await connection.close()
        plan = json.loads(row[0])[0]["Plan"]
        assert plan["Actual Rows"] == 100
        assert {node["Actual Loops"] for node in nodes(plan)} == {1}
