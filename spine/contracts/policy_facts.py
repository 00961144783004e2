"""The typed facts that a policy condition may read: flat dotted names with scalar types, and when each is known.

A condition that reads a name outside this table, or compares it with another type, is refused when it is written.
The phase follows from the facts: `step.*` is evaluated at each step, a running total when the run ends, and a
condition over the run's identity alone when it starts. A condition may not mix steps and totals, because a total
in the middle of a run depends on the order in which its spans arrived.
"""

from enum import StrEnum

from msgspec import Struct

from spine.contracts.enums import RulePhase


class FactType(StrEnum):
    """The scalar types of facts, as CEL names them."""

    STRING = "string"
    INT = "int"
    BOOL = "bool"


FactValue = str | int | bool


class Fact(Struct, frozen=True):
    """One readable fact: its dotted name, its type, when it is known, and what it means (with its unit)."""

    name: str
    type: FactType
    phase: RulePhase
    description: str


PAYLOAD_FACTS = frozenset({"step.input", "step.output"})
"""What needs a permission of its own and may be erased: nothing of it may stand in a verdict."""

FACTS: tuple[Fact, ...] = (
    Fact("run.agent_id", FactType.STRING, RulePhase.RUN_START, "The agent's identifier."),
    Fact("run.agent_name", FactType.STRING, RulePhase.RUN_START, "The agent's name."),
    Fact("run.project_id", FactType.STRING, RulePhase.RUN_START, "The project that the run belongs to."),
    Fact("run.actor_kind", FactType.STRING, RulePhase.RUN_START, "HUMAN, SYSTEM or SERVICE."),
    Fact("run.actor_id", FactType.STRING, RulePhase.RUN_START, "The human's identifier, else empty."),
    Fact("run.provider", FactType.STRING, RulePhase.RUN_START, "The model provider's name, else empty."),
    Fact("run.model", FactType.STRING, RulePhase.RUN_START, "The requested model, else empty."),
    Fact("run.goal", FactType.STRING, RulePhase.RUN_START, "What the run was asked to do, else empty."),
    Fact("run.is_synthetic", FactType.BOOL, RulePhase.RUN_START, "Whether the run was injected by a scenario."),
    Fact("step.kind", FactType.STRING, RulePhase.STEP, "CHAT, EXECUTE_TOOL, EMBEDDINGS, RETRIEVAL or OTHER."),
    Fact("step.name", FactType.STRING, RulePhase.STEP, "The span's name."),
    Fact("step.skill_name", FactType.STRING, RulePhase.STEP, "The tool's or the model's name."),
    Fact("step.status", FactType.STRING, RulePhase.STEP, "SUCCESS, FAILURE, RETRY or SKIPPED."),
    Fact("step.error_code", FactType.STRING, RulePhase.STEP, "The failure's code, else empty."),
    Fact("step.provider", FactType.STRING, RulePhase.STEP, "The model provider's name, else empty."),
    Fact("step.model", FactType.STRING, RulePhase.STEP, "The model's name, else empty."),
    Fact("step.input", FactType.STRING, RulePhase.STEP, "The tool's arguments or the model's input, as JSON text."),
    Fact("step.output", FactType.STRING, RulePhase.STEP, "The tool's result or the model's output, as JSON text."),
    Fact("step.duration_ms", FactType.INT, RulePhase.STEP, "How long the step took, in milliseconds."),
    Fact("step.input_tokens", FactType.INT, RulePhase.STEP, "Input tokens of this step, else 0."),
    Fact("step.output_tokens", FactType.INT, RulePhase.STEP, "Output tokens of this step, else 0."),
    Fact("step.cost_known", FactType.BOOL, RulePhase.STEP, "Whether the step's cost is known."),
    Fact("step.cost_micro_usd", FactType.INT, RulePhase.STEP, "The step's cost in micro-USD, 0 when unknown."),
    Fact("run.status", FactType.STRING, RulePhase.RUN_END, "SUCCEEDED, FAILED, FAILED_POLICY or CANCELLED."),
    Fact("run.duration_ms", FactType.INT, RulePhase.RUN_END, "How long the run took, in milliseconds."),
    Fact("run.step_count", FactType.INT, RulePhase.RUN_END, "How many steps the run has."),
    Fact("run.failed_step_count", FactType.INT, RulePhase.RUN_END, "How many of them failed."),
    Fact("run.total_tokens", FactType.INT, RulePhase.RUN_END, "Input and output tokens together."),
    Fact("run.input_tokens", FactType.INT, RulePhase.RUN_END, "Input tokens of the run."),
    Fact("run.output_tokens", FactType.INT, RulePhase.RUN_END, "Output tokens of the run."),
    Fact("run.cost_known", FactType.BOOL, RulePhase.RUN_END, "Whether every counted model call has a price."),
    Fact("run.cost_micro_usd", FactType.INT, RulePhase.RUN_END, "The known part of the cost in micro-USD."),
)
