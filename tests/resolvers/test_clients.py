"""What typed clients send that a person would not: nulls for absent variables, several operations, far-away times."""

from typing import Any

import asyncpg
import pytest

from schema.relay import key_of
from spine.contracts.actors import Principal
from spine.contracts.enums import Permission, Role
from tests.resolvers.conftest import Answer, Ask
from tests.resolvers.test_mutations import report, run_input, started, step_input


def blamed(answer: Answer) -> list[tuple[str | None, str]]:
    """Field and code of each user error of the only payload."""
    assert answer.errors == []
    (payload,) = answer.data.values()
    return [(error["field"], error["code"]) for error in payload["userErrors"]]


class TestDocuments:
    @pytest.mark.parametrize(
        ("declared", "used"),
        [
            ("$x: Int", "runs(first: $x) { totalCount }"),
            ("$x: RunOrder", "runs(orderBy: $x) { totalCount }"),
            ("$x: Int", "signals(first: $x) { totalCount }"),
        ],
    )
    async def test_null_for_an_argument_that_takes_none_is_the_clients_error(
        self, ask: Ask, declared: str, used: str
    ) -> None:
        """It is found only at the field, and was masked as an internal error."""
        answer = await ask(f"query({declared}) {{ {used} }}", {"x": None})
        assert answer.codes == ["VALIDATION"]
        assert "must not be" in answer.errors[0].message or "non-null" in answer.errors[0].message
        assert (await ask(f"query({declared}) {{ {used} }}")).errors == []

    @pytest.mark.parametrize(
        "text", ["{ runs(", "   ", "#", '{ runs(filter: {text: "\\uD800"}) { totalCount } }', "{a" * 300]
    )
    async def test_a_syntax_error_has_a_code_and_the_request_id(self, ask: Ask, text: str) -> None:
        answer = await ask(text)
        assert answer.errors[0].message.startswith("Syntax Error")
        assert answer.errors[0].extensions == {"code": "VALIDATION", "requestId": "test-request"}

    async def test_one_of_several_operations_must_be_named(self, ask: Ask) -> None:
        """The first was run, whichever was meant."""
        both = "query A { viewer { role } } query B { viewer { tenant } }"
        for _ in range(2):  # also when the document is in the caches
            answer = await ask(both)
            assert (answer.data, answer.codes) == (None, ["VALIDATION"])
            assert "operationName" in answer.errors[0].message


class TestTimes:
    @pytest.mark.parametrize("field", ["startedBefore", "completedBefore", "startedAfter", "completedAfter"])
    @pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "2300-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
    async def test_a_filter_may_reach_beyond_what_nanoseconds_do(self, ask: Ask, field: str, time: str) -> None:
        await report(ask, "CompleteRun", {"idempotencyKey": "e", "runId": await started(ask), "status": "SUCCEEDED"})
        answer = await ask("query($f: RunFilter) { runs(filter: $f) { totalCount } }", {"f": {field: time}})
        assert answer.errors == []
        assert answer.data["runs"]["totalCount"] == int(field.endswith("Before") is time.startswith(("9", "2")))

    async def test_agents_may_be_bounded_as_far(self, ask: Ask) -> None:
        await started(ask)
        query = '{ agents(startedAfter: "0001-01-01T00:00:00Z", startedBefore: "9999-12-31T23:59:59Z") { totalCount } }'
        assert (await ask(query)).data == {"agents": {"totalCount": 1}}

    async def test_a_time_that_utc_does_not_have_is_said_so(self, ask: Ask) -> None:
        answer = await ask('{ runs(filter: {startedAfter: "0001-01-01T00:00:00+14:00"}) { totalCount } }')
        assert answer.codes == ["VALIDATION"]
        assert "years 1 to 9999" in answer.errors[0].message


class TestBlame:
    async def test_a_malformed_id_blames_the_field_that_holds_it(self, ask: Ask) -> None:
        assert blamed(await report(ask, "StartRun", run_input(parentRunId="x"))) == [("parentRunId", "VALIDATION")]
        given: dict[str, Any] = {"idempotencyKey": "a", "runId": "x", "steps": [step_input("s")]}
        assert blamed(await report(ask, "AppendSteps", given)) == [("runId", "VALIDATION")]

    async def test_text_within_an_input_blames_its_whole_path(self, ask: Ask) -> None:
        actor = {"kind": "HUMAN", "id": "a\x00"}
        assert blamed(await report(ask, "StartRun", run_input(actor=actor))) == [("actor.id", "VALIDATION")]
        steps = [step_input("s"), step_input("t", input="\x00")]
        given: dict[str, Any] = {"idempotencyKey": "a", "runId": await started(ask), "steps": steps}
        assert blamed(await report(ask, "AppendSteps", given)) == [("steps[1].input", "VALIDATION")]

    async def test_a_rule_that_supersedes_itself_blames_the_inputs_own_field(self, ask: Ask) -> None:
        create = """mutation { createPolicyRule(input: {name: "a", condition: "step.skill_name == 'x'"})
            { policyRule { id } userErrors { field } } }"""
        rule = (await ask(create)).data["createPolicyRule"]["policyRule"]["id"]
        retire = """mutation($id: ID!) { retirePolicyRule(input: {id: $id, reason: "r", supersededById: $id})
            { userErrors { field code } } }"""
        assert blamed(await ask(retire, {"id": rule})) == [("supersededById", "VALIDATION")]


class TestKeysThatOnlyWrite:
    """A write that was committed was answered as FORBIDDEN, without the new object's id."""

    async def test_a_key_that_only_reports_gets_the_runs_id(self, ask: Ask, principal: Principal) -> None:
        machine = Principal(
            principal.tenant_id, principal.actor, Role.MACHINE, frozenset({Permission.RUNS_WRITE}), "machine"
        )
        start = "mutation($i: StartRunInput!) { startRun(input: $i) { runId userErrors { code } } }"
        answer = await ask(start, {"i": run_input()}, by=machine)
        assert answer.errors == []
        run = answer.data["startRun"]["runId"]
        assert (await ask("query($i: ID!) { run(id: $i) { id } }", {"i": run})).data["run"]["id"] == run

        end = "mutation($i: CompleteRunInput!) { completeRun(input: $i) { runId run { id } userErrors { code } } }"
        given = {"idempotencyKey": "e", "runId": run, "status": "SUCCEEDED"}
        answer = await ask(end, {"i": given}, by=machine)
        assert answer.data == {"completeRun": {"runId": run, "run": None, "userErrors": []}}
        assert [(error.path, error.extensions["code"]) for error in answer.errors] == [
            (["completeRun", "run"], "FORBIDDEN")
        ]

    @pytest.mark.parametrize(
        ("mutation", "shown", "needed"),
        [
            ('createLimit(input: {name: "a", limitType: TIME_MS, maxValue: 1})', "limit", Permission.POLICIES_WRITE),
            ('createPolicyRule(input: {name: "a", condition: "true"})', "policyRule", Permission.POLICIES_WRITE),
            (
                (
                    'setModelPrice(input: {provider: "p", model: "m", source: "s",'
                    " inputUsdPerMillion: 1, outputUsdPerMillion: 1})"
                ),
                "modelPrice",
                Permission.BILLING_MANAGE,
            ),
        ],
    )
    async def test_what_may_not_be_read_is_missing_at_its_own_place(
        self, ask: Ask, principal: Principal, mutation: str, shown: str, needed: Permission
    ) -> None:
        machine = Principal(principal.tenant_id, principal.actor, Role.MACHINE, frozenset({needed}), "machine")
        name = mutation.partition("(")[0]
        answer = await ask(
            f"mutation {{ {mutation} {{ {shown} {{ __typename }} userErrors {{ code }} }} }}", by=machine
        )
        assert answer.data == {name: {shown: None, "userErrors": []}}
        assert [(error.path, error.extensions["code"]) for error in answer.errors] == [([name, shown], "FORBIDDEN")]


class TestCursors:
    async def test_a_nested_cursor_holds_while_rows_are_added_before_its_own(self, ask: Ask, superuser: Any) -> None:
        """Signals are newest first: those raised since moved the cursor's row beyond what was loaded."""
        run = await started(ask)
        query = """query($i: ID!, $a: String) { run(id: $i) { signals(first: 2, after: $a) {
            totalCount pageInfo { endCursor hasNextPage } nodes { summary } } } }"""
        await raise_signals(superuser, run, range(4))
        first = (await ask(query, {"i": run})).data["run"]["signals"]
        assert [node["summary"] for node in first["nodes"]] == ["3", "2"]
        await raise_signals(superuser, run, range(4, 54))
        answer = await ask(query, {"i": run, "a": first["pageInfo"]["endCursor"]})
        assert answer.errors == []
        rest = answer.data["run"]["signals"]
        assert [node["summary"] for node in rest["nodes"]] == ["1", "0"]
        assert (rest["totalCount"], rest["pageInfo"]["hasNextPage"]) == (54, False)


async def raise_signals(superuser: Any, run: str, numbers: range) -> None:
    """Raise signals one minute after the other, named by their numbers."""
    connection = await asyncpg.connect(**superuser)
    key = key_of(run, "Run")
    try:
        await connection.execute(
            "INSERT INTO signals (tenant_id, id, run_id, fingerprint, type, severity, dimension, source, summary,"
            " created_at) SELECT tenant_id, gen_random_uuid(), id, 'test-' || id || n, 'COST_RISK', 'LOW', 'cost',"
            " 'run', n::text, now() + n * interval '1 minute' FROM runs, unnest($2::int[]) n WHERE id = $1",
            key,
            list(numbers),
        )
    finally:
        await connection.close()
