"""The golden runs of every release come out today as they did then, and whatever is changed is the first divergence."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from domains.policies import engine_replay
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import DivergenceKind, ReplayOutcome, RulePhase
from spine.contracts.executors import Executor
from spine.contracts.records import EvaluationRecord
from spine.contracts.replays import Divergence, ReplayedDecision
from spine.services.executors import BUILT_IN, calculate
from spine.services.proof.hashing import evidence_genesis, evidence_hash
from tests.golden.golden_runs import (
    GoldenRun,
    decisions_again,
    golden_files,
    golden_from,
    load,
    steps_to_check,
    stored_run,
)
from tests.spine.orchestrator.coordinators.replaying import enforcer

FILES = golden_files()
every_run = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def first_of(decisions: list[ReplayedDecision]) -> Divergence | None:
    return next((one.divergence for one in decisions if one.divergence is not None), None)


def test_there_are_some_of_each_release() -> None:
    assert {path.parent.name for path in FILES} >= {"0.1.0"}


@every_run
class TestToday:
    def test_every_decision_comes_out_as_it_did(self, path: Path) -> None:
        golden = load(path)
        assert golden.replayed_decisions
        assert decisions_again(stored_run(golden)) == golden.replayed_decisions

    def test_every_decision_was_made_again_but_what_says_why_not(self, path: Path) -> None:
        decisions = load(path).replayed_decisions
        assert first_of(decisions) is None
        others = [one for one in decisions if one.outcome is not ReplayOutcome.MATCHED]
        assert all(one.outcome is ReplayOutcome.UNREPLAYABLE and one.reason for one in others)
        assert len(others) < len(decisions) / 4

    async def test_every_step_gives_the_output_that_it_gave(
        self, path: Path, runtime: Runtime, principal: Principal
    ) -> None:
        golden = load(path)
        trace = await enforcer(runtime, principal, BUILT_IN)(*steps_to_check(stored_run(golden)))
        today = [one.result for one in trace.steps]
        then = [structs.replace(one, output=None) for one in golden.replayed_steps]
        assert today == then
        assert ReplayOutcome.MATCHED in {one.outcome for one in today}
        assert trace.first_divergence is None


@every_run
class TestWhatIsChanged:
    """Loudly: as the first divergence, with what was recorded and what it is now."""

    def test_a_rules_text(self, path: Path) -> None:
        golden = load(path)
        rules = [structs.replace(rule, condition=f"{rule.condition} && true") for rule in golden.rules]
        first = first_of(decisions_again(stored_run(golden, rules=rules)))
        assert first is not None
        assert (first.kind, first.expected) == (DivergenceKind.RULE, golden.evaluations[0].rule_digest.hex())
        assert len(first.actual) == 64

    def test_the_engine(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        golden = load(path)
        monkeypatch.setattr(engine_replay, "ENGINE", "another/2")
        first = first_of(decisions_again(stored_run(golden)))
        assert first is not None
        assert (first.kind, first.expected, first.actual) == (
            DivergenceKind.ENGINE, golden.evaluations[0].engine, "another/2",
        )  # fmt: skip

    def test_a_stored_fact(self, path: Path) -> None:
        golden = load(path)
        changed = [structs.replace(golden.evaluations[0], facts='{"run.goal":"x"}'), *golden.evaluations[1:]]
        first = first_of(decisions_again(stored_run(golden, evaluations=changed)))
        assert first is not None
        assert (first.kind, first.expected) == (DivergenceKind.RECORD, golden.evaluations[0].evidence_hash.hex())

    def test_a_stored_fact_with_its_whole_chain(self, path: Path) -> None:
        golden = load(path)
        named = next(one for one in golden.evaluations if one.phase is RulePhase.STEP and one.step_index is not None)
        forged = structs.replace(named, facts=named.facts.replace(":", ":1", 1) if '":"' not in named.facts else "{}")
        stored = stored_run(golden)
        evidence: list[Any] = []
        head = evidence_genesis(stored.tenant_id, stored.run.id)
        for record in stored.evidence:
            changed = forged if record is named else record
            head = evidence_hash(changed, head)
            evidence.append(structs.replace(changed, evidence_hash=head))
        first = first_of(decisions_again(structs.replace(stored, evidence=evidence)))
        assert first is not None
        assert (first.kind, first.index) in {
            (DivergenceKind.FACTS, named.evidence_index),
            (DivergenceKind.OUTCOME, named.evidence_index),
        }

    async def test_a_skill(self, path: Path, runtime: Runtime, principal: Principal) -> None:
        async def rounds_otherwise(given: bytes | None) -> bytes:
            return (await calculate(given)).partition(b".")[0]

        steps = steps_to_check(stored_run(load(path)))
        trace = await enforcer(runtime, principal, {"calculate": Executor(rounds_otherwise)})(*steps)
        first = trace.first_divergence
        assert first is not None
        assert (first.kind, first.index) == (
            DivergenceKind.OUTPUT, next(step.step_index for step in steps if step.skill_name == "calculate"),
        )  # fmt: skip
        assert len(first.expected) == len(first.actual) == 64


@every_run
def test_a_field_that_a_release_did_not_have_yet_is_what_its_rows_have(path: Path) -> None:
    golden = load(path)
    raw = msgspec.to_builtins(golden)
    for row in [raw["run"], *raw["steps"]]:
        for name in ("named_after_root", "parent_span_id", "marked"):
            row.pop(name, None)
    again = golden_from(msgspec.json.encode(raw))
    assert (again.run.parent_span_id, again.run.named_after_root) == (None, False)
    assert {step.marked for step in again.steps} == {False}
    assert again.evaluations == golden.evaluations


def test_a_golden_run_holds_what_it_is_about() -> None:
    runs: list[GoldenRun] = [load(path) for path in FILES]
    recorded: list[EvaluationRecord] = [one for run in runs for one in run.evaluations]
    assert {one.phase for one in recorded} == set(RulePhase)
    assert {one.outcome.value for one in recorded} == {"ALLOW", "AUDIT", "WARN", "BLOCK", "ERROR"}
    assert all(run.breaches and run.decisions and run.environments for run in runs if run.name == "mutations")
