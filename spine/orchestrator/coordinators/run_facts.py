"""A run and its steps as the facts that conditions read and the amounts that limits measure.

An absent text is empty and an absent count 0; `cost_known` tells an unknown cost from none.
"""

from spine.contracts.policy_facts import FactValue
from spine.contracts.ports import KnownStep, RunMeasure, RunRow, Subject
from spine.contracts.records import StepPayload, StepRecord


def identity_facts(run: RunRow) -> dict[str, FactValue]:
    """The facts of a run that are known when it starts."""
    return {
        "run.agent_id": run.agent_id,
        "run.agent_name": run.agent_name,
        "run.project_id": run.project_id,
        "run.actor_kind": str(run.actor_kind),
        "run.actor_id": run.actor_id or "",
        "run.provider": run.own_provider or "",
        "run.model": run.own_model or "",
        "run.goal": run.goal or "",
        "run.is_synthetic": run.is_synthetic,
    }


def total_facts(run: RunRow) -> dict[str, FactValue]:
    """The facts of a run that are known when it ends."""
    tokens_in, tokens_out = run.input_tokens or 0, run.output_tokens or 0
    return {
        "run.status": str(run.status),
        "run.duration_ms": duration_ms(run, run.last_seen_ns),
        "run.step_count": run.step_count,
        "run.failed_step_count": run.failed_step_count,
        "run.total_tokens": tokens_in + tokens_out,
        "run.input_tokens": tokens_in,
        "run.output_tokens": tokens_out,
        "run.cost_known": run.cost_micro_usd is not None and run.cost_status == "COMPLETE",
        "run.cost_micro_usd": run.cost_micro_usd or 0,
    }


def step_subject(step: KnownStep | StepRecord, payload: StepPayload | None) -> Subject:
    """A step as rules judge it; a payload that was erased is no fact any more, one that never was is empty."""
    facts = step_facts(step)
    if payload is None or payload.redacted_at is None:
        facts["step.input"] = _text(None if payload is None else payload.input)
        facts["step.output"] = _text(None if payload is None else payload.output)
    return Subject(step.step_index, facts, None if payload is None else payload.salt)


def step_facts(step: KnownStep | StepRecord) -> dict[str, FactValue]:
    """The facts of one step that a condition may read, but for its payload."""
    return {
        "step.kind": str(step.kind),
        "step.name": step.name,
        "step.skill_name": step.skill_name,
        "step.status": str(step.status),
        "step.error_code": step.outcome_code or "",
        "step.provider": step.provider or "",
        "step.model": step.model or "",
        "step.duration_ms": max(0, step.ended_ns - step.started_ns) // 1_000_000,
        "step.input_tokens": step.input_tokens or 0,
        "step.output_tokens": step.output_tokens or 0,
        "step.cost_known": step.cost_micro_usd is not None,
        "step.cost_micro_usd": step.cost_micro_usd or 0,
    }


def _text(content: bytes | None) -> str:
    return "" if content is None else content.decode("utf-8", "replace")


def duration_ms(run: RunRow, now_ns: int) -> int:
    """From start to end, in ms; of a live run until now."""
    return ((run.completed_ns or now_ns) - run.started_ns) // 1_000_000


def measure_of(run: RunRow, now_ns: int) -> RunMeasure:
    """What the run has used until now."""
    known = run.input_tokens is not None or run.output_tokens is not None
    return RunMeasure(
        agent_id=run.agent_id,
        project_id=run.project_id,
        time_ms=duration_ms(run, now_ns),
        tokens=(run.input_tokens or 0) + (run.output_tokens or 0) if known else None,
        cost_micro_usd=run.cost_micro_usd,
        failures=run.failed_step_count,
    )
