"""Replays through GraphQL: the shipped documents, refusals as data, and statements that do not grow with the page."""

from typing import Any
from uuid import uuid4

import pytest
from msgspec import structs

from schema.relay import global_id, key_of
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.replays import KeepReplay, ReplayRun
from tests.resolvers.conftest import Ask
from tests.resolvers.test_mutations import NOW, report, started, step_input
from tests.resolvers.test_queries import absent, document

REPLAY = document("replay.graphql", "ReplayRun")
REPLAYS = document("replay.graphql", "Replays")


async def a_run(ask: Ask, result: str = "7.0") -> str:
    """A live run with one calculation."""
    run = await started(ask, idempotencyKey=uuid4().hex)
    step = step_input("calculation", kind="EXECUTE_TOOL", name="calculate", startedAt=NOW.isoformat())
    step |= {"input": '{"expression": "3 + 4"}', "output": result}
    given = {"idempotencyKey": uuid4().hex, "runId": run, "steps": [step]}
    answer = await report(ask, "AppendSteps", given)
    assert answer.errors == []
    return run


async def replay(ask: Ask, run: str, *, by: Principal | None = None, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": uuid4().hex, "id": run, **changes}
    answer = await ask(REPLAY, {"input": given}, by=by)
    assert answer.errors == []
    payload: dict[str, Any] = answer.data["replayRun"]
    return payload


class TestReplaying:
    async def test_answers_with_what_became_of_each_step_and_decision(self, ask: Ask) -> None:
        payload = await replay(ask, await a_run(ask, "8.0"))
        assert payload["userErrors"] == []
        [step] = payload["steps"]
        assert (step["behavior"], step["outcome"], step["output"]) == ("CHECK", "MISMATCHED", "7.0")
        first = payload["replay"]["firstDivergence"]
        assert first == step["divergence"]
        assert (first["kind"], first["index"], first["isStep"]) == ("OUTPUT", 0, True)
        assert payload["replay"]["verdict"] == "DIVERGED"
        assert payload["decisions"] == []

    async def test_takes_a_behavior_for_the_run_and_for_a_step(self, ask: Ask) -> None:
        run = await a_run(ask)
        [step] = (await replay(ask, run, behavior="SKIP"))["steps"]
        assert (step["outcome"], step["output"]) == ("PLAYED_BACK", "7.0")
        one = {"spanId": step["spanId"], "behavior": "EXECUTE"}
        [step] = (await replay(ask, run, behavior="SKIP", steps=[one]))["steps"]
        assert (step["behavior"], step["outcome"]) == ("EXECUTE", "EXECUTED")

    async def test_refusals_are_data(self, ask: Ask, other: Principal) -> None:
        run = await a_run(ask)
        key = uuid4().hex
        await replay(ask, run, idempotencyKey=key)
        for by, changes, error in (
            (None, {"id": absent(run)}, (None, "NOT_FOUND")),
            (other, {}, (None, "NOT_FOUND")),
            (None, {"id": "x"}, ("id", "VALIDATION")),
            (None, {"idempotencyKey": ""}, ("idempotencyKey", "VALIDATION")),
            (None, {"steps": [{"spanId": "x", "behavior": "SKIP"}]}, ("steps", "VALIDATION")),
            (None, {"idempotencyKey": key, "behavior": "SKIP"}, ("idempotencyKey", "IDEMPOTENCY_CONFLICT")),
        ):
            payload = await replay(ask, run, by=by, **changes)
            [found] = payload["userErrors"]
            assert (found["field"], found["code"]) == error
            assert payload["replay"] is payload["steps"] is payload["decisions"] is None


class TestListing:
    async def test_shows_replays_with_their_runs_and_mismatches(self, ask: Ask, other: Principal) -> None:
        right, wrong = await a_run(ask), await a_run(ask, "8.0")
        for run in (right, wrong):
            await replay(ask, run)
        answer = await ask(REPLAYS)
        assert answer.errors == []
        nodes = answer.data["replays"]["nodes"]
        assert [one["run"]["id"] for one in nodes] == [wrong, right]
        assert [one["mismatches"]["totalCount"] for one in nodes] == [1, 0]
        assert nodes[0]["mismatches"]["nodes"][0]["subjectName"] == "calculate"
        chosen = await ask(REPLAYS, {"filter": {"runId": right, "verdict": ["MATCHED"]}})
        assert [one["id"] for one in chosen.data["replays"]["nodes"]] == [nodes[1]["id"]]
        assert (await ask(REPLAYS, by=other)).data["replays"]["totalCount"] == 0

    async def test_a_replay_is_a_node_of_its_tenant(self, ask: Ask, other: Principal) -> None:
        found = (await replay(ask, await a_run(ask)))["replay"]["id"]
        query = "query($id: ID!) { node(id: $id) { id ... on Replay { verdict } } }"
        assert (await ask(query, {"id": found})).data["node"] == {"id": found, "verdict": "MATCHED"}
        assert (await ask(query, {"id": found}, by=other)).codes == ["NOT_FOUND"]
        assert str(global_id("Replay", uuid4())) != found

    @pytest.mark.parametrize("bad", [{"first": 0}, {"first": 101}, {"after": "x"}, {"filter": {"runId": "x"}}])
    async def test_malformed_input_is_a_typed_error(self, ask: Ask, bad: dict[str, Any]) -> None:
        assert (await ask(REPLAYS, bad)).codes == ["VALIDATION"]

    async def test_costs_the_same_for_1_and_for_50(self, ask: Ask, runtime: Runtime, principal: Principal) -> None:
        run = key_of(await a_run(ask, "8.0"), "Run")
        execute = runtime.registry.execute
        request = ReplayRun(idempotency_key="0", run_key=run)
        done = (await execute("logs.replay_run", request, principal)).unwrap()
        for number in range(1, 50):
            again = structs.replace(request, idempotency_key=str(number))
            kept = KeepReplay(request=again, steps=done.steps, decisions=done.decisions)
            (await execute("logs.keep_replay", kept, principal)).unwrap()
        for below, statements in {"id": 5, "run { id }": 6, "mismatches { nodes { id } }": 6}.items():
            for first in (1, 50):
                answer = await ask(f"{{ replays(first: {first}) {{ nodes {{ {below} }} }} }}")
                assert (answer.errors, len(answer.data["replays"]["nodes"])) == ([], first)
                assert (below, answer.statements) == (below, statements)
