"""What activity offers to other domains: GenAI mapping, folding spans into runs, and raising signals."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.activity import (
    driver,
    driver_runs,
    driver_signals,
    engine,
    engine_context,
    engine_reports,
    engine_signals,
    genai,
)
from spine.contracts.errors import Unreadable
from spine.contracts.ports import RunExporting, RunFolding, RunReporting, SignalRaising, SpanMapping
from spine.contracts.runs import RunSummary
from spine.contracts.statements import Read
from spine.services.clock import to_ns


class _RunFolding:
    fold = staticmethod(engine.fold)
    runs_by_key = staticmethod(driver.runs_by_key)
    existing_runs = staticmethod(driver.existing_runs)
    known_runs = staticmethod(driver.known_runs)
    put_runs = staticmethod(driver.put_runs)


class _RunReporting:
    started_run = staticmethod(engine_reports.started_run)
    completed_run = staticmethod(engine_reports.completed_run)
    refused_run = staticmethod(engine_reports.refused_run)
    span_of = staticmethod(engine_reports.span_of)


class _SignalRaising:
    for_verdict = staticmethod(engine_signals.for_verdict)
    for_reading = staticmethod(engine_signals.for_reading)
    for_failure = staticmethod(engine_signals.for_failure)
    for_degraded = staticmethod(engine_signals.for_degraded)
    closest = staticmethod(engine_context.closest)
    context_of = staticmethod(engine_context.context_of)
    insert_signals = staticmethod(driver_signals.insert_signals)


class _RunExporting:
    signals_for_runs = staticmethod(driver_signals.signals_for_runs)

    @staticmethod
    def shown_runs(run_keys: Sequence[UUID], now: datetime, stalled_after_s: int) -> Read[RunSummary | Unreadable]:
        clock = driver_runs.RunClock(to_ns(now), stalled_after_s * 1_000_000_000)
        placed = driver_runs.run_summaries(run_keys, clock)
        return Read(placed.statement, placed.params, lambda row: placed.decode(row)[2])


class ActivityBridge:
    """The door to activity."""

    def span_mapping_capability(self) -> SpanMapping:
        """Span records to GenAI facts."""
        return genai.facts_of

    def run_folding_capability(self) -> RunFolding:
        """All spans of a trace to its runs."""
        return _RunFolding()

    def run_reporting_capability(self) -> RunReporting:
        """Runs and steps that are reported by mutation."""
        return _RunReporting()

    def signal_raising_capability(self) -> SignalRaising:
        """What governance saw, as signals."""
        return _SignalRaising()

    def run_exporting_capability(self) -> RunExporting:
        """Runs and their signals as people see them."""
        return _RunExporting()
