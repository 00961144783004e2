"""The chain's write side: heads, what is known of a trace, and rows that come back as they were written."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from domains.logs import driver, driver_proof
from spine.contracts.actors import Principal
from spine.contracts.enums import RefusalKind, StepKind, StepStatus
from spine.contracts.ports import KnownStep, LoggedSeal, Refusal, RunStep, TraceHead
from spine.contracts.records import StepRecord
from spine.services.ids import uuid7
from tests.spine.services.proof.records import SALT, TRACE, make_payload, make_sealed, make_steps

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def insert(runtime: Any, principal: Principal, *inserts: Any) -> list[int]:
    async with runtime.database.write(principal.tenant_id) as session:
        return [await session.insert(one) for one in inserts]


async def fetch(runtime: Any, principal: Principal, read: Any) -> list[Any]:
    async with runtime.database.write(principal.tenant_id) as session:
        found: list[Any] = await session.fetch(read)
        return found


class TestHeads:
    async def test_are_made_once_and_locked_in_the_order_of_their_ids(self, runtime: Any, principal: Principal) -> None:
        heads = [TraceHead(name, 0, b"0", 0) for name in ("b", "a", "c")]
        assert await insert(runtime, principal, driver.create_heads(heads, NOW)) == [3]
        assert await insert(runtime, principal, driver.create_heads(heads[:1], NOW)) == [0]
        locked = await fetch(runtime, principal, driver.lock_heads(["c", "a", "no such"]))
        assert locked == [TraceHead("a", 0, b"0", 0), TraceHead("c", 0, b"0", 0)]

    async def test_move_without_forgetting_when_the_trace_was_made(self, runtime: Any, principal: Principal) -> None:
        later = NOW + timedelta(hours=1)
        run = uuid7()
        await insert(
            runtime,
            principal,
            driver.create_heads([TraceHead(TRACE, 0, b"0", 0)], NOW),
            driver.move_heads([TraceHead(TRACE, 2, b"2", 1)], later),
            driver.insert_run_steps([RunStep(run, 0, TRACE, 0)]),
        )
        ((key, head),) = await fetch(runtime, principal, driver_proof.heads([run]))
        assert key == run
        assert (head.step_count, head.head_hash, head.refused_count, head.created_at) == (2, b"2", 1, NOW)


class TestSteps:
    async def test_are_known_with_the_run_that_they_belong_to(self, runtime: Any, principal: Principal) -> None:
        steps = make_steps(3)
        run = uuid7()
        await insert(
            runtime, principal, driver.insert_steps(steps), driver.insert_run_steps([RunStep(run, 0, TRACE, 1)])
        )
        known = await fetch(runtime, principal, driver.known_steps([TRACE]))
        assert [step.run_key for step in known] == [None, run, None]
        for found, step in zip(known, steps, strict=True):
            shared = set(found.__struct_fields__) & set(step.__struct_fields__)
            assert {name: getattr(found, name) for name in shared} == {name: getattr(step, name) for name in shared}
        assert known[0].kind is StepKind.CHAT
        assert known[0].status is StepStatus.SUCCESS

    async def test_assigned_twice_are_known_once_with_the_younger_run(self, runtime: Any, principal: Principal) -> None:
        older, younger = uuid7(), uuid7()
        places = [RunStep(key, 0, TRACE, 0) for key in (younger, older)]
        await insert(runtime, principal, driver.insert_steps(make_steps(1)), driver.insert_run_steps(places))
        (known,) = await fetch(runtime, principal, driver.known_steps([TRACE]))
        assert known.run_key == younger

    async def test_hashes_come_in_the_order_of_assignment(self, runtime: Any, principal: Principal) -> None:
        steps = make_steps(3)
        run = uuid7()
        places = [RunStep(run, position, TRACE, index) for position, index in enumerate((2, 0, 1))]
        await insert(runtime, principal, driver.insert_steps(steps), driver.insert_run_steps(places))
        found = await fetch(runtime, principal, driver.assigned_hashes([run]))
        assert found == [(run, steps[index].step_hash) for index in (2, 0, 1)]

    async def test_payloads_of_single_steps_can_be_read(self, runtime: Any, principal: Principal) -> None:
        payloads = [make_payload(index) for index in range(3)]
        await insert(runtime, principal, driver.insert_steps(make_steps(3)), driver.insert_payloads(payloads))
        known = await fetch(runtime, principal, driver.known_steps([TRACE]))
        found = await fetch(runtime, principal, driver.payloads_of([known[0], known[2]]))
        assert sorted(found, key=lambda payload: payload.step_index) == [payloads[0], payloads[2]]


class TestRefusals:
    async def test_are_known_by_trace(self, runtime: Any, principal: Principal) -> None:
        kept = [
            Refusal(
                id=uuid7(),
                trace_id=trace_id,
                span_id=None,
                kind=RefusalKind.MALFORMED,
                reason="no name",
                span_digest=None,
                body=None,
                refused_at=NOW,
            )
            for trace_id in (TRACE, "other", None)
        ]
        await insert(runtime, principal, driver.insert_refusals(kept))
        assert await fetch(runtime, principal, driver.known_refusals([TRACE], [])) == [kept[0].id]
        found = await fetch(runtime, principal, driver.known_refusals([TRACE], [one.id for one in kept]))
        assert set(found) == {kept[0].id, kept[2].id}, "by id only where no trace is named"


class TestSeals:
    async def test_come_back_as_written_and_the_latest_alone(self, runtime: Any, principal: Principal) -> None:
        stored, single = make_sealed(late=1), make_sealed()
        await insert(runtime, principal, driver.insert_seals([*stored.seals, *single.seals]))
        keys = [stored.run.id, single.run.id]
        latest = await fetch(runtime, principal, driver.latest_seals(keys))
        assert sorted(latest, key=lambda seal: seal.version) == [single.seals[0], stored.seals[1]]
        logged = await fetch(runtime, principal, driver_proof.seals(keys[:1]))
        assert logged == [LoggedSeal(seal, None) for seal in stored.seals]


class TestReadSide:
    async def test_steps_come_back_as_the_records_that_were_hashed(self, runtime: Any, principal: Principal) -> None:
        stored = make_sealed()
        steps = [step for _, step in stored.steps if step is not None]
        places = [placed for placed, _ in stored.steps]
        lost = RunStep(stored.run.id, 4, TRACE, 77)
        await insert(runtime, principal, driver.insert_steps(steps), driver.insert_run_steps([*places, lost]))
        found = await fetch(runtime, principal, driver_proof.step_records([stored.run.id]))
        assert found == [*stored.steps, (lost, None)]

    async def test_payloads_come_with_their_run(self, runtime: Any, principal: Principal) -> None:
        run = uuid7()
        payloads = [make_payload(0), structs.replace(make_payload(1), input=None, output=b"\x00\xff")]
        places = [RunStep(run, index, TRACE, index) for index in range(2)]
        await insert(runtime, principal, driver.insert_payloads(payloads), driver.insert_run_steps(places))
        found = await fetch(runtime, principal, driver_proof.payloads([run]))
        assert found == [(run, payload) for payload in payloads]


KEY = UUID(int=1)


def known_of(step: StepRecord) -> KnownStep:
    fields = structs.asdict(step)
    names = [name for name in KnownStep.__struct_fields__ if name in fields]
    return KnownStep(run_key=None, salt=SALT, redacted_at=None, **{name: fields[name] for name in names})


@pytest.mark.parametrize(
    "read",
    [
        driver.lock_heads([TRACE]),
        driver.known_steps([TRACE]),
        driver.known_refusals([TRACE], [KEY]),
        driver.payloads_of([known_of(make_steps(1)[0])]),
        driver.assigned_hashes([KEY]),
        driver.latest_seals([KEY]),
        driver_proof.step_records([KEY]),
        driver_proof.seals([KEY]),
        driver_proof.payloads([KEY]),
        driver_proof.heads([KEY]),
    ],
)
async def test_another_tenants_rows_are_never_read(
    runtime: Any, principal: Principal, other: Principal, read: Any
) -> None:
    head = TraceHead(TRACE, 0, b"0", 0)
    refusal = Refusal(
        id=uuid7(),
        trace_id=TRACE,
        span_id=None,
        kind=RefusalKind.MALFORMED,
        reason="no name",
        span_digest=None,
        body=None,
        refused_at=NOW,
    )
    seal = structs.replace(make_sealed().seals[0], run_key=KEY)
    await insert(
        runtime,
        other,
        driver.create_heads([head], NOW),
        driver.insert_steps(make_steps(2)),
        driver.insert_payloads([make_payload(0), make_payload(1)]),
        driver.insert_run_steps([RunStep(KEY, 0, TRACE, 0)]),
        driver.insert_refusals([refusal]),
        driver.insert_seals([seal]),
    )
    assert await fetch(runtime, other, read)
    assert await fetch(runtime, principal, read) == []
