"""Steps are executed, skipped or checked; under a key once, whoever asks and whatever dies."""

import asyncio
import hashlib
import secrets
from typing import Any

import pytest
from msgspec import structs

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import DivergenceKind, ReplayBehavior, ReplayOutcome
from spine.contracts.errors import Conflict, CoordinatorMisuse, ErrorCode, HocError, UndeclaredDependency
from spine.contracts.replays import Divergence, FinishExecution, Reservation, ReserveExecution
from spine.orchestrator.coordinators import replay_coordinator
from spine.orchestrator.coordinators.replay_coordinator import FINISH, RESERVE, ReplayCoordinator, request_digest
from tests.conftest import Execute
from tests.spine.orchestrator.coordinators.replaying import RUN, STEP, Enforce, Skill, a_step, enforcer
from tests.spine.orchestrator.coordinators.reported import connected

EXECUTE, SKIP, CHECK = ReplayBehavior.EXECUTE, ReplayBehavior.SKIP, ReplayBehavior.CHECK


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def skill() -> Skill:
    return Skill()


@pytest.fixture
def enforce(runtime: Runtime, principal: Principal, skill: Skill) -> Enforce:
    return enforcer(runtime, principal, skill.as_executors())


async def the_only(enforce: Enforce, *steps: Any, **by: Any) -> tuple[ReplayOutcome, bool, bytes | None]:
    (done,) = (await enforce(*steps, **by)).steps
    return done.result.outcome, done.result.from_cache, done.output


async def refusal(enforce: Enforce, *steps: Any) -> HocError:
    with pytest.raises(HocError) as raised:
        await enforce(*steps)
    return raised.value


class TestExecute:
    async def test_without_a_key_executes_each_time(self, enforce: Enforce, skill: Skill) -> None:
        for _ in range(2):
            assert await the_only(enforce, a_step(EXECUTE)) == (ReplayOutcome.EXECUTED, False, skill.answer)
        assert skill.executed == 2

    async def test_under_a_key_executes_once_and_answers_the_same(self, enforce: Enforce, skill: Skill) -> None:
        first = skill.answer
        assert await the_only(enforce, a_step(EXECUTE, "k")) == (ReplayOutcome.EXECUTED, False, first)
        skill.answer = b"another"
        assert await the_only(enforce, a_step(EXECUTE, "k")) == (ReplayOutcome.EXECUTED, True, first)
        assert skill.executed == 1

    async def test_a_skill_without_executor_is_none_that_matches(self, enforce: Enforce) -> None:
        for behavior in (EXECUTE, CHECK):
            outcome, _, output = await the_only(enforce, a_step(behavior, "k", skill_name="fly"))
            assert (outcome, output) == (ReplayOutcome.NO_EXECUTOR, None)

    async def test_a_failure_is_kept_and_says_no_more_than_its_type(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        skill = Skill(error=RuntimeError("password=hunter2"))
        enforce = enforcer(runtime, principal, skill.as_executors())
        for cached in (False, True):
            (done,) = (await enforce(a_step(EXECUTE, "k"))).steps
            said = (done.result.outcome, done.result.reason, done.result.from_cache)
            assert said == (ReplayOutcome.FAILED, "the skill failed: RuntimeError", cached)
        assert skill.executed == 1

    async def test_an_output_that_is_too_large_is_a_failure(self, enforce: Enforce, skill: Skill) -> None:
        skill.answer = b"x" * (replay_coordinator.MOST_OUTPUT + 1)
        (done,) = (await enforce(a_step(EXECUTE, "k"))).steps
        assert (done.result.outcome, done.output) == (ReplayOutcome.FAILED, None)
        assert done.result.reason == "its output has more than 1048576 bytes"

    async def test_an_execution_that_does_not_end_is_cut_before_its_lease(
        self, runtime: Runtime, principal: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert replay_coordinator.EXECUTION_S < replay_coordinator.LEASE_S
        monkeypatch.setattr(replay_coordinator, "EXECUTION_S", 0.05)
        skill = Skill(takes_s=60)
        (done,) = (await enforcer(runtime, principal, skill.as_executors())(a_step(EXECUTE, "k"))).steps
        assert done.result.reason == "the skill failed: TimeoutError"


class TestSkip:
    async def test_returns_the_recorded_output_and_is_never_a_match(self, enforce: Enforce, skill: Skill) -> None:
        assert await the_only(enforce, a_step(SKIP, "k")) == (ReplayOutcome.PLAYED_BACK, False, STEP.output)
        assert await the_only(enforce, a_step(SKIP, "k", skill_name="fly")) == (
            ReplayOutcome.PLAYED_BACK, False, STEP.output,
        )  # fmt: skip
        assert skill.executed == 0

    async def test_without_a_key_is_refused(self, enforce: Enforce, skill: Skill) -> None:
        error = await refusal(enforce, a_step(SKIP))
        assert (error.code, error.field) == (ErrorCode.VALIDATION, "idempotencyKey")
        assert skill.executed == 0

    async def test_of_a_step_without_output_plays_nothing_back(self, enforce: Enforce) -> None:
        assert await the_only(enforce, a_step(SKIP, "k", output=None)) == (ReplayOutcome.UNREPLAYABLE, False, None)


class TestCheck:
    async def test_compares_what_the_outputs_say_not_how_they_are_written(self, enforce: Enforce, skill: Skill) -> None:
        assert skill.answer != STEP.output
        assert await the_only(enforce, a_step(CHECK)) == (ReplayOutcome.MATCHED, False, skill.answer)

    async def test_reports_the_first_divergence_with_its_step_and_both_hashes(self, enforce: Enforce) -> None:
        fine = a_step(CHECK, "1", step_index=1)
        bad, worse = (a_step(CHECK, str(n), step_index=n, output=b"recorded %d" % n) for n in (2, 3))
        trace = await enforce(fine, bad, worse)
        assert [one.result.outcome for one in trace.steps] == ["MATCHED", "MISMATCHED", "MISMATCHED"]
        assert trace.first_divergence == Divergence(
            kind=DivergenceKind.OUTPUT,
            index=2,
            is_step=True,
            expected=sha256(b"recorded 2"),
            actual=sha256(b'{"sold":1}'),
        )

    async def test_compares_what_an_earlier_execution_gave_and_overwrites_neither(
        self, enforce: Enforce, skill: Skill, superuser: dict[str, Any], principal: Principal
    ) -> None:
        skill.answer = b"wrong"
        assert (await the_only(enforce, a_step(CHECK, "k")))[:2] == (ReplayOutcome.MISMATCHED, False)
        skill.answer = STEP.output or b""
        assert await the_only(enforce, a_step(CHECK, "k")) == (ReplayOutcome.MISMATCHED, True, b"wrong")
        assert await the_only(enforce, a_step(SKIP, "k")) == (ReplayOutcome.PLAYED_BACK, False, STEP.output)
        assert skill.executed == 1
        async with connected(superuser) as connection:
            rows = await connection.fetch(
                "SELECT state, output, attempt FROM reservations WHERE tenant_id = $1", principal.tenant_id
            )
        assert [tuple(row) for row in rows] == [("SUCCEEDED", b"wrong", 1)]

    async def test_of_a_step_without_output_matches_nothing(self, enforce: Enforce) -> None:
        assert (await the_only(enforce, a_step(CHECK, "k", output=None)))[0] is ReplayOutcome.UNREPLAYABLE

    async def test_of_erased_content_matches_nothing(self, enforce: Enforce, skill: Skill) -> None:
        erased = a_step(CHECK, "k", input=None, output=None, redacted=True)
        assert (await the_only(enforce, erased))[0] is ReplayOutcome.REDACTED
        assert (await the_only(enforce, structs.replace(erased, behavior=SKIP)))[0] is ReplayOutcome.REDACTED
        assert skill.executed == 0

    async def test_leaves_the_callers_steps_as_they_are(self, enforce: Enforce) -> None:
        steps = (a_step(CHECK, "1"), a_step(EXECUTE, "2"), a_step(SKIP, "3"))
        before = repr(steps)
        await enforce(*steps)
        assert repr(steps) == before


class TestAKey:
    async def test_stands_for_one_request(self, enforce: Enforce, skill: Skill) -> None:
        await enforce(a_step(EXECUTE, "k"))
        for other in ({"input_digest": b"other"}, {"input_digest": None}):
            error = await refusal(enforce, a_step(EXECUTE, "k", **other))
            assert (error.code, error.field) == (ErrorCode.IDEMPOTENCY_CONFLICT, "idempotencyKey")
        assert skill.executed == 1

    async def test_of_another_tenant_is_another_key(self, enforce: Enforce, skill: Skill, other: Principal) -> None:
        await enforce(a_step(EXECUTE, "k"))
        assert (await the_only(enforce, a_step(EXECUTE, "k", input_digest=b"other"), by=other))[1] is False
        assert skill.executed == 2

    async def test_is_executed_once_by_eight_workers(self, runtime: Runtime, principal: Principal) -> None:
        skill = Skill(takes_s=0.2)
        workers = [enforcer(runtime, principal, skill.as_executors(repeatable=True)) for _ in range(8)]
        key = secrets.token_hex(8)
        answers = await asyncio.gather(*(work(a_step(EXECUTE, key)) for work in workers), return_exceptions=True)
        assert skill.executed == 1
        assert sum(not isinstance(one, BaseException) for one in answers) == 1
        assert {type(one) for one in answers if isinstance(one, BaseException)} == {Conflict}
        afterwards = await asyncio.gather(*(work(a_step(EXECUTE, key)) for work in workers))
        assert {one.steps[0].output for one in afterwards} == {skill.answer}
        assert skill.executed == 1


class TestACrash:
    """The process that reserved the key died before it reported how the execution ended."""

    @staticmethod
    async def crash(execute: Execute, principal: Principal, lease_s: int) -> Reservation:
        reserving = ReserveExecution(
            key="k", request_digest=request_digest(STEP), run_key=RUN, lease_s=lease_s, repeatable=False
        )
        reservation: Reservation = (await execute(RESERVE, reserving, principal)).unwrap()
        return reservation

    async def test_within_the_lease_is_not_known_yet(
        self, execute: Execute, principal: Principal, enforce: Enforce, skill: Skill
    ) -> None:
        await self.crash(execute, principal, 60)
        assert (await refusal(enforce, a_step(EXECUTE, "k"))).code is ErrorCode.CONFLICT
        assert skill.executed == 0

    async def test_of_what_may_have_taken_effect_is_said_and_not_repeated(
        self, execute: Execute, principal: Principal, enforce: Enforce, skill: Skill
    ) -> None:
        await self.crash(execute, principal, 0)
        (done,) = (await enforce(a_step(EXECUTE, "k"))).steps
        assert done.result.outcome is ReplayOutcome.UNREPLAYABLE
        assert "whether it took effect is not known" in (done.result.reason or "")
        assert skill.executed == 0

    async def test_of_what_is_repeatable_is_taken_over_by_one_and_the_dead_cannot_report(
        self, execute: Execute, runtime: Runtime, principal: Principal
    ) -> None:
        skill = Skill()
        dead = await self.crash(execute, principal, 0)
        workers = [enforcer(runtime, principal, skill.as_executors(repeatable=True)) for _ in range(4)]
        await asyncio.gather(*(work(a_step(EXECUTE, "k")) for work in workers), return_exceptions=True)
        assert skill.executed == 1
        assert dead.held is not None
        late = await execute(FINISH, FinishExecution(key="k", held=dead.held, output=b"late"), principal)
        assert late.error is not None
        assert late.error.code is ErrorCode.CONFLICT
        assert await the_only(workers[0], a_step(EXECUTE, "k")) == (ReplayOutcome.EXECUTED, True, skill.answer)


class TestTheLaw:
    async def test_a_coordinator_is_entered_through_the_registry_only(self) -> None:
        with pytest.raises(CoordinatorMisuse):
            await ReplayCoordinator.enforce_step(None, RUN, STEP, {})  # type: ignore[arg-type]

    async def test_a_sequence_dispatches_what_it_declares_only(
        self, runtime: Runtime, principal: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replay_coordinator, "RESERVE", "account.viewer")
        with pytest.raises(UndeclaredDependency, match=r"spine.enforce .* account.viewer"):
            await enforcer(runtime, principal, Skill().as_executors())(a_step(EXECUTE, "k"))
