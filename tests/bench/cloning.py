"""One recorded run made into another: new trace, new keys, another time, and every hash of it made anew.

Everything comes from a run that the API itself took, judged and sealed; the hashes and the seal are made by the
functions that the API makes them with. So a clone verifies like its original, at a hundredth of an ingest's cost.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from domains.activity.engine_signals import fingerprint
from spine.contracts.enums import LeafKind, SignalType
from spine.contracts.log import PendingLeaf
from spine.contracts.ports import RunRow
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    EvidenceRecord,
    StepPayload,
    StepRecord,
)
from spine.services.clock import system_clock
from spine.services.ids import uuid7
from spine.services.proof.hashing import evidence_genesis, evidence_hash, step_hash, trace_genesis
from spine.services.proof.leaves import LEDGER_VERSION, ledger_entry, seal_entry
from spine.services.proof.merkle import leaf_hash
from spine.services.proof.seal import build_seal

Rows = dict[str, list[tuple[Any, ...]]]
Named = Mapping[str, Any]

NS_PER_US = 1000


class Original(Struct, frozen=True):
    """A sealed run alone in its trace, with all that is stored of it; the last three as rows by column name."""

    run: RunRow
    steps: Sequence[StepRecord]
    payloads: Sequence[StepPayload]
    evidence: Sequence[EvidenceRecord]
    incidents: Sequence[Named]
    signals: Sequence[Named]
    feedback: Sequence[Named]


class Clone:
    """A run that is like an original, but for its trace, its keys and its time."""

    def __init__(self, tenant_id: UUID, original: Original, trace_id: str, started_ns: int) -> None:
        self._tenant_id = tenant_id
        self._original = original
        self._trace_id = trace_id
        self._later_ns = (started_ns - original.run.started_ns) // NS_PER_US * NS_PER_US
        self._later = timedelta(microseconds=self._later_ns // NS_PER_US)
        self._key = uuid7()
        self._now = system_clock()

    def add_to(self, rows: Rows) -> None:
        """Add every row of it, by table; values stand in the order of `copying.COLUMNS`."""
        steps = self._steps()
        evidence = self._evidence()
        run = self._run(evidence)
        seal = build_seal(run, None, [step.step_hash for step in steps], run.created_at)
        run = structs.replace(run, seal_version=seal.version)
        tenant_id, trace_id = self._tenant_id, self._trace_id
        rows["runs"].append((tenant_id, *structs.astuple(run)))
        head = steps[-1].step_hash if steps else trace_genesis(tenant_id, trace_id)
        rows["traces"].append((tenant_id, trace_id, len(steps), head, 0, run.created_at))
        rows["trace_steps"] += [(tenant_id, *structs.astuple(step)) for step in steps]
        rows["run_steps"] += [(tenant_id, run.id, at, trace_id, at) for at in range(len(steps))]
        moved = [structs.replace(one, trace_id=trace_id) for one in self._original.payloads]
        rows["step_payloads"] += [(tenant_id, *structs.astuple(one)) for one in moved]
        for record in evidence:
            rows[EVIDENCE_TABLES[type(record)]].append((tenant_id, *structs.astuple(record)))
        rows["seals"].append((tenant_id, *structs.astuple(seal)))
        self._queue(rows, LeafKind.SEAL, run.id, seal.version, seal_entry(seal.seal_hash, run.id, seal.version))
        self._add_consequences(rows)

    def _steps(self) -> list[StepRecord]:
        chained: list[StepRecord] = []
        head = trace_genesis(self._tenant_id, self._trace_id)
        for step in self._original.steps:
            moved = structs.replace(
                step,
                trace_id=self._trace_id,
                started_ns=step.started_ns + self._later_ns,
                ended_ns=step.ended_ns + self._later_ns,
                prev_hash=head,
            )
            head = step_hash(moved)
            chained.append(structs.replace(moved, step_hash=head))
        return chained

    def _evidence(self) -> list[EvidenceRecord]:
        chained: list[EvidenceRecord] = []
        head = evidence_genesis(self._tenant_id, self._key)
        for record in self._original.evidence:
            at = MOMENTS[type(record)]
            moment = {at: self._moved(getattr(record, at))}
            moved = structs.replace(record, run_key=self._key, id=uuid7(), **moment)
            if isinstance(moved, EnvironmentRecord):
                moved = structs.replace(moved, trace_id=self._trace_id)
            head = evidence_hash(moved, head)
            chained.append(structs.replace(moved, evidence_hash=head))
        return chained

    def _run(self, evidence: Sequence[EvidenceRecord]) -> RunRow:
        run = self._original.run
        moved = structs.replace(
            run,
            id=self._key,
            trace_id=self._trace_id,
            started_ns=run.started_ns + self._later_ns,
            completed_ns=None if run.completed_ns is None else run.completed_ns + self._later_ns,
            last_seen_ns=run.last_seen_ns + self._later_ns,
            created_at=self._moved(run.created_at),
            evidence_count=len(evidence),
        )
        head = evidence[-1].evidence_hash if evidence else evidence_genesis(self._tenant_id, self._key)
        return structs.replace(moved, evidence_head=head)

    def _add_consequences(self, rows: Rows) -> None:
        for row in self._original.incidents:
            rows["incidents"].append(self._with(row, id=uuid7(), source_run_id=self._key))
        renamed: dict[str, str] = {}
        for row in self._original.signals:
            kind = SignalType(row["type"])
            name = fingerprint(self._tenant_id, self._key, kind, row["dimension"], row["source"])
            renamed[row["fingerprint"]] = name
            rows["signals"].append(self._with(row, id=uuid7(), run_id=self._key, fingerprint=name))
        for row in self._original.feedback:
            entry = self._named(row, id=uuid7(), entity_id=renamed[row["entity_id"]])
            rows["audit_ledger"].append(tuple(entry.values()))
            logged = {name: value for name, value in entry.items() if name != "tenant_id"}
            self._queue(rows, LeafKind.AUDIT, entry["id"], LEDGER_VERSION, ledger_entry(logged))

    def _queue(self, rows: Rows, kind: LeafKind, subject: UUID, version: int, entry: bytes) -> None:
        """Let a leaf wait for its index in the tenant's log."""
        leaf = PendingLeaf(uuid7(), kind, subject, version, leaf_hash(entry), self._now)
        rows["log_pending"].append((self._tenant_id, *structs.astuple(leaf)))

    def _with(self, row: Named, **new: object) -> tuple[Any, ...]:
        return tuple(self._named(row, **new).values())

    def _named(self, row: Named, **new: object) -> dict[str, Any]:
        return {**row, **new, "created_at": self._moved(row["created_at"])}

    def _moved(self, moment: datetime) -> datetime:
        return moment + self._later


EVIDENCE_TABLES: Mapping[type, str] = {
    EvaluationRecord: "policy_evaluations",
    BreachRecord: "limit_breaches",
    DecisionRecord: "decisions",
    EnvironmentRecord: "environment_evidence",
}
MOMENTS: Mapping[type, str] = {
    EvaluationRecord: "evaluated_at",
    BreachRecord: "breached_at",
    DecisionRecord: "decided_at",
    EnvironmentRecord: "captured_at",
}
