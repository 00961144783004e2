"""Replaying a run from its stored trace: what is to be done with each step, and every governance decision made again.

The replay itself is an execution under its idempotency key, so one request is replayed once: whoever sends it again
gets the same answer, without outputs, which are kept with the run alone. When its process dies the same request goes
on: steps that were executed are not executed again.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs

from spine.contracts.enums import DivergenceKind, OperationKind, Permission, ReplayBehavior
from spine.contracts.errors import Conflict, NotFound, TooLarge, Unavailable, Unreadable, ValidationFailed
from spine.contracts.operations import Operation
from spine.contracts.ports import RunRow
from spine.contracts.records import EvaluationRecord, EvidenceRecord, StepPayload, StepRecord
from spine.contracts.replays import (
    Divergence,
    FinishExecution,
    KeepReplay,
    ReplayedStep,
    ReplayMaterial,
    ReplayRun,
    Reservation,
    ReserveExecution,
    RunReplayed,
    StepToReplay,
)
from spine.contracts.statements import Read
from spine.orchestrator.context import ReadContext, SequenceContext, within_dispatch
from spine.orchestrator.coordinators.replay_coordinator import FINISH, RESERVE, EnforcedStep, ReplayCoordinator
from spine.orchestrator.coordinators.replay_decisions import RecordedRun, StepPlace, replay_decisions
from spine.orchestrator.coordinators.waves import Undecodable, read_wave
from spine.orchestrator.disclosures import of_replay
from spine.services.canonical_json import digest
from spine.services.commitments import commitment, matches
from spine.services.proof.hashing import step_hash
from spine.services.proof.verify import UNHASHABLE
from spine.services.texts import check_text
from spine.storage.reservations import ANSWERS
from spine.storage.sessions import SourceFailed

MOST_STEPS = 1_000
MOST_PAYLOAD = 32 * 1_048_576
MOST_EVIDENCE = 10_000
MAX_KEY = 200
REPLAY_LEASE_S = 60

MATERIAL = "logs.replay_material"
KEEP = "logs.keep_replay"


def check_replay(request: ReplayRun) -> None:
    """A key of 1 to 200 characters, and each step named once."""
    check_text(request.idempotency_key, "idempotencyKey", MAX_KEY)
    if len(request.steps) > MOST_STEPS:
        raise TooLarge("the number of steps", MOST_STEPS, field="steps")
    if len({step.span_id for step in request.steps}) < len(request.steps):
        raise ValidationFailed("a step is named twice", field="steps")


async def replay_material(ctx: ReadContext, request: ReplayRun) -> ReplayMaterial:
    """The run's steps as they are to be replayed, and its decisions as they come out; in one snapshot."""
    within_dispatch("RunReplayCoordinator")
    await _check_size(ctx, request.run_key)
    stored = await recorded_run(ctx, request.run_key)
    named = {one.span_id: one.behavior for one in request.steps}
    unknown = named.keys() - {step.span_id for step in stored.steps}
    if unknown:
        raise ValidationFailed(f"the run has no step with the span id {min(unknown)}", field="steps")
    rules = ctx.bridge("policies").rule_replay_capability()
    breaches = ctx.bridge("controls").breach_replay_capability()
    return ReplayMaterial(
        shown=Permission.PAYLOADS_READ in ctx.principal.permissions,
        steps=tuple(step_to_replay(stored, step, request, named) for step in stored.steps),
        decisions=replay_decisions(stored, rules, breaches),
    )


async def _check_size(ctx: ReadContext, run_key: UUID) -> None:
    runs = ctx.bridge("activity").run_folding_capability().runs_by_key([run_key])
    sizing = ctx.bridge("logs").replay_sizing_capability().payload_sizes([run_key])
    found, [size] = await ctx.session.fetch_together([runs, sizing])
    if not found or found[0].withdrawn:
        raise NotFound("run", str(run_key))
    if size.steps > MOST_STEPS:
        raise TooLarge("the number of the run's steps", MOST_STEPS)
    if size.payload_bytes > MOST_PAYLOAD:
        raise TooLarge("the size of the run's payloads, in bytes,", MOST_PAYLOAD)


async def recorded_run(ctx: ReadContext, run_key: UUID) -> RecordedRun:
    """The run as it is stored; Unreadable when a row holds what no writer of ours can have written."""
    store = ctx.bridge("logs").traces_store_capability()
    policies = ctx.bridge("policies").policy_evaluations_capability()

    def reads(keys: Sequence[UUID]) -> list[Read[Any]]:
        return [
            ctx.bridge("activity").run_folding_capability().runs_by_key(keys),
            store.step_records(keys),
            store.payloads(keys),
            policies.evaluation_records(keys, MOST_EVIDENCE + 1),
            policies.decision_records(keys, MOST_EVIDENCE + 1),
            ctx.bridge("controls").limit_breaches_capability().breach_records(keys, MOST_EVIDENCE + 1),
            store.environment_records(keys, MOST_EVIDENCE + 1),
        ]

    [(_, answers)] = await read_wave(ctx.session, [run_key], reads)
    rows: list[list[Any]] = []
    for answer in answers:
        if isinstance(answer, Undecodable):
            raise Unreadable("run's record")
        if isinstance(answer, SourceFailed):
            raise Unavailable("the run's record could not be read in time")
        rows.append(answer)
    [run], placed, payloads, *evidence = rows
    chained = sorted((_typed(record) for of_kind in evidence for record in of_kind), key=attrgetter("evidence_index"))
    if len(chained) > MOST_EVIDENCE:
        raise TooLarge("the number of the run's governance records", MOST_EVIDENCE)
    return await _with_rules(ctx, run, _started(placed), [payload for _, payload in payloads], chained)


def _typed(record: EvidenceRecord) -> EvidenceRecord:
    """The record with the members of its closed sets, which are read as their text; Unreadable for any other text."""
    try:
        return msgspec.convert(msgspec.structs.asdict(record), type(record))
    except msgspec.ValidationError as error:
        raise Unreadable("run's record") from error


async def _with_rules(
    ctx: ReadContext,
    run: RunRow,
    steps: Sequence[StepRecord],
    payloads: Sequence[StepPayload],
    evidence: Sequence[EvidenceRecord],
) -> RecordedRun:
    keys = {record.rule_id for record in evidence if isinstance(record, EvaluationRecord)}
    versions = ctx.bridge("policies").rule_replay_capability().rule_versions(sorted(keys))
    rules = await ctx.session.fetch(versions) if keys else []
    return RecordedRun(
        tenant_id=ctx.principal.tenant_id,
        run=run,
        steps=steps,
        payloads={(payload.trace_id, payload.step_index): payload for payload in payloads},
        evidence=evidence,
        rules={(rule.rule_id, rule.version): rule for rule in rules},
    )


def _started(placed: Sequence[tuple[Any, StepRecord | None]]) -> list[StepRecord]:
    """The steps that are there, in the order in which they started; proof says which are not."""
    return sorted((step for _, step in placed if step is not None), key=lambda step: (step.started_ns, step.span_id))


def step_to_replay(
    stored: RecordedRun, step: StepRecord, request: ReplayRun, named: Mapping[str, ReplayBehavior]
) -> StepToReplay:
    """A stored step with what is to be done with it; `named` are those, by span, of which something else is said."""
    place: StepPlace = (step.trace_id, step.step_index)
    payload = stored.payloads.get(place)
    return StepToReplay(
        step_index=step.step_index,
        span_id=step.span_id,
        skill_name=step.skill_name,
        behavior=named.get(step.span_id, request.behavior),
        idempotency_key=step_key(request, step),
        input=None if payload is None else payload.input,
        input_digest=step.input_digest,
        output=None if payload is None else payload.output,
        salt=None if payload is None else payload.salt,
        redacted=payload is not None and payload.redacted_at is not None,
        altered=_altered(step, payload),
    )


def step_key(request: ReplayRun, step: StepRecord) -> str:
    """The key of a step's one execution in this replay."""
    named = f"{request.idempotency_key}\n{request.run_key}\n{step.skill_name}\n{step.trace_id}\n{step.step_index}"
    return f"idem_{digest(named.encode(errors='surrogatepass')).hex()}"


def _altered(step: StepRecord, payload: StepPayload | None) -> Divergence | None:
    """Where the step, or what it took in and gave out, is not what was chained."""
    try:
        now = step_hash(step)
    except UNHASHABLE:
        now = b""
    if now != step.step_hash:
        return _record(step, step.step_hash, now)
    if payload is not None and payload.redacted_at is not None:
        return None
    salt, given, gave = (None, None, None) if payload is None else (payload.salt, payload.input, payload.output)
    for content, recorded in ((given, step.input_digest), (gave, step.output_digest)):
        if not matches(salt, content, recorded):
            return _record(step, recorded or b"", b"" if content is None else commitment(salt, content))
    return None


def _record(step: StepRecord, expected: bytes, actual: bytes) -> Divergence:
    return Divergence(
        kind=DivergenceKind.RECORD,
        index=step.step_index,
        is_step=True,
        expected=expected.hex(),
        actual=actual.hex(),
    )


async def replay_run(ctx: SequenceContext, request: ReplayRun) -> RunReplayed:
    """Replay a run; Conflict while the same request is replayed, IdempotencyConflict when the key is another's."""
    within_dispatch("RunReplayCoordinator")
    material: ReplayMaterial = await ctx.perform(MATERIAL, request)
    key = f"{ANSWERS}{request.idempotency_key}"
    reserving = ReserveExecution(
        key=key,
        request_digest=digest(msgspec.json.encode(request, order="deterministic")),
        run_key=request.run_key,
        lease_s=REPLAY_LEASE_S,
        repeatable=True,
    )
    reservation: Reservation = await ctx.perform(RESERVE, reserving)
    if reservation.held is None:
        if reservation.output is None:
            raise Conflict("this replay is going on; ask again later")
        return msgspec.json.decode(reservation.output, type=RunReplayed)
    trace = await ReplayCoordinator.enforce_trace(ctx, request.run_key, material.steps, ctx.config.executors)
    steps = tuple(one.result for one in trace.steps)
    replay = await ctx.perform(KEEP, KeepReplay(request=request, steps=steps, decisions=material.decisions))
    answer = RunReplayed(replay=replay, steps=steps, decisions=material.decisions)
    kept = msgspec.json.encode(answer)
    await ctx.perform(FINISH, FinishExecution(key=key, held=reservation.held, output=kept))
    if not material.shown:
        return answer
    return structs.replace(answer, steps=tuple(map(_with_output, trace.steps)))


def _with_output(step: EnforcedStep) -> ReplayedStep:
    if step.output is None:
        return step.result
    return structs.replace(step.result, output=step.output.decode(errors="replace").replace("\0", "\ufffd"))


OPERATIONS = (
    Operation(
        name=MATERIAL,
        kind=OperationKind.READ,
        request=ReplayRun,
        result=ReplayMaterial,
        handler=replay_material,
        permission=Permission.RUNS_READ,
        cross_domain_deps=(
            "activity.run_folding_capability",
            "controls.breach_replay_capability",
            "controls.limit_breaches_capability",
            "logs.replay_sizing_capability",
            "logs.traces_store_capability",
            "policies.policy_evaluations_capability",
            "policies.rule_replay_capability",
        ),
        cost=10,
        validate=check_replay,
        discloses=of_replay,
        summary="What a replay of a run works on, with its governance decisions made again.",
    ),
    Operation(
        name="logs.replay_run",
        kind=OperationKind.SEQUENCE,
        request=ReplayRun,
        result=RunReplayed,
        handler=replay_run,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=50,
        validate=check_replay,
        dispatches=(MATERIAL, RESERVE, FINISH, KEEP),
        summary="Replay a run from its stored trace.",
    ),
)
