"""Reporting runs, erasing their payloads, and leaving feedback on signals."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.mutation.changes import change, shown
from schema.activity.inputs import (
    AppendStepsInput,
    CaptureEnvironmentInput,
    CompleteRunInput,
    RedactRunInput,
    StartRunInput,
)
from schema.activity.signal import ChangeSignalInput, SuppressSignalInput
from schema.errors import user_error
from schema.fields import field
from schema.payloads import RunPayload, SignalPayload
from schema.relay import global_id
from spine.contracts.errors import PolicyDenied

Started = Annotated[StartRunInput, strawberry.argument(name="input", description="The run.")]
Appended = Annotated[AppendStepsInput, strawberry.argument(name="input", description="The run and its steps.")]
Completed = Annotated[CompleteRunInput, strawberry.argument(name="input", description="The run and how it ended.")]
Captured = Annotated[
    CaptureEnvironmentInput, strawberry.argument(name="input", description="The run and its environment.")
]
Redacted = Annotated[RedactRunInput, strawberry.argument(name="input", description="The run, and why.")]
Feedback = Annotated[ChangeSignalInput, strawberry.argument(name="input", description="The signal.")]
Suppression = Annotated[
    SuppressSignalInput, strawberry.argument(name="input", description="The signal, until when, and why.")
]


@strawberry.type
class ActivityMutation:
    """The activity domain's writes."""

    @field(
        "Report that a run begins; a blocking rule or limit may refuse it.",
        RunPayload,
        "activity.start_run",
        "activity.runs_by_key",
    )
    async def start_run(self, info: Info, given: Started) -> Any:
        """Start a run."""
        return await _run(info, "activity.start_run", given)

    @field(
        "Report steps of a live run; a blocking rule or limit may refuse them.",
        RunPayload,
        "activity.append_steps",
        "activity.runs_by_key",
    )
    async def append_steps(self, info: Info, given: Appended) -> Any:
        """Append steps to a run."""
        return await _run(info, "activity.append_steps", given)

    @field(
        "Report that a run has ended; it is sealed at once.",
        RunPayload,
        "activity.complete_run",
        "activity.runs_by_key",
    )
    async def complete_run(self, info: Info, given: Completed) -> Any:
        """Complete a run."""
        return await _run(info, "activity.complete_run", given)

    @field(
        "Add to what is known of the environment in which a run was made; a run that has ended is sealed anew.",
        RunPayload,
        "logs.capture",
        "activity.runs_by_key",
    )
    async def capture_environment(self, info: Info, given: Captured) -> Any:
        """Capture a run's environment."""
        return await _run(info, "logs.capture", given)

    @field(
        "Erase for good what the run's spans carried (inputs, outputs, attributes); its proof stays as it is.",
        RunPayload,
        "activity.redact_run",
        "activity.runs_by_key",
    )
    async def redact_run(self, info: Info, given: Redacted) -> Any:
        """Erase a run's payloads."""
        return await _run(info, "activity.redact_run", given)

    @field("Say that a signal has been seen.", SignalPayload, "activity.acknowledge_signal", "activity.signals_by_key")
    async def acknowledge_signal(self, info: Info, given: Feedback) -> Any:
        """Acknowledge a signal."""
        return await _signal(info, "activity.acknowledge_signal", given)

    @field(
        "Keep a signal quiet for at most 30 days; it expires by itself.",
        SignalPayload,
        "activity.suppress_signal",
        "activity.signals_by_key",
    )
    async def suppress_signal(self, info: Info, given: Suppression) -> Any:
        """Suppress a signal."""
        return await _signal(info, "activity.suppress_signal", given)

    @field(
        "End a suppression; an acknowledgement stays.",
        SignalPayload,
        "activity.reopen_signal",
        "activity.signals_by_key",
    )
    async def reopen_signal(self, info: Info, given: Feedback) -> Any:
        """Reopen a signal."""
        return await _signal(info, "activity.reopen_signal", given)

    @field("Pass a signal on.", SignalPayload, "activity.escalate_signal", "activity.signals_by_key")
    async def escalate_signal(self, info: Info, given: Feedback) -> Any:
        """Escalate a signal."""
        return await _signal(info, "activity.escalate_signal", given)


async def _run(info: Info, operation: str, given: Any) -> RunPayload:
    """The run as it is now; a rule's refusal is an error beside it, because the run shows its evidence."""
    changed, errors = await change(info, operation, given)
    if changed is not None and changed.refused_by is not None:
        errors = [user_error(PolicyDenied(changed.refused_by, changed.reason), type(given))]
    if changed is None:
        return RunPayload(run=None, run_id=None, user_errors=errors)
    run = await shown(info.context.load("activity.runs_by_key", changed.run_key))
    return RunPayload(run=run, run_id=global_id("Run", changed.run_key), user_errors=errors)


async def _signal(info: Info, operation: str, given: Any) -> SignalPayload:
    changed, errors = await change(info, operation, given)
    signal = await shown(info.context.load("activity.signals_by_key", changed.signal_key)) if changed else None
    return SignalPayload(signal=signal, user_errors=errors)
