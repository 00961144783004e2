"""Golden runs: what a release recorded of a few runs, and what came of replaying them then.

Each is replayed by today's code. What comes out otherwise is a change of the rules' engine, of the fact model, of a
hash or of a skill, which nobody makes unawares.
"""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from spine.contracts.ports import ActiveRule, RunRow
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EvaluationRecord,
    EvidenceRecord,
    StepPayload,
    StepRecord,
)
from spine.contracts.replays import ReplayedDecision, ReplayedStep, ReplayRun, StepToReplay
from spine.orchestrator.bridges import BRIDGES
from spine.orchestrator.coordinators.replay_decisions import RecordedRun, replay_decisions
from spine.orchestrator.coordinators.run_replay_coordinator import step_to_replay

HERE = Path(__file__).parent


class GoldenRun(Struct, frozen=True, kw_only=True):
    """A run as a release stored it, and what became of its steps and decisions when that release replayed it."""

    release: str
    name: str
    tenant_id: UUID
    run: RunRow
    steps: list[StepRecord]
    payloads: list[StepPayload]
    evaluations: list[EvaluationRecord]
    breaches: list[BreachRecord]
    decisions: list[DecisionRecord]
    rules: list[ActiveRule]
    replayed_steps: list[ReplayedStep]
    replayed_decisions: list[ReplayedDecision]


def golden_of(release: str, name: str, stored: RecordedRun, steps: Sequence[ReplayedStep]) -> GoldenRun:
    """A run that was recorded now."""
    return GoldenRun(
        release=release,
        name=name,
        tenant_id=stored.tenant_id,
        run=stored.run,
        steps=list(stored.steps),
        payloads=list(stored.payloads.values()),
        evaluations=[one for one in stored.evidence if isinstance(one, EvaluationRecord)],
        breaches=[one for one in stored.evidence if isinstance(one, BreachRecord)],
        decisions=[one for one in stored.evidence if isinstance(one, DecisionRecord)],
        rules=list(stored.rules.values()),
        replayed_steps=list(steps),
        replayed_decisions=decisions_again(stored),
    )


def stored_run(golden: GoldenRun, **changes: Any) -> RecordedRun:
    """The run as it was stored, with some of it changed."""
    golden = structs.replace(golden, **changes)
    evidence: list[EvidenceRecord] = [*golden.evaluations, *golden.breaches, *golden.decisions]
    return RecordedRun(
        tenant_id=golden.tenant_id,
        run=golden.run,
        steps=golden.steps,
        payloads={(payload.trace_id, payload.step_index): payload for payload in golden.payloads},
        evidence=sorted(evidence, key=attrgetter("evidence_index")),
        rules={(rule.rule_id, rule.version): rule for rule in golden.rules},
    )


def decisions_again(stored: RecordedRun) -> list[ReplayedDecision]:
    """What becomes of the run's decisions today."""
    rules = BRIDGES["policies"].rule_replay_capability()
    return list(replay_decisions(stored, rules, BRIDGES["controls"].breach_replay_capability()))


def steps_to_check(stored: RecordedRun) -> list[StepToReplay]:
    """The run's steps, to be executed and compared."""
    request = ReplayRun(idempotency_key="golden", run_key=stored.run.id)
    steps = [step_to_replay(stored, step, request, {}) for step in stored.steps]
    return [structs.replace(step, idempotency_key=None) for step in steps]


def load(path: Path) -> GoldenRun:
    """A golden run from its file."""
    return msgspec.json.decode(path.read_bytes(), type=GoldenRun)


def save(golden: GoldenRun) -> Path:
    """Write a golden run to the folder of its release."""
    path = HERE / golden.release / f"{golden.name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(golden), indent=1) + b"\n")
    return path


def golden_files() -> list[Path]:
    """Every golden run of every release."""
    return sorted(HERE.glob("*/*.json"))
