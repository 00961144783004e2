"""Reports sent twice, or by many at once: one chain, one answer a key."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
from msgspec import structs

from spine.contracts.actors import Principal
from spine.contracts.enums import (
    VerificationStatus,
)
from spine.contracts.errors import ErrorCode, HocError
from spine.contracts.runs import RunChanged
from spine.orchestrator.operation_registry import request_digests
from tests.conftest import Execute
from tests.spine.orchestrator.reported import proof_of, runs_of
from tests.spine.orchestrator.reporting import NOW, START, Reporter, a_step, failure


class TestConcurrency:
    async def test_twenty_appends_at_once_keep_one_chain(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await asyncio.gather(*(reporter.append(key, a_step(2 * n), a_step(2 * n + 1)) for n in range(20)))
        await reporter.complete(key)
        run = await reporter.run(key)
        proof = await proof_of(reporter.execute, reporter.principal, key)
        assert run.step_count == 40
        assert run.input_tokens == 40_000
        assert sorted(step.step_index for step in proof.steps) == list(range(40))
        assert proof.integrity.verification_status is VerificationStatus.VERIFIED

    async def test_appends_and_an_end_at_once_leave_a_verified_run(self, reporter: Reporter) -> None:
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(0))
        reports = [reporter.append(key, a_step(number)) for number in range(1, 10)]
        answers = await asyncio.gather(*reports, reporter.complete(key), return_exceptions=True)
        taken = sum(isinstance(answer, RunChanged) for answer in answers[:-1])
        assert isinstance(answers[-1], RunChanged)
        refused = [one for one in answers if isinstance(one, HocError)]
        assert (taken + len(refused), {one.code for one in refused} <= {ErrorCode.CONFLICT}) == (9, True)
        assert (await reporter.run(key)).step_count == 1 + taken
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED


class TestIdempotency:
    async def test_the_same_key_gives_the_same_answer(self, reporter: Reporter) -> None:
        first = await reporter.start(idempotency_key="again")
        assert await reporter.start(idempotency_key="again") == first
        assert len(await runs_of(reporter.execute, reporter.principal)) == 1
        steps = (a_step(1), a_step(2))
        appended = await reporter.append(first.run_key, *steps, key="again")
        assert await reporter.append(first.run_key, *steps, key="again") == appended
        ended = await reporter.complete(first.run_key, idempotency_key="again")
        assert await reporter.complete(first.run_key, idempotency_key="again") == ended
        assert await reporter.append(first.run_key, *steps, key="again") == appended, "also after the end"

    async def test_the_same_key_with_another_body_is_a_conflict(self, reporter: Reporter) -> None:
        run = (await reporter.start(idempotency_key="again")).run_key
        error = await failure(reporter.start(idempotency_key="again", goal="another"))
        assert (error.code, error.field) == (ErrorCode.CONFLICT, "idempotencyKey")
        await reporter.append(run, a_step(1), key="again")
        error = await failure(reporter.append(run, a_step(2), key="again"))
        assert (error.code, error.field) == (ErrorCode.CONFLICT, "idempotencyKey")
        assert (await reporter.run(run)).step_count == 1

    async def test_the_same_key_of_another_tenant_is_another_key(
        self, reporter: Reporter, execute: Execute, other: Principal
    ) -> None:
        first = await reporter.start(idempotency_key="again")
        second = await Reporter(execute, other).start(idempotency_key="again", goal="another")
        assert first.run_key != second.run_key

    async def test_a_refusal_is_remembered_too(self, reporter: Reporter) -> None:
        await reporter.rule("no refunds", "run.goal.contains('refund')")
        first = await reporter.start(idempotency_key="again", goal="refund me")
        assert first.refused_by == "no refunds"
        assert await reporter.start(idempotency_key="again", goal="refund me") == first

    async def test_an_error_is_not_remembered(self, reporter: Reporter) -> None:
        run = (await reporter.start()).run_key
        error = await failure(reporter.complete(run, idempotency_key="end", completed_at=NOW - timedelta(days=1)))
        assert error.code is ErrorCode.VALIDATION
        await reporter.complete(run, idempotency_key="end")

    async def test_racers_with_one_key_all_get_the_one_answer(self, reporter: Reporter) -> None:
        starts = await asyncio.gather(*(reporter.start(idempotency_key="race") for _ in range(20)))
        assert len({start.run_key for start in starts}) == 1
        assert len(await runs_of(reporter.execute, reporter.principal)) == 1
        run = starts[0].run_key
        appends = await asyncio.gather(*(reporter.append(run, a_step(1), key="race") for _ in range(20)))
        assert set(appends) == {RunChanged(run)}
        ends = await asyncio.gather(*(reporter.complete(run, idempotency_key="race") for _ in range(20)))
        assert set(ends) == {RunChanged(run)}
        assert (await reporter.run(run)).step_count == 1

    async def test_a_racer_with_another_body_gets_the_conflict(self, reporter: Reporter) -> None:
        answers = await asyncio.gather(
            *(reporter.start(idempotency_key="race", goal=f"goal {number}") for number in range(10)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, RunChanged) for one in answers) == 1
        assert sum(isinstance(one, HocError) and one.code is ErrorCode.CONFLICT for one in answers) == 9

    async def test_a_request_that_was_remembered_before_digests_were_keyed_is_recognised(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        first = await reporter.start(idempotency_key="again")
        connection = await asyncpg.connect(**superuser)
        try:
            plain = request_digests(b"", structs.replace(START, idempotency_key="again"))[1]
            changed = await connection.execute(
                "UPDATE idempotency_keys SET request_digest = $2 WHERE tenant_id = $1",
                reporter.principal.tenant_id,
                plain,
            )
            assert changed == "UPDATE 1"
        finally:
            await connection.close()
        assert await reporter.start(idempotency_key="again") == first

    def test_a_request_is_remembered_under_a_key_that_is_not_in_the_database(self) -> None:
        one, other = (request_digests(pepper, START) for pepper in (b"one", b"other"))
        assert one[0] != other[0]
        assert one[1] == other[1] == hashlib.sha256(msgspec.json.encode(START, order="deterministic")).digest()
        assert one[0] != one[1]
