"""The 100 real runs: what ingest makes of them, against an own walk over the file."""

import json
from collections import Counter
from typing import Any

import pytest

from resolvers.http.otlp import JSON, decode_export
from spine.contracts.actors import Principal
from spine.contracts.enums import RunStatus, VerificationStatus
from spine.contracts.ledger import ListAuditEntries
from spine.contracts.paging import PageRequest
from spine.contracts.runs import RunSummary
from spine.contracts.spans import SpanBatch
from tests.conftest import Execute
from tests.spine.orchestrator.reported import digests_of_tables, proofs_of, runs_of, send

Span = dict[str, Any]
MOST = 20_000_000


class Expected:
    """What the file itself says, read with nothing of the product."""

    def __init__(self, lines: list[bytes]) -> None:
        self.spans: list[Span] = [
            span
            for line in lines
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
        self.roots = [span for span in self.spans if self.attribute(span, "gen_ai.operation.name") == "invoke_agent"]
        self.steps = [span for span in self.spans if span not in self.roots]
        self.failed = [span for span in self.roots if span["status"].get("code") == 2]
        self.failed_steps = [span for span in self.steps if span.get("status", {}).get("code") == 2]

    @staticmethod
    def attribute(span: Span, name: str) -> Any:
        found = [one["value"] for one in span["attributes"] if one["key"] == name]
        return next(iter(found[0].values())) if found else None

    def leaf_tokens(self, name: str) -> Counter[str]:
        """By trace: the sum over spans that carry usage and have no descendant that does."""
        usage = {span["spanId"]: int(self.attribute(span, name) or 0) for span in self.spans}
        parents = {span["spanId"]: span.get("parentSpanId") for span in self.spans}
        above = set()
        for span_id in [one for one in usage if usage[one]]:
            parent = parents[span_id]
            while parent:
                above.add(parent)
                parent = parents.get(parent)
        totals: Counter[str] = Counter()
        for span in self.spans:
            if span["spanId"] not in above:
                totals[span["traceId"]] += usage[span["spanId"]]
        return totals


def batches(lines: list[bytes]) -> list[SpanBatch]:
    return [decode_export(line, JSON, None, limit=MOST) for line in lines]


@pytest.fixture(scope="module")
def expected(sample_lines: list[bytes]) -> Expected:
    return Expected(sample_lines)


async def ingest_all(execute: Execute, principal: Principal, lines: list[bytes]) -> None:
    for batch in batches(lines):
        assert batch.refused == ()
        await send(execute, principal, batch.spans)


class TestTheSampleRuns:
    async def test_come_out_as_the_file_says_and_a_second_sending_changes_no_row(
        self,
        execute: Execute,
        principal: Principal,
        sample_lines: list[bytes],
        expected: Expected,
        superuser: dict[str, Any],
    ) -> None:
        await ingest_all(execute, principal, sample_lines)
        runs = await runs_of(execute, principal)
        compare_runs(runs, expected)
        proofs = await proofs_of(execute, principal, [run.key for run in runs])
        assert {proof.integrity.verification_status for proof in proofs.values()} == {VerificationStatus.VERIFIED}
        assert sum(len(proof.steps) for proof in proofs.values()) == len(expected.steps) == 1801
        assert sum(len(proof.raw_logs or ()) for proof in proofs.values()) == len(expected.steps)

        before = await digests_of_tables(superuser)
        audits = ListAuditEntries(page=PageRequest(1), count=True)
        assert (await execute("logs.audit_entries", audits, principal)).unwrap().total_count == 101  # and the tenant
        for batch in batches(sample_lines):
            outcome = await send(execute, principal, batch.spans)
            assert (outcome.accepted, outcome.duplicates, outcome.runs) == (0, len(batch.spans), 0)
        assert await digests_of_tables(superuser) == before

    async def test_sent_as_one_export_come_out_the_same(
        self, execute: Execute, principal: Principal, sample_lines: list[bytes], expected: Expected
    ) -> None:
        whole = [span for batch in batches(sample_lines) for span in batch.spans]
        outcome = await send(execute, principal, whole)
        assert (outcome.accepted, outcome.duplicates, outcome.refused, outcome.runs) == (1901, 0, 0, 100)
        compare_runs(await runs_of(execute, principal), expected)


def compare_runs(runs: list[RunSummary], expected: Expected) -> None:
    assert len(runs) == len(expected.roots) == 100
    assert {run.trace_id for run in runs} == {span["traceId"] for span in expected.roots}
    assert sum(run.step_count for run in runs) == len(expected.spans) - 100
    assert {run.trace_id: run.input_tokens for run in runs} == expected.leaf_tokens("gen_ai.usage.input_tokens")
    assert {run.trace_id: run.output_tokens for run in runs} == expected.leaf_tokens("gen_ai.usage.output_tokens")
    assert sum(run.input_tokens or 0 for run in runs) > 1_000_000
    failed = {run.trace_id for run in runs if run.status is RunStatus.FAILED}
    assert failed == {span["traceId"] for span in expected.failed}
    assert 0 < len(failed) < 100
    assert sum(run.failed_step_count for run in runs) == len(expected.failed_steps) > 0
    assert {run.incident_count for run in runs if run.trace_id in failed} == {1}
    assert {run.incident_count for run in runs if run.trace_id not in failed} == {0}
