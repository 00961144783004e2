"""The raw truth: traces with steps, seals, refused spans, replays, audit ledger and log; only heads change.

But for what has to be forgotten: a payload and a refused span may be erased, which a trigger sees to be all they allow.

`traces` is the head row of a chain: appends lock it. `run_steps` says which steps belong to which run, in the order
in which they were assigned, because a step may arrive before the span of its run. Payloads lie apart from the steps.

The log: a fact's leaf waits in `log_pending` from the fact's own transaction on, until the sequencer gives it an index.
`log_heads` is the row that it locks; `log_nodes` are the tree's perfect subtrees above the leaves.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from spine.contracts.enums import (
    ActorKind,
    AuditEntityType,
    CaptureFailureReason,
    CaptureResolution,
    DivergenceKind,
    EvidenceClass,
    ExportFormat,
    ExportKind,
    LeafKind,
    ProviderType,
    RefusalKind,
    ReplayBehavior,
    ReplayVerdict,
    StepKind,
    StepStatus,
)
from spine.storage.base import metadata, one_of, tenant_id, timestamp

traces = Table(
    "traces",
    metadata,
    tenant_id(),
    Column("trace_id", Text, primary_key=True),
    Column("step_count", Integer, nullable=False),
    Column("head_hash", LargeBinary, nullable=False),
    Column("refused_count", Integer, nullable=False),
    timestamp("created_at"),
)

trace_steps = Table(
    "trace_steps",
    metadata,
    tenant_id(),
    Column("trace_id", Text, primary_key=True),
    Column("step_index", Integer, primary_key=True, autoincrement=False),
    Column("span_id", Text, nullable=False),
    Column("parent_span_id", Text),
    Column("name", Text, nullable=False),
    *one_of("kind", StepKind),
    Column("skill_name", Text, nullable=False),
    *one_of("status", StepStatus),
    Column("outcome_code", Text),
    Column("status_message", Text),
    Column("started_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger, nullable=False),
    Column("provider", Text),
    *one_of("provider_type", ProviderType),
    Column("model", Text),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cost_micro_usd", BigInteger),
    Column("price_version", Text),
    Column("finish_reason", Text),
    Column("response_id", Text),
    Column("marked", Boolean, nullable=False),
    Column("span_digest", LargeBinary, nullable=False),
    Column("input_digest", LargeBinary),
    Column("output_digest", LargeBinary),
    Column("attributes_digest", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("step_hash", LargeBinary, nullable=False),
    Column("salted", Boolean, nullable=False),
    UniqueConstraint("trace_id", "span_id", "tenant_id"),  # not led by the tenant: why says migration 0013
    info={"append_only": True},
)

step_payloads = Table(
    "step_payloads",
    metadata,
    tenant_id(),
    Column("trace_id", Text, primary_key=True),
    Column("step_index", Integer, primary_key=True, autoincrement=False),
    Column("input", LargeBinary),
    Column("output", LargeBinary),
    Column("attributes", LargeBinary),
    Column("salt", LargeBinary),
    timestamp("redacted_at", nullable=True),
)

run_steps = Table(
    "run_steps",
    metadata,
    tenant_id(),
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("trace_id", Text, nullable=False),
    Column("step_index", Integer, nullable=False),
    Index("ix_run_steps_step", "tenant_id", "trace_id", "step_index"),
    info={"append_only": True},
)

seals = Table(
    "seals",
    metadata,
    tenant_id(),
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("step_count", Integer, nullable=False),
    Column("step_hashes", LargeBinary, nullable=False),
    Column("run_record", LargeBinary, nullable=False),
    Column("evidence_count", Integer, nullable=False),
    Column("evidence_head", LargeBinary, nullable=False),
    Column("prev_seal_hash", LargeBinary, nullable=False),
    Column("seal_hash", LargeBinary, nullable=False),
    timestamp("sealed_at"),
    info={"append_only": True},
)

span_refusals = Table(
    "span_refusals",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("trace_id", Text),
    Column("span_id", Text),
    *one_of("kind", RefusalKind),
    Column("reason", Text, nullable=False),
    Column("span_digest", LargeBinary),
    Column("body", LargeBinary),
    timestamp("refused_at"),
    timestamp("redacted_at", nullable=True),
    Index("ix_span_refusals_trace", "tenant_id", "trace_id", "span_id"),
)

environment_evidence = Table(
    "environment_evidence",
    metadata,
    tenant_id(),
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("evidence_index", Integer, primary_key=True, autoincrement=False),
    Column("id", UUID(as_uuid=True), nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    timestamp("captured_at"),
    Column("evidence_hash", LargeBinary, nullable=False),
    info={"append_only": True},
)

capture_failures = Table(
    "capture_failures",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("run_id", UUID(as_uuid=True), nullable=False),
    Column("trace_id", Text, nullable=False),
    *one_of("evidence_class", EvidenceClass),
    *one_of("reason", CaptureFailureReason),
    *one_of("resolution", CaptureResolution),
    Column("message", Text, nullable=False),
    Column("span_ids", ARRAY(Text), nullable=False),
    Column("request_id", Text, nullable=False),
    timestamp("failed_at"),
    Index("ix_capture_failures_run", "tenant_id", "run_id", "failed_at"),
    info={"append_only": True},
)

audit_ledger = Table(
    "audit_ledger",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("operation", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    *one_of("entity_type", AuditEntityType),
    Column("entity_id", Text, nullable=False),
    *one_of("actor_kind", ActorKind),
    Column("actor_id", Text),
    Column("actor_name", Text),
    Column("reason", Text),
    Column("before_state", Text),
    Column("after_state", Text),
    Column("request_id", Text, nullable=False),
    timestamp("created_at"),
    Index("ix_audit_ledger_created", "tenant_id", "created_at", "id"),
    Index("ix_audit_ledger_entity", "tenant_id", "entity_type", "entity_id", "created_at", "id"),
    info={"append_only": True},
)

log_pending = Table(
    "log_pending",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    *one_of("kind", LeafKind),
    Column("subject", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    timestamp("queued_at"),
)

log_leaves = Table(
    "log_leaves",
    metadata,
    tenant_id(),
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    *one_of("kind", LeafKind),
    Column("subject", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    timestamp("integrated_at"),
    UniqueConstraint("tenant_id", "kind", "subject", "version"),
    info={"append_only": True},
)

log_nodes = Table(
    "log_nodes",
    metadata,
    tenant_id(),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("node_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    info={"append_only": True},
)

log_heads = Table(
    "log_heads",
    metadata,
    tenant_id(),
    Column("epoch", Integer, nullable=False),
    Column("tree_size", BigInteger, nullable=False),
    Column("signed_size", BigInteger, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    Index("ix_log_heads_unsigned", "tenant_id", postgresql_where=text("signed_size < tree_size")),
)

log_checkpoints = Table(
    "log_checkpoints",
    metadata,
    tenant_id(),
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("root_hash", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("vkey", Text, nullable=False),
    timestamp("created_at"),
    info={"append_only": True},
)

log_cosignatures = Table(
    "log_cosignatures",
    metadata,
    tenant_id(),
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", Text, primary_key=True),
    Column("line", Text, nullable=False),
    timestamp("cosigned_at"),
    timestamp("received_at"),
    Index("ix_log_cosignatures_witness", "tenant_id", "witness", "tree_size"),
    info={"append_only": True},
)

log_timestamps = Table(
    "log_timestamps",
    metadata,
    tenant_id(),
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("token", LargeBinary, nullable=False),
    timestamp("stamped_at"),
    timestamp("received_at"),
    info={"append_only": True},
)

replays = Table(
    "replays",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("run_id", UUID(as_uuid=True), nullable=False),
    *one_of("behavior", ReplayBehavior),
    *one_of("verdict", ReplayVerdict),
    Column("step_count", Integer, nullable=False),
    Column("matched_step_count", Integer, nullable=False),
    Column("executed_step_count", Integer, nullable=False),
    Column("played_back_step_count", Integer, nullable=False),
    Column("unchecked_step_count", Integer, nullable=False),
    Column("decision_count", Integer, nullable=False),
    Column("matched_decision_count", Integer, nullable=False),
    Column("unchecked_decision_count", Integer, nullable=False),
    Column("mismatch_count", Integer, nullable=False),
    *one_of("created_by_kind", ActorKind),
    Column("created_by_id", Text),
    Column("created_by_name", Text),
    timestamp("created_at"),
    Index("ix_replays_created", "tenant_id", "created_at", "id"),
    Index("ix_replays_run", "tenant_id", "run_id", "created_at", "id"),
    info={"append_only": True},
)

replay_mismatches = Table(
    "replay_mismatches",
    metadata,
    tenant_id(),
    Column("replay_id", UUID(as_uuid=True), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("id", UUID(as_uuid=True), nullable=False),
    *one_of("kind", DivergenceKind),
    Column("index", Integer, nullable=False),
    Column("is_step", Boolean, nullable=False),
    Column("subject_name", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("actual", Text, nullable=False),
    Column("reason", Text, nullable=False),
    info={"append_only": True},
)

access_records = Table(
    "access_records",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("batch_id", UUID(as_uuid=True), nullable=False),
    Column("request_id", Text, nullable=False),
    *one_of("actor_kind", ActorKind),
    Column("actor_id", Text),
    Column("actor_name", Text),
    Column("key_id", Text, nullable=False),
    timestamp("read_at"),
    Column("operations", Text, nullable=False),
    Column("run_count", Integer, nullable=False),
    Column("run_keys", LargeBinary, nullable=False),
    Column("payloads", Boolean, nullable=False),
    info={"append_only": True},
)

access_batches = Table(
    "access_batches",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("record_count", Integer, nullable=False),
    Column("first_id", UUID(as_uuid=True), nullable=False),
    Column("last_id", UUID(as_uuid=True), nullable=False),
    timestamp("recorded_at"),
    Column("batch_hash", LargeBinary, nullable=False),
    info={"append_only": True},
)

exports = Table(
    "exports",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    *one_of("kind", ExportKind),
    Column("subject", Text, nullable=False),
    *one_of("format", ExportFormat),
    Column("filename", Text, nullable=False),
    Column("checksum", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("payloads", Boolean, nullable=False),
    Column("run_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
    Column("content", LargeBinary),
    *one_of("created_by_kind", ActorKind),
    Column("created_by_id", Text),
    Column("created_by_name", Text),
    timestamp("created_at"),
    CheckConstraint("NOT payloads OR content IS NULL", name="payloads"),
    Index("ix_exports_created", "tenant_id", "created_at", "id"),
    info={"append_only": True},
)
