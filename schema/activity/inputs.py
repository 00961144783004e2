"""Inputs of the runs: the filter, and what agents report by mutation."""

from datetime import datetime

import strawberry

from schema.inputs import contract_input, optional, optional_id, required, required_id
from spine.contracts import actors, capture, runs
from spine.contracts.enums import (
    ActorKind,
    EvidenceHealth,
    LatencyBucket,
    ProviderType,
    RiskLevel,
    RunSource,
    RunState,
    RunStatus,
    StepKind,
    StepStatus,
    TerminationReason,
)
from spine.contracts.scalars import BigInt


@contract_input(runs.RunFilter, name="RunFilter")
class RunFilter:
    """Which runs are wanted; a given field must hold, a list by any of its values, unless it is empty."""

    project_id: str | None = optional("Of this project.")
    agent_id: str | None = optional("Of this agent.")
    state: RunState | None = optional("Live or completed.")
    status: list[RunStatus] | None = optional("With one of these statuses.")
    risk: bool | None = optional("True: with a risk level above NORMAL, an incident or a policy violation.")
    risk_level: list[RiskLevel] | None = optional("With one of these risk levels.")
    latency_bucket: list[LatencyBucket] | None = optional("With one of these latencies.")
    evidence_health: list[EvidenceHealth] | None = optional("With evidence in one of these states.")
    source: list[RunSource] | None = optional("Reported in one of these ways.")
    provider_type: list[ProviderType] | None = optional("With a model provider of one of these families.")
    model: list[str] | None = optional("That requested one of these models.")
    is_synthetic: bool | None = optional("Whether a scenario injected them.")
    parent_run_id: strawberry.ID | None = optional_id("parent_key", "Run", "Started by this run.")
    started_after: datetime | None = optional("Started at this time or later.")
    started_before: datetime | None = optional("Started before this time.")
    completed_after: datetime | None = optional("Ended at this time or later.")
    completed_before: datetime | None = optional("Ended before this time.")
    text: str | None = optional("With this text in the goal, the agent's name or the error, in any case.")


@contract_input(actors.Actor, name="ActorInput")
class ActorInput:
    """On whose behalf a run is made."""

    kind: ActorKind = required("HUMAN, SYSTEM or SERVICE.")
    id: str | None = optional("The human's identifier; others have none.")
    name: str | None = optional("A name for people.")


@contract_input(capture.EnvironmentInput, name="EnvironmentInput")
class EnvironmentInput:
    """One attribute of the environment in which a run is made."""

    name: str = required("Its OpenTelemetry name, such as service.version or host.name.")
    value: str = required("Its value as text.")


@contract_input(runs.StartRun, name="StartRunInput")
class StartRunInput:
    """Report that a run begins: agent, actor and origin are mandatory, a HUMAN has an id, others have none."""

    idempotency_key: str = required("Makes it safe to send this twice; with another body it is a CONFLICT.")
    agent_id: str = required("The agent's identifier.")
    agent_name: str | None = optional("The agent's name; its identifier when absent.")
    actor: ActorInput = required("On whose behalf.")
    origin_system_id: str = required("The system that reports the run.")
    project_id: str | None = optional("The project; `default` when absent.")
    goal: str | None = optional("What the run is asked to do.")
    provider: str | None = optional("The model provider's name.")
    model: str | None = optional("The requested model.")
    conversation_id: str | None = optional("The conversation that the run is a turn of.")
    parent_run_id: strawberry.ID | None = optional_id("parent_key", "Run", "The run that starts it.")
    trace_id: str | None = optional("The trace that holds its steps, 32 hex characters; a new one when absent.")
    is_synthetic: bool | None = optional("Whether a scenario injects it.")
    started_at: datetime | None = optional("When it started; now when absent.")
    environment: list[EnvironmentInput] | None = optional("Where it is made: the resource, as OpenTelemetry names it.")


@contract_input(runs.StepInput, name="StepInput")
class StepInput:
    """One step of a run."""

    step_id: str = required("Makes it safe to send the step twice; unique in the run.")
    name: str = required("What the step is called.")
    kind: StepKind = required("What it did.")
    skill_name: str | None = optional("The tool's or the model's name; the step's name when absent.")
    status: StepStatus | None = optional("How it ended; SUCCESS when absent.")
    outcome_code: str | None = optional("The failure's code.")
    status_message: str | None = optional("The failure's text.")
    started_at: datetime = required("When it started.")
    ended_at: datetime = required("When it ended.")
    provider: str | None = optional("The model provider's name.")
    model: str | None = optional("The model that answered.")
    input_tokens: BigInt | None = optional("Input tokens.")
    output_tokens: BigInt | None = optional("Output tokens.")
    input: str | None = optional("Its input, as text.")
    output: str | None = optional("Its output, as text.")


@contract_input(runs.AppendSteps, name="AppendStepsInput")
class AppendStepsInput:
    """Report steps of a live run: all are taken, or none when a blocking rule refuses one."""

    idempotency_key: str = required("Makes it safe to send this twice; with another body it is a CONFLICT.")
    run_id: strawberry.ID = required_id("run_key", "Run", "The run.")
    steps: list[StepInput] = required("The steps, in any order.")


@contract_input(runs.CompleteRun, name="CompleteRunInput")
class CompleteRunInput:
    """Report that a run has ended; it is sealed at once."""

    idempotency_key: str = required("Makes it safe to send this twice; with another body it is a CONFLICT.")
    run_id: strawberry.ID = required_id("run_key", "Run", "The run.")
    status: RunStatus = required("How it ended.")
    error_code: str | None = optional("The failure's code.")
    error_message: str | None = optional("The failure's text.")
    termination_reason: TerminationReason | None = optional("Why it ended.")
    completed_at: datetime | None = optional("When it ended; now when absent.")


@contract_input(capture.CaptureEnvironment, name="CaptureEnvironmentInput")
class CaptureEnvironmentInput:
    """Add to what is known of the environment in which a run was made. What is known already never changes."""

    idempotency_key: str = required("Makes it safe to send this twice; with another body it is a CONFLICT.")
    run_id: strawberry.ID = required_id("run_key", "Run", "The run.")
    trace_id: str = required("The run's own traceId: without its context there is no evidence.")
    attributes: list[EnvironmentInput] = required("What is to be added, 1 to 64 attributes.")


@contract_input(runs.RedactRun, name="RedactRunInput")
class RedactRunInput:
    """Erase what a run's spans carried.

    Names, the goal and error texts are its record and stay; its child runs and what comes later are not erased.
    """

    id: strawberry.ID = required_id("run_key", "Run", "The run.")
    reason: str = required("Why, 1 to 1024 characters; it stays in the audit ledger.")
