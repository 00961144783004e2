"""The alias table: every accepted name alone gives the fact it is listed for, and the first present one wins."""

import pytest

from domains.activity import semconv
from spine.contracts.enums import ProviderType, StepKind, StepStatus
from spine.contracts.spans import AttributeValue, SpanFacts
from tests.domains.activity.spans import a_span, facts_of

# What each canonical name means, by hand: a value, and the field and fact that it must become.
MEANINGS: dict[str, tuple[AttributeValue, str, object]] = {
    "gen_ai.operation.name": ("embeddings", "kind", StepKind.EMBEDDINGS),
    "gen_ai.provider.name": ("anthropic", "provider", "anthropic"),
    "gen_ai.request.model": ("gpt-4o", "model", "gpt-4o"),
    "gen_ai.usage.input_tokens": (17, "input_tokens", 17),
    "gen_ai.usage.output_tokens": (19, "output_tokens", 19),
    "gen_ai.response.finish_reasons": (["stop", "length", "stop"], "finish_reason", "stop,length"),
    "gen_ai.response.id": ("resp-1", "response_id", "resp-1"),
    "gen_ai.agent.id": ("asst_1", "agent_id", "asst_1"),
    "gen_ai.agent.name": ("Math Tutor", "agent_name", "Math Tutor"),
    "gen_ai.conversation.id": ("conv_1", "conversation_id", "conv_1"),
    "gen_ai.tool.name": ("search", "skill_name", "search"),
    "gen_ai.input.messages": ("[1]", "input", b"[1]"),
    "gen_ai.output.messages": ({"b": 1, "a": 2}, "output", b'{"a":2,"b":1}'),
    "gen_ai.task.goal": ("Book a flight", "goal", "Book a flight"),
    "user.id": ("mia", "user_id", "mia"),
    "error.type": ("timeout", "outcome_code", "timeout"),
    "hoc.step.status": ("retry", "status", StepStatus.RETRY),
    "hoc.project": ("checkout", "project_id", "checkout"),
    "hoc.synthetic": (True, "is_synthetic", True),
}
ENTITY = "traceloop.entity.name"  # its meaning depends on the kind of span; see TestEntityName
EVERY_ALIAS = [
    (canonical, alias) for canonical, aliases in semconv.ALIASES.items() if canonical != ENTITY for alias in aliases
]


def fact(canonical: str, facts: SpanFacts) -> object:
    return getattr(facts, MEANINGS[canonical][1])


class TestEveryAlias:
    def test_the_table_and_the_meanings_cover_each_other(self) -> None:
        assert set(semconv.ALIASES) == {*MEANINGS, ENTITY}

    @pytest.mark.parametrize(("canonical", "alias"), EVERY_ALIAS)
    def test_the_name_alone_gives_the_fact(self, canonical: str, alias: str) -> None:
        value, _, expected = MEANINGS[canonical]
        assert fact(canonical, facts_of(a_span())) != expected, "without it there is no such fact"
        assert fact(canonical, facts_of(a_span({alias: value}))) == expected

    @pytest.mark.parametrize(("canonical", "alias"), EVERY_ALIAS)
    def test_the_canonical_name_is_first_and_wins(self, canonical: str, alias: str) -> None:
        assert semconv.ALIASES[canonical][0] == canonical
        value, _, expected = MEANINGS[canonical]
        if alias != canonical:
            facts = facts_of(a_span({alias: "loser", canonical: value}))
            assert fact(canonical, facts) == expected
            assert alias.encode() in facts.attributes + (facts.output or b""), "the name that lost is kept"

    @pytest.mark.parametrize(("canonical", "alias"), EVERY_ALIAS)
    def test_null_is_as_good_as_absent(self, canonical: str, alias: str) -> None:
        assert fact(canonical, facts_of(a_span({alias: None}))) == fact(canonical, facts_of(a_span()))

    def test_no_name_is_listed_for_two_facts(self) -> None:
        names = [alias for aliases in semconv.ALIASES.values() for alias in aliases]
        assert len(names) == len(set(names))

    @pytest.mark.parametrize(
        ("canonical", "alias"),
        [
            ("gen_ai.provider.name", "gen_ai.system"),
            ("gen_ai.provider.name", "llm.provider"),
            ("gen_ai.provider.name", "llm.system"),
            ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
            ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
            ("gen_ai.usage.input_tokens", "llm.token_count.prompt"),
            ("gen_ai.usage.output_tokens", "llm.token_count.completion"),
            ("gen_ai.usage.input_tokens", "llm.usage.prompt_tokens"),
            ("gen_ai.request.model", "llm.model_name"),
            ("gen_ai.request.model", "model_name"),
            ("gen_ai.operation.name", "openinference.span.kind"),
            ("gen_ai.operation.name", "traceloop.span.kind"),
            ("gen_ai.operation.name", "llm.request.type"),
            ("gen_ai.input.messages", "gen_ai.prompt"),
            ("gen_ai.input.messages", "input.value"),
            ("gen_ai.input.messages", "traceloop.entity.input"),
            ("gen_ai.input.messages", "tool_arguments"),
            ("gen_ai.input.messages", "all_messages_events"),
            ("gen_ai.output.messages", "gen_ai.completion"),
            ("gen_ai.output.messages", "output.value"),
            ("gen_ai.output.messages", "traceloop.entity.output"),
            ("gen_ai.output.messages", "tool_response"),
            ("gen_ai.output.messages", "final_result"),
            ("gen_ai.conversation.id", "session.id"),
            ("gen_ai.agent.name", "agent_name"),
            ("gen_ai.tool.name", "tool.name"),
            ("user.id", "enduser.id"),
        ],
    )
    def test_the_names_that_vendors_are_known_to_send_are_listed(self, canonical: str, alias: str) -> None:
        assert alias in semconv.ALIASES[canonical]


class TestOperations:
    @pytest.mark.parametrize(
        ("attribute", "value", "kind"),
        [
            ("gen_ai.operation.name", "chat", StepKind.CHAT),
            ("gen_ai.operation.name", "text_completion", StepKind.CHAT),
            ("gen_ai.operation.name", "generate_content", StepKind.CHAT),
            ("gen_ai.operation.name", "execute_tool", StepKind.EXECUTE_TOOL),
            ("gen_ai.operation.name", "embeddings", StepKind.EMBEDDINGS),
            ("gen_ai.operation.name", "retrieval", StepKind.RETRIEVAL),
            ("gen_ai.operation.name", "create_agent", StepKind.OTHER),
            ("gen_ai.operation.name", "invoke_workflow", StepKind.OTHER),
            ("gen_ai.operation.name", "something new", StepKind.OTHER),
            ("openinference.span.kind", "LLM", StepKind.CHAT),
            ("openinference.span.kind", "TOOL", StepKind.EXECUTE_TOOL),
            ("openinference.span.kind", "EMBEDDING", StepKind.EMBEDDINGS),
            ("openinference.span.kind", "RETRIEVER", StepKind.RETRIEVAL),
            ("openinference.span.kind", "CHAIN", StepKind.OTHER),
            ("traceloop.span.kind", "tool", StepKind.EXECUTE_TOOL),
            ("traceloop.span.kind", "task", StepKind.OTHER),
            ("traceloop.span.kind", "workflow", StepKind.OTHER),
            ("llm.request.type", "chat", StepKind.CHAT),
            ("llm.request.type", "completion", StepKind.CHAT),
            ("llm.request.type", "embedding", StepKind.EMBEDDINGS),
            ("llm.request.type", "rerank", StepKind.OTHER),
        ],
    )
    def test_an_operation_is_a_kind_of_step(self, attribute: str, value: str, kind: StepKind) -> None:
        facts = facts_of(a_span({attribute: value}))
        assert (facts.kind, facts.is_agent) == (kind, False)

    @pytest.mark.parametrize(
        ("attribute", "value"),
        [
            ("gen_ai.operation.name", "invoke_agent"),
            ("openinference.span.kind", "AGENT"),
            ("traceloop.span.kind", "agent"),
        ],
    )
    def test_an_agent_operation_is_a_run(self, attribute: str, value: str) -> None:
        facts = facts_of(a_span({attribute: value}))
        assert (facts.kind, facts.is_agent) == (StepKind.OTHER, True)


class TestEntityName:
    def test_it_names_the_agent_on_an_agent_span(self) -> None:
        facts = facts_of(a_span({"traceloop.span.kind": "agent", ENTITY: "planner"}))
        assert (facts.agent_name, facts.agent_id) == ("planner", "planner")

    def test_it_names_the_tool_on_a_tool_span(self) -> None:
        facts = facts_of(a_span({"traceloop.span.kind": "tool", ENTITY: "search"}))
        assert (facts.skill_name, facts.agent_name) == ("search", None)

    def test_elsewhere_it_is_kept(self) -> None:
        facts = facts_of(a_span({"traceloop.span.kind": "task", ENTITY: "tidy"}))
        assert facts.skill_name == "a span"
        assert b'"traceloop.entity.name":"tidy"' in facts.attributes


class TestProviderType:
    @pytest.mark.parametrize(
        ("provider", "family"),
        [
            ("openai", ProviderType.OPENAI),
            ("OpenAI", ProviderType.OPENAI),
            ("azure.ai.openai", ProviderType.OPENAI),
            ("anthropic", ProviderType.ANTHROPIC),
            ("Anthropic", ProviderType.ANTHROPIC),
            ("hoc", ProviderType.INTERNAL),
            ("internal", ProviderType.INTERNAL),
            ("ollama", ProviderType.INTERNAL),
            ("vllm", ProviderType.INTERNAL),
            ("gcp.vertex_ai", ProviderType.OTHER),
            ("aws.bedrock", ProviderType.OTHER),
            ("openaix", ProviderType.OTHER),
            ("", ProviderType.OTHER),
            (None, ProviderType.OTHER),
        ],
    )
    def test_a_provider_belongs_to_a_family(self, provider: str | None, family: ProviderType) -> None:
        assert semconv.provider_type(provider) is family
        assert facts_of(a_span({"gen_ai.provider.name": provider})).provider_type is family
