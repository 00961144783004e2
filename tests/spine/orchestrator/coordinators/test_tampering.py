"""A superuser changes one stored value after the other: each is found, with its kind and place, and no other run's."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import CheckConstraint, Table

from domains.activity.tables import runs
from domains.controls.tables import limit_breaches
from domains.logs.tables import environment_evidence, run_steps, seals, step_payloads, trace_steps
from domains.policies.tables import decisions, policy_evaluations
from spine.contracts.actors import Principal
from spine.contracts.enums import VerificationStatus
from spine.contracts.proof import ProofRequest, RunProof
from spine.services.proof.seal import LEFT_OUT
from tests.spine.orchestrator.coordinators.reported import Execute, Reported, capture, connected, govern, report
from tests.spine.services.proof.records import other_value

# In each table the row that is changed: the third of four steps, the first of the rest.
ROWS = {
    trace_steps: "trace_id = '{trace_id}' AND step_index = 2",
    step_payloads: "trace_id = '{trace_id}' AND step_index = 2",
    run_steps: "run_id = '{key}' AND position = 2",
    seals: "run_id = '{key}' AND version = 1",
    policy_evaluations: "run_id = '{key}'",
    limit_breaches: "run_id = '{key}'",
    decisions: "run_id = '{key}'",
    environment_evidence: "run_id = '{key}'",
    runs: "id = '{key}'",
}
KINDS = {
    trace_steps: "EDIT",
    step_payloads: "PAYLOAD_TAMPERED",
    run_steps: "GAP",
    seals: "SEAL",
    policy_evaluations: "EVIDENCE",
    limit_breaches: "EVIDENCE",
    decisions: "EVIDENCE",
    environment_evidence: "EVIDENCE",
    runs: "RUN_EDIT",
}
# A step or an assignment that stands elsewhere is missing where it was; a run that cannot be found has no proof.
OTHER_KINDS = {
    ("trace_steps", "trace_id"): "GAP",
    ("trace_steps", "step_index"): "GAP",
    ("trace_steps", "tenant_id"): "GAP",
    ("run_steps", "position"): "REORDER",
    ("runs", "seal_version"): "SEAL",
}
GONE = {("runs", "id"), ("runs", "tenant_id"), ("runs", "withdrawn")}
PLACES = {"EDIT": 2, "GAP": 2, "REORDER": 2, "PAYLOAD_TAMPERED": 2}

OF_ATTRIBUTES = {"salt", "attributes_digest", "redacted_at"}
EXAMPLES = {
    "BYTEA": b"x",
    "BIGINT": 7,
    "INTEGER": 7,
    "UUID": UUID(int=7),
    "TIMESTAMP": datetime(2026, 1, 1, tzinfo=UTC),
}

COLUMNS = [(table, column.name) for table in ROWS for column in table.columns]


async def prove(execute: Execute, principal: Principal, *keys: UUID) -> dict[UUID, RunProof]:
    request = ProofRequest(run_keys=keys, traces=True, steps=True, payloads=True)
    found: dict[UUID, RunProof] = (await execute("activity.run_proof", request, principal)).unwrap()
    return found


def another(table: Table, column: str, value: Any) -> Any:
    """Another value that the column takes."""
    check = next((one for one in table.constraints if one.name == f"ck_{table.name}_{column}"), None)
    if isinstance(check, CheckConstraint):
        return next(one for one in str(check.sqltext).split("'")[1::2] if one != value)
    if value is None:
        return EXAMPLES.get(str(table.c[column].type), "x")
    return value + 17 if type(value) is int else other_value(value)


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda value: getattr(value, "name", value))
async def test_every_stored_value(
    execute: Execute, principal: Principal, superuser: dict[str, Any], table: Table, column: str
) -> None:
    await govern(execute, principal)
    whole, broken = await report(execute, principal), await report(execute, principal)
    if table is environment_evidence:
        await capture(execute, principal, broken)
    where = ROWS[table].format(key=broken.key, trace_id=broken.trace_id)
    async with connected(superuser) as connection:
        place, value = await connection.fetchrow(f"SELECT ctid, {column} FROM {table.name} WHERE {where} LIMIT 1")
        await connection.execute(
            f"UPDATE {table.name} SET {column} = $1 WHERE ctid = $2", another(table, column, value), place
        )
    proofs = await prove(execute, principal, whole.key, broken.key)
    assert proofs[whole.key].integrity.verification_status is VerificationStatus.VERIFIED
    if (table.name, column) in GONE:
        assert broken.key not in proofs
        return
    integrity = proofs[broken.key].integrity
    if table is runs and column in LEFT_OUT - {"evidence_count", "evidence_head", "seal_version", *OF_ATTRIBUTES}:
        assert integrity.verification_status is VerificationStatus.VERIFIED
        return
    kind = OTHER_KINDS.get((table.name, column), KINDS[table])
    assert integrity.verification_status is VerificationStatus.FAILED
    assert integrity.first_break is not None
    assert (integrity.first_break.kind, integrity.first_break.step_index) == (kind, PLACES.get(kind))
    if kind == "RUN_EDIT":
        assert f"{'attributes' if column in OF_ATTRIBUTES else column} " in str(integrity.failure_reason)


class TestRows:
    @pytest.mark.parametrize(
        ("statement", "kind", "step_index"),
        [
            ("DELETE FROM trace_steps WHERE trace_id = '{trace_id}' AND step_index = 1", "GAP", 1),
            ("DELETE FROM trace_steps WHERE trace_id = '{trace_id}' AND step_index = 3", "TRUNCATION", 3),
            ("DELETE FROM run_steps WHERE run_id = '{key}' AND position = 0", "GAP", 0),
            ("DELETE FROM run_steps WHERE run_id = '{key}' AND position >= 2", "TRUNCATION", 2),
            (
                """UPDATE run_steps SET position = 3 - position + 100 WHERE run_id = '{key}';
                UPDATE run_steps SET position = position - 100 WHERE run_id = '{key}'""",
                "REORDER",
                0,
            ),
            (
                """INSERT INTO run_steps (tenant_id, run_id, position, trace_id, step_index)
                SELECT tenant_id, run_id, 4, trace_id, 3 FROM run_steps WHERE run_id = '{key}' AND position = 3""",
                "INSERTION",
                3,
            ),
            ("DELETE FROM seals WHERE run_id = '{key}'", "SEAL", None),
            ("DELETE FROM limit_breaches WHERE run_id = '{key}' AND level = 'BREACH'", "EVIDENCE", None),
            (
                """DELETE FROM policy_evaluations WHERE run_id = '{key}' AND evidence_index =
                (SELECT max(evidence_index) FROM policy_evaluations WHERE run_id = '{key}')""",
                "EVIDENCE",
                None,
            ),
            ("DELETE FROM step_payloads WHERE trace_id = '{trace_id}' AND step_index = 3", "PAYLOAD_TAMPERED", 3),
        ],
    )
    async def test_that_are_deleted_moved_or_added(
        self,
        execute: Execute,
        principal: Principal,
        superuser: dict[str, Any],
        statement: str,
        kind: str,
        step_index: int | None,
    ) -> None:
        await govern(execute, principal)
        run = await report(execute, principal)
        await change(superuser, run, statement)
        integrity = (await prove(execute, principal, run.key))[run.key].integrity
        assert integrity.first_break is not None
        assert (integrity.first_break.kind, integrity.first_break.step_index) == (kind, step_index)

    async def test_of_what_was_captured_are_missed(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal)
        await capture(execute, principal, run)
        await change(superuser, run, "DELETE FROM environment_evidence WHERE run_id = '{key}'")
        integrity = (await prove(execute, principal, run.key))[run.key].integrity
        assert integrity.failure_reason == "EVIDENCE: 1 evidence records were sealed, stored are 0"

    async def test_of_the_newest_seal_are_missed(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal, late=True)
        await change(superuser, run, "DELETE FROM seals WHERE run_id = '{key}' AND version = 2")
        integrity = (await prove(execute, principal, run.key))[run.key].integrity
        assert integrity.failure_reason == "SEAL: the run has 2 seals, stored are 1"


async def change(superuser: dict[str, Any], run: Reported, statement: str) -> None:
    """Run a statement on what is stored of the run."""
    async with connected(superuser) as connection:
        await connection.execute(statement.format(key=run.key, trace_id=run.trace_id))
