"""Runs as tests report and read them: small spans, exports through the public operations, and what comes out of them.

`outcome_of` is what must not depend on the order in which spans arrive: ids, arrival numbers and seal counts are out.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct, structs

from spine.contracts.actors import Principal
from spine.contracts.enums import RulePhase, VerificationStatus
from spine.contracts.evidence import EvidenceRequest, RunEvidence
from spine.contracts.paging import PageRequest
from spine.contracts.proof import ProofRequest, RunProof
from spine.contracts.runs import IngestOutcome, IngestSpans, ListRuns, RunSummary
from spine.contracts.signals import SignalProjection, SignalsForRuns
from spine.contracts.spans import AttributeValue, RefusedSpan, SpanBatch, SpanRecord
from tests.conftest import Execute

START_NS = 1_779_000_000_000_000_000
MS = 1_000_000
MODEL = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


def trace_id(number: int) -> str:
    return f"{number:032x}"


def span_id(number: int) -> str:
    return f"{number:016x}"


def a_span(
    number: int,
    parent: int | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
    *,
    trace: int = 1,
    **fields: Any,
) -> SpanRecord:
    """A span whose ids are numbers; it starts `number` ms into the trace and takes 1 ms."""
    started = START_NS + number * MS
    span = SpanRecord(
        trace_id=trace_id(trace),
        span_id=span_id(number),
        parent_span_id=None if parent is None else span_id(parent),
        name=f"span {number}",
        kind=1,
        started_ns=started,
        ended_ns=started + MS,
        status_code=0,
        status_message="",
        attributes=dict(attributes or {}),
        events=(),
        resource={"service.name": "shop"},
        scope_name="tests",
    )
    return structs.replace(span, **fields)


def an_agent(number: int, parent: int | None = None, name: str = "clerk", **fields: Any) -> SpanRecord:
    """An `invoke_agent` span that lasts 100 ms."""
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name, **fields.pop("attributes", {})}
    ends = START_NS + (number + 100) * MS
    return a_span(number, parent, attributes, **{"name": f"invoke_agent {name}", "ended_ns": ends, **fields})


def a_chat(
    number: int, parent: int, tokens_in: int | None = 10, tokens_out: int | None = 5, **fields: Any
) -> SpanRecord:
    """A model call."""
    usage = {"gen_ai.usage.input_tokens": tokens_in, "gen_ai.usage.output_tokens": tokens_out}
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        **MODEL,
        **{name: value for name, value in usage.items() if value is not None},
        **fields.pop("attributes", {}),
    }
    return a_span(number, parent, attributes, **{"name": "chat gpt-4o", **fields})


def a_tool(number: int, parent: int, name: str = "search", **fields: Any) -> SpanRecord:
    """A tool call."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, **fields.pop("attributes", {})}
    return a_span(number, parent, attributes, **{"name": f"execute_tool {name}", **fields})


async def send(
    execute: Execute, principal: Principal, spans: Sequence[SpanRecord], refused: Sequence[RefusedSpan] = ()
) -> IngestOutcome:
    """One export."""
    request = IngestSpans(SpanBatch(tuple(spans), tuple(refused)))
    outcome: IngestOutcome = (await execute("activity.ingest_spans", request, principal)).unwrap()
    return outcome


async def runs_of(execute: Execute, principal: Principal) -> list[RunSummary]:
    """The tenant's runs, newest first; at most 100."""
    page = (await execute("activity.runs", ListRuns(page=PageRequest(100)), principal)).unwrap()
    assert not page.has_next_page
    return list(page.nodes)


async def the_run(execute: Execute, principal: Principal) -> RunSummary:
    """The tenant's only run."""
    (run,) = await runs_of(execute, principal)
    return run


async def proofs_of(execute: Execute, principal: Principal, keys: Sequence[UUID]) -> dict[UUID, RunProof]:
    """Proofs with steps and payloads, of everything that is stored."""
    request = ProofRequest(run_keys=tuple(keys), steps=True, traces=True, payloads=True, whole=True)
    proofs: dict[UUID, RunProof] = (await execute("activity.run_proof", request, principal)).unwrap()
    assert all(isinstance(proof, RunProof) for proof in proofs.values())
    return proofs


async def proof_of(execute: Execute, principal: Principal, key: UUID) -> RunProof:
    return (await proofs_of(execute, principal, [key]))[key]


async def evidence_of(execute: Execute, principal: Principal, keys: Sequence[UUID]) -> dict[UUID, RunEvidence]:
    """Everything that the runs touched."""
    request = EvidenceRequest(run_keys=tuple(keys), incidents=100, policies=100, limits=100, decisions=100)
    evidence: dict[UUID, RunEvidence] = (await execute("activity.run_evidence", request, principal)).unwrap()
    return evidence


async def signals_of(execute: Execute, principal: Principal, key: UUID) -> list[SignalProjection]:
    request = SignalsForRuns(run_keys=(key,), first=100)
    return list((await execute("activity.signals_for_runs", request, principal)).unwrap()[key].nodes)


class RunOutcome(Struct, frozen=True):
    """One run, without what may depend on arrival."""

    fields: dict[str, Any]
    parent: str | None
    steps: list[dict[str, Any]]
    payloads: list[tuple[str | None, ...]]
    limits: set[tuple[str, str]]
    incidents: set[tuple[str, ...]]
    finals: set[tuple[str, str, str]]
    allowed: dict[tuple[str, str], int]
    others: list[tuple[str, ...]]
    verified: VerificationStatus


COMMITMENT = re.compile("salted:[0-9a-f]{64}")
ARRIVAL = {"key", "id", "parent_key", "created_at"}
OF_ARRIVAL = {"step_index", "late", "step_hash", "prev_hash"}
SALTED = {"input_hash", "output_hash"}
"""Commitments, which no two recordings have in common; what they commit to is compared instead."""


async def outcome_of(execute: Execute, principal: Principal) -> dict[str, RunOutcome]:
    """Every run of the tenant by its trace and agent."""
    runs = await runs_of(execute, principal)
    keys = [run.key for run in runs]
    proofs, evidence = await proofs_of(execute, principal, keys), await evidence_of(execute, principal, keys)
    names = {run.key: f"{run.trace_id}/{run.agent_name}/{run.started_at.isoformat()}" for run in runs}
    assert len(set(names.values())) == len(runs)
    return {
        names[run.key]: _outcome(run, names.get(run.parent_key) if run.parent_key else None, proofs, evidence)
        for run in runs
    }


def _outcome(
    run: RunSummary, parent: str | None, proofs: Mapping[UUID, RunProof], evidence: Mapping[UUID, RunEvidence]
) -> RunOutcome:
    proof, found = proofs[run.key], evidence[run.key]
    assert found.incidents is not None
    assert found.policies is not None
    assert found.limits is not None
    fields = {name: value for name, value in structs.asdict(run).items() if name not in ARRIVAL}
    fields["policy_context"] = structs.replace(run.policy_context, policy_id=None)
    judged = [one for one in found.policies.nodes if one.outcome != "ALLOW" and one.phase is not RulePhase.RUN_END]
    return RunOutcome(
        fields=fields,
        parent=parent,
        steps=[
            {name: value for name, value in structs.asdict(step).items() if name not in OF_ARRIVAL | SALTED}
            for step in proof.steps
        ],
        payloads=[(log.input, log.output, log.attributes) for log in proof.raw_logs or ()],
        limits={(hit.limit_name, hit.level) for hit in found.limits.nodes},
        incidents={
            tuple(
                str(value)
                for name, value in structs.asdict(one).items()
                if name not in {"key", "id", "source_run_key", "created_at"}
            )
            for one in found.incidents.nodes
        },
        finals={
            (one.policy_name, one.outcome, one.facts) for one in found.policies.nodes if one.phase is RulePhase.RUN_END
        },
        allowed={
            (one.policy_name, one.phase): one.count
            for one in found.policies.nodes
            if one.outcome == "ALLOW" and one.phase is not RulePhase.RUN_END
        },
        others=sorted(
            (one.policy_name, one.phase, one.outcome, COMMITMENT.sub("salted", one.facts), one.reason) for one in judged
        ),
        verified=proof.integrity.verification_status,
    )


async def digests_of_tables(superuser: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Row count and a digest of every row of every table."""
    connection = await asyncpg.connect(**superuser)
    try:
        names = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        found = {}
        for (name,) in names:
            rows = [row[0] for row in await connection.fetch(f'SELECT t::text FROM "{name}" t ORDER BY 1')]
            found[name] = (len(rows), hashlib.sha256("\0".join(rows).encode()).hexdigest())
        return found
    finally:
        await connection.close()


def differences(one: RunOutcome, other: RunOutcome) -> dict[str, Any]:
    """What differs between two outcomes of a run, fields by name; empty when they are equal."""
    found: dict[str, Any] = {
        name: (value, other.fields[name]) for name, value in one.fields.items() if value != other.fields[name]
    }
    for name in RunOutcome.__struct_fields__:
        if name != "fields" and getattr(one, name) != getattr(other, name):
            found[name] = (getattr(one, name), getattr(other, name))
    return found
