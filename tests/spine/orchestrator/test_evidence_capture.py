"""Evidence capture by the public operations: what came with a run, what is added, and what could not be captured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import structs

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.capture import (
    CaptureEnvironment,
    CaptureFailure,
    CaptureRequest,
    EnvironmentInput,
    MissingEvidence,
    RunCapture,
)
from spine.contracts.enums import (
    CaptureFailureReason,
    CaptureGrade,
    CaptureResolution,
    CaptureState,
    CaptureStatus,
    EnvironmentSource,
    EvaluationOutcome,
    EvidenceClass,
    Permission,
    Role,
    VerificationStatus,
)
from spine.contracts.errors import Conflict, EvidenceContextInvalid, HocError, NotFound, Unavailable
from spine.contracts.ledger import AuditFilter, ListAuditEntries
from spine.contracts.paging import PageRequest
from spine.contracts.runs import IngestSpans, RedactRun
from spine.contracts.spans import SpanBatch
from spine.storage.sessions import Timeouts
from tests.conftest import Execute
from tests.spine.orchestrator.governed import rule
from tests.spine.orchestrator.reported import a_chat, a_tool, an_agent, proof_of, send, the_run, trace_id
from tests.spine.orchestrator.reporting import Reporter, a_step
from tests.spine.orchestrator.reporting import failure as failure_of

RESOURCE = {
    "service.name": "shop",
    "service.version": "2.1.0",
    "deployment.environment.name": "production",
    "host.name": "cash-desk-3",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.40.0",
    "telemetry.sdk.language": "python",
    "customer.note": "call Ada Lovelace",
}
ANSWERED = {"gen_ai.response.id": "chatcmpl-1", "gen_ai.response.finish_reasons": ["stop"]}


def capturing(run: UUID, trace: str, **attributes: str) -> CaptureEnvironment:
    given = {name.replace("__", "."): value for name, value in attributes.items()}
    return CaptureEnvironment(
        idempotency_key=uuid4().hex,
        run_key=run,
        trace_id=trace,
        attributes=tuple(EnvironmentInput(name=name, value=value) for name, value in given.items()),
    )


async def captured(execute: Execute, principal: Principal, key: UUID, **wanted: int) -> RunCapture:
    request = CaptureRequest(run_keys=(key,), calls=wanted.get("calls", 10), failures=wanted.get("failures", 10))
    found: RunCapture = (await execute("logs.run_capture", request, principal)).unwrap()[key]
    assert isinstance(found, RunCapture)
    return found


async def failures(execute: Execute, principal: Principal, key: UUID) -> list[CaptureFailure]:
    page = (await captured(execute, principal, key)).failures
    assert page.total_count == len(page.nodes)
    return list(page.nodes)


async def error_of(execute: Execute, principal: Principal, request: CaptureEnvironment) -> HocError | None:
    return (await execute("logs.capture", request, principal)).error


def missing(found: RunCapture) -> list[MissingEvidence]:
    return list(found.completeness.missing)


def values(found: RunCapture) -> dict[str, str]:
    return {one.name: one.value for one in found.environment}


@asynccontextmanager
async def locked(superuser: dict[str, Any], table: str, mode: str = "ACCESS EXCLUSIVE") -> AsyncIterator[None]:
    """Hold a table."""
    connection = await asyncpg.connect(**superuser)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN {mode} MODE")
            yield
    finally:
        await connection.close()


@pytest.fixture
def impatient(runtime: Runtime) -> None:
    """Writes wait no longer than 100 ms for a lock."""
    database = runtime.database
    database._settings = structs.replace(database._settings, write=Timeouts(statement_ms=5_000, lock_ms=100))


class TestWhatCameWithARun:
    async def test_is_whole_when_every_span_carries_everything(self, execute: Execute, principal: Principal) -> None:
        await rule(execute, principal, "Every chat", 'step.kind == "CHAT"')
        chat = a_chat(2, 1, attributes=ANSWERED, resource=RESOURCE)
        await send(execute, principal, [an_agent(1, resource=RESOURCE), chat, a_tool(3, 1)])
        run = await the_run(execute, principal)
        found = await captured(execute, principal, run.key)
        whole = found.completeness
        assert (whole.score, whole.grade, whole.state) == (1.0, CaptureGrade.PASS, CaptureState.SEALED)
        assert missing(found) == []
        assert values(found) == {name: value for name, value in RESOURCE.items() if name != "customer.note"}
        assert {one.source for one in found.environment} == {EnvironmentSource.RUN}
        assert [one.step_hash for one in found.activity.nodes] == [
            one.step_hash for one in (await proof_of(execute, principal, run.key)).steps if one.kind == "CHAT"
        ]
        answer = found.provider.nodes[0]
        assert (answer.provider, answer.model, answer.response_id, answer.finish_reason, answer.missing) == (
            *("openai", "gpt-4o", "chatcmpl-1", "stop"),
            (),
        )
        assert found.policy is not None
        assert {one.outcome: one.count for one in found.policy} == {
            EvaluationOutcome.WARN: 1,
            EvaluationOutcome.ALLOW: 1,
        }
        assert found.integrity is not None
        assert found.integrity.seal_hash == (await proof_of(execute, principal, run.key)).integrity.root_hash

    async def test_lists_what_nobody_sent_as_missing(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1, tokens_out=None), a_chat(3, 1, attributes=ANSWERED)])
        found = await captured(execute, principal, (await the_run(execute, principal)).key)
        lacking = {one.attribute: (one.missing_count, one.expected_count) for one in missing(found)}
        assert lacking["gen_ai.usage.output_tokens"] == (1, 2)
        assert lacking["gen_ai.response.id"] == (1, 2)
        assert lacking["host.name"] == (1, 1)
        assert lacking["evaluations"] == (1, 1)
        assert "service.name" not in lacking
        assert found.completeness.observed == found.completeness.expected - len(lacking)
        assert found.completeness.grade is CaptureGrade.FAIL
        assert [one.missing for one in found.activity.nodes] == [("gen_ai.usage.output_tokens",), ()]

    async def test_may_be_sent_by_an_sdk_at_the_start_and_is_sealed(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        reporter = Reporter(execute, principal)
        given = (EnvironmentInput(name="host.name", value="cash-desk-3"),)
        key = (await reporter.start(environment=given)).run_key
        live = await captured(execute, principal, key)
        assert values(live) == {"host.name": "cash-desk-3", "service.name": "shop"}
        assert live.completeness.state is CaptureState.PENDING
        assert live.integrity is None
        await reporter.append(key, a_step(1))
        await reporter.complete(key)
        assert (await captured(execute, principal, key)).completeness.state is CaptureState.SEALED
        assert await reporter.verdict(key) is VerificationStatus.VERIFIED
        connection = await asyncpg.connect(**superuser)
        await connection.execute("UPDATE runs SET attributes = $1 WHERE id = $2", b'{"resource":{}}', key)
        await connection.close()
        assert await reporter.verdict(key) is VerificationStatus.FAILED

    async def test_leaves_policies_out_for_a_key_that_may_not_read_them(
        self, execute: Execute, principal: Principal
    ) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        key = (await the_run(execute, principal)).key
        reader = structs.replace(principal, role=Role.MACHINE, permissions=frozenset({Permission.RUNS_READ}))
        found = await captured(execute, reader, key)
        assert found.policy is None
        statuses = {one.evidence_class: one.status for one in found.completeness.classes}
        assert statuses[EvidenceClass.POLICY] is CaptureStatus.FORBIDDEN
        assert found.completeness.expected == (await captured(execute, principal, key)).completeness.expected - 1

    async def test_keeps_the_service_through_a_redaction_and_may_be_captured_again(
        self, execute: Execute, principal: Principal
    ) -> None:
        await send(execute, principal, [an_agent(1, resource=RESOURCE), a_chat(2, 1, resource=RESOURCE)])
        run = await the_run(execute, principal)
        (await execute("activity.redact_run", RedactRun(run.key, "a person asked for it"), principal)).unwrap()
        assert values(await captured(execute, principal, run.key)) == {"service.name": "shop"}
        (await execute("logs.capture", capturing(run.key, run.trace_id, host__name="h1"), principal)).unwrap()
        assert values(await captured(execute, principal, run.key)) == {"service.name": "shop", "host.name": "h1"}
        assert (await proof_of(execute, principal, run.key)).integrity.verification_status is (
            VerificationStatus.VERIFIED
        )

    async def test_is_nothing_for_another_tenant(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        key = (await the_run(execute, principal)).key
        assert (await execute("logs.run_capture", CaptureRequest(run_keys=(key, uuid4())), other)).unwrap() == {}

    async def test_is_unavailable_rather_than_missing_when_it_cannot_be_read(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        key = (await the_run(execute, principal)).key
        async with locked(superuser, "capture_failures"):
            found = (await execute("logs.run_capture", CaptureRequest(run_keys=(key,)), principal)).unwrap()
        assert isinstance(found[key], Unavailable)


class TestAddingToIt:
    async def test_completes_the_record_and_seals_a_finished_run_anew(
        self, execute: Execute, principal: Principal
    ) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        before = await captured(execute, principal, run.key)
        (await execute("logs.capture", capturing(run.key, run.trace_id, host__name="h1"), principal)).unwrap()
        after = await captured(execute, principal, run.key)
        assert after.completeness.observed == before.completeness.observed + 1
        assert next(one for one in after.environment if one.name == "host.name").source is EnvironmentSource.CAPTURE
        assert after.completeness.state is CaptureState.SEALED
        assert before.integrity is not None
        assert after.integrity is not None
        assert (before.integrity.version, after.integrity.version) == (1, 2)
        assert (await proof_of(execute, principal, run.key)).integrity.verification_status is (
            VerificationStatus.VERIFIED
        )
        wanted = ListAuditEntries(page=PageRequest(5), filter=AuditFilter(event_type=("EnvironmentCaptured",)))
        (entry,) = (await execute("logs.audit_entries", wanted, principal)).unwrap().nodes
        assert (entry.entity_id, entry.after_state) == (str(run.key), '{"attributes":["host.name"]}')

    async def test_of_what_is_known_writes_nothing(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        for _ in range(2):
            (await execute("logs.capture", capturing(run.key, run.trace_id, host__name="h1"), principal)).unwrap()
        found = await captured(execute, principal, run.key)
        assert found.integrity is not None
        assert found.integrity.evidence_count == 1

    async def test_never_changes_what_is_known(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        error = await error_of(execute, principal, capturing(run.key, run.trace_id, service__name="bank"))
        assert isinstance(error, Conflict)
        assert await failures(execute, principal, run.key) == []

    async def test_needs_the_context_of_the_run(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        error = await error_of(execute, principal, capturing(run.key, trace_id(2), host__name="h1"))
        assert isinstance(error, EvidenceContextInvalid)
        (failure,) = await failures(execute, principal, run.key)
        assert (failure.evidence_class, failure.reason, failure.resolution) == (
            EvidenceClass.ENVIRONMENT,
            CaptureFailureReason.CONTEXT_INVALID,
            CaptureResolution.PERMANENT,
        )
        assert (await captured(execute, principal, run.key)).completeness.grade is CaptureGrade.FAIL
        (await execute("logs.capture", capturing(run.key, run.trace_id, host__name="h1"), principal)).unwrap()
        (failure,) = await failures(execute, principal, run.key)
        assert failure.resolution is CaptureResolution.SUPERSEDED

    async def test_of_an_absent_or_foreign_run_is_not_found_and_leaves_nothing(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        for key in (run.key, uuid4()):
            error = await error_of(execute, other, capturing(key, run.trace_id, host__name="h1"))
            assert isinstance(error, NotFound)
        assert await failures(execute, principal, run.key) == []

    async def test_by_many_at_once_chains_every_attribute_once(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        requests = [capturing(run.key, run.trace_id, **{f"host.{n % 4}": "x", "os.type": "linux"}) for n in range(8)]
        results = await asyncio.gather(*(execute("logs.capture", one, principal) for one in requests))
        assert [one.error for one in results] == [None] * 8
        found = await captured(execute, principal, run.key)
        assert set(values(found)) == {"service.name", "os.type", *(f"host.{n}" for n in range(4))}
        assert found.integrity is not None
        assert found.integrity.evidence_count == 4
        assert (await proof_of(execute, principal, run.key)).integrity.verification_status is (
            VerificationStatus.VERIFIED
        )


@pytest.mark.usefixtures("impatient")
class TestWhatCouldNotBeCaptured:
    async def test_is_kept_outside_of_the_transaction_that_failed(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        request = capturing(run.key, run.trace_id, host__name="h1")
        async with locked(superuser, "environment_evidence", "EXCLUSIVE"):
            result = await execute("logs.capture", request, principal, request_id="the-one-that-failed")
        assert isinstance(result.error, Unavailable)
        (failure,) = await failures(execute, principal, run.key)
        assert (failure.reason, failure.resolution) == (
            CaptureFailureReason.DATABASE_ERROR,
            CaptureResolution.TRANSIENT,
        )
        assert failure.request_id == "the-one-that-failed"
        found = await captured(execute, principal, run.key)
        assert "host.name" not in values(found)
        assert found.integrity is not None
        assert found.integrity.version == 1
        (await execute("logs.capture", request, principal)).unwrap()
        (failure,) = await failures(execute, principal, run.key)
        assert failure.resolution is CaptureResolution.SUPERSEDED

    async def test_of_an_export_is_kept_until_every_span_of_it_is_there(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        late = [a_chat(3, 1), a_tool(4, 1)]
        async with locked(superuser, "trace_steps", "EXCLUSIVE"):
            result = await execute("activity.ingest_spans", IngestSpans(SpanBatch(tuple(late), ())), principal)
        assert isinstance(result.error, Unavailable)
        for sent, resolution in ((late[:1], CaptureResolution.TRANSIENT), (late, CaptureResolution.SUPERSEDED)):
            await send(execute, principal, sent)
            (failure,) = await failures(execute, principal, run.key)
            assert (failure.evidence_class, failure.resolution) == (EvidenceClass.ACTIVITY, resolution)
        found = (await captured(execute, principal, run.key)).completeness
        assert found.failure_count == 1
        assert "capturing failed" in found.explanation or found.grade is CaptureGrade.FAIL

    async def test_of_reported_steps_is_kept_until_they_are_there(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        reporter = Reporter(execute, principal)
        key = (await reporter.start()).run_key
        async with locked(superuser, "trace_steps", "EXCLUSIVE"):
            assert isinstance(await failure_of(reporter.append(key, a_step(1), a_step(2))), Unavailable)
        for step, resolution in ((1, CaptureResolution.TRANSIENT), (2, CaptureResolution.SUPERSEDED)):
            await reporter.append(key, a_step(step))
            assert [one.resolution for one in await failures(execute, principal, key)] == [resolution]

    async def test_is_said_in_the_log_when_even_that_fails(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        await send(execute, principal, [an_agent(1), a_chat(2, 1)])
        run = await the_run(execute, principal)
        async with locked(superuser, "environment_evidence, capture_failures", "EXCLUSIVE"):
            error = await error_of(execute, principal, capturing(run.key, run.trace_id, host__name="h1"))
        assert isinstance(error, Unavailable)
        assert "failure.lost" in capsys.readouterr().out
