"""Reads through GraphQL: pages, global ids, nested lists, and what wrong input is answered with."""

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse, print_ast

from schema.export import SCHEMA_FILE
from schema.relay import encode
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from tests.resolvers.conftest import Ask, govern

OPERATIONS = SCHEMA_FILE.parent / "operations"
LISTS = ("runs", "signals", "incidents", "agents", "auditEntries", "policyRules", "limits", "modelPrices")


def document(file: str, operation: str) -> str:
    """One operation of a shipped file, with its fragments."""
    wanted = [
        one
        for one in parse((OPERATIONS / file).read_text("utf-8")).definitions
        if not isinstance(one, OperationDefinitionNode) or (one.name is not None and one.name.value == operation)
    ]
    text = "\n".join(print_ast(one) for one in wanted)
    used = [one for one in wanted if isinstance(one, OperationDefinitionNode) or f"...{one.name.value}" in text]  # type: ignore[attr-defined]
    return "\n".join(print_ast(one) for one in used)


@pytest.mark.usefixtures("governed")
class TestPages:
    @pytest.mark.parametrize("name", LISTS)
    async def test_pages_neither_skip_nor_repeat(self, ask: Ask, name: str) -> None:
        shown = "model provider" if name == "modelPrices" else "id"
        query = f"""query($first: Int!, $after: String) {{ {name}(first: $first, after: $after) {{
            totalCount nodes {{ {shown} }} edges {{ cursor }}
            pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }}"""
        seen: list[str] = []
        after, more = None, True
        while more:
            answer = await ask(query, {"first": 7, "after": after})
            assert answer.errors == []
            page = answer.data[name]
            assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
            assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
            seen += [str(node) for node in page["nodes"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert len(seen) == len(set(seen)) == page["totalCount"] > 0

    @pytest.mark.parametrize("name", LISTS)
    @pytest.mark.parametrize(
        ("arguments", "field"),
        [("first: 0", "first"), ("first: -1", "first"), ("first: 101", "first"), ('after: "x"', "after")],
    )
    async def test_a_page_out_of_range_is_a_typed_error(self, ask: Ask, name: str, arguments: str, field: str) -> None:
        answer = await ask(f"{{ {name}({arguments}) {{ nodes {{ __typename }} }} }}")
        assert answer.codes == ["VALIDATION"]
        assert answer.errors[0].extensions["field"] == field
        assert answer.errors[0].path == [name]

    async def test_a_cursor_of_another_list_is_refused(self, ask: Ask) -> None:
        cursor = (await ask("{ signals { pageInfo { endCursor } } }")).data["signals"]["pageInfo"]["endCursor"]
        answer = await ask("query($after: String) { runs(after: $after) { nodes { id } } }", {"after": cursor})
        assert answer.codes == ["VALIDATION"]

    @pytest.mark.parametrize(
        "arguments",
        [
            "orderBy: NEWEST",
            "filter: {status: [DONE]}",
            'filter: {startedAfter: "yesterday"}',
            'filter: {parentRunId: "x"}',
            'filter: {text: "a\\u0000b"}',
        ],
    )
    async def test_a_wrong_filter_is_a_typed_error(self, ask: Ask, arguments: str) -> None:
        assert (await ask(f"{{ runs({arguments}) {{ nodes {{ id }} }} }}")).codes == ["VALIDATION"]


@pytest.mark.usefixtures("governed")
class TestRuns:
    async def test_filter_and_order_reach_the_list(self, ask: Ask) -> None:
        query = """{ all: runs(orderBy: STARTED_AT_ASC, first: 100) { nodes { startedAt agentId } }
            one: runs(filter: {agentId: "agent-1", status: [FAILED, FAILED_POLICY]}) {
                totalCount nodes { agentId } } }"""
        data = (await ask(query)).data
        times = [node["startedAt"] for node in data["all"]["nodes"]]
        assert times == sorted(times)
        assert {node["agentId"] for node in data["one"]["nodes"]} == {"agent-1"}
        assert data["one"]["totalCount"] == sum(node["agentId"] == "agent-1" for node in data["all"]["nodes"])

    async def test_latency_is_computed_wherever_a_row_selects_it(self, ask: Ask) -> None:
        query = """query($shown: Boolean!) {
            nodes: runs(first: 1) { nodes { found: latencyBucket } }
            edges: runs(first: 1) { edges { ... { node { ...Latency } } } }
            both: runs(first: 1) { nodes { id } edges { node { found: latencyBucket @include(if: $shown) } } }
        } fragment Latency on Run { ... on Run { found: latencyBucket } }"""
        for shown in (True, False):
            answer = await ask(query, {"shown": shown})
            assert answer.errors == []
            data = answer.data
            assert data["nodes"]["nodes"] == [{"found": "OK"}]
            assert data["edges"]["edges"] == [{"node": {"found": "OK"}}]
            assert data["both"]["edges"] == [{"node": {"found": "OK"} if shown else {}}]

    async def test_counts_for_filter_chips(self, ask: Ask) -> None:
        stats = (await ask("{ runStats(groupBy: AGENT) { groupBy total groups { value count percentage } } }")).data
        assert stats["runStats"]["total"] == 50
        assert sum(group["count"] for group in stats["runStats"]["groups"]) == 50

    async def test_everything_of_one_run(self, ask: Ask) -> None:
        run_id = (await ask("{ runs(first: 1) { nodes { id } } }")).data["runs"]["nodes"][0]["id"]
        answer = await ask(document("run.graphql", "RunDetail"), {"id": run_id, "includePayloads": True})
        assert answer.errors == []
        run = answer.data["run"]
        assert run["proof"]["integrity"]["verificationStatus"] == "VERIFIED"
        assert run["proof"]["steps"]["totalCount"] == len(run["proof"]["rawLogs"]) == run["stepCount"]
        (blocked,) = [one for one in run["evidence"]["policiesEvaluated"]["nodes"] if one["outcome"] == "BLOCK"]
        assert blocked["facts"] == {"step.skill_name": "book_flight"}
        assert run["evidence"]["limitsHit"]["nodes"][0]["thresholdValue"] == "50"


@pytest.mark.usefixtures("governed")
class TestNestedLists:
    async def test_steps_go_on_below_a_single_run(self, ask: Ask) -> None:
        query = """query($id: ID!, $after: String) { run(id: $id) { proof {
            steps(first: 1, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } } } } }"""
        names, after = [], None
        for _ in range(2):
            steps = (await ask(query, {"id": await first_run(ask), "after": after})).data["run"]["proof"]["steps"]
            names += [node["name"] for node in steps["nodes"]]
            after = steps["pageInfo"]["endCursor"]
        assert sorted(names) == ["chat", "execute_tool"]
        assert not steps["pageInfo"]["hasNextPage"]

    @pytest.mark.parametrize(
        "path", ["signals%s", "evidence { incidentsCaused%s }", "evidence { policiesEvaluated%s }"]
    )
    async def test_every_nested_list_goes_on_below_a_single_run(self, ask: Ask, path: str) -> None:
        page = "(first: 1, after: $after) { totalCount nodes { id } pageInfo { endCursor hasNextPage } }"
        query = f"query($id: ID!, $after: String) {{ run(id: $id) {{ {path % page} }} }}"
        run_id = await first_run(ask)
        seen, after, more = [], None, True
        while more:
            answer = await ask(query, {"id": run_id, "after": after})
            assert answer.errors == []
            found = answer.data["run"]
            while "nodes" not in found:
                (found,) = found.values()
            seen += [node["id"] for node in found["nodes"]]
            after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
        assert len(seen) == len(set(seen)) == found["totalCount"] > 1

    @pytest.mark.parametrize(
        "path", ["signals%s", "evidence { incidentsCaused%s }", "proof { integrity { model } steps%s }"]
    )
    async def test_below_a_list_they_do_not(self, ask: Ask, path: str) -> None:
        nested = path % "(after: $after) { totalCount }"
        answer = await ask(
            f"query($after: String) {{ runs(first: 2) {{ nodes {{ id {nested} }} }} }}", {"after": encode("1:x")}
        )
        assert set(answer.codes) == {"VALIDATION"}
        assert "single" in answer.errors[0].message

    @pytest.mark.parametrize("path", ["signals%s", "evidence { limitsHit%s }", "proof { steps%s }"])
    @pytest.mark.parametrize(("arguments", "field"), [("(first: 101)", "first"), ('(after: "x")', "after")])
    async def test_wrong_arguments_are_typed_errors(self, ask: Ask, path: str, arguments: str, field: str) -> None:
        nested = path % f"{arguments} {{ totalCount }}"
        answer = await ask(f"query($id: ID!) {{ run(id: $id) {{ id {nested} }} }}", {"id": await first_run(ask)})
        assert answer.codes == ["VALIDATION"]
        assert answer.errors[0].extensions["field"] == field

    async def test_aliases_slice_what_was_loaded_once(self, ask: Ask) -> None:
        query = """{ runs(first: 1) { nodes {
            one: signals(first: 1) { totalCount nodes { id } }
            all: signals(first: 9) { totalCount nodes { id } } } } }"""
        (run,) = (await ask(query)).data["runs"]["nodes"]
        assert run["one"]["nodes"] == run["all"]["nodes"][:1]
        assert run["one"]["totalCount"] == run["all"]["totalCount"] == len(run["all"]["nodes"]) > 1


@pytest.mark.usefixtures("governed")
class TestGlobalIds:
    async def test_every_node_is_found_again_by_its_id(self, ask: Ask) -> None:
        query = """{ runs { nodes { id } } signals { nodes { id } } incidents { nodes { id } }
            policyRules { nodes { id } } limits { nodes { id } } }"""
        found = (await ask(query)).data
        kinds = {
            "runs": "Run",
            "signals": "Signal",
            "incidents": "Incident",
            "policyRules": "PolicyRule",
            "limits": "Limit",
        }
        for name, kind in kinds.items():
            wanted = found[name]["nodes"][0]["id"]
            answer = await ask("query($id: ID!) { node(id: $id) { __typename id } }", {"id": wanted})
            assert answer.data["node"] == {"__typename": kind, "id": wanted}

    async def test_absent_nodes_leave_the_others_standing(self, ask: Ask) -> None:
        run_id = await first_run(ask)
        ids = [run_id, absent(run_id), "x", run_id]
        answer = await ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids})
        assert [node and node["id"] for node in answer.data["nodes"]] == [run_id, None, None, run_id]
        assert [(error.path, error.extensions["code"]) for error in answer.errors] == [
            (["nodes", 1], "NOT_FOUND"),
            (["nodes", 2], "VALIDATION"),
        ]

    async def test_at_most_100_at_once(self, ask: Ask) -> None:
        assert (await ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x"] * 101})).codes == [
            "VALIDATION"
        ]

    async def test_an_id_of_another_kind_is_no_run(self, ask: Ask) -> None:
        signal = (await ask("{ signals(first: 1) { nodes { id } } }")).data["signals"]["nodes"][0]["id"]
        assert (await ask("query($id: ID!) { run(id: $id) { id } }", {"id": signal})).codes == ["VALIDATION"]


class TestTenancy:
    async def test_another_tenants_lists_are_empty_and_its_objects_absent(
        self, runtime: Runtime, principal: Principal, other: Principal, ask: Ask
    ) -> None:
        await govern(runtime, principal, 3)
        own = """{ runs { nodes { id } } signals { nodes { id } } incidents { nodes { id } }
            policyRules { nodes { id } } limits { nodes { id } } agents { nodes { id } } }"""
        mine, theirs = (await ask(own)).data, (await ask(own, by=other)).data
        assert all(page["nodes"] for page in mine.values())
        assert not any(page["nodes"] for page in theirs.values())
        for page in (mine[name] for name in mine if name != "agents"):
            wanted = page["nodes"][0]["id"]
            foreign = await ask("query($id: ID!) { node(id: $id) { id } }", {"id": wanted}, by=other)
            missing = await ask("query($id: ID!) { node(id: $id) { id } }", {"id": absent(wanted)}, by=other)
            assert foreign.data == missing.data == {"node": None}
            assert foreign.errors[0].formatted == missing.errors[0].formatted
        stats = await ask("{ runStats(groupBy: STATUS) { total } auditEntries { nodes { entityType } } }", by=other)
        assert stats.data["runStats"]["total"] == 0
        assert {node["entityType"] for node in stats.data["auditEntries"]["nodes"]} <= {"TENANT"}


async def first_run(ask: Ask) -> str:
    """The id of the latest run."""
    data: dict[str, Any] = (await ask("{ runs(first: 1) { nodes { id } } }")).data
    return str(data["runs"]["nodes"][0]["id"])


def absent(global_id: str) -> str:
    """An id of the same kind that nobody has."""
    last = "A" if global_id[-4] != "A" else "B"
    return f"{global_id[:-4]}{last}{global_id[-3:]}"
