"""Runs replayed from their stored trace: steps checked, decisions made again, and what was changed found first."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from spine.authority.rbac import permissions_of
from spine.bootstrap import Runtime
from spine.contracts.access_log import AccessFilter, ListAccessRecords
from spine.contracts.actors import Principal
from spine.contracts.enums import DivergenceKind, Permission, ReplayOutcome, ReplayVerdict, Role
from spine.contracts.errors import ErrorCode, HocError
from spine.contracts.executors import Executor, Executors
from spine.contracts.ledger import AuditFilter, ListAuditEntries
from spine.contracts.paging import PageRequest
from spine.contracts.proof import IntegrityVerification
from spine.contracts.replays import (
    ListReplays,
    MismatchesForReplays,
    Replay,
    ReplayFilter,
    RunReplayed,
    StepBehavior,
)
from spine.orchestrator.coordinators import run_replay_coordinator
from spine.services.ids import node_id
from spine.settings import Settings
from spine.storage.embedded import EmbeddedPostgres
from tests.conftest import Execute
from tests.spine.orchestrator.coordinators.replayed_runs import (
    CHECK,
    EXECUTE,
    SKIP,
    Superuser,
    a_run,
    calculation,
    change,
    refusal,
    replayed,
)
from tests.spine.orchestrator.reported import proof_of
from tests.spine.orchestrator.reporting import Reporter, a_step

Executing = Callable[[Executors], Awaitable[Runtime]]


@pytest.fixture
def executing(
    event_loop: asyncio.AbstractEventLoop, postgres: EmbeddedPostgres, database_name: str, settings: Settings
) -> Iterator[Executing]:
    """Open a runtime whose own skills a replay executes."""
    opened: list[Runtime] = []

    async def make(executors: Executors) -> Runtime:
        connect = dict(postgres.connection("hoc_app", database_name).asyncpg_arguments())
        opened.append(Runtime(settings, connect=connect, executors=executors))
        await opened[-1].open()
        return opened[-1]

    yield make
    for runtime in opened:
        event_loop.run_until_complete(runtime.close())


async def verdict_of(reporter: Reporter, run: UUID) -> IntegrityVerification:
    return (await proof_of(reporter.execute, reporter.principal, run)).integrity


class TestAWholeRun:
    async def test_that_nobody_touched_matches_in_every_decision(self, reporter: Reporter) -> None:
        run = await a_run(reporter)
        done = await replayed(reporter, run)
        assert [(one.skill_name, one.outcome, one.output) for one in done.steps] == [
            ("calculate", "MATCHED", "12.0"),
            ("calculate", "MATCHED", "2.5"),
        ]
        names = {(one.kind, one.subject_name) for one in done.decisions}
        assert names == {
            ("EVALUATION", "goal"),
            ("DECISION", "goal"),
            ("EVALUATION", "payloads"),
            ("DECISION", "payloads"),
            ("EVALUATION", "names"),
            ("EVALUATION", "own agent"),
            ("EVALUATION", "totals"),
            ("BREACH", "tokens"),
            ("DECISION", "tokens"),
        }
        assert [one for one in done.decisions if one.outcome is not ReplayOutcome.MATCHED] == []
        replay = done.replay
        assert (replay.verdict, replay.step_count, replay.matched_step_count) == (ReplayVerdict.MATCHED, 2, 2)
        assert replay.decision_count == replay.matched_decision_count == len(done.decisions)
        assert (replay.mismatch_count, replay.first_divergence) == (0, None)

    async def test_says_of_each_step_that_gives_another_output_where_and_by_how_much(self, reporter: Reporter) -> None:
        done = await replayed(reporter, await a_run(reporter, wrong=True))
        first = done.replay.first_divergence
        assert first is not None
        assert (first.kind, first.index, first.is_step) == (DivergenceKind.OUTPUT, 1, True)
        assert len(first.expected) == len(first.actual) == 64
        assert first.expected != first.actual
        assert (done.replay.verdict, done.replay.mismatch_count) == (ReplayVerdict.DIVERGED, 1)

    async def test_played_back_is_never_a_match(self, reporter: Reporter) -> None:
        run = await a_run(reporter, wrong=True)
        done = await replayed(reporter, run, SKIP)
        assert [(one.outcome, one.output) for one in done.steps] == [("PLAYED_BACK", "12.0"), ("PLAYED_BACK", "9.9")]
        counts = (done.replay.played_back_step_count, done.replay.matched_step_count, done.replay.verdict)
        assert counts == (2, 0, ReplayVerdict.PARTIAL)

    async def test_each_step_is_treated_as_is_said_of_it(self, reporter: Reporter) -> None:
        run = await a_run(reporter, wrong=True)
        spans = [one.span_id for one in (await replayed(reporter, run)).steps]
        steps = (StepBehavior(span_id=spans[1], behavior=EXECUTE),)
        done = await replayed(reporter, run, SKIP, steps=steps)
        assert [(one.behavior, one.outcome) for one in done.steps] == [("SKIP", "PLAYED_BACK"), ("EXECUTE", "EXECUTED")]
        assert done.steps[1].output == "2.5"

    async def test_a_skill_without_an_executor_is_said_to_have_none(self, reporter: Reporter) -> None:
        run = (await reporter.start()).run_key
        await reporter.append(run, a_step(1), a_step(2, output=None))
        for behavior in (CHECK, EXECUTE):
            done = await replayed(reporter, run, behavior)
            assert {one.outcome for one in done.steps} == {ReplayOutcome.NO_EXECUTOR}
            assert (done.replay.unchecked_step_count, done.replay.verdict) == (2, ReplayVerdict.PARTIAL)
        outcomes = [one.outcome for one in (await replayed(reporter, run, SKIP)).steps]
        assert outcomes == [ReplayOutcome.PLAYED_BACK, ReplayOutcome.UNREPLAYABLE]

    async def test_leaves_the_run_and_its_proof_as_they_were(self, reporter: Reporter) -> None:
        run = await a_run(reporter)
        before = (await reporter.run(run), await verdict_of(reporter, run))
        await replayed(reporter, run, EXECUTE)
        assert (await reporter.run(run), await verdict_of(reporter, run)) == before


class TestAnIdempotencyKey:
    async def test_gives_the_same_answer_once_more_without_outputs(self, reporter: Reporter) -> None:
        run = await a_run(reporter)
        first = await replayed(reporter, run, idempotency_key="again")
        second = await replayed(reporter, run, idempotency_key="again")
        assert second == structs.replace(first, steps=tuple(structs.replace(step, output=None) for step in first.steps))
        assert len(await self.kept(reporter)) == 1

    async def test_of_another_request_is_a_conflict(self, reporter: Reporter) -> None:
        run = await a_run(reporter)
        await replayed(reporter, run, idempotency_key="again")
        error = await refusal(reporter, run, idempotency_key="again", behavior=EXECUTE)
        assert (error.code, error.field) == (ErrorCode.IDEMPOTENCY_CONFLICT, "idempotencyKey")

    async def test_is_replayed_once_by_eight_at_once(self, reporter: Reporter) -> None:
        run = await a_run(reporter)
        answers = await asyncio.gather(
            *(replayed(reporter, run, idempotency_key="race") for _ in range(8)), return_exceptions=True
        )
        refused = [one for one in answers if isinstance(one, HocError)]
        assert {one.code for one in refused} <= {ErrorCode.CONFLICT}
        assert len({one.replay for one in answers if isinstance(one, RunReplayed)}) == 1
        assert len(await self.kept(reporter)) == 1

    async def test_goes_on_where_a_process_died_and_executes_nothing_twice(
        self, executing: Executing, reporter: Reporter, superuser: Superuser
    ) -> None:
        run = await a_run(reporter)
        executed: list[bytes | None] = []

        async def dies_at_the_second(given: bytes | None) -> bytes:
            executed.append(given)
            if len(executed) == 2:
                raise asyncio.CancelledError
            return b"12.0"

        runtime = await executing({"calculate": Executor(dies_at_the_second, repeatable=True)})
        reporter = Reporter(runtime.registry.execute, reporter.principal)
        with pytest.raises(asyncio.CancelledError):
            await replayed(reporter, run, idempotency_key="dies")
        assert (await refusal(reporter, run, idempotency_key="dies")).code is ErrorCode.CONFLICT
        await change(superuser, "UPDATE reservations SET reserved_until = now() WHERE state = 'RESERVED'")
        done = await replayed(reporter, run, idempotency_key="dies")
        assert [(one.outcome, one.from_cache) for one in done.steps] == [("MATCHED", True), ("MISMATCHED", False)]
        assert len(executed) == 3

    @staticmethod
    async def kept(reporter: Reporter) -> list[Replay]:
        page = (await reporter.execute("logs.replays", ListReplays(page=PageRequest(100)), reporter.principal)).unwrap()
        return list(page.nodes)


class TestARefusal:
    async def test_of_a_run_that_is_absent_or_anothers_is_the_same(
        self, reporter: Reporter, execute: Execute, other: Principal
    ) -> None:
        run = await a_run(reporter)
        absent = await refusal(reporter, UUID(int=1))
        foreign = await refusal(Reporter(execute, other), run)
        assert (absent.code, foreign.code) == (ErrorCode.NOT_FOUND, ErrorCode.NOT_FOUND)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"idempotency_key": ""}, "idempotencyKey"),
            ({"idempotency_key": "x" * 201}, "idempotencyKey"),
            ({"idempotency_key": "a\0b"}, "idempotencyKey"),
            ({"steps": (StepBehavior(span_id="nowhere", behavior=SKIP),)}, "steps"),
            ({"steps": (StepBehavior(span_id="a", behavior=SKIP),) * 2}, "steps"),
            ({"steps": tuple(StepBehavior(span_id=str(n), behavior=SKIP) for n in range(1_001))}, "steps"),
        ],
    )
    async def test_of_malformed_input_names_its_field(
        self, reporter: Reporter, changes: dict[str, Any], field: str
    ) -> None:
        error = await refusal(reporter, (await reporter.start()).run_key, **changes)
        too_many = len(changes.get("steps", ())) > run_replay_coordinator.MOST_STEPS
        assert (error.code, error.field) == (ErrorCode.TOO_LARGE if too_many else ErrorCode.VALIDATION, field)

    async def test_of_a_run_that_is_too_large_comes_before_anything_is_read(
        self, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = await a_run(reporter)
        for name in ("MOST_STEPS", "MOST_PAYLOAD", "MOST_EVIDENCE"):
            with monkeypatch.context() as patch:
                patch.setattr(run_replay_coordinator, name, 1)
                assert (await refusal(reporter, run)).code is ErrorCode.TOO_LARGE

    async def test_of_a_run_that_cannot_be_read_is_no_verdict(self, reporter: Reporter, superuser: Superuser) -> None:
        run = await a_run(reporter)
        await change(superuser, "ALTER TABLE policy_evaluations DROP CONSTRAINT ck_policy_evaluations_outcome")
        try:
            await change(superuser, "UPDATE policy_evaluations SET outcome = 'x' WHERE run_id = $1", run)
            assert (await refusal(reporter, run)).code is ErrorCode.UNREADABLE
        finally:
            await change(superuser, "UPDATE policy_evaluations SET outcome = 'ALLOW' WHERE run_id = $1", run)
            await change(
                superuser,
                "ALTER TABLE policy_evaluations ADD CONSTRAINT ck_policy_evaluations_outcome"
                " CHECK (outcome IN ('ALLOW', 'AUDIT', 'WARN', 'BLOCK', 'ERROR'))",
            )

    async def test_without_the_right_to_payloads_hides_outputs(self, reporter: Reporter) -> None:
        run = await a_run(reporter)
        rights = permissions_of(Role.OWNER, ()) - {Permission.PAYLOADS_READ}
        reporter.principal = structs.replace(reporter.principal, permissions=rights)
        done = await replayed(reporter, run)
        assert {one.outcome for one in done.steps} == {ReplayOutcome.MATCHED}
        assert {one.output for one in done.steps} == {None}


class TestWhatIsKept:
    async def test_is_listed_newest_first_with_its_mismatches(
        self, reporter: Reporter, execute: Execute, other: Principal
    ) -> None:
        right, wrong = await a_run(reporter), await self.wrong_run(reporter)
        replays = [(await replayed(reporter, run)).replay for run in (right, wrong, wrong)]
        assert await self.listed(reporter) == replays[::-1]
        assert await self.listed(reporter, run_key=right) == replays[:1]
        assert await self.listed(reporter, verdict=(ReplayVerdict.DIVERGED,)) == replays[:0:-1]
        assert await self.listed(Reporter(execute, other)) == []
        request = MismatchesForReplays(tuple(replay.key for replay in replays), 1)
        found = (await execute("logs.mismatches_for_replays", request, reporter.principal)).unwrap()
        assert [found[replay.key].total_count for replay in replays] == [0, 1, 1]
        [mismatch] = found[replays[1].key].nodes
        first = replays[1].first_divergence
        assert first is not None
        assert (mismatch.expected, mismatch.actual, mismatch.subject_name) == (
            first.expected,
            first.actual,
            "calculate",
        )

    async def test_is_told_to_the_access_log_with_payloads_when_they_were_shown(
        self, runtime: Runtime, reporter: Reporter
    ) -> None:
        run = await a_run(reporter)
        runtime.keep_access_log()
        await replayed(reporter, run)
        rights = reporter.principal.permissions - {Permission.PAYLOADS_READ}
        await replayed(Reporter(reporter.execute, structs.replace(reporter.principal, permissions=rights)), run)
        await self.listed(reporter)
        assert runtime.access_log is not None
        await runtime.access_log.flush()
        request = ListAccessRecords(page=PageRequest(10), filter=AccessFilter())
        records = (await reporter.execute("logs.access_records", request, reporter.principal)).unwrap().nodes
        assert {record.run_ids for record in records} == {(node_id("Run", run),)}
        assert [(record.operations, record.payloads) for record in records] == [
            (("logs.replays",), False),
            (("logs.replay_material",), False),
            (("logs.replay_material",), True),
        ]

    async def test_is_in_the_audit_ledger(self, reporter: Reporter) -> None:
        done = await replayed(reporter, await a_run(reporter))
        wanted = ListAuditEntries(page=PageRequest(10), filter=AuditFilter(event_type=("RunReplayed",)))
        [entry] = (await reporter.execute("logs.audit_entries", wanted, reporter.principal)).unwrap().nodes
        assert (entry.operation, entry.entity_id) == ("logs.keep_replay", done.replay.run_id)
        assert '"verdict":"MATCHED"' in str(entry.after_state)

    @staticmethod
    async def wrong_run(reporter: Reporter) -> UUID:
        run = (await reporter.start()).run_key
        await reporter.append(run, calculation(1, "1 + 1", "3.0"))
        return run

    @staticmethod
    async def listed(reporter: Reporter, **wanted: Any) -> list[Replay]:
        request = ListReplays(page=PageRequest(100), filter=ReplayFilter(**wanted), count=True)
        page = (await reporter.execute("logs.replays", request, reporter.principal)).unwrap()
        assert page.total_count == len(page.nodes)
        return list(page.nodes)
