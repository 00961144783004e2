"""Answers over HTTP go to orjson as they are: moments are written by it, and read like those in process."""

import gc
from datetime import UTC, date, datetime
from typing import Any

import httpx
import orjson
import pytest

from schema.scalars import NATIVE, SCALARS
from tests.resolvers.conftest import Ask

EXAMPLES: dict[type, list[Any]] = {
    datetime: [datetime(2026, 1, 31, 9, 30, tzinfo=UTC), datetime(1, 1, 1, 0, 0, 0, 7, tzinfo=UTC)],
    date: [date(2026, 1, 31), date(1, 1, 1)],
}


@pytest.mark.parametrize("name", NATIVE)
def test_orjson_writes_native_scalars_as_their_serializers_do(name: str) -> None:
    (scalar,) = (one for one in SCALARS.values() if one.name == name)
    assert scalar.serialize is not None
    for example in EXAMPLES[NATIVE[name]]:
        assert orjson.dumps(example) == orjson.dumps(scalar.serialize(example))


@pytest.mark.usefixtures("governed")
class TestAnswers:
    async def test_are_those_that_the_same_query_has_in_process(self, client: httpx.AsyncClient, ask: Ask) -> None:
        query = "{ runs(first: 50) { nodes { id startedAt completedAt costUsd signals { nodes { createdAt } } } } }"
        response = await client.post("/graphql", json={"query": query})
        assert response.json()["data"] == (await ask(query)).data
        assert list(response.json()) == ["data", "extensions"]
        assert set(response.json()["extensions"]["cost"]) == {"requested", "actual", "remaining"}
        assert response.headers["x-request-id"]

    async def test_leave_no_circles_that_hold_them_until_the_garbage_collector_looks(
        self, client: httpx.AsyncClient
    ) -> None:
        async def garbage(first: int) -> int:
            query = f"{{ runs(first: {first}) {{ nodes {{ id signals {{ nodes {{ id }} }} }} }} }}"
            await client.post("/graphql", json={"query": query})
            gc.collect()
            response = await client.post("/graphql", json={"query": query})
            assert len(response.json()["data"]["runs"]["nodes"]) >= min(first, 3)
            return gc.collect()

        gc.disable()
        try:
            one, many = await garbage(1), await garbage(50)
        finally:
            gc.enable()
        assert many <= one + 5
