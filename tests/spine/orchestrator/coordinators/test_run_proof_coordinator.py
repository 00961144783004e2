"""RunProof on a real database: what was reported verifies, and what a superuser changed does not."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, IntegrityModel, Permission, RunStatus, StepKind, VerificationStatus
from spine.contracts.errors import CoordinatorMisuse, ErrorCode, Unavailable
from spine.contracts.paging import PageRequest
from spine.contracts.proof import ProofRequest, RunProof
from spine.contracts.runs import AppendSteps, CompleteRun, ListRuns, StartRun, StepInput
from spine.orchestrator.coordinators.run_proof_coordinator import RunProofCoordinator
from tests.spine.orchestrator.coordinators.reported import (
    START_NS,
    STEPS,
    Execute,
    Reported,
    agent,
    chat,
    connected,
    govern,
    ingest,
    report,
)

VERIFIED = VerificationStatus.VERIFIED


async def prove(execute: Execute, principal: Principal, *keys: UUID, **flags: bool) -> dict[UUID, Any]:
    request = ProofRequest(run_keys=keys, **flags)
    found: dict[UUID, Any] = (await execute("activity.run_proof", request, principal)).unwrap()
    return found


async def prove_one(execute: Execute, principal: Principal, run: Reported, **flags: bool) -> RunProof:
    proof = (await prove(execute, principal, run.key, **flags))[run.key]
    assert isinstance(proof, RunProof)
    return proof


class TestAnUntouchedRun:
    async def test_is_verified_with_its_evidence_and_payloads(self, execute: Execute, principal: Principal) -> None:
        await govern(execute, principal)
        run = await report(execute, principal)
        proof = await prove_one(execute, principal, run, traces=True, steps=True, payloads=True)
        assert proof.integrity.verification_status is VERIFIED, proof.integrity.failure_reason
        assert proof.integrity.chain_length == STEPS
        assert len(proof.integrity.root_hash or "") == 64
        (trace,) = proof.traces
        assert (trace.trace_id, trace.step_count, trace.run_step_count) == (run.trace_id, STEPS, STEPS)
        assert trace.head_hash in {step.step_hash for step in proof.steps}
        assert [log.step_index for log in proof.raw_logs or ()] == [step.step_index for step in proof.steps]
        assert "question 1" in str((proof.raw_logs or ())[0].input)
        assert "kept 1" in str((proof.raw_logs or ())[0].attributes)

    async def test_gives_only_the_verdict_unless_more_is_asked(self, execute: Execute, principal: Principal) -> None:
        proof = await prove_one(execute, principal, await report(execute, principal))
        assert (proof.traces, proof.steps, proof.raw_logs) == ((), (), None)

    async def test_shows_steps_in_start_order_whatever_the_order_of_arrival(
        self, execute: Execute, principal: Principal
    ) -> None:
        trace_id = uuid4().hex
        await ingest(execute, principal, *(chat(trace_id, number) for number in (3, 1, 2)), agent(trace_id))
        run = await report(execute, principal)
        page = await prove(execute, principal, run.key, *await keys_of(execute, principal, trace_id), steps=True)
        steps = next(proof.steps for key, proof in page.items() if key != run.key)
        assert [step.name for step in steps] == ["span 1", "span 2", "span 3"]
        assert [step.step_index for step in steps] == [1, 2, 0]
        assert steps[0].started_at.timestamp() == START_NS / 1e9 + 0.001
        assert steps[0].kind is StepKind.CHAT

    async def test_marks_a_step_that_came_after_the_seal_as_late(self, execute: Execute, principal: Principal) -> None:
        run = await report(execute, principal, late=True)
        proof = await prove_one(execute, principal, run, steps=True)
        assert proof.integrity.verification_status is VERIFIED, proof.integrity.failure_reason
        assert proof.integrity.chain_length == STEPS
        assert [step.late for step in proof.steps] == [False, False, False, True]

    async def test_shows_payloads_only_with_their_permission(self, execute: Execute, principal: Principal) -> None:
        run = await report(execute, principal)
        limited = structs.replace(principal, permissions=principal.permissions - {Permission.PAYLOADS_READ})
        proof = await prove_one(execute, limited, run, payloads=True)
        assert proof.raw_logs is None
        assert proof.integrity.verification_status is VERIFIED


async def keys_of(execute: Execute, principal: Principal, trace_id: str) -> list[UUID]:
    page = (await execute("activity.runs", ListRuns(page=PageRequest(100)), principal)).unwrap()
    return [run.key for run in page.nodes if run.trace_id == trace_id]


class TestMuchEvidence:
    async def test_is_verified_for_one_run_but_not_on_a_page(self, execute: Execute, principal: Principal) -> None:
        await govern(execute, principal)
        few = await report(execute, principal)
        trace_id = uuid4().hex
        await ingest(execute, principal, *(chat(trace_id, number) for number in range(1, 502)), agent(trace_id))
        (many,) = await keys_of(execute, principal, trace_id)
        page = await prove(execute, principal, few.key, many)
        assert page[few.key].integrity.verification_status is VERIFIED
        assert page[many].integrity.verification_status is VerificationStatus.UNVERIFIED_EVIDENCE
        assert page[many].integrity.first_break is None
        whole = await prove(execute, principal, many, whole=True)
        assert whole[many].integrity.verification_status is VERIFIED, whole[many].integrity.failure_reason


class TestOtherRuns:
    async def test_unknown_and_foreign_runs_are_absent(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        run = await report(execute, other)
        assert await prove(execute, principal, run.key, uuid4()) == {}

    async def test_a_coordinator_is_entered_only_through_the_registry(self) -> None:
        with pytest.raises(CoordinatorMisuse):
            await RunProofCoordinator.run_proofs(None, ProofRequest(run_keys=()))  # type: ignore[arg-type]

    @pytest.mark.parametrize("flags", [{}, {"traces": True, "steps": True, "payloads": True, "whole": True}])
    async def test_takes_one_statement_for_one_run_and_for_many(
        self, runtime: Any, execute: Execute, principal: Principal, flags: dict[str, bool]
    ) -> None:
        keys = [(await report(execute, principal)).key for _ in range(3)]
        taken = []
        for asked in (keys[:1], keys):
            session = runtime.registry.get_session_dep()
            request = ProofRequest(run_keys=tuple(asked), **flags)
            found = (await execute("activity.run_proof", request, principal, session=session)).unwrap()
            await session.close()
            assert {proof.integrity.verification_status for proof in found.values()} == {VERIFIED}
            taken.append((session.statements, session.round_trips))
        assert taken == [(5, 3), (5, 3)]  # BEGIN with its settings and SAVEPOINT, the wave, ROLLBACK


class TestUnavailable:
    @pytest.mark.parametrize("table", ["policy_evaluations", "decisions", "limit_breaches"])
    async def test_a_locked_evidence_table_leaves_the_rest_of_the_proof(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any], table: str
    ) -> None:
        run = await report(execute, principal)
        whole = (await prove(execute, principal, run.key))[run.key]
        async with connected(superuser) as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            found = (await prove(execute, principal, run.key))[run.key]
        assert found.integrity.verification_status is VerificationStatus.UNVERIFIED_EVIDENCE
        assert "could not be read" in found.integrity.failure_reason
        assert found.integrity.chain_length == whole.integrity.chain_length > 0

    async def test_a_locked_table_makes_the_proof_unavailable_not_failed(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal)
        async with connected(superuser) as connection, connection.transaction():
            await connection.execute("LOCK TABLE seals IN ACCESS EXCLUSIVE MODE")
            found = (await prove(execute, principal, run.key))[run.key]
        assert isinstance(found, Unavailable)
        assert found.code is ErrorCode.UNAVAILABLE
        assert "seals" not in found.message


def where(table: str, run: Reported) -> str:
    """The rows of a table that belong to the run."""
    if table == "trace_steps":
        return f"trace_id = '{run.trace_id}'"
    return f"{'id' if table == 'runs' else 'run_id'} = '{run.key}'"


class TestUndecodable:
    @pytest.mark.parametrize(
        ("table", "change", "kind"),
        [
            ("seals", "sealed_at = '4713-01-01 BC'", "SEAL"),
            ("policy_evaluations", "evaluated_at = '4713-01-01 BC'", "EVIDENCE"),
            ("limit_breaches", "breached_at = '4713-01-01 BC'", "EVIDENCE"),
            ("runs", "created_at = '4713-01-01 BC'", "RUN_EDIT"),
            ("seals", "sealed_at = 'infinity'", "SEAL"),
            ("policy_evaluations", "evaluated_at = '-infinity'", "EVIDENCE"),
            ("runs", "created_at = 'infinity'", "RUN_EDIT"),
            ("runs", "started_ns = 9223372036854775807", "RUN_EDIT"),
            ("trace_steps", "input_tokens = 9223372036854775807", "EDIT"),
            ("trace_steps", "started_ns = -9223372036854775808", "EDIT"),
            ("trace_steps", "span_digest = '\\x01'", "EDIT"),
        ],
    )
    async def test_a_row_that_cannot_be_decoded_fails_its_own_run_alone(
        self,
        execute: Execute,
        principal: Principal,
        superuser: dict[str, Any],
        table: str,
        change: str,
        kind: str,
    ) -> None:
        await govern(execute, principal)
        whole, broken = await report(execute, principal), await report(execute, principal)
        async with connected(superuser) as connection:
            await connection.execute(f"UPDATE {table} SET {change} WHERE {where(table, broken)}")
        proofs = await prove(execute, principal, whole.key, broken.key, steps=True)
        assert proofs[whole.key].integrity.verification_status is VERIFIED
        assert proofs[broken.key].integrity.first_break.kind == kind

    @pytest.mark.parametrize(
        ("table", "column", "kind"),
        [
            ("trace_steps", "status", "EDIT"),
            ("trace_steps", "kind", "EDIT"),
            ("runs", "status", "RUN_EDIT"),
            ("policy_evaluations", "outcome", "EVIDENCE"),
            ("limit_breaches", "level", "EVIDENCE"),
        ],
    )
    async def test_a_value_outside_its_closed_set_fails_the_run(
        self,
        execute: Execute,
        principal: Principal,
        superuser: dict[str, Any],
        table: str,
        column: str,
        kind: str,
    ) -> None:
        await govern(execute, principal)
        run = await report(execute, principal)
        rows = where(table, run)
        check = f"ck_{table}_{column}"
        async with connected(superuser) as connection:
            definition = await connection.fetchval(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", check
            )
            before = await connection.fetchval(f"SELECT {column} FROM {table} WHERE {rows} LIMIT 1")
            await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check}")
            await connection.execute(f"UPDATE {table} SET {column} = 'NO_SUCH' WHERE {rows}")
            try:
                proof = await prove_one(execute, principal, run, steps=True)
            finally:
                await connection.execute(f"UPDATE {table} SET {column} = $1 WHERE {rows}", before)
                await connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {check} {definition}")
        assert proof.integrity.first_break is not None
        assert proof.integrity.first_break.kind == kind


class TestLiveRun:
    async def test_a_run_without_steps_and_a_live_one_with_steps_are_unsupported(
        self, execute: Execute, principal: Principal
    ) -> None:
        key = await start(execute, principal)
        proof = (await prove(execute, principal, key))[key]
        assert proof.integrity.model is IntegrityModel.NONE
        assert proof.integrity.failure_reason.startswith("NO_TRACE")
        await append(execute, principal, key, ["one", "two"])
        proof = (await prove(execute, principal, key))[key]
        assert proof.integrity.failure_reason.startswith("NOT_SEALED")
        assert proof.integrity.verification_status is VerificationStatus.UNSUPPORTED

    async def test_a_run_reported_by_mutation_is_verified_once_it_ended(
        self, execute: Execute, principal: Principal
    ) -> None:
        key = await start(execute, principal)
        await append(execute, principal, key, ["one", "two"])
        await append(execute, principal, key, ["three"])
        end = CompleteRun(idempotency_key=uuid4().hex, run_key=key, status=RunStatus.SUCCEEDED)
        (await execute("activity.complete_run", end, principal)).unwrap()
        proof = (await prove(execute, principal, key, steps=True))[key]
        assert proof.integrity.verification_status is VERIFIED, proof.integrity.failure_reason
        assert proof.integrity.chain_length == 3
        assert not any(step.late for step in proof.steps)


async def start(execute: Execute, principal: Principal) -> UUID:
    request = StartRun(
        idempotency_key=uuid4().hex,
        agent_id="airline",
        actor=Actor(ActorKind.SYSTEM, None, None),
        origin_system_id="tests",
    )
    key: UUID = (await execute("activity.start_run", request, principal)).unwrap().run_key
    return key


async def append(execute: Execute, principal: Principal, key: UUID, names: Sequence[str]) -> None:
    at = datetime.now(UTC)
    steps = tuple(
        StepInput(step_id=name, name=name, kind=StepKind.OTHER, started_at=at, ended_at=at + timedelta(seconds=1))
        for name in names
    )
    request = AppendSteps(idempotency_key=uuid4().hex, run_key=key, steps=steps)
    (await execute("activity.append_steps", request, principal)).unwrap()
