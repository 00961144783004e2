"""Ports that exports of runs and incidents are read through."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from spine.contracts.errors import Unreadable
from spine.contracts.evidence import IncidentSummary
from spine.contracts.ports.evidence import Ranked
from spine.contracts.runs import RunSummary
from spine.contracts.signals import SignalProjection
from spine.contracts.statements import Read


class RunExporting(Protocol):
    """`run_exporting_capability`: runs and their signals as people see them."""

    def shown_runs(
        self, run_keys: Sequence[UUID], now: datetime, stalled_after_s: int
    ) -> Read[RunSummary | Unreadable]:
        """The runs with these keys; a withdrawn run is absent."""

    def signals_for_runs(self, run_keys: Sequence[UUID], first: int) -> Read[Ranked[SignalProjection]]:
        """The newest `first` signals below each run, with totals."""


class IncidentExporting(Protocol):
    """`incident_exporting_capability`: incidents as people see them."""

    def incidents_by_key(self, keys: Sequence[UUID]) -> Read[IncidentSummary]:
        """The incidents with these keys."""
