"""Ports that a run's evidence is read through."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import EvaluationOutcome
from spine.contracts.evidence import DecisionSummary, IncidentSummary, LimitHitSummary, PolicyEvaluationSummary
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EvaluationRecord,
)
from spine.contracts.statements import Read

T = TypeVar("T")


class Ranked(Struct, Generic[T], frozen=True, gc=False):
    """One row below a parent, with the length of the parent's whole list."""

    parent: UUID
    total: int
    value: T


class IncidentsForRun(Protocol):
    """`incidents_for_run_capability`: the newest `first` incidents below each run, with totals."""

    def incidents_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[IncidentSummary]]:
        """Rows ranked newest first per run; a run without incidents has no row."""


class PolicyEvaluations(Protocol):
    """`policy_evaluations_capability`: what rules said of runs, for people and for verification."""

    def evaluations_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[PolicyEvaluationSummary]]:
        """Newest first per run; ALLOW summed per rule version, of RUN_END evaluations only each rule's latest."""

    def shown_evaluations(
        self, records: Sequence[EvaluationRecord], first: int
    ) -> tuple[list[PolicyEvaluationSummary], int]:
        """The same of the records of one run, with the length of the whole list."""

    def decisions_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[DecisionSummary]]:
        """Newest first per run."""

    def shown_decisions(self, records: Sequence[DecisionRecord], first: int) -> tuple[list[DecisionSummary], int]:
        """The same of the records of one run, with the length of the whole list."""

    def outcome_tallies(self, run_keys: Sequence[UUID]) -> Read[tuple[UUID, EvaluationOutcome, int]]:
        """How often rules said each outcome of each run."""

    def evaluation_records(self, run_keys: Sequence[UUID], most: int) -> Read[EvaluationRecord]:
        """Every stored evaluation, at most `most` a run, for recomputing the evidence chain."""

    def decision_records(self, run_keys: Sequence[UUID], most: int) -> Read[DecisionRecord]:
        """Every stored decision, at most `most` a run."""


class LimitBreaches(Protocol):
    """`limit_breaches_capability`: which limits runs reached, for people and for verification."""

    def breaches_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[LimitHitSummary]]:
        """Newest first per run: the latest state of each limit that is still reached."""

    def shown_breaches(self, records: Sequence[BreachRecord], first: int) -> tuple[list[LimitHitSummary], int]:
        """The same of the records of one run, with the length of the whole list."""

    def breach_records(self, run_keys: Sequence[UUID], most: int) -> Read[BreachRecord]:
        """Every stored breach, at most `most` a run."""
