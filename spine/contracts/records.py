"""What is hashed: the rows of the chain, of a run's evidence and of its seals, exactly as they are stored.

A record's fields are the columns of its table, all of them and in their order, so changing any stored field changes a
hash, and a row becomes a record by position, at a fifth of what names would cost. Times are Unix nanoseconds or
instants cut to microseconds; digests are 32 raw bytes.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import (
    DecisionOutcome,
    DecisionType,
    EvaluationOutcome,
    LimitLevel,
    LimitType,
    ProviderType,
    RulePhase,
    StepKind,
    StepStatus,
)


class StepRecord(Struct, frozen=True, gc=False):
    """One step as it is chained; `prev_hash` and `step_hash` link it into its trace.

    The four digests are commitments (`spine.services.commitments`) under the salt of the step's payload; those of a
    step that is not `salted`, recorded before there were salts, are plain SHA-256. The hash covers which of both it is:
    else a salt could be passed off as the beginning of a content, or a content's beginning as a salt.
    """

    trace_id: str
    step_index: int
    span_id: str
    parent_span_id: str | None
    name: str
    kind: StepKind
    skill_name: str
    status: StepStatus
    outcome_code: str | None
    status_message: str | None
    started_ns: int
    ended_ns: int
    provider: str | None
    provider_type: ProviderType
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    price_version: str | None
    finish_reason: str | None
    response_id: str | None
    marked: bool
    span_digest: bytes
    input_digest: bytes | None
    output_digest: bytes | None
    attributes_digest: bytes
    prev_hash: bytes
    step_hash: bytes
    salted: bool


class StepPayload(Struct, frozen=True, gc=False):
    """A step's exact bytes, kept apart from its record, with the salt of its commitments.

    `attributes` are always there until they are erased, and so is the salt, but for steps from before there were salts
    (`StepRecord.salted` says which). Erased, all four are None and `redacted_at` says when.
    """

    trace_id: str
    step_index: int
    input: bytes | None
    output: bytes | None
    attributes: bytes | None
    salt: bytes | None
    redacted_at: datetime | None


class EvaluationRecord(Struct, frozen=True, gc=False):
    """What a rule version said; a link of the run's evidence chain.

    `engine` names the runtime that evaluated the condition; None in records of before it was recorded, whose hashes do
    not cover it.
    """

    run_key: UUID
    evidence_index: int
    id: UUID
    rule_id: UUID
    rule_version: int
    rule_name: str
    rule_digest: bytes
    phase: RulePhase
    outcome: EvaluationOutcome
    count: int
    step_index: int | None
    facts: str
    reason: str
    evaluated_at: datetime
    evidence_hash: bytes
    engine: str | None = None


class BreachRecord(Struct, frozen=True, gc=False):
    """A limit that a run reached, or (`cleared`) no longer reaches; a link of the run's evidence chain."""

    run_key: UUID
    evidence_index: int
    id: UUID
    limit_id: UUID
    limit_name: str
    limit_type: LimitType
    level: LimitLevel
    cleared: bool
    breached_value: int
    threshold_value: int
    breached_at: datetime
    evidence_hash: bytes


class DecisionRecord(Struct, frozen=True, gc=False):
    """A decision that changed a run; a link of the run's evidence chain."""

    run_key: UUID
    evidence_index: int
    id: UUID
    decision_type: DecisionType
    outcome: DecisionOutcome
    subject_id: UUID
    subject_name: str
    reason: str
    decided_at: datetime
    evidence_hash: bytes


class EnvironmentRecord(Struct, frozen=True, gc=False):
    """Attributes of a run's environment that were captured after the run had begun; a link of its evidence chain.

    `attributes` is sorted-key JSON, names to texts.
    """

    run_key: UUID
    evidence_index: int
    id: UUID
    trace_id: str
    attributes: str
    captured_at: datetime
    evidence_hash: bytes


EvidenceRecord = EvaluationRecord | BreachRecord | DecisionRecord | EnvironmentRecord


class SealRecord(Struct, frozen=True, gc=False):
    """One version of a run's seal.

    It commits to the run's sealed fields (`run_record`, canonical JSON), to the hashes of the steps that are new
    since the version before (`step_hashes`, 32 bytes each, in order of assignment), to the number of steps and of
    evidence records so far with the evidence chain's head, and to the version before.
    """

    run_key: UUID
    version: int
    step_count: int
    step_hashes: bytes
    run_record: bytes
    evidence_count: int
    evidence_head: bytes
    prev_seal_hash: bytes
    seal_hash: bytes
    sealed_at: datetime
