"""RunCapture: what was captured of many runs in five classes, read in one wave, and how complete that is.

Everything that completeness is judged by must answer: a score over half of it would say "missing" of what could not be
looked at. What the key may not read is left out of the score, and said.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, TypeVar, cast
from uuid import UUID

from spine.contracts.capture import (
    ActivityEvidence,
    CaptureFailure,
    CaptureRequest,
    PolicyEvidence,
    ProviderEvidence,
    RunCapture,
    SealEvidence,
)
from spine.contracts.enums import (
    CaptureResolution,
    EvaluationOutcome,
    Permission,
    RunState,
)
from spine.contracts.errors import HocError, Unavailable, Unreadable
from spine.contracts.paging import NestedPage
from spine.contracts.ports import CallCounts, CaptureDriver, CaptureFacts, ModelCall, Ranked, RunRow, SealSummary
from spine.contracts.records import EnvironmentRecord
from spine.contracts.scalars import BigInt
from spine.contracts.statements import Read
from spine.orchestrator.context import ReadContext, within_dispatch
from spine.orchestrator.coordinators.evidence_capture_coordinator import MOST_ENVIRONMENTS, known_environment
from spine.orchestrator.coordinators.waves import Answer, Undecodable, read_wave
from spine.services.clock import from_ns
from spine.services.ids import node_id
from spine.storage.sessions import SourceFailed

T = TypeVar("T")

READING = (
    "activity.run_folding_capability",
    "logs.capture_driver_capability",
    "logs.traces_store_capability",
    "policies.policy_evaluations_capability",
)


class RunCaptureCoordinator:
    """Composes activity's runs, logs' chains, seals and captured records, and policies' evaluations."""

    @staticmethod
    async def run_captures(ctx: ReadContext, request: CaptureRequest) -> dict[UUID, RunCapture | HocError]:
        """What was captured of each key that is a run of the tenant; an error where it could not be looked at."""
        within_dispatch("RunCaptureCoordinator")
        wave = CaptureWave(ctx, request)
        found: dict[UUID, RunCapture | HocError] = {}
        for keys, answers in await read_wave(ctx.session, list(dict.fromkeys(request.run_keys)), wave.reads):
            found |= wave.captures(keys, answers)
        return found


class CaptureWave:
    """What is read for one request, and what its answers say of each run."""

    def __init__(self, ctx: ReadContext, request: CaptureRequest) -> None:
        self._ctx = ctx
        self._request = request
        self._driver = ctx.bridge("logs").capture_driver_capability()
        self._judged = Permission.POLICIES_READ in ctx.principal.permissions

    def reads(self, keys: Sequence[UUID]) -> list[Read[Any]]:
        """What completeness is judged by, and of the lists those that are asked for."""
        driver = self._driver
        reads: list[Read[Any]] = [
            self._ctx.bridge("activity").run_folding_capability().runs_by_key(keys),
            self._ctx.bridge("logs").traces_store_capability().environment_records(keys, MOST_ENVIRONMENTS),
            driver.call_counts(keys),
            driver.seal_summaries(keys),
            driver.failure_counts(keys),
        ]
        if self._judged:
            reads.append(self._ctx.bridge("policies").policy_evaluations_capability().outcome_tallies(keys))
        if self._request.calls:
            reads.append(driver.model_calls(keys, self._request.calls))
        if self._request.failures:
            reads.append(driver.failures_for_runs(keys, self._request.failures))
        return reads

    def captures(self, keys: Sequence[UUID], answers: Sequence[Answer]) -> dict[UUID, RunCapture | HocError]:
        """The captures of one wave."""
        if any(isinstance(answer, Undecodable) for answer in answers):
            return {key: Unreadable("run") for key in keys}
        if any(isinstance(answer, SourceFailed) for answer in answers):
            return {key: Unavailable("the run's record could not be read in time") for key in keys}
        rows: list[list[Any]] = [answer for answer in answers if isinstance(answer, list)]
        found = FoundCaptures(self._ctx, self._request, rows, judged=self._judged)
        return {run.id: found.of_run(self._driver, run) for run in rows[0]}


class FoundCaptures:
    """The rows of one wave, by run."""

    def __init__(self, ctx: ReadContext, request: CaptureRequest, rows: list[list[Any]], *, judged: bool) -> None:
        self._ctx = ctx
        lists = iter(rows[5:])
        self._environments: dict[UUID, list[EnvironmentRecord]] = _grouped(rows[1], attrgetter("run_key"))
        self._counts: dict[UUID, CallCounts] = {one.run_key: one for one in rows[2]}
        self._seals: dict[UUID, SealSummary] = {one.run_key: one for one in rows[3]}
        self._failed: dict[UUID, list[Any]] = _grouped(rows[4], itemgetter(0))
        self._tallies: dict[UUID, list[Any]] | None = _grouped(next(lists), itemgetter(0)) if judged else None
        self._calls: dict[UUID, list[Ranked[ModelCall]]] = _ranked(next(lists) if request.calls else [])
        self._failures: dict[UUID, list[Ranked[CaptureFailure]]] = _ranked(next(lists) if request.failures else [])

    def of_run(self, driver: CaptureDriver, run: RunRow) -> RunCapture:
        """What was captured of one run."""
        environment = known_environment(driver, run, self._environments.get(run.id, ()))
        values = {name: one.value for name, one in environment.items()}
        calls = self._calls.get(run.id, [])
        lacking = [(one.value, *driver.missing_of(one.value)) for one in calls]
        tallies = None if self._tallies is None else self._tallies.get(run.id, [])
        failures = self._failures.get(run.id, [])
        seal = self._seals.get(run.id)
        return RunCapture(
            run_key=run.id,
            run_id=node_id("Run", run.id),
            completeness=driver.completeness(self._facts(run, values)),
            environment=tuple(environment[name] for name in sorted(environment)),
            activity=_page(calls, [_activity(call, lacks) for call, lacks, _ in lacking]),
            provider=_page(calls, [_provider(call, lacks) for call, _, lacks in lacking]),
            policy=None if tallies is None else tuple(_policy(outcome, count) for _, outcome, count in tallies),
            integrity=None if seal is None else _seal(seal),
            failures=_page(failures, [one.value for one in failures]),
            computed_at=self._ctx.now,
        )

    def _facts(self, run: RunRow, environment: Mapping[str, str]) -> CaptureFacts:
        failures: dict[CaptureResolution, int] = {became: count for _, became, count in self._failed.get(run.id, ())}
        said = None if self._tallies is None else sum(count for _, _, count in self._tallies.get(run.id, ()))
        return CaptureFacts(
            live=run.state == RunState.LIVE,
            erased=run.attributes is None,
            names_model=run.own_model is not None,
            environment=environment,
            step_count=run.step_count,
            evidence_count=run.evidence_count,
            missing_spans=run.missing_span_count,
            refused_spans=run.refused_span_count,
            calls=self._counts.get(run.id) or CallCounts(run.id),
            evaluations=said,
            seal=self._seals.get(run.id),
            failures=failures,
        )


def _grouped(rows: Sequence[Any], run_of: Callable[[Any], UUID]) -> dict[UUID, list[Any]]:
    grouped: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[run_of(row)].append(row)
    return grouped


def _ranked(rows: Sequence[Ranked[Any]]) -> dict[UUID, list[Ranked[Any]]]:
    return _grouped(rows, attrgetter("parent"))


def _page(ranked: Sequence[Ranked[Any]], shown: Sequence[T]) -> NestedPage[T]:
    """The rows that were read, with the whole list's length."""
    return NestedPage(shown, ranked[0].total if ranked else 0)


def _activity(call: ModelCall, missing: tuple[str, ...]) -> ActivityEvidence:
    return ActivityEvidence(
        step_index=call.step_index,
        span_id=call.span_id,
        name=call.name,
        kind=call.kind,
        status=call.status,
        started_at=from_ns(call.started_ns),
        completed_at=from_ns(call.ended_ns),
        input_tokens=cast("BigInt | None", call.input_tokens),
        output_tokens=cast("BigInt | None", call.output_tokens),
        input_hash=None if call.input_digest is None else call.input_digest.hex(),
        output_hash=None if call.output_digest is None else call.output_digest.hex(),
        step_hash=call.step_hash.hex(),
        missing=missing,
    )


def _provider(call: ModelCall, missing: tuple[str, ...]) -> ProviderEvidence:
    return ProviderEvidence(
        step_index=call.step_index,
        span_id=call.span_id,
        provider=call.provider,
        provider_type=call.provider_type,
        model=call.model,
        response_id=call.response_id,
        finish_reason=call.finish_reason,
        missing=missing,
    )


def _policy(outcome: EvaluationOutcome, count: int) -> PolicyEvidence:
    return PolicyEvidence(outcome=outcome, count=BigInt(count))


def _seal(seal: SealSummary) -> SealEvidence:
    return SealEvidence(
        version=seal.version,
        seal_hash=seal.seal_hash.hex(),
        sealed_at=seal.sealed_at,
        step_count=seal.step_count,
        evidence_count=seal.evidence_count,
    )
