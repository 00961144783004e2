"""Decisions made again: what a superuser changed, and what a release changes, is the first divergence."""

from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from domains.policies import engine_replay
from domains.policies.conditions import ENGINE
from spine.contracts.enums import DivergenceKind, ReplayOutcome
from spine.contracts.records import EvaluationRecord
from spine.services.proof.hashing import evidence_genesis, evidence_hash
from tests.spine.orchestrator.coordinators.replayed_runs import (
    Superuser,
    a_run,
    change,
    replayed,
)
from tests.spine.orchestrator.coordinators.reported import connected
from tests.spine.orchestrator.reported import proof_of
from tests.spine.orchestrator.reporting import Reporter, a_step


async def forge_evidence(superuser: Superuser, tenant: UUID, run: UUID, **changes: Any) -> None:
    """Change what a rule said of a step, drop what followed, and chain the run's evidence anew."""
    update = """UPDATE policy_evaluations SET evidence_index = $3, facts = $4, outcome = $5, reason = $6,
        evidence_hash = $7 WHERE run_id = $1 AND evidence_index = $2"""
    async with connected(superuser) as connection:
        for table in ("decisions", "limit_breaches"):
            await connection.execute(f"DELETE FROM {table} WHERE run_id = $1", run)
        query = "SELECT * FROM policy_evaluations WHERE run_id = $1 ORDER BY evidence_index"
        head = evidence_genesis(tenant, run)
        for place, row in enumerate(await connection.fetch(query, run)):
            values = dict(row) | {"run_key": run, "evidence_index": place}
            record = EvaluationRecord(**{name: values[name] for name in EvaluationRecord.__struct_fields__})
            if record.outcome == "WARN" and record.step_index is not None:
                record = structs.replace(record, **changes)
            head = evidence_hash(record, head)
            said = (record.facts, record.outcome, record.reason)
            await connection.execute(update, run, row["evidence_index"], place, *said, head)


class TestADecision:
    """What a superuser changed, and what a release changes, is the first divergence."""

    async def test_of_a_rule_whose_text_was_changed(self, reporter: Reporter, superuser: Superuser) -> None:
        run = await a_run(reporter)
        statement = """UPDATE policy_rule_versions SET condition = 'step.name.startsWith("fly!")'
                       WHERE tenant_id = $1 AND condition LIKE '%fly%'"""
        await change(superuser, statement, reporter.principal.tenant_id)
        done = await replayed(reporter, run)
        differing = [one for one in done.decisions if one.divergence is not None]
        assert {one.subject_name for one in differing} == {"names"}
        first = done.replay.first_divergence
        assert first is not None
        assert (first.kind, first.is_step, len(first.expected), len(first.actual)) == ("RULE", False, 64, 64)

    async def test_of_a_rule_that_was_deleted(self, reporter: Reporter, superuser: Superuser) -> None:
        run = await a_run(reporter)
        await change(superuser, "DELETE FROM policy_rule_versions WHERE tenant_id = $1", reporter.principal.tenant_id)
        first = (await replayed(reporter, run)).replay.first_divergence
        assert first is not None
        assert (first.kind, first.actual) == ("RULE", "")

    async def test_of_another_engine(self, reporter: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
        run = await a_run(reporter)
        monkeypatch.setattr(engine_replay, "ENGINE", "cel-expr-python/9.9 judgement/1")
        first = (await replayed(reporter, run)).replay.first_divergence
        assert first is not None
        assert (first.kind, first.expected, first.actual) == ("ENGINE", ENGINE, "cel-expr-python/9.9 judgement/1")

    async def test_whose_stored_fact_was_changed(self, reporter: Reporter, superuser: Superuser) -> None:
        run = await a_run(reporter)
        await change(
            superuser, "UPDATE policy_evaluations SET facts = '{}' WHERE run_id = $1 AND outcome = 'WARN'", run
        )
        first = (await replayed(reporter, run)).replay.first_divergence
        assert first is not None
        assert (first.kind, first.is_step) == ("RECORD", False)

    @pytest.mark.parametrize(
        ("forged", "kind"),
        [
            ({"facts": '{"step.input":"sha256:00 (1 characters)"}'}, DivergenceKind.FACTS),
            ({"outcome": "BLOCK"}, DivergenceKind.OUTCOME),
            ({"reason": "because"}, DivergenceKind.OUTCOME),
        ],
    )
    async def test_that_was_forged_with_its_whole_chain(
        self, reporter: Reporter, superuser: Superuser, forged: dict[str, str], kind: DivergenceKind
    ) -> None:
        run = await a_run(reporter)
        await forge_evidence(superuser, reporter.principal.tenant_id, run, **forged)
        first = (await replayed(reporter, run)).replay.first_divergence
        assert first is not None
        assert first.kind is kind

    async def test_of_a_limit_whose_value_was_changed(self, reporter: Reporter, superuser: Superuser) -> None:
        run = await a_run(reporter)
        await change(superuser, "UPDATE limit_breaches SET breached_value = 1 WHERE run_id = $1", run)
        done = await replayed(reporter, run)
        assert {one.kind for one in done.decisions if one.divergence is not None} == {"BREACH", "DECISION"}

    async def test_from_before_engines_were_recorded_matches_and_says_so(
        self, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bridge = "spine.orchestrator.bridges.policies_bridge._RuleEvaluation.engine_version"
        monkeypatch.setattr(bridge, None)
        run = await a_run(reporter)
        done = await replayed(reporter, run)
        evaluations = [one for one in done.decisions if one.kind == "EVALUATION"]
        assert {one.outcome for one in evaluations} == {ReplayOutcome.MATCHED}
        assert all("which one said it is unknown" in (one.reason or "") for one in evaluations)
        assert (await proof_of(reporter.execute, reporter.principal, run)).integrity.verification_status == "VERIFIED"

    async def test_over_content_that_is_kept_no_more_cannot_be_made_again_and_says_why(
        self, reporter: Reporter, superuser: Superuser
    ) -> None:
        run = await a_run(reporter)
        await change(superuser, "UPDATE runs SET goal = 'other' WHERE id = $1", run)
        await change(
            superuser,
            "UPDATE step_payloads SET input = NULL FROM runs r WHERE r.id = $1 AND r.trace_id = step_payloads.trace_id",
            run,
        )
        done = await replayed(reporter, run)
        said = {one.subject_name: one.reason for one in done.decisions if one.outcome is ReplayOutcome.UNREPLAYABLE}
        assert said["goal"] == "run.goal was recorded cut, and is not kept whole elsewhere"
        assert "step.input" in str(said["payloads"])
        assert {one.divergence.kind for one in done.steps if one.divergence is not None} == {DivergenceKind.RECORD}

    async def test_of_steps_that_two_versions_of_a_rule_allowed_says_that_it_cannot_tell_them(
        self, reporter: Reporter
    ) -> None:
        await reporter.rule("first", 'step.name == "fly"')
        run = (await reporter.start()).run_key
        await reporter.append(run, a_step(1))
        await reporter.rule("second", 'step.name == "sail"')
        await reporter.append(run, a_step(2))
        done = await replayed(reporter, run)
        said = {one.subject_name: one.outcome for one in done.decisions if one.kind == "EVALUATION"}
        assert said == {"first": ReplayOutcome.MATCHED, "second": ReplayOutcome.UNREPLAYABLE}
