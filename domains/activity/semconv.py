"""The names under which GenAI facts arrive, and one table that maps them all.

A canonical name (OpenTelemetry's GenAI conventions, registry of 2026) maps to the names that are accepted for it, best
first; the first one present on a span wins. Vendors: OpenInference, OpenLLMetry (traceloop), Pydantic AI / Logfire.
"""

from typing import Final

from spine.contracts.enums import ProviderType, StepKind

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
FINISH_REASON: Final = "gen_ai.response.finish_reasons"
RESPONSE_ID: Final = "gen_ai.response.id"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_NAME: Final = "gen_ai.agent.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
TOOL_NAME: Final = "gen_ai.tool.name"
ENTITY_NAME: Final = "traceloop.entity.name"  # the agent's name on an agent span, the tool's on a tool span
INPUT: Final = "gen_ai.input.messages"
OUTPUT: Final = "gen_ai.output.messages"
GOAL: Final = "gen_ai.task.goal"
USER_ID: Final = "user.id"
ERROR_TYPE: Final = "error.type"
STEP_STATUS: Final = "hoc.step.status"
PROJECT: Final = "hoc.project"
SYNTHETIC: Final = "hoc.synthetic"
SERVICE_NAME: Final = "service.name"  # of the resource
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"  # of that event

ALIASES: Final[dict[str, tuple[str, ...]]] = {
    OPERATION: (
        OPERATION,
        "openinference.span.kind",
        "traceloop.span.kind",
        "llm.request.type",
        "gen_ai.request.type",
    ),
    PROVIDER: (PROVIDER, "gen_ai.system", "llm.provider", "llm.system", "llm.vendor"),
    MODEL: (
        MODEL,
        "gen_ai.response.model",
        "llm.request.model",
        "llm.response.model",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
        "model_name",
    ),
    INPUT_TOKENS: (
        INPUT_TOKENS,
        "gen_ai.usage.prompt_tokens",
        "llm.usage.input_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
    ),
    OUTPUT_TOKENS: (
        OUTPUT_TOKENS,
        "gen_ai.usage.completion_tokens",
        "llm.usage.output_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    FINISH_REASON: (
        FINISH_REASON,
        "gen_ai.response.finish_reason",
        "llm.response.finish_reason",
        "llm.response.stop_reason",
        "llm.finish_reason",
        "gen_ai.completion.0.finish_reason",
    ),
    RESPONSE_ID: (RESPONSE_ID, "llm.response.id"),
    AGENT_ID: (AGENT_ID,),
    AGENT_NAME: (AGENT_NAME, "agent.name", "agent_name"),
    CONVERSATION_ID: (
        CONVERSATION_ID,
        "session.id",
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.chat_id",
    ),
    TOOL_NAME: (TOOL_NAME, "tool.name", "tool_name"),
    ENTITY_NAME: (ENTITY_NAME,),
    INPUT: (
        INPUT,
        "gen_ai.tool.call.arguments",
        "gen_ai.retrieval.query.text",
        "gen_ai.prompt",
        "input.value",
        "traceloop.entity.input",
        "tool_arguments",
        "pydantic_ai.all_messages",
        "all_messages_events",
        "gen_ai.tool.args",
        "llm.input_messages",
        "llm.prompts",
    ),
    OUTPUT: (
        OUTPUT,
        "gen_ai.tool.call.result",
        "gen_ai.retrieval.documents",
        "gen_ai.completion",
        "output.value",
        "traceloop.entity.output",
        "tool_response",
        "final_result",
        "llm.output_messages",
        "llm.completions",
    ),
    GOAL: (GOAL, "hoc.goal", "gen_ai.agent.description"),
    USER_ID: (USER_ID, "enduser.id", "llm.user", "traceloop.association.properties.user_id"),
    ERROR_TYPE: (ERROR_TYPE,),
    STEP_STATUS: (STEP_STATUS,),
    PROJECT: (PROJECT,),
    SYNTHETIC: (SYNTHETIC,),
}

FLATTENED: Final[dict[str, tuple[str, ...]]] = {
    # Conventions without structured attributes number them instead: gen_ai.prompt.0.role, llm.input_messages.0.message…
    INPUT: ("gen_ai.prompt.", "llm.input_messages.", "llm.prompts."),
    OUTPUT: ("gen_ai.completion.", "llm.output_messages.", "llm.completions."),
}

AGENT_OPERATIONS: Final = frozenset({"invoke_agent", "agent"})  # create_agent is not a run
STEP_KINDS: Final[dict[str, StepKind]] = {
    "chat": StepKind.CHAT,
    "text_completion": StepKind.CHAT,
    "generate_content": StepKind.CHAT,
    "completion": StepKind.CHAT,  # OpenLLMetry
    "llm": StepKind.CHAT,  # OpenInference
    "call_llm": StepKind.CHAT,
    "execute_tool": StepKind.EXECUTE_TOOL,
    "tool": StepKind.EXECUTE_TOOL,
    "embeddings": StepKind.EMBEDDINGS,
    "embedding": StepKind.EMBEDDINGS,
    "retrieval": StepKind.RETRIEVAL,
    "retriever": StepKind.RETRIEVAL,
}

INVOKE_AGENT_PREFIX: Final = "invoke_agent "  # span names are "{operation} {agent, model or tool}"
EXECUTE_TOOL_PREFIX: Final = "execute_tool "
AGENT_RUN_NAME: Final = "agent run"  # Pydantic AI before it set an operation

_OPENAI: Final = ("openai", "azure.ai.openai", "az.ai.openai", "azure_openai", "azure")
_INTERNAL: Final = (
    *("hoc", "internal", "self-hosted", "self_hosted", "local"),
    *("ollama", "vllm", "llama.cpp", "llamacpp", "llama_cpp", "lmstudio", "lm_studio", "tgi", "sglang", "localai"),
)
PROVIDER_TYPES: Final[dict[str, ProviderType]] = {
    **dict.fromkeys(_OPENAI, ProviderType.OPENAI),
    "anthropic": ProviderType.ANTHROPIC,
    **dict.fromkeys(_INTERNAL, ProviderType.INTERNAL),
}


def provider_type(provider: str | None) -> ProviderType:
    """The provider's family, by name in any case; OTHER for an unknown or absent one."""
    return PROVIDER_TYPES.get((provider or "").strip().lower(), ProviderType.OTHER)
