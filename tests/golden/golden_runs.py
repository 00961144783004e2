"""Golden runs: what a release recorded of a few runs, and what came of replaying them then.

Each is replayed by today's code. What comes out otherwise is a change of the rules' engine, of the fact model, of a
hash or of a skill, which nobody makes unawares.
"""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from types import NoneType
from typing import Any, get_args
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from spine.contracts.ports import ActiveRule, RunRow
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
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
    environments: list[EnvironmentRecord] = []
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
        environments=[one for one in stored.evidence if isinstance(one, EnvironmentRecord)],
        rules=list(stored.rules.values()),
        replayed_steps=list(steps),
        replayed_decisions=decisions_again(stored),
    )


def stored_run(golden: GoldenRun, **changes: Any) -> RecordedRun:
    """The run as it was stored, with some of it changed."""
    golden = structs.replace(golden, **changes)
    evidence: list[EvidenceRecord] = [
        *golden.evaluations,
        *golden.breaches,
        *golden.decisions,
        *golden.environments,
    ]
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
    """A golden run from its file, as today's code finds rows of that release."""
    return golden_from(path.read_bytes())


def golden_from(content: bytes) -> GoldenRun:
    """A golden run from what its file holds.

    A field that later releases have is what their migrations give rows of before: nothing, or false.
    """
    raw = msgspec.json.decode(content)
    rows: dict[str, type[Struct]] = {
        "steps": StepRecord,
        "payloads": StepPayload,
        "evaluations": EvaluationRecord,
        "breaches": BreachRecord,
        "decisions": DecisionRecord,
    }
    raw["run"] = _before(RunRow) | raw["run"]
    for name, kind in rows.items():
        raw[name] = [_before(kind) | row for row in raw[name]]
    return msgspec.convert(raw, GoldenRun, strict=False)


def _before(kind: type[Struct]) -> dict[str, object]:
    fields = structs.fields(kind)
    nothing = {field.name: None for field in fields if NoneType in get_args(field.type)}
    return nothing | {field.name: False for field in fields if field.type is bool}


def save(golden: GoldenRun) -> Path:
    """Write a golden run to the folder of its release."""
    path = HERE / golden.release / f"{golden.name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(golden), indent=1) + b"\n")
    return path


def golden_files() -> list[Path]:
    """Every golden run of every release."""
    return sorted(HERE.glob("*/*.json"))
