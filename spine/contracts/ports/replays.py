"""Ports that governance decisions are made again through."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from spine.contracts.enums import DivergenceKind, LimitLevel, ReplayOutcome
from spine.contracts.ports.governance import ActiveRule, Subject
from spine.contracts.records import EvaluationRecord
from spine.contracts.statements import Read


class Remade(Struct, frozen=True, gc=False):
    """What became of a decision that was made again; a MISMATCHED one says what differs, and how."""

    outcome: ReplayOutcome
    reason: str | None = None
    kind: DivergenceKind | None = None
    expected: str = ""
    actual: str = ""


class RuleReplay(Protocol):
    """`rule_replay_capability`: rules as they were, and their judgement made again."""

    def rule_versions(self, rule_keys: Sequence[UUID]) -> Read[ActiveRule]:
        """Every version of the rules, retired ones and disabled versions too."""

    def replay_evaluation(self, record: EvaluationRecord, rule: ActiveRule | None, known: Subject) -> Remade:
        """Judge again from the recorded facts; `known`, what is stored of the subject, gives back what was cut."""

    def replay_allowed(
        self, records: Sequence[EvaluationRecord], rule: ActiveRule | None, unnamed: Sequence[Subject]
    ) -> list[Remade]:
        """Judge again the steps that a rule version allowed: those that none of its other evaluations names.

        An ALLOW of steps is a sum without facts; one answer for each record.
        """


class BreachReplay(Protocol):
    """`breach_replay_capability`: how a value stands against a threshold."""

    def level_of(self, value: int, threshold: int) -> LimitLevel | None:
        """The level; None below 80 %."""


class PayloadSizes(Struct, frozen=True):
    """How much a run's steps hold: their number, and the bytes of their inputs and outputs."""

    steps: int
    payload_bytes: int


class ReplaySizing(Protocol):
    """`replay_sizing_capability`: how much a replay would have to read."""

    def payload_sizes(self, run_keys: Sequence[UUID]) -> Read[PayloadSizes]:
        """Over all of the runs, one row."""
