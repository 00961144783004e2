"""What a proof shows of a run's traces, steps and payloads beside the verdict."""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import cast

from spine.contracts.enums import PayloadState, ProviderType, RunStatus, StepKind, StepStatus
from spine.contracts.ports import RunStep
from spine.contracts.proof import RawLog, TraceStepSummary, TraceSummary
from spine.contracts.records import StepRecord
from spine.contracts.scalars import BigInt
from spine.services.clock import from_ns
from spine.services.ids import node_id
from spine.services.proof.verify import StoredRun

RUN_STATUSES = {status.value: status for status in RunStatus}
KINDS = {kind.value: kind for kind in StepKind}
STATUSES = {status.value: status for status in StepStatus}
PROVIDER_TYPES = {family.value: family for family in ProviderType}


def trace_summaries(stored: StoredRun) -> tuple[TraceSummary, ...]:
    """The traces that hold the run's steps, where they were read."""
    if stored.heads is None:
        return ()
    own = Counter(placed.trace_id for placed, _ in stored.steps)
    started: defaultdict[str, list[int]] = defaultdict(list)
    ended: defaultdict[str, list[int]] = defaultdict(list)
    for placed, step in stored.steps:
        if step is not None:
            started[placed.trace_id].append(step.started_ns)
            ended[placed.trace_id].append(step.ended_ns)
    run_id = node_id("Run", stored.run.id)
    return tuple(
        TraceSummary(
            trace_id=head.trace_id,
            run_id=run_id,
            status=RUN_STATUSES.get(stored.run.status, RunStatus.FAILED),
            started_at=from_ns(min(started[head.trace_id])) if started[head.trace_id] else None,
            completed_at=from_ns(max(ended[head.trace_id])) if ended[head.trace_id] else None,
            step_count=head.step_count,
            run_step_count=own[head.trace_id],
            refused_span_count=head.refused_count,
            head_hash=head.head_hash.hex(),
            created_at=head.created_at,
        )
        for head in stored.heads
    )


def step_summaries(stored: StoredRun) -> tuple[TraceStepSummary, ...]:
    """The run's steps that are there, in the order in which they started."""
    sealed_first = stored.seals[0].step_count if stored.seals else None
    return tuple(
        _step_summary(step, late=sealed_first is not None and placed.position >= sealed_first)
        for placed, step in _started(stored)
    )


def raw_logs(stored: StoredRun) -> tuple[RawLog, ...] | None:
    """The payloads in the order of their steps, or None when not read; what is no UTF-8 shows as U+FFFD."""
    if stored.payloads is None:
        return None
    payloads = {(payload.trace_id, payload.step_index): payload for payload in stored.payloads}
    found = [payloads.get((placed.trace_id, placed.step_index)) for placed, _ in _started(stored)]
    return tuple(
        RawLog(
            step_index=payload.step_index,
            state=PayloadState.PRESENT if payload.redacted_at is None else PayloadState.REDACTED,
            redacted_at=payload.redacted_at,
            input=_text(payload.input),
            output=_text(payload.output),
            attributes=_text(payload.attributes),
            salt=None if payload.salt is None else payload.salt.hex(),
        )
        for payload in found
        if payload is not None
    )


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")


def _started(stored: StoredRun) -> list[tuple[RunStep, StepRecord]]:
    there = [(placed, step) for placed, step in stored.steps if step is not None]
    return sorted(there, key=lambda pair: (pair[1].started_ns, pair[1].span_id))


def _step_summary(step: StepRecord, *, late: bool) -> TraceStepSummary:
    """A step for people; a value outside its closed set, which only tampering leaves, never shows as a success."""
    return TraceStepSummary(
        step_index=step.step_index,
        span_id=step.span_id,
        parent_span_id=step.parent_span_id,
        name=step.name,
        kind=KINDS.get(step.kind, StepKind.OTHER),
        skill_name=step.skill_name,
        status=STATUSES.get(step.status, StepStatus.FAILURE),
        outcome_code=step.outcome_code,
        status_message=step.status_message,
        started_at=from_ns(step.started_ns),
        completed_at=from_ns(step.ended_ns),
        duration_ms=BigInt((step.ended_ns - step.started_ns) // 1_000_000),
        provider=step.provider,
        model=step.model,
        input_tokens=cast("BigInt | None", step.input_tokens),
        output_tokens=cast("BigInt | None", step.output_tokens),
        cost_usd=None if step.cost_micro_usd is None else Decimal(step.cost_micro_usd).scaleb(-6),
        finish_reason=step.finish_reason,
        response_id=step.response_id,
        marked=step.marked,
        late=late,
        step_hash=step.step_hash.hex(),
        prev_hash=step.prev_hash.hex(),
        input_hash=None if step.input_digest is None else step.input_digest.hex(),
        output_hash=None if step.output_digest is None else step.output_digest.hex(),
    )
