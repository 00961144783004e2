"""Evidence of runs whose proofs were made in the same snapshot: the same as alone, of records that are read once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import EvidenceDomain, SourceStatus
from spine.contracts.evidence import EvidenceRequest, RunEvidence
from spine.contracts.proof import ProofRequest
from spine.orchestrator.coordinators.waves import MOST_ON_A_PAGE
from tests.spine.orchestrator.coordinators.reported import STEPS, Execute, connected, govern, report

COPIES = (
    "INSERT INTO policy_evaluations SELECT (jsonb_populate_record(e, jsonb_build_object("
    "'evidence_index', 100 + n, 'id', gen_random_uuid()))).* "
    "FROM policy_evaluations e, generate_series(1, $2::int) n WHERE run_id = $1 AND evidence_index = 0"
)
CHECK = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE conrelid = 'policy_evaluations'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%outcome%'"
)


class Asker:
    """Asks for the evidence of runs alone, and after their proofs in one snapshot."""

    def __init__(self, runtime: Runtime, execute: Execute, principal: Principal) -> None:
        self._runtime, self._execute, self._principal = runtime, execute, principal

    async def alone(self, *keys: UUID, **wanted: int) -> dict[UUID, RunEvidence]:
        return await self._evidence(keys, wanted)

    async def after_proofs(self, *keys: UUID, whole: bool = False, **wanted: int) -> dict[UUID, RunEvidence]:
        session = self._runtime.registry.get_session_dep()
        proofs = ProofRequest(run_keys=keys, whole=whole)
        (await self._execute("activity.run_proof", proofs, self._principal, session=session)).unwrap()
        evidence = await self._evidence(keys, wanted, session=session)
        await session.close()
        return evidence

    async def _evidence(self, keys: tuple[UUID, ...], wanted: dict[str, int], **named: Any) -> dict[UUID, RunEvidence]:
        wanted = wanted or {"incidents": 10, "policies": 10, "limits": 10, "decisions": 10}
        request = EvidenceRequest(run_keys=keys, **wanted)  # type: ignore[arg-type]
        found = (await self._execute("activity.run_evidence", request, self._principal, **named)).unwrap()
        return {key: structs.replace(one, computed_at=None) for key, one in found.items()}


@pytest.fixture
def ask(runtime: Runtime, execute: Execute, principal: Principal) -> Asker:
    return Asker(runtime, execute, principal)


class TestAfterProofs:
    @pytest.mark.parametrize("whole", [False, True])
    async def test_evidence_is_what_it_is_alone(
        self, ask: Asker, execute: Execute, principal: Principal, whole: bool
    ) -> None:
        keys = [(await report(execute, principal)).key]
        await govern(execute, principal)
        keys += [(await report(execute, principal, late=late)).key for late in (False, True)]
        for wanted in ({}, {"policies": 1}, {"limits": 3, "decisions": 1}):
            alone = await ask.alone(*keys, **wanted)
            assert await ask.after_proofs(*keys, whole=whole, **wanted) == alone
            assert set(alone) == set(keys)
        assert [len(page.nodes) for one in alone.values() if (page := one.limits) is not None] == [0, 1, 1]

    async def test_of_other_runs_it_is_read(self, ask: Asker, execute: Execute, principal: Principal) -> None:
        await govern(execute, principal)
        one, other = (await report(execute, principal)).key, (await report(execute, principal)).key
        session_of_one = await ask.after_proofs(one)
        assert session_of_one == await ask.alone(one)
        both = await ask.alone(one, other)
        assert both[one] == session_of_one[one]
        assert counted(both[other]) == STEPS

    @pytest.mark.parametrize("whole", [False, True])
    async def test_of_a_run_with_more_than_a_page_reads_it_is_counted_in_full(
        self, ask: Asker, execute: Execute, principal: Principal, superuser: dict[str, Any], whole: bool
    ) -> None:
        await govern(execute, principal)
        run = await report(execute, principal)
        async with connected(superuser) as connection:
            await connection.execute(COPIES, run.key, MOST_ON_A_PAGE)
        alone = await ask.alone(run.key)
        assert counted(alone[run.key]) == STEPS + MOST_ON_A_PAGE
        assert await ask.after_proofs(run.key, whole=whole) == alone

    async def test_a_record_that_means_nothing_spoils_its_own_run_alone(
        self, ask: Asker, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await govern(execute, principal)
        sound, broken = await report(execute, principal), await report(execute, principal)
        async with unchecked(superuser, broken.key, "outcome = 'PERHAPS'"):
            found = await ask.after_proofs(sound.key, broken.key)
        statuses = {
            key: [source.status for source in one.sources if source.domain is EvidenceDomain.POLICIES]
            for key, one in found.items()
        }
        assert statuses == {sound.key: [SourceStatus.OK], broken.key: [SourceStatus.DEGRADED]}
        assert [counted(found[run.key]) for run in (sound, broken)] == [STEPS, None]


def counted(evidence: RunEvidence) -> int | None:
    """How many evaluations are told of."""
    return None if evidence.policies is None else evidence.policies.total_count


@asynccontextmanager
async def unchecked(superuser: dict[str, Any], run_key: UUID, change: str) -> AsyncIterator[None]:
    """What the table's own check would refuse, until the test is over."""
    async with connected(superuser) as connection:
        name, definition = await connection.fetchrow(CHECK)
        await connection.execute(f"ALTER TABLE policy_evaluations DROP CONSTRAINT {name}")
        await connection.execute(f"UPDATE policy_evaluations SET {change} WHERE run_id = $1", run_key)
        try:
            yield
        finally:
            await connection.execute("DELETE FROM policy_evaluations WHERE run_id = $1", run_key)
            await connection.execute(f"ALTER TABLE policy_evaluations ADD CONSTRAINT {name} {definition}")
