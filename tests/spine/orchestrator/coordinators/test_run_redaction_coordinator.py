"""Erasing a run's payloads: nothing of them is left anywhere, nothing of the proof is lost, and nobody else may."""

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest
from msgspec import structs

from domains.policies.conditions import UNDECIDED
from domains.policies.engine import judge
from spine.authority.rbac import ADMIN
from spine.bootstrap import Runtime
from spine.contracts.access import CreateKey
from spine.contracts.actors import Principal
from spine.contracts.enums import PayloadState, Permission, Role, RulePhase, VerificationStatus
from spine.contracts.errors import ErrorCode
from spine.contracts.proof import RawLog
from spine.contracts.records import StepPayload
from spine.contracts.runs import RunsByKey, RunSummary
from spine.contracts.spans import SpanRecord
from spine.orchestrator.coordinators.run_facts import step_subject
from spine.orchestrator.coordinators.run_ingest_coordinator import REFUSAL_NAMESPACE
from spine.services.ids import uuid7
from tests.conftest import Execute
from tests.domains.activity import folding
from tests.domains.activity.spans import SALT, facts_of
from tests.domains.ledger import ledger_of
from tests.domains.policies.test_engine import rule
from tests.spine.orchestrator.coordinators.redacted import (
    ANSWERED,
    CANARY,
    CHANGED,
    PAYLOAD,
    RULES,
    SPANS,
    TOLD,
    govern,
    redact,
    states,
)
from tests.spine.orchestrator.coordinators.reported import connected
from tests.spine.orchestrator.coordinators.scanned import tables_with
from tests.spine.orchestrator.reported import (
    a_chat,
    an_agent,
    digests_of_tables,
    evidence_of,
    proof_of,
    proofs_of,
    runs_of,
    send,
    the_run,
    trace_id,
)
from tests.spine.orchestrator.reporting import Reporter, a_step

VERIFIED = VerificationStatus.VERIFIED


async def shown(execute: Execute, principal: Principal, key: UUID) -> RunSummary:
    found: dict[UUID, RunSummary] = (await execute("activity.runs_by_key", RunsByKey((key,)), principal)).unwrap()
    return found[key]


async def all_payloads(superuser: dict[str, Any], principal: Principal) -> list[bytes]:
    """Every content that is stored of the tenant's steps."""
    async with connected(superuser) as connection:
        rows = await connection.fetch(
            "SELECT input, output, attributes FROM step_payloads WHERE tenant_id = $1", principal.tenant_id
        )
        return [content for row in rows for content in row if content is not None]


class TestForgetting:
    async def test_leaves_nothing_of_a_canary_in_any_table_and_no_plain_digest_of_it(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await govern(execute, principal)
        await send(execute, principal, [*SPANS, CHANGED])
        reporter = Reporter(execute, principal)
        reported = (await reporter.start()).run_key
        await reporter.append(reported, a_step(1, input=TOLD, output=ANSWERED))
        await reporter.complete(reported)
        runs = await runs_of(execute, principal)
        assert set(await tables_with(superuser, principal, CANARY.encode())) == {
            "runs",
            "span_refusals",
            "step_payloads",
        }

        contents = {*await all_payloads(superuser, principal), TOLD.encode(), ANSWERED.encode(), CANARY.encode()}
        plain = {hashlib.sha256(content).digest() for content in contents}
        sent = {facts_of(span).digest for span in (*SPANS, CHANGED)}
        refused = uuid5(REFUSAL_NAMESPACE, f"{CHANGED.trace_id}/{CHANGED.span_id}/{facts_of(CHANGED).digest.hex()}")
        assert len(plain) > 4
        for digest in (*plain, *sent, refused.bytes):
            assert await tables_with(superuser, principal, digest) == [], (
                "no plain digest, even while the payload is there"
            )

        for run in runs:
            (await redact(execute, principal, run.key)).unwrap()
        for needle in (CANARY.encode(), *plain, *sent):
            assert await tables_with(superuser, principal, needle) == []
        for proof in (await proofs_of(execute, principal, [run.key for run in runs])).values():
            assert proof.integrity.verification_status is VERIFIED, proof.integrity.failure_reason

    async def test_is_said_of_the_run_and_of_each_step(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        before = await proof_of(execute, principal, run.key)
        assert (run.redacted_at, set(states(before))) == (None, {PayloadState.PRESENT})
        (await redact(execute, principal, run.key)).unwrap()
        after, now = await proof_of(execute, principal, run.key), await shown(execute, principal, run.key)
        assert now.redacted_at is not None
        erased = RawLog(
            step_index=0,
            state=PayloadState.REDACTED,
            redacted_at=now.redacted_at,
            input=None,
            output=None,
            attributes=None,
            salt=None,
        )
        indexes = [log.step_index for log in before.raw_logs or ()]
        assert after.raw_logs == tuple(structs.replace(erased, step_index=index) for index in indexes)
        assert (after.steps, after.integrity, after.traces) == (before.steps, before.integrity, before.traces)

    async def test_changes_nothing_of_the_run_but_the_time_of_it(self, execute: Execute, principal: Principal) -> None:
        await govern(execute, principal)
        await send(execute, principal, [*SPANS, CHANGED])
        run = await the_run(execute, principal)
        evidence = (await evidence_of(execute, principal, [run.key]))[run.key]
        (await redact(execute, principal, run.key)).unwrap()
        now = await shown(execute, principal, run.key)
        assert structs.replace(now, redacted_at=None) == run
        found = (await evidence_of(execute, principal, [run.key]))[run.key]
        assert (found.policies, found.decisions) == (evidence.policies, evidence.decisions)

    async def test_reaches_no_other_run_and_no_child_run(self, execute: Execute, principal: Principal) -> None:
        child = [an_agent(5, 2, name="helper"), a_chat(6, 5, attributes=PAYLOAD)]
        await send(execute, principal, [*SPANS, *child, an_agent(1, trace=2), a_chat(2, 1, trace=2)])
        runs = {(run.agent_name, run.trace_id): run.key for run in await runs_of(execute, principal)}
        (await redact(execute, principal, runs["clerk", trace_id(1)])).unwrap()
        proofs = await proofs_of(execute, principal, list(runs.values()))
        said = {name: set(states(proofs[key])) for name, key in runs.items()}
        assert said == {
            ("clerk", trace_id(1)): {PayloadState.REDACTED},
            ("helper", trace_id(1)): {PayloadState.PRESENT},
            ("clerk", trace_id(2)): {PayloadState.PRESENT},
        }

    async def test_of_a_run_that_was_named_after_its_root(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        """The root is a step and gave the run its attributes; then an agent comes, and the run is withdrawn."""
        await send(execute, principal, SPANS[:1])
        (await redact(execute, principal, (await the_run(execute, principal)).key)).unwrap()
        assert await tables_with(superuser, principal, CANARY.encode()) == []
        await send(execute, principal, SPANS[1:])
        run = await the_run(execute, principal)
        assert (run.agent_name, run.redacted_at) == ("clerk", None)
        assert set(await tables_with(superuser, principal, CANARY.encode())) == {"runs", "step_payloads"}
        (await redact(execute, principal, run.key)).unwrap()
        assert await tables_with(superuser, principal, CANARY.encode()) == []

    async def test_also_of_a_withdrawn_run_that_was_named_after_the_spans_above(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        for export in (SPANS[:1], SPANS[1:]):
            await send(execute, principal, export)
        (await redact(execute, principal, (await the_run(execute, principal)).key)).unwrap()
        assert await tables_with(superuser, principal, CANARY.encode()) == []


class TestWhatComesLater:
    async def test_is_not_erased_until_it_is_asked_for_again(
        self, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        reporter = Reporter(execute, principal)
        run = (await reporter.start()).run_key
        await reporter.append(run, a_step(1))
        (await redact(execute, principal, run)).unwrap()
        first = await shown(execute, principal, run)
        await reporter.append(run, a_step(2), a_step(3))
        await reporter.complete(run)
        proof = await proof_of(execute, principal, run)
        assert states(proof) == [PayloadState.REDACTED, PayloadState.PRESENT, PayloadState.PRESENT]
        assert proof.integrity.verification_status is VERIFIED
        (await redact(execute, principal, run, "the rest as well")).unwrap()
        assert set(states(await proof_of(execute, principal, run))) == {PayloadState.REDACTED}
        assert (await shown(execute, principal, run)).redacted_at > first.redacted_at  # type: ignore[operator]
        told = [one for one in await ledger_of(runtime, principal) if one.event_type == "RunRedacted"]
        assert [(one.reason, one.entity_id) for one in told] == [
            ("asked to forget", str(run)),
            ("the rest as well", str(run)),
        ]
        assert [str(one.after_state) for one in told] == [
            '{"payloads":1,"refused_spans":0}',
            '{"payloads":2,"refused_spans":0}',
        ]

    async def test_seals_the_run_again_over_what_was_erased(self, execute: Execute, principal: Principal) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        (await redact(execute, principal, run.key)).unwrap()
        await send(execute, principal, [a_chat(7, 2, attributes=PAYLOAD)])
        proof = await proof_of(execute, principal, run.key)
        assert proof.integrity.verification_status is VERIFIED, proof.integrity.failure_reason
        assert (proof.integrity.chain_length, states(proof).count(PayloadState.PRESENT)) == (3, 1)

    @pytest.mark.parametrize("copy", [*SPANS, CHANGED, structs.replace(SPANS[1], status_code=2)])
    async def test_as_a_copy_is_a_duplicate_whatever_is_in_it(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any], copy: SpanRecord
    ) -> None:
        await send(execute, principal, SPANS)
        (await redact(execute, principal, (await the_run(execute, principal)).key)).unwrap()
        before = await digests_of_tables(superuser)
        outcome = await send(execute, principal, [copy])
        assert (outcome.accepted, outcome.duplicates, outcome.refused) == (0, 1, 0)
        assert await digests_of_tables(superuser) == before

    def test_as_a_rule_is_an_error_where_it_reads_what_was_erased_and_never_an_allowance(self) -> None:
        known = folding.step(facts_of(SPANS[2]), 0)
        present = StepPayload(known.trace_id, 0, b"pin", None, b"{}", SALT, None)
        erased = StepPayload(known.trace_id, 0, None, None, None, None, datetime(2026, 1, 1, tzinfo=UTC))
        outcomes = []
        for payload in (present, erased):
            subject = step_subject(known, payload)
            verdicts = judge([rule(RULES["says pin"]), rule('step.kind == "TOOL"')], RulePhase.STEP, [subject])
            outcomes.append([(one.outcome, one.reason) for one in verdicts])
        assert [outcome for outcome, _ in outcomes[0]] == ["WARN", "ALLOW"]
        assert outcomes[1] == [("ERROR", UNDECIDED), outcomes[0][1]]


class TestCopiesAreStillToldApart:
    async def test_of_spans_from_before_there_were_salts(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await send(execute, principal, SPANS)
        async with connected(superuser) as connection:
            await connection.execute("UPDATE step_payloads SET salt = NULL WHERE tenant_id = $1", principal.tenant_id)
            plain = facts_of(SPANS[2]).digest
            await connection.execute(
                "UPDATE trace_steps SET salted = false, span_digest = $2 WHERE tenant_id = $1 AND span_id = $3",
                principal.tenant_id,
                plain,
                SPANS[2].span_id,
            )
        assert (await send(execute, principal, [SPANS[2]])).duplicates == 1
        assert (await send(execute, principal, [CHANGED])).duplicates == 0


class TestWhoMayErase:
    async def test_an_owner_alone(self, execute: Execute, principal: Principal, superuser: dict[str, Any]) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        admin = structs.replace(principal, role=Role.ADMIN, permissions=ADMIN)
        refused = await redact(execute, admin, run.key)
        assert refused.error.code is ErrorCode.FORBIDDEN
        assert "step_payloads" in await tables_with(superuser, principal, CANARY.encode())

    async def test_no_machine_may_be_given_the_right(self, execute: Execute, principal: Principal) -> None:
        wanted = CreateKey(name="robot", role=Role.MACHINE, scopes=(Permission.RUNS_READ, Permission.RUNS_REDACT))
        refused = await execute("api_keys.create_key", wanted, principal)
        assert refused.error is not None
        assert (refused.error.code, refused.error.field) == (ErrorCode.VALIDATION, "scopes")

    async def test_not_another_tenant_and_not_what_is_absent(
        self, execute: Execute, principal: Principal, other: Principal, superuser: dict[str, Any]
    ) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        before = await digests_of_tables(superuser)
        foreign, absent = await redact(execute, other, run.key), await redact(execute, other, uuid7())
        assert (foreign.error.code, absent.error.code) == (ErrorCode.NOT_FOUND, ErrorCode.NOT_FOUND)
        assert await digests_of_tables(superuser) == before

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 1025, "a\0b", "\ud800"])
    async def test_not_without_a_reason(self, execute: Execute, principal: Principal, reason: str) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        refused = await redact(execute, principal, run.key, reason)
        assert (refused.error.code, refused.error.field) == (ErrorCode.VALIDATION, "reason")
        assert set(states(await proof_of(execute, principal, run.key))) == {PayloadState.PRESENT}


class TestAtOnce:
    async def test_asked_again_changes_nothing(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        (await redact(execute, principal, run.key)).unwrap()
        before = await digests_of_tables(superuser)
        assert (await redact(execute, principal, run.key, "again")).unwrap().run_key == run.key
        assert await digests_of_tables(superuser) == before

    async def test_by_many_is_told_once(self, execute: Execute, principal: Principal, runtime: Runtime) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        for outcome in await asyncio.gather(*(redact(execute, principal, run.key) for _ in range(8))):
            outcome.unwrap()
        assert [one.event_type for one in await ledger_of(runtime, principal)].count("RunRedacted") == 1

    async def test_with_exports_of_the_same_trace_loses_nothing_and_keeps_the_proof(
        self, execute: Execute, principal: Principal
    ) -> None:
        await send(execute, principal, SPANS)
        run = await the_run(execute, principal)
        late = [a_chat(number, 2, attributes=PAYLOAD) for number in range(10, 30)]
        await asyncio.gather(
            *(send(execute, principal, [span, SPANS[2]]) for span in late),
            *(redact(execute, principal, run.key) for _ in range(5)),
        )
        proof = await proof_of(execute, principal, run.key)
        assert proof.integrity.verification_status is VERIFIED, proof.integrity.failure_reason
        assert len(states(proof)) == 22
        (await redact(execute, principal, run.key)).unwrap()
        assert set(states(await proof_of(execute, principal, run.key))) == {PayloadState.REDACTED}
