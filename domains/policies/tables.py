"""Policy rules with their versions, and what they said: evaluations and decisions, chained as evidence of the run.

A rule's text never changes: an update is a new version. `evidence_index` is the row's place in the run's evidence
chain, which policies and controls share.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import UUID

from spine.contracts.enums import (
    ActorKind,
    Consequence,
    DecisionOutcome,
    DecisionType,
    EvaluationOutcome,
    RuleMode,
    RulePhase,
    RuleStatus,
    Scope,
)
from spine.storage.base import metadata, one_of, tenant_id, timestamp

policy_rules = Table(
    "policy_rules",
    metadata,
    tenant_id(),
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    *one_of("status", RuleStatus),
    timestamp("created_at"),
    *one_of("created_by_kind", ActorKind),
    Column("created_by_id", Text),
    Column("created_by_name", Text),
    timestamp("retired_at", nullable=True),
    Column("retirement_reason", Text),
    Column("superseded_by", UUID(as_uuid=True)),
    UniqueConstraint("tenant_id", "name"),
    Index("ix_policy_rules_created", "tenant_id", "created_at", "id"),
)

policy_rule_versions = Table(
    "policy_rule_versions",
    metadata,
    tenant_id(),
    Column("rule_id", UUID(as_uuid=True), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("description", Text, nullable=False),
    Column("condition", Text, nullable=False),
    *one_of("phase", RulePhase),
    *one_of("mode", RuleMode),
    *one_of("consequence", Consequence),
    *one_of("scope", Scope),
    Column("scope_id", Text),
    Column("digest", LargeBinary, nullable=False),
    timestamp("created_at"),
    info={"append_only": True},
)

policy_evaluations = Table(
    "policy_evaluations",
    metadata,
    tenant_id(),
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("evidence_index", Integer, primary_key=True, autoincrement=False),
    Column("id", UUID(as_uuid=True), nullable=False),
    Column("rule_id", UUID(as_uuid=True), nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("rule_name", Text, nullable=False),
    Column("rule_digest", LargeBinary, nullable=False),
    *one_of("phase", RulePhase),
    *one_of("outcome", EvaluationOutcome),
    Column("count", BigInteger, nullable=False),
    Column("step_index", Integer),
    Column("facts", Text, nullable=False),
    Column("reason", Text, nullable=False),
    timestamp("evaluated_at"),
    Column("evidence_hash", LargeBinary, nullable=False),
    Column("engine", Text),
    info={"append_only": True},
)

decisions = Table(
    "decisions",
    metadata,
    tenant_id(),
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("evidence_index", Integer, primary_key=True, autoincrement=False),
    Column("id", UUID(as_uuid=True), nullable=False),
    *one_of("decision_type", DecisionType),
    *one_of("outcome", DecisionOutcome),
    Column("subject_id", UUID(as_uuid=True), nullable=False),
    Column("subject_name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    timestamp("decided_at"),
    Column("evidence_hash", LargeBinary, nullable=False),
    info={"append_only": True},
)
