"""Facts of spans: fallbacks, exact bytes, nothing lost, and a digest that tells any two different spans apart."""

import base64
import hashlib
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from spine.contracts.enums import StepKind, StepStatus
from spine.contracts.spans import AttributeValue, SpanEvent, SpanFacts, SpanRecord
from tests.domains.activity.spans import BARE, JSON_VALUES, SPANS, a_span, facts_of


def kept(facts: SpanFacts) -> dict[str, object]:
    attributes: dict[str, object] = orjson.loads(facts.attributes)["attributes"]
    return attributes


class TestRuns:
    def test_an_agent_span_of_the_current_conventions(self) -> None:
        facts = facts_of(
            a_span(
                {
                    "gen_ai.operation.name": "invoke_agent",
                    "gen_ai.agent.name": "airline-support",
                    "gen_ai.agent.id": "be8e2cef9738",
                    "gen_ai.conversation.id": "conv",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.task.goal": "fly",
                },
                name="invoke_agent airline-support",
                resource={"service.name": "shop", "hoc.project": "checkout", "hoc.synthetic": "true"},
                status_code=2,
                status_message="task not accomplished",
            )
        )
        assert (facts.is_agent, facts.kind, facts.skill_name) == (True, StepKind.OTHER, "invoke_agent airline-support")
        assert (facts.agent_name, facts.agent_id) == ("airline-support", "be8e2cef9738")
        assert (facts.conversation_id, facts.goal, facts.project_id) == ("conv", "fly", "checkout")
        assert (facts.origin_system_id, facts.is_synthetic) == ("shop", True)
        assert (facts.status, facts.outcome_code) == (StepStatus.FAILURE, None)
        assert facts.status_message == "task not accomplished"
        assert (facts.started_ns, facts.ended_ns) == (BARE.started_ns, BARE.ended_ns)
        assert (facts.trace_id, facts.span_id, facts.parent_span_id) == (
            BARE.trace_id,
            BARE.span_id,
            BARE.parent_span_id,
        )

    @pytest.mark.parametrize(
        ("name", "attributes", "agent"),
        [
            ("invoke_agent Math Tutor", {}, "Math Tutor"),
            ("invoke_agent ", {}, "shop"),
            ("agent run", {"agent_name": "weather", "model_name": "gpt-4o"}, "weather"),
            ("weather run", {"agent_name": "weather"}, "weather"),
            ("anything", {"openinference.span.kind": "AGENT"}, "shop"),
        ],
    )
    def test_a_run_is_recognised_and_named_without_the_current_attributes(
        self, name: str, attributes: dict[str, AttributeValue], agent: str
    ) -> None:
        facts = facts_of(a_span(attributes, name=name, resource={"service.name": "shop"}))
        assert (facts.is_agent, facts.agent_name, facts.agent_id) == (True, agent, agent)

    @pytest.mark.parametrize(
        ("name", "attributes"),
        [
            ("create_agent tutor", {"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "tutor"}),
            ("invoke_agent tutor", {"gen_ai.operation.name": "chat"}),
            ("chat gpt-4o", {"gen_ai.operation.name": "chat", "gen_ai.agent.name": "tutor"}),
            ("dry run", {}),
            ("invoke_agents", {}),
            ("", {}),
        ],
    )
    def test_other_spans_are_no_runs(self, name: str, attributes: dict[str, AttributeValue]) -> None:
        assert facts_of(a_span(attributes, name=name)).is_agent is False

    def test_an_agent_without_any_name_has_none(self) -> None:
        facts = facts_of(a_span({"gen_ai.operation.name": "invoke_agent"}))
        assert (facts.agent_name, facts.agent_id, facts.origin_system_id) == (None, None, None)

    def test_the_spans_own_project_and_synthetic_mark_go_before_the_resources(self) -> None:
        resource: dict[str, AttributeValue] = {"hoc.project": "theirs", "hoc.synthetic": True}
        facts = facts_of(a_span({"hoc.project": "mine", "hoc.synthetic": False}, resource=resource))
        assert (facts.project_id, facts.is_synthetic) == ("mine", False)

    @pytest.mark.parametrize("value", [True, "true", "TRUE", "1", 1])
    def test_synthetic_is_said_in_many_ways(self, value: AttributeValue) -> None:
        assert facts_of(a_span({"hoc.synthetic": value})).is_synthetic is True

    @pytest.mark.parametrize("value", [False, "false", "0", 0, "maybe", 7, [], None])
    def test_anything_else_is_not_synthetic(self, value: AttributeValue) -> None:
        assert facts_of(a_span({"hoc.synthetic": value})).is_synthetic is False


class TestSteps:
    def test_a_model_call_is_known_by_its_model(self) -> None:
        facts = facts_of(
            a_span(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.response.model": "gpt-4o-2024-08-06",
                    "gen_ai.response.finish_reasons": ["stop"],
                }
            )
        )
        assert (facts.kind, facts.skill_name, facts.model, facts.finish_reason) == (
            StepKind.CHAT,
            "gpt-4o",
            "gpt-4o",
            "stop",
        )
        assert kept(facts) == {"gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-4o-2024-08-06"}

    def test_a_tool_call_is_known_by_its_tool(self) -> None:
        facts = facts_of(
            a_span(
                {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "get_user",
                    "gen_ai.tool.call.id": "call_1",
                    "gen_ai.tool.call.arguments": '{"b": 1,  "a": 2}',
                    "gen_ai.tool.call.result": {"b": 1, "a": [None, True]},
                },
                name="execute_tool get_user",
            )
        )
        assert (facts.kind, facts.skill_name) == (StepKind.EXECUTE_TOOL, "get_user")
        assert facts.input == b'{"b": 1,  "a": 2}', "text is kept as it was sent"
        assert facts.output == b'{"a":[null,true],"b":1}', "structures are sorted"
        assert kept(facts) == {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "call_1"}

    @pytest.mark.parametrize(
        ("name", "attributes", "kind", "skill"),
        [
            ("running tool", {"gen_ai.tool.name": "roll"}, StepKind.EXECUTE_TOOL, "roll"),
            ("execute_tool roll", {}, StepKind.EXECUTE_TOOL, "roll"),
            ("openai.chat", {"gen_ai.request.model": "gpt-4", "gen_ai.usage.prompt_tokens": 5}, StepKind.CHAT, "gpt-4"),
            ("ml job", {"model_name": "churn"}, StepKind.OTHER, "ml job"),
            ("GET /", {}, StepKind.OTHER, "GET /"),
            ("", {}, StepKind.OTHER, "unnamed"),
            ("", {"gen_ai.operation.name": "chat"}, StepKind.CHAT, "unnamed"),
        ],
    )
    def test_without_an_operation_the_rest_of_the_span_tells(
        self, name: str, attributes: dict[str, AttributeValue], kind: StepKind, skill: str
    ) -> None:
        facts = facts_of(a_span(attributes, name=name))
        assert (facts.kind, facts.skill_name) == (kind, skill)

    @pytest.mark.parametrize(
        ("attributes", "status_code", "status", "code"),
        [
            ({}, 0, StepStatus.SUCCESS, None),
            ({}, 1, StepStatus.SUCCESS, None),
            ({}, 2, StepStatus.FAILURE, None),
            ({"error.type": "timeout"}, 0, StepStatus.FAILURE, "timeout"),
            ({"error.type": 500}, 0, StepStatus.FAILURE, "500"),
            ({"hoc.step.status": "RETRY", "error.type": "timeout"}, 2, StepStatus.RETRY, "timeout"),
            ({"hoc.step.status": "skipped"}, 0, StepStatus.SKIPPED, None),
            ({"hoc.step.status": "SUCCESS"}, 2, StepStatus.FAILURE, None),
            ({"hoc.step.status": 5}, 0, StepStatus.SUCCESS, None),
        ],
    )
    def test_status_and_outcome_code(
        self, attributes: dict[str, AttributeValue], status_code: int, status: StepStatus, code: str | None
    ) -> None:
        facts = facts_of(a_span(attributes, status_code=status_code))
        assert (facts.status, facts.outcome_code) == (status, code)

    def test_an_exception_event_gives_the_outcome_code_when_no_error_type_does(self) -> None:
        events = (
            SpanEvent("log", 1, {"exception.type": "Wrong"}),
            SpanEvent("exception", 2, {"exception.type": "ValueError"}),
        )
        assert facts_of(a_span(events=events, status_code=2)).outcome_code == "ValueError"
        assert facts_of(a_span({"error.type": "http"}, events=events)).outcome_code == "http"
        assert facts_of(a_span(events=events)).status is StepStatus.SUCCESS, "an exception may have been handled"

    @pytest.mark.parametrize(
        ("sent", "count"),
        [
            (0, 0),
            (12, 12),
            (12.0, 12),
            ("12", 12),
            ("12.0", 12),
            ("+12", 12),
            (10**10, 10**10),
            (10**10 + 1, None),
            (2**63, None),
            (-1, None),
            ("-1", None),
            (1.5, None),
            (math.nan, None),
            (math.inf, None),
            ("NaN", None),
            ("1e999", None),
            ("1_000", None),
            (" 12", None),
            ("", None),
            ("many", None),
            ("١٢", None),
            (True, None),
            ([12], None),
            ({"a": 12}, None),
            (b"12", None),
        ],
    )
    def test_token_counts_are_whole_and_never_garbage(self, sent: AttributeValue, count: int | None) -> None:
        facts = facts_of(a_span({"gen_ai.usage.input_tokens": sent}))
        assert facts.input_tokens == count
        assert ("gen_ai.usage.input_tokens" in kept(facts)) is (count is None), "garbage is kept where it came"


class TestPayloads:
    def test_absent_is_none_and_empty_is_empty(self) -> None:
        assert (facts_of(a_span()).input, facts_of(a_span()).output) == (None, None)
        assert facts_of(a_span({"gen_ai.tool.call.result": ""})).output == b""
        assert facts_of(a_span({"gen_ai.tool.call.result": b"\x00\xff"})).output == b"\x00\xff"
        assert facts_of(a_span({"final_result": 0})).output == b"0"

    def test_text_keeps_its_exact_utf8_bytes(self) -> None:
        text = '{ "ü" : "\u2028\\u0000 😀" }'
        facts = facts_of(a_span({"gen_ai.input.messages": text}))
        assert facts.input == text.encode()
        assert facts.marked is False, "an escape sequence is not the character"

    def test_numbered_messages_are_gathered(self) -> None:
        numbered: dict[str, AttributeValue] = {
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "hi",
            "gen_ai.completion.0.content": "ho",
            "gen_ai.prompt.name": "greeting",
        }
        facts = facts_of(a_span(numbered))
        assert facts.input == b'{"gen_ai.prompt.0.content":"hi","gen_ai.prompt.0.role":"user"}'
        assert facts.output == b'{"gen_ai.completion.0.content":"ho"}'
        assert kept(facts) == {"gen_ai.prompt.name": "greeting"}

    def test_numbered_messages_beside_whole_ones_are_kept(self) -> None:
        facts = facts_of(a_span({"input.value": "hi", "llm.input_messages.0.message.content": "hi"}))
        assert facts.input == b"hi"
        assert kept(facts) == {"llm.input_messages.0.message.content": "hi"}


class TestKeptAttributes:
    def test_everything_without_a_column_is_kept_as_sorted_json(self) -> None:
        span = a_span(
            {"z": 1.5, "a": [1, "x"], "raw": b"\xff", "user.id": "mia", "session.id": ["odd"]},
            kind=3,
            status_code=1,
            scope_name="tracer",
            resource={"service.name": "shop", "host": "h"},
            events=(SpanEvent("e", 2**62, {"k": "v"}),),
        )
        assert facts_of(span).attributes == (
            b'{"attributes":{"a":[1,"x"],"raw":"' + base64.b64encode(b"\xff") + b'","session.id":["odd"],"z":1.5},'
            b'"events":[{"attributes":{"k":"v"},"name":"e","time_ns":"4611686018427387904"}],'
            b'"kind":3,"resource":{"host":"h","service.name":"shop"},"scope":"tracer","status_code":1}'
        )

    @given(st.dictionaries(st.text().map("my.{}".format), JSON_VALUES, max_size=4))
    def test_unknown_attributes_come_back_as_they_were_sent(self, attributes: dict[str, AttributeValue]) -> None:
        facts = facts_of(a_span(attributes))
        if not facts.marked:
            assert kept(facts) == attributes


class TestMarks:
    @pytest.mark.parametrize(
        "span",
        [
            a_span(name="a\0b"),
            a_span(status_message="\0"),
            a_span(scope_name="\0"),
            a_span({"k": "\0"}),
            a_span({"k\0": 1}),
            a_span({"k": [{"deep": ["\0"]}]}),
            a_span({"gen_ai.input.messages": "\0"}),
            a_span({"user.id": "\0"}),
            a_span(resource={"service.name": "\0"}),
            a_span(events=(SpanEvent("\0", 1, {}),)),
            a_span(events=(SpanEvent("e", 1, {"k": "\0"}),)),
            a_span({"k": "\ud800"}),
            a_span(name="\udfff"),
        ],
    )
    def test_what_a_database_cannot_store_is_replaced_and_marked(self, span: SpanRecord) -> None:
        facts = facts_of(span)
        assert facts.marked is True
        everything = b"".join(str(value).encode() for value in structs.astuple(facts))
        assert b"\0" not in everything
        assert b"\\u0000" not in everything
        assert "\ufffd" in everything.decode() or b"\\xef\\xbf\\xbd" in everything

    def test_a_payload_has_its_replacement_in_place(self) -> None:
        assert facts_of(a_span({"gen_ai.input.messages": "a\0b"})).input == "a\ufffdb".encode()

    @given(SPANS)
    def test_any_span_has_facts_that_can_be_stored(self, span: SpanRecord) -> None:
        facts = facts_of(span)
        for value in structs.astuple(facts):
            if isinstance(value, str):
                assert "\0" not in value
                value.encode()
        orjson.loads(facts.attributes)
        assert facts.skill_name


class TestDigest:
    def test_it_is_stable_across_releases(self) -> None:
        span = a_span({"s": "ü", "i": 1, "d": 1.0, "b": b"\x01", "l": [True, None]}, resource={"service.name": "shop"})
        form = (
            '{"attributes":{"b":["bytes","01"],"d":["double","1.0"],"i":1,"l":["list",true,null],"s":"ü"},'
            '"ended_ns":1779000000000000009,"events":["list"],"kind":1,"name":"a span",'
            '"parent_span_id":"eee19b7ec3c1b173","resource":{"service.name":"shop"},"scope_name":"",'
            '"span_id":"eee19b7ec3c1b174","started_ns":1779000000000000001,"status_code":0,"status_message":"",'
            '"trace_id":"5b8efff798038103d269b633813fc60c"}'
        )
        assert facts_of(span).digest == hashlib.sha256(form.encode()).digest()

    @pytest.mark.parametrize("field", SpanRecord.__struct_fields__)
    def test_a_difference_in_any_field_is_another_digest(self, field: str) -> None:
        others: dict[type, object] = {str: "other", int: 4, dict: {"k": 1}, tuple: (SpanEvent("e", 1, {}),)}
        changed = structs.replace(BARE, **{field: others[type(getattr(BARE, field))]})
        assert facts_of(changed).digest != facts_of(BARE).digest

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, 1.0),
            (1, "1"),
            (1, True),
            (0.0, -0.0),
            (b"a", "YQ=="),
            (b"a", ["bytes", "61"]),
            (1.5, ["double", "1.5"]),
            ([], {}),
            ([1], [[1]]),
            (["list", 1], [1]),
            (None, "null"),
            ("\0", "\ufffd"),
            ("\ud800", "\ufffd"),
            ("\ud800", "\\ud800"),
            ("a", "a "),
        ],
    )
    def test_values_that_look_alike_are_told_apart(self, one: AttributeValue, other: AttributeValue) -> None:
        assert facts_of(a_span({"k": one})).digest != facts_of(a_span({"k": other})).digest

    def test_an_event_and_its_look_alike_are_told_apart(self) -> None:
        events = [SpanEvent("e", 1, {}), SpanEvent("e", 2, {}), SpanEvent("f", 1, {}), SpanEvent("e", 1, {"k": 1})]
        assert len({facts_of(a_span(events=(event,))).digest for event in events}) == 4

    @given(SPANS, SPANS)
    def test_equal_spans_have_equal_digests_and_others_do_not(self, one: SpanRecord, other: SpanRecord) -> None:
        backwards = structs.replace(one, attributes=dict(reversed(one.attributes.items())))
        assert facts_of(one).digest == facts_of(backwards).digest
        if one != other:
            assert facts_of(one).digest != facts_of(other).digest
