"""The statements of the hand-written endpoint: one a table, in the order in which the page needs them."""

from typing import Final

from spine.contracts.ports import RunRow
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    SealRecord,
    StepRecord,
)

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
BEGIN: Final = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SET LOCAL app.tenant_id='{}';"
    "SET LOCAL statement_timeout=10000;SET LOCAL lock_timeout=150"
)
FIND_KEY: Final = "SELECT tenant_id, secret_hash, status FROM app.find_key($1)"
KEY_DETAILS: Final = "SELECT role FROM api_keys WHERE tenant_id = $1 AND key_id = $2"

OF_RUNS: Final = "WHERE tenant_id = $1 AND run_id = any($2::uuid[])"


def columns_of(record: type) -> str:
    """The record's fields as columns; only the run's key has another name in the tables."""
    fields: tuple[str, ...] = record.__struct_fields__  # type: ignore[attr-defined]
    return ", ".join("run_id" if name == "run_key" else name for name in fields)


RUNS: Final = (
    f"SELECT {columns_of(RunRow)} FROM runs WHERE tenant_id = $1 AND NOT withdrawn "
    "ORDER BY started_ns DESC, id DESC LIMIT $2"
)
RUN: Final = f"SELECT {columns_of(RunRow)} FROM runs WHERE tenant_id = $1 AND id = $2 AND NOT withdrawn"
COUNT: Final = "SELECT count(*) FROM (SELECT FROM runs WHERE tenant_id = $1 AND NOT withdrawn LIMIT 10001) counted"
INCIDENTS: Final = (
    "SELECT source_run_id, id, severity, title, created_at FROM incidents "
    "WHERE tenant_id = $1 AND source_run_id = any($2::uuid[]) AND NOT withdrawn ORDER BY created_at DESC, id DESC"
)
EVALUATIONS: Final = (
    f"SELECT {columns_of(EvaluationRecord)} FROM policy_evaluations {OF_RUNS} ORDER BY run_id, evidence_index"
)
DECISIONS: Final = f"SELECT {columns_of(DecisionRecord)} FROM decisions {OF_RUNS} ORDER BY run_id, evidence_index"
BREACHES: Final = f"SELECT {columns_of(BreachRecord)} FROM limit_breaches {OF_RUNS} ORDER BY run_id, evidence_index"
ENVIRONMENTS: Final = (
    f"SELECT {columns_of(EnvironmentRecord)} FROM environment_evidence {OF_RUNS} ORDER BY run_id, evidence_index"
)
STEPS: Final = (
    f"SELECT r.run_id, r.position, r.trace_id, r.step_index, s.{columns_of(StepRecord).replace(', ', ', s.')} "
    "FROM run_steps r LEFT JOIN trace_steps s USING (tenant_id, trace_id, step_index) "
    "WHERE r.tenant_id = $1 AND r.run_id = any($2::uuid[]) ORDER BY r.run_id, r.position"
)
SEALS: Final = (
    f"SELECT s.{columns_of(SealRecord).replace(', ', ', s.')}, l.leaf_index, l.leaf_hash FROM seals s "
    "LEFT JOIN log_leaves l ON l.tenant_id = $1 AND l.kind = 'SEAL' AND l.subject = s.run_id AND l.version = s.version "
    "WHERE s.tenant_id = $1 AND s.run_id = any($2::uuid[]) ORDER BY s.run_id, s.version"
)
SIGNALS: Final = (
    "SELECT run_id, id, fingerprint, type, severity, created_at FROM signals "
    "WHERE tenant_id = $1 AND run_id = any($2::uuid[]) ORDER BY created_at DESC, id DESC"
)
FEEDBACK: Final = (
    "SELECT entity_id, event_type, actor_kind, actor_id, actor_name, after_state, created_at FROM audit_ledger "
    "WHERE tenant_id = $1 AND entity_type = 'SIGNAL' AND entity_id = any($2::text[]) AND event_type = any("
    "ARRAY['SignalAcknowledged', 'SignalSuppressed', 'SignalReopened', 'SignalEscalated']) ORDER BY created_at, id"
)
