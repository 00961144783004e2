"""One run that somebody else has made unreadable never takes its page with it."""

from typing import Any

import asyncpg
import pytest

from spine.contracts.actors import Principal
from tests.resolvers.conftest import Ask

PAGE = "{ runs(first: 50) { totalCount edges { cursor node { id agentName } } } }"


@pytest.mark.usefixtures("governed")
class TestUnreadableRun:
    async def test_is_null_with_a_typed_error_on_a_page_of_50(
        self, ask: Ask, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        whole = (await ask(PAGE)).data["runs"]["edges"]
        assert len(whole) == 50
        connection = await asyncpg.connect(**superuser)
        await connection.execute(
            "UPDATE runs SET policy_context = '\\x00' WHERE tenant_id = $1 AND id = (SELECT id FROM runs "
            "WHERE tenant_id = $1 AND NOT withdrawn ORDER BY started_ns DESC, id DESC OFFSET 7 LIMIT 1)",
            principal.tenant_id,
        )
        await connection.close()
        answer = await ask(PAGE)
        edges = answer.data["runs"]["edges"]
        assert [edge["cursor"] for edge in edges] == [edge["cursor"] for edge in whole]
        assert [place for place, edge in enumerate(edges) if edge["node"] is None] == [7]
        assert answer.data["runs"]["totalCount"] == 50
        (error,) = answer.errors
        assert error.path == ["runs", "edges", 7, "node"]
        assert error.extensions["code"] == "UNREADABLE"
        one = await ask("query($id: ID!) { run(id: $id) { id } }", {"id": whole[7]["node"]["id"]})
        assert one.data == {"run": None}
        assert one.codes == ["UNREADABLE"]
