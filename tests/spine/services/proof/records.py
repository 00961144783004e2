"""A sealed run as it is stored, made by the same functions that ingest uses, for tests to tamper with."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from spine.contracts.enums import (
    ActorKind,
    CostStatus,
    DecisionOutcome,
    DecisionType,
    EvaluationOutcome,
    LimitLevel,
    LimitType,
    ProviderType,
    RiskLevel,
    RulePhase,
    RunSource,
    RunState,
    RunStatus,
    StepKind,
    StepStatus,
)
from spine.contracts.ports import RunRow, RunStep
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    EvidenceRecord,
    SealRecord,
    StepPayload,
    StepRecord,
)
from spine.services.canonical_json import digest
from spine.services.commitments import commitment
from spine.services.ids import uuid7
from spine.services.proof.hashing import evidence_genesis, evidence_hash, step_hash, trace_genesis
from spine.services.proof.seal import build_seal
from spine.services.proof.verify import StoredRun

ATTRIBUTES = b'{"seat":"12A"}'
SALT = bytes(range(32))
ABSENT: dict[str, Any] = {"redacted_at": datetime(2026, 1, 1, tzinfo=UTC), "attributes_digest": ""}
"""What stands where nothing was, in columns that are neither text nor bytes of the usual names."""

TENANT = UUID("11111111-1111-4111-8111-111111111111")
TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"
NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
NOW_NS = 1_772_366_400_123_456_789


def make_run(**changes: Any) -> RunRow:
    """A completed run without steps."""
    run = RunRow(
        id=uuid7(),
        trace_id=TRACE,
        span_id="00f067aa0ba902b7",
        parent_span_id=None,
        parent_run_id=None,
        named_after_root=False,
        withdrawn=False,
        agent_id="airline-agent",
        agent_name="Airline agent",
        actor_kind=ActorKind.HUMAN,
        actor_id="ann",
        origin_system_id="tests",
        project_id="default",
        conversation_id="c-1",
        source=RunSource.AGENT,
        is_synthetic=False,
        provider="openai",
        provider_type=ProviderType.OPENAI,
        model="gpt-4o",
        goal="Rebook flight ZÜ-17",
        error_code=None,
        error_message=None,
        status=RunStatus.SUCCEEDED,
        state=RunState.COMPLETED,
        termination_reason=None,
        started_ns=NOW_NS,
        completed_ns=NOW_NS + 5_000_000_000,
        last_seen_ns=NOW_NS + 5_000_000_000,
        own_provider=None,
        own_model="gpt-4o",
        own_input_tokens=None,
        own_output_tokens=None,
        input_tokens=1200,
        output_tokens=80,
        cost_micro_usd=4321,
        cost_status=CostStatus.COMPLETE,
        step_count=0,
        failed_step_count=0,
        time_limit_ms=60_000,
        policy_context=b"{}",
        missing_span_count=0,
        refused_span_count=0,
        risk_level=RiskLevel.NORMAL,
        policy_violation=False,
        incident_count=0,
        evidence_count=0,
        evidence_head=b"",
        seal_version=0,
        attributes=ATTRIBUTES,
        span_digest=digest(b"span"),
        created_at=NOW,
        salt=SALT,
        attributes_digest=None,
        redacted_at=None,
    )
    run = structs.replace(run, **changes)
    return run if run.evidence_head else structs.replace(run, evidence_head=evidence_genesis(TENANT, run.id))


def make_step(index: int, prev_hash: bytes, **changes: Any) -> StepRecord:
    """A chained step."""
    payload = make_payload(index)
    step = StepRecord(
        trace_id=TRACE,
        step_index=index,
        span_id=f"{index + 1:016x}",
        parent_span_id="00f067aa0ba902b7",
        name="chat gpt-4o",
        kind=StepKind.CHAT,
        skill_name="gpt-4o",
        status=StepStatus.SUCCESS,
        outcome_code=None,
        status_message="fine",
        started_ns=NOW_NS + index,
        ended_ns=NOW_NS + index + 1_500_000,
        provider="openai",
        provider_type=ProviderType.OPENAI,
        model="gpt-4o-2024",
        input_tokens=100 + index,
        output_tokens=10,
        cost_micro_usd=432,
        price_version="2026-01",
        finish_reason="stop",
        response_id="r-1",
        marked=False,
        span_digest=commitment(SALT, digest(b"span %d" % index)),
        input_digest=commitment(SALT, payload.input or b""),
        output_digest=None,
        attributes_digest=commitment(SALT, payload.attributes or b""),
        prev_hash=prev_hash,
        step_hash=b"",
        salted=True,
    )
    step = structs.replace(step, **changes)
    return structs.replace(step, step_hash=step_hash(step))


def make_steps(count: int, start: int = 0, prev_hash: bytes | None = None) -> list[StepRecord]:
    """Steps that follow each other in the trace."""
    steps: list[StepRecord] = []
    head = trace_genesis(TENANT, TRACE) if prev_hash is None else prev_hash
    for index in range(start, start + count):
        steps.append(make_step(index, head))
        head = steps[-1].step_hash
    return steps


def make_payload(index: int) -> StepPayload:
    """The payload of the step with this chain number."""
    return StepPayload(TRACE, index, b"question %d \xf0\x9f\x9b\xab" % index, None, b'{"a":1}', SALT, None)


def make_evidence(run: RunRow, count: int) -> list[EvidenceRecord]:
    """Evaluations, breaches, decisions and environments in turn, chained from the beginning."""
    records: list[EvidenceRecord] = []
    head = evidence_genesis(TENANT, run.id)
    for index in range(count):
        unlinked = (_evaluation, _breach, _decision, _environment)[index % 4](run, index)
        head = evidence_hash(unlinked, head)
        records.append(structs.replace(unlinked, evidence_hash=head))
    return records


def make_sealed(steps: int = 4, late: int = 0, evidence: int = 3, **changes: Any) -> StoredRun:
    """A run that ended with `steps` steps; `late` ones came afterwards, with a seal of their own."""
    run = make_run(**changes)
    records = make_evidence(run, evidence)
    head = records[-1].evidence_hash if records else evidence_genesis(TENANT, run.id)
    run = structs.replace(run, evidence_count=len(records), evidence_head=head)
    chained = make_steps(steps)
    run, seals = _seal(structs.replace(run, step_count=steps), [], chained)
    if late:
        added = make_steps(late, steps, chained[-1].step_hash if chained else None)
        chained += added
        run, seals = _seal(structs.replace(run, step_count=steps + late), seals, added)
    return StoredRun(
        run=run,
        seals=seals,
        steps=[(RunStep(run.id, place, TRACE, step.step_index), step) for place, step in enumerate(chained)],
        evidence=records,
        payloads=[make_payload(step.step_index) for step in chained],
    )


def _seal(run: RunRow, seals: list[SealRecord], steps: list[StepRecord]) -> tuple[RunRow, list[SealRecord]]:
    previous = seals[-1] if seals else None
    seal = build_seal(run, previous, [step.step_hash for step in steps], NOW + timedelta(seconds=len(seals)))
    return structs.replace(run, seal_version=seal.version), [*seals, seal]


def _evaluation(run: RunRow, index: int) -> EvaluationRecord:
    return EvaluationRecord(
        run_key=run.id,
        evidence_index=index,
        id=uuid7(),
        rule_id=uuid7(),
        rule_version=2,
        rule_name="No refunds above 500",
        rule_digest=digest(b"rule"),
        phase=RulePhase.STEP,
        outcome=EvaluationOutcome.WARN,
        count=1,
        step_index=1,
        facts='{"step.kind":"CHAT"}',
        reason="because",
        evaluated_at=NOW,
        evidence_hash=b"",
        engine="cel/1",
    )


def _breach(run: RunRow, index: int) -> BreachRecord:
    return BreachRecord(
        run_key=run.id,
        evidence_index=index,
        id=uuid7(),
        limit_id=uuid7(),
        limit_name="Tokens",
        limit_type=LimitType.TOKENS_TOTAL,
        level=LimitLevel.BREACH,
        cleared=False,
        breached_value=1280,
        threshold_value=1000,
        breached_at=NOW,
        evidence_hash=b"",
    )


def _environment(run: RunRow, index: int) -> EnvironmentRecord:
    return EnvironmentRecord(
        run_key=run.id,
        evidence_index=index,
        id=uuid7(),
        trace_id=TRACE,
        attributes='{"host.name":"cash-desk-3"}',
        captured_at=NOW,
        evidence_hash=b"",
    )


def _decision(run: RunRow, index: int) -> DecisionRecord:
    return DecisionRecord(
        run_key=run.id,
        evidence_index=index,
        id=uuid7(),
        decision_type=DecisionType.LIMIT_ENFORCEMENT,
        outcome=DecisionOutcome.STOPPED,
        subject_id=uuid7(),
        subject_name="Tokens",
        reason="over the limit",
        decided_at=NOW,
        evidence_hash=b"",
    )


def tampered(record: Struct, field: str) -> Any:
    """The record with this field changed to another value of its type, as a superuser's UPDATE would."""
    value = getattr(record, field)
    if value is None:
        value = ABSENT.get(field, b"" if field.endswith("digest") else "")
    return structs.replace(record, **{field: other_value(value)})


def other_value(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"x"
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    assert isinstance(value, UUID)
    return UUID(int=value.int ^ 1)
