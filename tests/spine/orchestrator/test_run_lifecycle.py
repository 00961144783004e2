"""Runs reported by mutation: from start to end, the attribution rules, and reports that are wrong in themselves."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import (
    ActorKind,
    RiskLevel,
    RunSource,
    RunState,
    RunStatus,
    SignalType,
    StepKind,
    StepStatus,
    TerminationReason,
    VerificationStatus,
)
from spine.contracts.errors import ErrorCode, RunValidationFailed
from spine.contracts.runs import RunChanged, StepInput
from tests.conftest import Execute
from tests.spine.orchestrator.reported import evidence_of, proof_of, runs_of, signals_of
from tests.spine.orchestrator.reporting import NOW, SERVICE, START, Reporter, a_step, failure


class TestAReportedRun:
    async def test_starts_live_and_without_a_proof(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        run = await reporter.run(key)
        assert (run.status, run.state, run.source) == (RunStatus.RUNNING, RunState.LIVE, RunSource.SDK)
        assert (run.agent_id, run.agent_name, run.goal, run.project_id) == ("clerk", "clerk", START.goal, "default")
        assert (run.started_at, run.completed_at, run.duration_ms) == (NOW, None, None)
        assert await reporter.verdict(key) is VerificationStatus.UNSUPPORTED

    async def test_grows_by_its_steps(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1), a_step(2, status=StepStatus.FAILURE, outcome_code="E1"))
        run = await reporter.run(key)
        assert (run.step_count, run.failed_step_count) == (2, 1)
        assert (run.input_tokens, run.output_tokens) == (2_000, 200)
        assert run.cost_usd == Decimal("0.007000")
        assert await reporter.verdict(key) is VerificationStatus.UNSUPPORTED

    async def test_ends_sealed_and_verified(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(2), a_step(1))
        await reporter.append(key, a_step(3, kind=StepKind.EXECUTE_TOOL, name="search", model=None))
        await reporter.complete(key)
        run = await reporter.run(key)
        assert (run.status, run.state, run.duration_ms) == (RunStatus.SUCCEEDED, RunState.COMPLETED, 60_000)
        proof = await proof_of(reporter.execute, reporter.principal, key)
        assert proof.integrity.verification_status is VerificationStatus.VERIFIED
        assert proof.integrity.chain_length == 3
        assert [step.started_at for step in proof.steps] == [NOW + timedelta(seconds=one) for one in (1, 2, 3)]
        assert [step.step_index for step in proof.steps] == [1, 0, 2]

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (RunStatus.SUCCEEDED, TerminationReason.COMPLETED),
            (RunStatus.FAILED, TerminationReason.SYSTEM_FAILURE),
            (RunStatus.FAILED_POLICY, TerminationReason.POLICY_BLOCK),
            (RunStatus.CANCELLED, TerminationReason.USER_ABORT),
        ],
    )
    async def test_says_why_it_ended(self, reporter: Reporter, status: RunStatus, reason: TerminationReason) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.complete(key, status)
        run = await reporter.run(key)
        assert (run.status, run.termination_reason) == (status, reason)
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_that_failed_opens_one_incident_and_raises_a_signal(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.complete(key, RunStatus.FAILED, error_code="AGENT_CRASH", error_message="it fell")
        run = await reporter.run(key)
        assert (run.incident_count, run.risk_level, run.error_code) == (1, RiskLevel.VIOLATED, "AGENT_CRASH")
        evidence = (await evidence_of(reporter.execute, reporter.principal, [key]))[key]
        assert evidence.incidents is not None
        assert [(one.title, one.error_message) for one in evidence.incidents.nodes] == [
            ("clerk failed: AGENT_CRASH", "it fell")
        ]
        signals = await signals_of(reporter.execute, reporter.principal, key)
        assert [one.type for one in signals] == [SignalType.RELIABILITY]

    async def test_may_have_a_parent_in_its_own_trace_or_in_another(self, reporter: Reporter) -> None:
        parent = (await reporter.start()).run_key
        trace = (await reporter.run(parent)).trace_id
        near = (await reporter.start(parent_key=parent, trace_id=trace)).run_key
        far = (await reporter.start(parent_key=parent)).run_key
        for child in (near, far):
            assert (await reporter.run(child)).parent_key == parent
            await reporter.append(child, a_step(1))
        await reporter.append(parent, a_step(1, step_id="own"))
        for key in (near, far, parent):
            assert (await reporter.run(key)).step_count == 1
            await reporter.complete(key)
            assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_takes_the_price_of_each_step_and_says_when_one_has_none(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1), a_step(2, model="unheard-of-1"))
        run = await reporter.run(key)
        assert (run.cost_usd, run.cost_status) == (Decimal("0.003500"), "PARTIAL")


class TestAttribution:
    """R1-R8; R7 holds because no report names a run's identity again."""

    @pytest.mark.parametrize(
        ("changes", "reason", "field"),
        [
            ({"agent_id": ""}, "ATTR_AGENT_MISSING", "agentId"),
            ({"agent_id": "legacy-unknown"}, "ATTR_AGENT_MISSING", "agentId"),
            ({"actor": Actor(ActorKind.AGENT, None, None)}, "ATTR_ACTOR_TYPE_INVALID", "actor.kind"),
            ({"actor": Actor(ActorKind.HUMAN, None, "Ann")}, "ATTR_ACTOR_ID_REQUIRED", "actor.id"),
            ({"actor": Actor(ActorKind.HUMAN, "", "Ann")}, "ATTR_ACTOR_ID_REQUIRED", "actor.id"),
            ({"actor": Actor(ActorKind.SERVICE, "s1", None)}, "ATTR_ACTOR_ID_FORBIDDEN", "actor.id"),
            ({"actor": Actor(ActorKind.SYSTEM, "s1", None)}, "ATTR_ACTOR_ID_FORBIDDEN", "actor.id"),
            ({"origin_system_id": ""}, "ATTR_ORIGIN_SYSTEM_MISSING", "originSystemId"),
            ({"origin_system_id": "legacy-migration"}, "ATTR_ORIGIN_SYSTEM_MISSING", "originSystemId"),
        ],
    )
    async def test_a_run_that_breaks_a_rule_is_refused_with_its_code(
        self, reporter: Reporter, changes: dict[str, Any], reason: str, field: str
    ) -> None:
        error = await failure(reporter.start(**changes))
        assert isinstance(error, RunValidationFailed)
        assert (error.code, error.reason, error.field) == (ErrorCode.RUN_VALIDATION_FAILURE, reason, field)
        assert await runs_of(reporter.execute, reporter.principal) == []

    @pytest.mark.parametrize(
        "actor", [Actor(ActorKind.HUMAN, "ann", "Ann"), SERVICE, Actor(ActorKind.SYSTEM, "", None)]
    )
    async def test_a_run_that_keeps_them_says_who_acted(self, reporter: Reporter, actor: Actor) -> None:
        run = await reporter.run((await reporter.start(actor=actor)).run_key)
        assert (run.actor.kind, run.actor.id) == (actor.kind, actor.id or None)

    async def test_an_empty_project_is_refused(self, reporter: Reporter) -> None:
        error = await failure(reporter.start(project_id=""))
        assert error.field == "projectId"


class TestMalformedReports:
    @pytest.mark.parametrize(
        ("changes", "code", "field"),
        [
            ({"idempotency_key": ""}, ErrorCode.VALIDATION, "idempotencyKey"),
            ({"idempotency_key": "k" * 201}, ErrorCode.VALIDATION, "idempotencyKey"),
            ({"trace_id": "0" * 32}, ErrorCode.VALIDATION, "traceId"),
            ({"trace_id": "F" * 32}, ErrorCode.VALIDATION, "traceId"),
            ({"trace_id": "f" * 31}, ErrorCode.VALIDATION, "traceId"),
            ({"agent_id": "a" * 1_001}, ErrorCode.TOO_LARGE, "agent_id"),
            ({"actor": Actor(ActorKind.HUMAN, "a" * 1_001, None)}, ErrorCode.TOO_LARGE, "id"),
            ({"goal": "g" * 10_001}, ErrorCode.TOO_LARGE, "goal"),
            ({"goal": "a\0b"}, ErrorCode.VALIDATION, None),
            ({"started_at": datetime(2026, 1, 1)}, ErrorCode.VALIDATION, "startedAt"),  # noqa: DTZ001
            ({"started_at": datetime(9999, 1, 1, tzinfo=UTC)}, ErrorCode.VALIDATION, "startedAt"),
        ],
    )
    async def test_a_start_that_is_wrong_in_itself_is_refused(
        self, reporter: Reporter, changes: dict[str, Any], code: ErrorCode, field: str | None
    ) -> None:
        error = await failure(reporter.start(**changes))
        assert (error.code, error.field) == (code, field)
        assert await runs_of(reporter.execute, reporter.principal) == []

    @pytest.mark.parametrize(
        ("steps", "code"),
        [
            ((), ErrorCode.VALIDATION),
            ((a_step(1), a_step(1)), ErrorCode.VALIDATION),
            (tuple(a_step(number) for number in range(501)), ErrorCode.TOO_LARGE),
            ((a_step(1, step_id=""),), ErrorCode.VALIDATION),
            ((a_step(1, name=""),), ErrorCode.VALIDATION),
            ((a_step(1, name="n" * 1_001),), ErrorCode.TOO_LARGE),
            ((a_step(1, name="a\0b"),), ErrorCode.VALIDATION),
            ((a_step(1, ended_at=NOW),), ErrorCode.VALIDATION),
            ((a_step(1, ended_at=datetime(9999, 1, 1, tzinfo=UTC)),), ErrorCode.VALIDATION),
            ((a_step(1, input_tokens=-1),), ErrorCode.VALIDATION),
            ((a_step(1, output_tokens=10**10 + 1),), ErrorCode.VALIDATION),
        ],
    )
    async def test_steps_that_are_wrong_in_themselves_are_refused_together(
        self, reporter: Reporter, steps: tuple[StepInput, ...], code: ErrorCode
    ) -> None:
        key = (await reporter.start()).run_key
        error = await failure(reporter.append(key, *steps))
        assert error.code is code
        assert (await reporter.run(key)).step_count == 0

    async def test_as_many_tokens_as_a_step_may_have_are_summed_exactly(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        huge = [a_step(number, input_tokens=10**10, model=None) for number in range(3)]
        await reporter.append(key, *huge)
        run = await reporter.run(key)
        assert (run.input_tokens, run.cost_status) == (3 * 10**10, "UNKNOWN")
        await reporter.complete(key)
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_a_run_that_starts_before_unix_time_is_refused_by_name(self, reporter: Reporter) -> None:
        error = await failure(reporter.start(started_at=datetime(1, 1, 1, tzinfo=UTC)))
        assert (error.code, error.field) == (ErrorCode.VALIDATION, "startedAt")

    async def test_a_run_cannot_end_before_it_starts_nor_end_running(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        early = await failure(reporter.complete(key, completed_at=NOW - timedelta(seconds=1)))
        running = await failure(reporter.complete(key, RunStatus.RUNNING))
        assert (early.field, running.field) == ("completedAt", "status")
        assert (await reporter.run(key)).state is RunState.LIVE

    async def test_a_run_that_has_ended_takes_nothing_more(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.complete(key)
        for report in (reporter.append(key, a_step(2)), reporter.complete(key)):
            assert (await failure(report)).code is ErrorCode.CONFLICT
        assert (await reporter.run(key)).step_count == 1
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED

    async def test_a_step_reported_twice_counts_once_and_a_differing_one_is_a_conflict(
        self, reporter: Reporter
    ) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await reporter.append(key, a_step(1), a_step(2))
        assert (await reporter.run(key)).step_count == 2
        error = await failure(reporter.append(key, a_step(3), a_step(1, output="another")))
        assert error.code is ErrorCode.CONFLICT
        assert (await reporter.run(key)).step_count == 2


class TestForeignRuns:
    async def test_answer_exactly_as_absent_ones(self, reporter: Reporter, execute: Execute, other: Principal) -> None:
        foreign = (await Reporter(execute, other).start()).run_key
        absent = uuid4()
        reports: tuple[Callable[[UUID], Awaitable[RunChanged]], ...] = (
            lambda key: reporter.append(key, a_step(1)),
            reporter.complete,
            lambda key: reporter.start(parent_key=key),
        )
        for report in reports:
            errors = [await failure(report(key)) for key in (foreign, absent)]
            said = [error.message.replace(str(key), "X") for error, key in zip(errors, (foreign, absent), strict=True)]
            assert said[0] == said[1]
            assert {error.code for error in errors} == {ErrorCode.NOT_FOUND}
        assert (await Reporter(execute, other).run(foreign)).step_count == 0
