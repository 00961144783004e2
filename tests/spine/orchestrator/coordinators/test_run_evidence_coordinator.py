"""RunEvidence on a real database: what was asked for is read, and what could not be read is said to be so."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from spine.contracts.actors import Principal
from spine.contracts.enums import EvaluationOutcome, EvidenceDomain, LimitLevel, Permission, SourceStatus
from spine.contracts.errors import CoordinatorMisuse, Unavailable
from spine.contracts.evidence import EvidenceRequest, EvidenceSource, RunEvidence
from spine.orchestrator.coordinators.run_evidence_coordinator import RunEvidenceCoordinator
from tests.spine.orchestrator.coordinators.reported import STEPS, Execute, connected, govern, report

INCIDENTS, POLICIES, CONTROLS = EvidenceDomain.INCIDENTS, EvidenceDomain.POLICIES, EvidenceDomain.CONTROLS
ALL = {"incidents": 10, "policies": 10, "limits": 10, "decisions": 10}


async def ask(execute: Execute, principal: Principal, *keys: UUID, **wanted: Any) -> dict[UUID, Any]:
    request = EvidenceRequest(run_keys=keys, **wanted)
    found: dict[UUID, Any] = (await execute("activity.run_evidence", request, principal)).unwrap()
    return found


async def ask_one(execute: Execute, principal: Principal, key: UUID, **wanted: Any) -> RunEvidence:
    evidence = (await ask(execute, principal, key, **wanted))[key]
    assert isinstance(evidence, RunEvidence)
    return evidence


def source(
    domain: EvidenceDomain, status: SourceStatus = SourceStatus.OK, *, truncated: bool = False
) -> EvidenceSource:
    return EvidenceSource(domain, status, truncated)


class TestWhatARunTouched:
    async def test_is_composed_from_all_domains(self, execute: Execute, principal: Principal) -> None:
        await govern(execute, principal)
        run = await report(execute, principal)
        evidence = await ask_one(execute, principal, run.key, **ALL)
        assert evidence.run_key == run.key
        assert evidence.policies is not None
        assert {one.outcome for one in evidence.policies.nodes} == {EvaluationOutcome.WARN}
        assert evidence.policies.total_count == STEPS
        assert evidence.limits is not None
        assert [(one.limit_name, one.level) for one in evidence.limits.nodes] == [("Tokens", LimitLevel.BREACH)]
        assert evidence.incidents is not None
        assert [one.trigger_name for one in evidence.incidents.nodes] == ["Tokens"]
        assert evidence.decisions is not None
        assert evidence.decisions.total_count >= 1
        assert evidence.sources == (source(INCIDENTS), source(POLICIES), source(CONTROLS))

    async def test_is_empty_and_ok_for_a_run_to_which_nothing_happened(
        self, execute: Execute, principal: Principal
    ) -> None:
        evidence = await ask_one(execute, principal, (await report(execute, principal)).key, **ALL)
        pages = (evidence.incidents, evidence.policies, evidence.limits, evidence.decisions)
        assert [(list(page.nodes), page.total_count) for page in pages if page is not None] == [([], 0)] * 4
        assert {one.status for one in evidence.sources} == {SourceStatus.OK}

    async def test_says_when_more_exists_than_was_returned(self, execute: Execute, principal: Principal) -> None:
        await govern(execute, principal)
        run = await report(execute, principal)
        evidence = await ask_one(execute, principal, run.key, policies=1, limits=1)
        assert evidence.policies is not None
        assert (len(evidence.policies.nodes), evidence.policies.total_count) == (1, STEPS)
        assert evidence.sources == (source(POLICIES, truncated=True), source(CONTROLS))

    async def test_keeps_the_runs_of_a_page_apart(self, execute: Execute, principal: Principal) -> None:
        before = await report(execute, principal)
        await govern(execute, principal)
        after = await report(execute, principal)
        found = await ask(execute, principal, before.key, after.key, **ALL)
        assert found[before.key].policies.total_count == 0
        assert found[after.key].policies.total_count == STEPS


class TestOnlyWhatIsAskedFor:
    @pytest.mark.parametrize(
        ("wanted", "domains"),
        [
            ({"incidents": 1}, [INCIDENTS]),
            ({"decisions": 1}, [POLICIES]),
            ({"policies": 1, "decisions": 1}, [POLICIES]),
            ({"limits": 1, "incidents": 1}, [INCIDENTS, CONTROLS]),
            ({"probe": frozenset(EvidenceDomain)}, [INCIDENTS, POLICIES, CONTROLS]),
            ({}, []),
        ],
    )
    async def test_is_read(
        self, execute: Execute, principal: Principal, wanted: dict[str, Any], domains: list[EvidenceDomain]
    ) -> None:
        evidence = await ask_one(execute, principal, (await report(execute, principal)).key, **wanted)
        assert [one.domain for one in evidence.sources] == domains
        for name in ALL:
            assert (getattr(evidence, name) is not None) == (name in wanted)

    async def test_a_domain_that_is_not_asked_may_be_locked(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal)
        async with connected(superuser) as connection, connection.transaction():
            await connection.execute(
                "LOCK TABLE policy_evaluations, decisions, limit_breaches IN ACCESS EXCLUSIVE MODE"
            )
            evidence = await ask_one(execute, principal, run.key, incidents=10)
        assert evidence.sources == (source(INCIDENTS),)

    @pytest.mark.parametrize("wanted", [{"incidents": 10}, ALL])
    async def test_takes_one_statement_for_one_run_and_for_many(
        self, runtime: Any, execute: Execute, principal: Principal, wanted: dict[str, Any]
    ) -> None:
        keys = [(await report(execute, principal)).key for _ in range(3)]
        taken = []
        for asked in (keys[:1], keys):
            session = runtime.registry.get_session_dep()
            request = EvidenceRequest(run_keys=tuple(asked), **wanted)
            (await execute("activity.run_evidence", request, principal, session=session)).unwrap()
            await session.close()
            taken.append((session.statements, session.round_trips))
        assert taken == [(5, 3), (5, 3)]  # BEGIN with its settings and SAVEPOINT, the wave, ROLLBACK


class TestSources:
    @pytest.mark.parametrize(
        ("tables", "domain"),
        [("incidents", INCIDENTS), ("policy_evaluations, decisions", POLICIES), ("limit_breaches", CONTROLS)],
    )
    async def test_one_that_does_not_answer_leaves_the_others_intact(
        self,
        execute: Execute,
        principal: Principal,
        superuser: dict[str, Any],
        tables: str,
        domain: EvidenceDomain,
    ) -> None:
        await govern(execute, principal)
        run = await report(execute, principal)
        async with connected(superuser) as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
            evidence = await ask_one(execute, principal, run.key, **ALL)
        statuses = {one.domain: one.status for one in evidence.sources}
        assert statuses.pop(domain) is SourceStatus.UNAVAILABLE
        assert set(statuses.values()) == {SourceStatus.OK}
        assert (evidence.incidents is None) == (domain is INCIDENTS)
        assert (evidence.policies is None) == (evidence.decisions is None) == (domain is POLICIES)
        assert (evidence.limits is None) == (domain is CONTROLS)

    async def test_one_that_answers_in_part_is_degraded(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal)
        async with connected(superuser) as connection, connection.transaction():
            await connection.execute("LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE")
            evidence = await ask_one(execute, principal, run.key, policies=1, decisions=1)
        assert evidence.sources == (source(POLICIES, SourceStatus.DEGRADED),)
        assert evidence.policies is not None
        assert evidence.decisions is None

    async def test_a_row_that_cannot_be_decoded_spoils_its_own_run_alone(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await govern(execute, principal)
        whole, broken = await report(execute, principal), await report(execute, principal)
        async with connected(superuser) as connection:
            await connection.execute(
                "UPDATE incidents SET created_at = '4713-01-01 BC' WHERE source_run_id = $1", broken.key
            )
        found = await ask(execute, principal, whole.key, broken.key, **ALL)
        assert {one.status for one in found[whole.key].sources} == {SourceStatus.OK}
        assert found[broken.key].sources[0] == source(INCIDENTS, SourceStatus.UNAVAILABLE)
        assert found[broken.key].policies.total_count == STEPS

    @pytest.mark.parametrize(
        ("missing", "forbidden"),
        [(Permission.INCIDENTS_READ, {INCIDENTS}), (Permission.POLICIES_READ, {POLICIES, CONTROLS})],
    )
    async def test_one_without_permission_is_forbidden_and_unread(
        self, execute: Execute, principal: Principal, missing: Permission, forbidden: set[EvidenceDomain]
    ) -> None:
        run = await report(execute, principal)
        limited = structs.replace(principal, permissions=principal.permissions - {missing})
        evidence = await ask_one(execute, limited, run.key, **ALL)
        assert {one.domain for one in evidence.sources if one.status is SourceStatus.FORBIDDEN} == forbidden
        assert {one.domain for one in evidence.sources if one.status is SourceStatus.OK} == set(
            EvidenceDomain
        ) - forbidden
        assert (evidence.incidents is None) == (INCIDENTS in forbidden)
        assert (evidence.limits is None) == (CONTROLS in forbidden)


class TestOtherRuns:
    async def test_unknown_and_foreign_runs_are_absent_not_clear(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        run = await report(execute, other)
        assert await ask(execute, principal, run.key, uuid4(), **ALL) == {}

    async def test_nothing_is_said_when_it_is_unknown_which_runs_exist(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await report(execute, principal)
        async with connected(superuser) as connection, connection.transaction():
            await connection.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
            found = await ask(execute, principal, run.key, **ALL)
        assert isinstance(found[run.key], Unavailable)

    async def test_a_coordinator_is_entered_only_through_the_registry(self) -> None:
        with pytest.raises(CoordinatorMisuse):
            await RunEvidenceCoordinator.run_evidence(None, EvidenceRequest(run_keys=()))  # type: ignore[arg-type]
