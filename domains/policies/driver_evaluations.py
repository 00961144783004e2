"""Statements over evaluations and decisions: for people, for verification, and appending.

What people see is folded: of a rule's evaluations at a run's end only the latest (a late step makes another), and ALLOW
summed per rule version and phase, since its rows say only how often it was checked.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE
from sqlalchemy.dialects.postgresql import distinct_on

from domains.policies.driver_summaries import OUTCOMES, PHASES, decision_summary, evaluation_summary
from domains.policies.tables import decisions
from domains.policies.tables import policy_evaluations as evaluations
from spine.contracts.enums import EvaluationOutcome, RulePhase
from spine.contracts.evidence import DecisionSummary, PolicyEvaluationSummary
from spine.contracts.ports import Ranked
from spine.contracts.records import DecisionRecord, EvaluationRecord
from spine.contracts.statements import InsertRows, Read, Row


def _of_runs(table: Table) -> Any:
    runs = bindparam("run_keys", type_=ARRAY(UUID_TYPE(as_uuid=True)))
    return and_(table.c.tenant_id == bindparam("tenant_id"), table.c.run_id == func.any(runs))


def _columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.c if column.name != "tenant_id")


def _folded_evaluations() -> Select[Any]:
    stored = evaluations.c
    latest = func.max(stored.evidence_index).over(partition_by=(stored.run_id, stored.rule_id, stored.phase))
    seen = select(evaluations, latest.label("latest")).where(_of_runs(evaluations)).subquery("seen").c
    allowed = seen.outcome == EvaluationOutcome.ALLOW
    fold = (seen.run_id, seen.rule_id, seen.rule_version, seen.phase, case((allowed, -1), else_=seen.evidence_index))
    folded = (
        select(
            *(seen[name] for name in _columns(evaluations) if name not in {"count", "evaluated_at"}),
            cast(func.sum(seen["count"]).over(partition_by=fold), BigInteger).label("count"),
            func.max(seen.evaluated_at).over(partition_by=fold).label("evaluated_at"),
            func.row_number().over(partition_by=fold, order_by=seen.evidence_index).label("place"),
        )
        .where(or_(seen.phase != RulePhase.RUN_END, seen.evidence_index == seen.latest))
        .subquery("folded")
        .c
    )
    newest = func.row_number().over(partition_by=folded.run_id, order_by=(folded.evaluated_at.desc(), folded.id.desc()))
    ranked = (
        select(
            folded.run_id,
            cast(func.count().over(partition_by=folded.run_id), BigInteger).label("total"),
            folded.id,
            folded.rule_id,
            folded.rule_name,
            folded.rule_version,
            folded.rule_digest,
            folded.phase,
            folded.outcome,
            folded["count"],
            folded.step_index,
            folded.facts,
            folded.reason,
            folded.evaluated_at,
            newest.label("rank"),
        )
        .where(folded.place == 1)
        .subquery("ranked")
    )
    return _first(ranked)


def _ranked_decisions() -> Select[Any]:
    stored = decisions.c
    newest = func.row_number().over(partition_by=stored.run_id, order_by=(stored.decided_at.desc(), stored.id.desc()))
    ranked = (
        select(
            stored.run_id,
            cast(func.count().over(partition_by=stored.run_id), BigInteger).label("total"),
            stored.id,
            stored.decision_type,
            stored.outcome,
            stored.subject_name,
            stored.reason,
            stored.decided_at,
            newest.label("rank"),
        )
        .where(_of_runs(decisions))
        .subquery("ranked")
    )
    return _first(ranked)


def _first(ranked: Any) -> Select[Any]:
    shown = [column for column in ranked.c if column.name != "rank"]
    return (
        select(*shown)
        .where(ranked.c.rank <= bindparam("first", type_=Integer))
        .order_by(ranked.c.run_id, ranked.c.rank)
    )


def _stored(table: Table) -> Select[Any]:
    """Whole rows in the order of the evidence chain, at most `:most` a run."""
    place = func.row_number().over(partition_by=table.c.run_id, order_by=table.c.evidence_index)
    rows = select(*(table.c[name] for name in _columns(table)), place.label("place"))
    placed = rows.where(_of_runs(table)).subquery("placed").c
    return (
        select(*(placed[name] for name in _columns(table)))
        .where(placed.place <= bindparam("most", type_=Integer))
        .order_by(placed.run_id, placed.evidence_index)
    )


FOLDED_EVALUATIONS: Final = _folded_evaluations()
RANKED_DECISIONS: Final = _ranked_decisions()
EVALUATION_RECORDS: Final = _stored(evaluations)
DECISION_RECORDS: Final = _stored(decisions)
FINAL_OUTCOMES: Final = (
    select(*(evaluations.c[name] for name in _columns(evaluations)))
    .ext(distinct_on(evaluations.c.run_id, evaluations.c.rule_id))
    .where(_of_runs(evaluations), evaluations.c.phase == RulePhase.RUN_END)
    .order_by(evaluations.c.run_id, evaluations.c.rule_id, evaluations.c.evidence_index.desc())
)


SETTLED_OUTCOMES: Final = (
    select(evaluations.c.run_id, evaluations.c.outcome)
    .where(_of_runs(evaluations), evaluations.c.phase != RulePhase.RUN_END)
    .distinct()
)

TALLIES: Final = (
    select(evaluations.c.run_id, evaluations.c.outcome, cast(func.sum(evaluations.c["count"]), BigInteger))
    .where(_of_runs(evaluations))
    .group_by(evaluations.c.run_id, evaluations.c.outcome)
    .order_by(evaluations.c.run_id, evaluations.c.outcome)
)


def evaluations_for_runs(run_keys: Sequence[UUID], first: int) -> Read[Ranked[PolicyEvaluationSummary]]:
    """Newest first per run; ALLOW summed per rule version, of RUN_END evaluations only each rule's latest."""
    return Read(FOLDED_EVALUATIONS, {"run_keys": list(run_keys), "first": first}, _evaluation_summary)


def decisions_for_runs(run_keys: Sequence[UUID], first: int) -> Read[Ranked[DecisionSummary]]:
    """Newest first per run."""
    return Read(RANKED_DECISIONS, {"run_keys": list(run_keys), "first": first}, _decision_summary)


def evaluation_records(run_keys: Sequence[UUID], most: int) -> Read[EvaluationRecord]:
    """Every stored evaluation, at most `most` a run, for recomputing the evidence chain: exactly as it is stored."""
    params = {"run_keys": list(run_keys), "most": most}
    return Read(EVALUATION_RECORDS, params, lambda row: EvaluationRecord(*row), kept=True)


def decision_records(run_keys: Sequence[UUID], most: int) -> Read[DecisionRecord]:
    """Every stored decision, at most `most` a run."""
    params = {"run_keys": list(run_keys), "most": most}
    return Read(DECISION_RECORDS, params, lambda row: DecisionRecord(*row), kept=True)


def outcome_tallies(run_keys: Sequence[UUID]) -> Read[tuple[UUID, EvaluationOutcome, int]]:
    """How often rules said each outcome of each run."""
    return Read(TALLIES, {"run_keys": list(run_keys)}, lambda row: (row[0], OUTCOMES[row[1]], row[2]))


def final_outcomes(run_keys: Sequence[UUID]) -> Read[EvaluationRecord]:
    """Of each run and rule the latest RUN_END evaluation."""
    return Read(FINAL_OUTCOMES, {"run_keys": list(run_keys)}, _evaluation_record)


def settled_outcomes(run_keys: Sequence[UUID]) -> Read[tuple[UUID, EvaluationOutcome]]:
    """What rules said of the runs' starts and steps, each outcome once a run: no later total changes these."""
    return Read(SETTLED_OUTCOMES, {"run_keys": list(run_keys)}, lambda row: (row[0], OUTCOMES[row[1]]))


def insert_evaluations(records: Sequence[EvaluationRecord]) -> InsertRows:
    """Append evaluations; a record's fields are the table's columns, in their order."""
    return InsertRows(evaluations, _columns(evaluations), [msgspec.structs.astuple(record) for record in records])


def insert_decisions(records: Sequence[DecisionRecord]) -> InsertRows:
    """Append decisions."""
    return InsertRows(decisions, _columns(decisions), [msgspec.structs.astuple(record) for record in records])


def _evaluation_summary(row: Row) -> Ranked[PolicyEvaluationSummary]:
    return Ranked(row[0], row[1], evaluation_summary(row[2:]))


def _decision_summary(row: Row) -> Ranked[DecisionSummary]:
    return Ranked(row[0], row[1], decision_summary(row[2:]))


def _evaluation_record(row: Row) -> EvaluationRecord:
    values = list(row)
    values[7:9] = PHASES[row[7]], OUTCOMES[row[8]]
    return EvaluationRecord(*values)
