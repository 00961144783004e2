"""What an erasure cannot hide, what the database refuses, and what whoever holds a payload can still check."""

import hashlib
from typing import Any

import asyncpg
import pytest

from spine.contracts.actors import Principal
from spine.contracts.enums import ReplayOutcome
from spine.services.commitments import commitment, matches
from spine.storage.embedded import EmbeddedPostgres
from tests.conftest import Execute
from tests.spine.orchestrator.coordinators.redacted import ANSWERED, CHANGED, SPANS, TOLD, govern, redact
from tests.spine.orchestrator.coordinators.replayed_runs import a_run, replayed
from tests.spine.orchestrator.coordinators.reported import connected
from tests.spine.orchestrator.reported import (
    evidence_of,
    proof_of,
    send,
    the_run,
)
from tests.spine.orchestrator.reporting import Reporter

KEPT_OUTPUTS = "SELECT count(*) FROM reservations WHERE run_id = $1 AND output IS NOT NULL AND key LIKE 'idem_%'"


class TestWhoeverHoldsAPayload:
    async def test_can_check_it_with_the_salt(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, SPANS)
        proof = await proof_of(execute, principal, (await the_run(execute, principal)).key)
        for step, log in zip(proof.steps, proof.raw_logs or (), strict=True):
            salt = bytes.fromhex(str(log.salt))
            assert hashlib.sha256(salt + TOLD.encode()).hexdigest() == step.input_hash
            assert matches(salt, ANSWERED.encode(), bytes.fromhex(str(step.output_hash)))

    async def test_finds_it_in_what_a_rule_read(self, execute: Execute, principal: Principal) -> None:
        await govern(execute, principal)
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        proof = await proof_of(execute, principal, run.key)
        policies = (await evidence_of(execute, principal, [run.key]))[run.key].policies
        assert policies is not None
        held = [one for one in policies.nodes if one.policy_name == "says pin"]
        salts = {log.step_index: bytes.fromhex(str(log.salt)) for log in proof.raw_logs or ()}
        assert [one.facts for one in held] == [
            f'{{"step.input":"salted:{commitment(salts[one.step_index or 0], TOLD.encode()).hex()} '
            f'({len(TOLD)} characters)"}}'
            for one in held
        ]
        reasons = {one.reason for one in policies.nodes if one.outcome == "ERROR"}
        assert reasons == {"it cannot be decided from the step's payload"}

    async def test_of_equal_steps_has_different_commitments(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, SPANS)
        first, second = (await proof_of(execute, principal, (await the_run(execute, principal)).key)).steps
        assert first.input_hash != second.input_hash


class TestReplays:
    async def test_of_an_erased_run_say_redacted_and_keep_no_output_of_it(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        run = await a_run(reporter, wrong=True)
        first = await replayed(reporter, run)
        assert ReplayOutcome.MISMATCHED in {step.outcome for step in first.steps}
        expected = {step.divergence.expected for step in first.steps if step.divergence is not None}
        assert hashlib.sha256(b"9.9").hexdigest() not in expected
        async with connected(superuser) as connection:
            assert await connection.fetchval(KEPT_OUTPUTS, run) == 2
            (await redact(reporter.execute, reporter.principal, run)).unwrap()
            assert await connection.fetchval(KEPT_OUTPUTS, run) == 0
        again = await replayed(reporter, run)
        assert {step.outcome for step in again.steps} == {ReplayOutcome.REDACTED}
        payloads = [one for one in again.decisions if one.subject_name == "payloads"]
        assert ReplayOutcome.UNREPLAYABLE in {one.outcome for one in payloads}
        assert ReplayOutcome.MISMATCHED not in {one.outcome for one in again.decisions}


class TestHidingAChange:
    @pytest.mark.parametrize(
        "change",
        [
            "input = NULL",
            "input = NULL, output = NULL, attributes = NULL, salt = NULL",
            "salt = sha256('another')",
            "salt = NULL",
            "redacted_at = now()",
            "redacted_at = now(), input = NULL, output = NULL, attributes = NULL",
            "redacted_at = now(), input = NULL, output = NULL, salt = NULL",
            "salt = NULL, input = salt || input, output = salt || output, attributes = salt || attributes",
        ],
    )
    async def test_behind_an_erasure_is_found(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any], change: str
    ) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        async with connected(superuser) as connection:
            await connection.execute(
                f"UPDATE step_payloads SET {change} WHERE tenant_id = $1 AND step_index = 2", principal.tenant_id
            )
        found = (await proof_of(execute, principal, run.key)).integrity.first_break
        assert found is not None
        assert (found.kind, found.step_index) == ("PAYLOAD_TAMPERED", 2)

    async def test_in_what_was_erased_is_found(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        (await redact(execute, principal, run.key)).unwrap()
        async with connected(superuser) as connection:
            await connection.execute(
                "UPDATE step_payloads SET input = 'invented' WHERE tenant_id = $1 AND step_index = 1",
                principal.tenant_id,
            )
        found = (await proof_of(execute, principal, run.key)).integrity.first_break
        assert found is not None
        assert (found.kind, found.step_index) == ("PAYLOAD_TAMPERED", 1)


class TestTheDatabase:
    """Lets the app erase, and change in no other way, what it may otherwise only add."""

    STATEMENTS = (
        "UPDATE step_payloads SET input = 'another'",
        "UPDATE step_payloads SET input = NULL",
        "UPDATE step_payloads SET redacted_at = now()",
        "UPDATE step_payloads SET input = NULL, output = NULL, attributes = NULL, salt = NULL",
        "UPDATE step_payloads SET redacted_at = now(), input = NULL, output = NULL, salt = NULL",
        "UPDATE step_payloads SET step_index = step_index + 100",
        "UPDATE step_payloads SET tenant_id = tenant_id",
        "DELETE FROM step_payloads",
        "UPDATE span_refusals SET body = 'another'",
        "UPDATE span_refusals SET body = NULL, redacted_at = now()",
        "UPDATE span_refusals SET reason = 'another'",
        "DELETE FROM span_refusals",
    )

    @pytest.mark.parametrize("erased", [False, True])
    async def test_refuses(
        self, execute: Execute, principal: Principal, postgres: EmbeddedPostgres, database_name: str, *, erased: bool
    ) -> None:
        await send(execute, principal, [*SPANS, CHANGED])
        if erased:
            (await redact(execute, principal, (await the_run(execute, principal)).key)).unwrap()
        app = await asyncpg.connect(**postgres.connection("hoc_app", database_name).asyncpg_arguments())
        try:
            for statement in self.STATEMENTS:
                await app.execute(f"BEGIN; SET LOCAL app.tenant_id = '{principal.tenant_id}'")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await app.execute(statement)
                await app.execute("ROLLBACK")
        finally:
            await app.close()
