"""A superuser forges with more than one stroke: what is found, and what proof cannot find before there is a log."""

from typing import Any

import pytest

from spine.contracts.actors import Principal
from spine.contracts.enums import VerificationStatus
from spine.contracts.proof import IntegrityVerification
from spine.contracts.records import StepRecord
from spine.services.proof.hashing import step_hash
from tests.spine.orchestrator.coordinators.reported import Execute, Reported, connected, report
from tests.spine.orchestrator.coordinators.test_tampering import change, prove

CHAIN = f"SELECT {', '.join(StepRecord.__struct_fields__)} FROM trace_steps WHERE trace_id = $1 ORDER BY step_index"
FORGE = "UPDATE trace_steps SET name = $3, prev_hash = $4, step_hash = $5 WHERE trace_id = $1 AND step_index = $2"


async def verdict(execute: Execute, principal: Principal, run: Reported) -> IntegrityVerification:
    return (await prove(execute, principal, run.key))[run.key].integrity


class TestSeals:
    async def test_that_two_runs_have_swapped_are_found_in_both(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        one, two = await report(execute, principal), await report(execute, principal)
        swap = """UPDATE seals SET version = 9 WHERE run_id = '{key}';
            UPDATE seals SET run_id = '{key}' WHERE run_id = '%s';
            UPDATE seals SET run_id = '%s', version = 1 WHERE run_id = '{key}' AND version = 9"""
        await change(superuser, one, swap % (two.key, two.key))
        for run in (one, two):
            assert (await verdict(execute, principal, run)).failure_reason == "SEAL: seal 1 was edited"

    async def test_of_which_an_old_one_is_replayed_as_the_newest_are_found(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal, late=True)
        await change(superuser, run, "DELETE FROM seals WHERE run_id = '{key}' AND version = 2")
        replay = """INSERT INTO seals SELECT tenant_id, run_id, 2, step_count, step_hashes, run_record, evidence_count,
            evidence_head, prev_seal_hash, seal_hash, sealed_at FROM seals WHERE run_id = '{key}'"""
        await change(superuser, run, replay)
        assert (await verdict(execute, principal, run)).failure_reason == "SEAL: seal 2 was edited"


class TestHeads:
    @pytest.mark.parametrize(
        "change_of",
        ["step_count = 3", "head_hash = 'x'", "refused_count = 1", "trace_id = 'elsewhere'"],
    )
    async def test_that_differ_from_what_is_stored_of_their_trace_are_found(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any], change_of: str
    ) -> None:
        run = await report(execute, principal)
        assert (await verdict(execute, principal, run)).verification_status is VerificationStatus.VERIFIED
        statement = "UPDATE traces SET " + change_of + " WHERE trace_id = '{trace_id}'"
        await change(superuser, run, statement)
        found = await verdict(execute, principal, run)
        assert found.first_break is not None
        assert (found.first_break.kind, found.first_break.step_index) == ("EDIT", None)
        assert run.trace_id in str(found.failure_reason)


class TestSteps:
    async def test_whose_payloads_were_swapped_are_found(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal)
        swap = """UPDATE step_payloads SET step_index = 3 - step_index + 100 WHERE trace_id = '{trace_id}';
            UPDATE step_payloads SET step_index = step_index - 100 WHERE trace_id = '{trace_id}'"""
        await change(superuser, run, swap)
        first = (await verdict(execute, principal, run)).first_break
        assert first is not None
        assert (first.kind, first.step_index) == ("PAYLOAD_TAMPERED", 0)

    async def test_that_were_all_chained_anew_without_a_new_seal_are_found(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal)
        async with connected(superuser) as connection:
            rows = await connection.fetch(CHAIN, run.trace_id)
            head = rows[0]["prev_hash"]
            for row in rows:
                forged = StepRecord(**dict(row) | {"name": "harmless", "prev_hash": head})
                head = step_hash(forged)
                values = (run.trace_id, forged.step_index, "harmless", forged.prev_hash, head)
                await connection.execute(FORGE, *values)
            await connection.execute("UPDATE traces SET head_hash = $2 WHERE trace_id = $1", run.trace_id, head)
        first = (await verdict(execute, principal, run)).first_break
        assert first is not None
        assert (first.kind, first.step_index) == ("EDIT", 0)
