"""Evidence capture over GraphQL: adding to a run's environment, and lists that are sliced."""

from typing import Any

import pytest

from tests.resolvers.conftest import Ask

CAPTURE = """mutation($input: CaptureEnvironmentInput!) { captureEnvironment(input: $input) {
    run { capture { environment { name value source } } } userErrors { code field } } }"""
RUNS = "{ runs(first: 1) { nodes { id traceId } } }"


def given(run: dict[str, str], *attributes: tuple[str, str], **changes: str) -> dict[str, Any]:
    listed = [{"name": name, "value": value} for name, value in attributes]
    wanted = {"idempotencyKey": "k", "runId": run["id"], "traceId": run["traceId"], "attributes": listed}
    return {"input": {**wanted, **changes}}


@pytest.mark.usefixtures("governed")
class TestCapturing:
    async def test_shows_what_was_added(self, ask: Ask) -> None:
        (run,) = (await ask(RUNS)).data["runs"]["nodes"]
        answer = await ask(CAPTURE, given(run, ("host.name", "h1")))
        payload = answer.data["captureEnvironment"]
        assert (answer.errors, payload["userErrors"]) == ([], [])
        assert payload["run"]["capture"]["environment"] == [
            {"name": "host.name", "value": "h1", "source": "CAPTURE"},
            {"name": "service.name", "value": "tests", "source": "RUN"},
        ]

    @pytest.mark.parametrize(
        ("attributes", "changes", "code", "field"),
        [
            ((("host.name", "h1"),), {"traceId": "f" * 32}, "EVIDENCE_CONTEXT_INVALID", "traceId"),
            ((("service.name", "bank"),), {}, "CONFLICT", "attributes"),
            ((("customer.name", "Ada"),), {}, "VALIDATION", "attributes"),
            ((), {}, "VALIDATION", "attributes"),
            ((("host.name", "x" * 1001),), {}, "TOO_LARGE", "attributes"),
        ],
    )
    async def test_says_what_is_wrong_with_it(
        self, ask: Ask, attributes: tuple[tuple[str, str], ...], changes: dict[str, str], code: str, field: str
    ) -> None:
        (run,) = (await ask(RUNS)).data["runs"]["nodes"]
        payload = (await ask(CAPTURE, given(run, *attributes, **changes))).data["captureEnvironment"]
        assert payload["userErrors"] == [{"code": code, "field": field}]


@pytest.mark.usefixtures("governed")
class TestReading:
    async def test_slices_and_goes_on_after_a_cursor(self, ask: Ask) -> None:
        query = """query($id: ID!, $after: String) { run(id: $id) { capture {
            activity(first: 1, after: $after) { totalCount nodes { name } pageInfo { hasNextPage endCursor } }
            provider { nodes { model missing } } failures { totalCount } } } }"""
        (run,) = (await ask(RUNS)).data["runs"]["nodes"]
        found = (await ask(query, {"id": run["id"]})).data["run"]["capture"]
        assert found["activity"]["totalCount"] == 1
        assert found["provider"]["nodes"] == [
            {"model": "gpt-4o", "missing": ["gen_ai.response.id", "gen_ai.response.finish_reasons"]}
        ]
        assert found["failures"] == {"totalCount": 0}
        cursor = found["activity"]["pageInfo"]["endCursor"]
        rest = await ask(query, {"id": run["id"], "after": cursor})
        assert rest.data["run"]["capture"]["activity"]["nodes"] == []

    async def test_refuses_a_page_that_is_too_large(self, ask: Ask) -> None:
        answer = await ask("{ runs(first: 1) { nodes { capture { activity(first: 101) { totalCount } } } } }")
        assert answer.codes == ["VALIDATION"]
