"""Runs and steps that are reported by mutation: the attribution rules R1-R8 and what a report becomes. Pure.

R1-R3: agent and actor are mandatory. R4: a HUMAN has an id. R5: SYSTEM and SERVICE have none. R6: the origin is named.
R7: identity never changes (no mutation can). R8: an invalid run is refused, never degraded.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import structs

from domains.activity.engine import run_of
from domains.activity.genai import MAX_TOKENS
from domains.activity.semconv import provider_type
from spine.contracts.capture import EnvironmentInput
from spine.contracts.enums import (
    ActorKind,
    ProviderType,
    RunSource,
    RunState,
    RunStatus,
    StepKind,
    StepStatus,
    TerminationReason,
)
from spine.contracts.errors import RunValidationFailed, TooLarge, ValidationFailed
from spine.contracts.ports import RunRow
from spine.contracts.runs import AppendSteps, CompleteRun, StartRun, StepInput
from spine.contracts.spans import SpanFacts
from spine.services.canonical_json import digest, json_text
from spine.services.clock import to_ns
from spine.services.commitments import SALT_BYTES
from spine.services.environment import check_environment
from spine.services.instants import check_instant

MAX_GOAL = 10_000
MAX_TEXT = 1_000
MAX_STEPS = 500
MAX_KEY = 200
MAX_NS = 2**63 - 1
FORBIDDEN_AGENTS = frozenset({"", "legacy-unknown"})
FORBIDDEN_ORIGINS = frozenset({"", "legacy-migration"})
TRACE_ID_LENGTH = 32

REASONS = {
    RunStatus.SUCCEEDED: TerminationReason.COMPLETED,
    RunStatus.FAILED: TerminationReason.SYSTEM_FAILURE,
    RunStatus.FAILED_POLICY: TerminationReason.POLICY_BLOCK,
    RunStatus.CANCELLED: TerminationReason.USER_ABORT,
}


def check_start(request: StartRun) -> None:
    """Raise RunValidationFailed when an attribution rule is broken, ValidationFailed or TooLarge for the rest."""
    actor = request.actor
    if request.agent_id in FORBIDDEN_AGENTS:
        raise RunValidationFailed("ATTR_AGENT_MISSING", "a run names its agent", field="agentId")
    if actor.kind is ActorKind.AGENT:
        raise RunValidationFailed("ATTR_ACTOR_TYPE_INVALID", "HUMAN, SYSTEM or SERVICE", field="actor.kind")
    if actor.kind is ActorKind.HUMAN and not actor.id:
        raise RunValidationFailed("ATTR_ACTOR_ID_REQUIRED", "a HUMAN has an id", field="actor.id")
    if actor.kind is not ActorKind.HUMAN and actor.id:
        raise RunValidationFailed("ATTR_ACTOR_ID_FORBIDDEN", f"a {actor.kind} has no id", field="actor.id")
    if request.origin_system_id in FORBIDDEN_ORIGINS:
        raise RunValidationFailed("ATTR_ORIGIN_SYSTEM_MISSING", "a run names its origin", field="originSystemId")
    _check_key(request.idempotency_key)
    check_environment(request.environment, "environment")
    _check_time(request.started_at, "startedAt")
    if not request.project_id:
        raise ValidationFailed("a run names its project", field="projectId")
    _check_lengths(request, ("goal",))
    _check_lengths(actor, ())
    if request.goal is not None and len(request.goal) > MAX_GOAL:
        raise TooLarge("the goal", MAX_GOAL, field="goal")
    if request.trace_id is not None and not _is_trace_id(request.trace_id):
        raise ValidationFailed("a trace id is 32 lower-case hex characters, not all zero", field="traceId")


def check_steps(request: AppendSteps) -> None:
    """Raise for no steps or too many, two with one id, times that run backwards, or counts out of range."""
    _check_key(request.idempotency_key)
    if not request.steps:
        raise ValidationFailed("there are no steps", field="steps")
    if len(request.steps) > MAX_STEPS:
        raise TooLarge("the number of steps", MAX_STEPS, field="steps")
    if len({step.step_id for step in request.steps}) < len(request.steps):
        raise ValidationFailed("two steps have the same stepId", field="steps")
    for step in request.steps:
        _check_lengths(step, ("input", "output"))
        _check_time(step.started_at, "steps")
        _check_time(step.ended_at, "steps")
        if not step.step_id or not step.name:
            raise ValidationFailed("a step has an id and a name", field="steps")
        if step.ended_at < step.started_at:
            raise ValidationFailed(f"step {step.step_id} ends before it starts", field="steps")
        _check_counts((step.input_tokens, step.output_tokens))


def check_complete(request: CompleteRun) -> None:
    """Raise unless the status is a terminal one."""
    _check_key(request.idempotency_key)
    if request.status is RunStatus.RUNNING:
        raise ValidationFailed("a run ends SUCCEEDED, FAILED, FAILED_POLICY or CANCELLED", field="status")
    _check_time(request.completed_at, "completedAt")
    _check_lengths(request, ())


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY:
        raise ValidationFailed(f"an idempotency key has 1 to {MAX_KEY} characters", field="idempotencyKey")


def _check_time(instant: datetime | None, field: str) -> None:
    """Times of runs and steps are kept in Unix nanoseconds, which begin in 1970 and end in the year 2262."""
    check_instant(instant, field)
    if instant is not None and not 0 <= to_ns(instant) <= MAX_NS:
        raise ValidationFailed(f"{field} is out of range", field=field)


def _check_lengths(request: msgspec.Struct, unbounded: Iterable[str]) -> None:
    for name, value in structs.asdict(request).items():
        if isinstance(value, str) and len(value) > MAX_TEXT and name not in unbounded:
            raise TooLarge(name, MAX_TEXT, field=name)


def _check_counts(counts: Iterable[int | None]) -> None:
    if any(count is not None and not 0 <= count <= MAX_TOKENS for count in counts):
        raise ValidationFailed(f"a step has 0 to {MAX_TOKENS} tokens", field="steps")


def _is_trace_id(text: str) -> bool:
    return len(text) == TRACE_ID_LENGTH and not set(text) - set("0123456789abcdef") and set(text) != {"0"}


def started_run(request: StartRun, parent: RunRow | None, now: datetime) -> RunRow:
    """A new live run; its span's place is below its parent's where they share a trace."""
    trace_id = request.trace_id or secrets.token_hex(16)
    started_ns = to_ns(request.started_at or now)
    shares = parent is not None and parent.trace_id == trace_id
    span = _span(
        trace_id=trace_id,
        span_id=secrets.token_hex(8),
        parent_span_id=parent.span_id if parent is not None and shares else None,
        name=f"invoke_agent {request.agent_name or request.agent_id}",
        is_agent=True,
        started_ns=started_ns,
        ended_ns=started_ns,
        provider=request.provider,
        model=request.model,
        source=request,
        salt=secrets.token_bytes(SALT_BYTES),
    )
    return structs.replace(
        run_of(span, now),
        parent_run_id=None if parent is None else parent.id,
        agent_id=request.agent_id,
        agent_name=request.agent_name or request.agent_id,
        actor_kind=request.actor.kind,
        actor_id=request.actor.id or None,
        origin_system_id=request.origin_system_id,
        project_id=request.project_id,
        conversation_id=request.conversation_id,
        source=RunSource.SDK,
        is_synthetic=request.is_synthetic,
        goal=request.goal,
        attributes=_attributes(request.environment),
        status=RunStatus.RUNNING,
        state=RunState.LIVE,
        termination_reason=None,
        completed_ns=None,
        last_seen_ns=max(to_ns(now), started_ns),
    )


def _attributes(environment: Sequence[EnvironmentInput]) -> bytes:
    """The run's attributes as a span of telemetry would leave them, so that its environment is sealed as theirs is."""
    resource = {one.name: one.value for one in environment}
    return json_text({"resource": resource}).encode() if resource else b"{}"


def completed_run(run: RunRow, request: CompleteRun, now: datetime) -> RunRow:
    """The run's terminal state; raises ValidationFailed when it would end before it starts."""
    completed_ns = to_ns(request.completed_at or now)
    if completed_ns < run.started_ns:
        raise ValidationFailed("a run can't end before it starts", field="completedAt")
    return structs.replace(
        run,
        status=request.status,
        state=RunState.COMPLETED,
        termination_reason=request.termination_reason or REASONS[request.status],
        error_code=request.error_code,
        error_message=request.error_message,
        completed_ns=completed_ns,
        last_seen_ns=max(run.last_seen_ns, completed_ns),
    )


def refused_run(run: RunRow, now: datetime) -> RunRow:
    """The terminal state of a run that a rule refused to let begin."""
    ended_ns = max(to_ns(now), run.started_ns)
    return structs.replace(
        run,
        status=RunStatus.FAILED_POLICY,
        state=RunState.COMPLETED,
        termination_reason=TerminationReason.POLICY_BLOCK,
        completed_ns=ended_ns,
        last_seen_ns=ended_ns,
    )


def span_of(run: RunRow, step: StepInput, salt: bytes) -> SpanFacts:
    """A reported step as a span below the run's own; its span id follows from its step id."""
    return structs.replace(
        _span(
            trace_id=run.trace_id,
            span_id=digest(f"{run.id}/{step.step_id}".encode()).hex()[:16],
            parent_span_id=run.span_id,
            name=step.name,
            is_agent=False,
            started_ns=to_ns(step.started_at),
            ended_ns=to_ns(step.ended_at),
            provider=step.provider or run.provider,
            model=step.model,
            source=step,
            salt=salt,
        ),
        kind=step.kind,
        skill_name=step.skill_name or step.name,
        status=step.status,
        outcome_code=step.outcome_code,
        status_message=step.status_message,
        input_tokens=step.input_tokens,
        output_tokens=step.output_tokens,
        input=None if step.input is None else step.input.encode(),
        output=None if step.output is None else step.output.encode(),
    )


def _span(
    *,
    trace_id: str,
    span_id: str,
    parent_span_id: str | None,
    name: str,
    is_agent: bool,
    started_ns: int,
    ended_ns: int,
    provider: str | None,
    model: str | None,
    source: msgspec.Struct,
    salt: bytes,
) -> SpanFacts:
    return SpanFacts(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_span_id,
        name=name,
        is_agent=is_agent,
        kind=StepKind.OTHER,
        skill_name=name,
        status=StepStatus.SUCCESS,
        outcome_code=None,
        status_message=None,
        started_ns=started_ns,
        ended_ns=ended_ns,
        provider=provider,
        provider_type=provider_type(provider) if provider else ProviderType.OTHER,
        model=model,
        input_tokens=None,
        output_tokens=None,
        finish_reason=None,
        response_id=None,
        agent_id=None,
        agent_name=None,
        conversation_id=None,
        goal=None,
        user_id=None,
        project_id=None,
        origin_system_id=None,
        is_synthetic=False,
        marked=False,
        input=None,
        output=None,
        attributes=b"{}",
        digest=digest(msgspec.json.encode(source, order="deterministic")),
        salt=salt,
    )
