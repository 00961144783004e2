"""Statements over replays: keeping them with their mismatches, and listing both.

A replay's first divergence is its first mismatch, so it is read from there.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Integer, Select, Text, and_, bindparam, cast, func, select

from domains.logs.driver import RUN_KEYS, TENANT
from domains.logs.tables import replay_mismatches as mismatches
from domains.logs.tables import replays, run_steps, step_payloads
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind, DivergenceKind, ReplayBehavior, ReplayVerdict
from spine.contracts.ports import PayloadSizes, Ranked
from spine.contracts.replays import Divergence, Replay, ReplayedDecision, ReplayedStep, ReplayFilter, ReplayMismatch
from spine.contracts.statements import InsertRows, Read, Row
from spine.services.ids import node_id, uuid7

REPLAY: Final = "Replay"
COUNTS: Final = (
    "step_count",
    "matched_step_count",
    "executed_step_count",
    "played_back_step_count",
    "unchecked_step_count",
    "decision_count",
    "matched_decision_count",
    "unchecked_decision_count",
    "mismatch_count",
)
COLUMNS: Final = (
    "id",
    "run_id",
    "behavior",
    "verdict",
    *COUNTS,
    "created_by_kind",
    "created_by_id",
    "created_by_name",
    "created_at",
)
counts_of: Final = attrgetter(*COUNTS)
FOUND: Final = ("kind", "index", "is_step", "expected", "actual")
MISMATCH_COLUMNS: Final = ("replay_id", "place", "id", *FOUND, "subject_name", "reason")
OF_TENANT: Final = replays.c.tenant_id == TENANT
KEYS: Final = bindparam("replay_keys", type_=ARRAY(replays.c.id.type))
ORDER: Final = (replays.c.created_at, replays.c.id)

FIRST: Final = and_(
    mismatches.c.tenant_id == replays.c.tenant_id, mismatches.c.replay_id == replays.c.id, mismatches.c.place == 0
)
SUMMARIES: Final = (
    select(*(replays.c[name] for name in COLUMNS), *(mismatches.c[name] for name in FOUND))
    .select_from(replays.outerjoin(mismatches, FIRST))
    .where(OF_TENANT)
)
BY_KEY: Final = SUMMARIES.where(replays.c.id == func.any(KEYS))

SIZES: Final = (
    select(
        func.count(),
        cast(
            func.coalesce(
                func.sum(
                    func.coalesce(func.octet_length(step_payloads.c.input), 0)
                    + func.coalesce(func.octet_length(step_payloads.c.output), 0),
                ),
                0,
            ),
            BigInteger,
        ),
    )
    .select_from(
        run_steps.outerjoin(
            step_payloads,
            and_(
                step_payloads.c.tenant_id == run_steps.c.tenant_id,
                step_payloads.c.trace_id == run_steps.c.trace_id,
                step_payloads.c.step_index == run_steps.c.step_index,
            ),
        ),
    )
    .where(run_steps.c.tenant_id == TENANT, run_steps.c.run_id == func.any(RUN_KEYS))
)


def _ranked_mismatches() -> Select[Any]:
    stored = mismatches.c
    shown = ("replay_id", "id", *FOUND, "subject_name", "reason")
    ranked = (
        select(
            *(stored[name] for name in shown),
            stored.place,
            cast(func.count().over(partition_by=stored.replay_id), BigInteger).label("total"),
        )
        .where(stored.tenant_id == TENANT, stored.replay_id == func.any(KEYS))
        .subquery("ranked")
        .c
    )
    return (
        select(ranked.total, *(ranked[name] for name in shown))
        .where(ranked.place < bindparam("first", type_=Integer))
        .order_by(ranked.replay_id, ranked.place)
    )


MISMATCHES: Final = _ranked_mismatches()


def payload_sizes(run_keys: Sequence[UUID]) -> Read[PayloadSizes]:
    """How many steps the runs have, and how many bytes their inputs and outputs."""
    return Read(SIZES, {"run_keys": list(run_keys)}, lambda row: PayloadSizes(row[0], row[1]))


@lru_cache(maxsize=8)
def _filtered(*, counted: bool, by_run: bool, by_verdict: bool) -> Select[Any]:
    statement = select(func.count()).select_from(replays).where(OF_TENANT) if counted else SUMMARIES
    if by_run:
        statement = statement.where(replays.c.run_id == bindparam("run_key", type_=replays.c.run_id.type))
    if by_verdict:
        statement = statement.where(replays.c.verdict == func.any(bindparam("verdicts", type_=ARRAY(Text))))
    return statement


def _params(wanted: ReplayFilter) -> Mapping[str, object]:
    return {"run_key": wanted.run_key, "verdicts": list(wanted.verdict)}


def _of(wanted: ReplayFilter, *, counted: bool) -> Select[Any]:
    return _filtered(counted=counted, by_run=wanted.run_key is not None, by_verdict=bool(wanted.verdict))


def list_replays(wanted: ReplayFilter) -> Read[Replay]:
    """The replays that the filter lets through; to be paged in `ORDER`."""
    return Read(_of(wanted, counted=False), _params(wanted), summary)


def count_replays(wanted: ReplayFilter) -> Read[int]:
    """How many the filter lets through."""
    return Read(_of(wanted, counted=True), _params(wanted), lambda row: int(row[0]))


def replays_by_key(replay_keys: Sequence[UUID]) -> Read[Replay]:
    """The replays with these keys."""
    return Read(BY_KEY, {"replay_keys": list(replay_keys)}, summary)


def mismatches_for_replays(replay_keys: Sequence[UUID], first: int) -> Read[Ranked[ReplayMismatch]]:
    """The first mismatches of each replay, in the order in which they were found."""
    return Read(MISMATCHES, {"replay_keys": list(replay_keys), "first": first}, _mismatch)


def insert_replay(replay: Replay) -> InsertRows:
    """Keep a replay; one with this key that is there stays as it is."""
    by = replay.created_by
    what = (replay.key, replay.run_key, replay.behavior, replay.verdict, *counts_of(replay))
    return InsertRows(replays, COLUMNS, [(*what, by.kind, by.id, by.name, replay.created_at)])


def insert_mismatches(
    replay_key: UUID, steps: Sequence[ReplayedStep], decisions: Sequence[ReplayedDecision]
) -> InsertRows:
    """Keep what differs, steps first."""
    named = [
        *((one.skill_name, one.reason, one.divergence) for one in steps),
        *((one.subject_name, one.reason, one.divergence) for one in decisions),
    ]
    found = [(name, reason or "", differs) for name, reason, differs in named if differs is not None]
    rows = [
        (
            replay_key,
            place,
            uuid7(),
            differs.kind,
            differs.index,
            differs.is_step,
            differs.expected,
            differs.actual,
            name,
            reason,
        )
        for place, (name, reason, differs) in enumerate(found)
    ]
    return InsertRows(mismatches, MISMATCH_COLUMNS, rows)


def summary(row: Row) -> Replay:
    """A replay as people read it."""
    at = 4 + len(COUNTS)
    by_kind, by_id, by_name, created_at, *found = row[at:]
    return Replay(
        key=row[0],
        id=node_id(REPLAY, row[0]),
        run_key=row[1],
        run_id=node_id("Run", row[1]),
        behavior=ReplayBehavior(row[2]),
        verdict=ReplayVerdict(row[3]),
        **dict(zip(COUNTS, row[4:at], strict=True)),
        first_divergence=None if found[0] is None else _divergence(found),
        created_by=Actor(ActorKind(by_kind), by_id, by_name),
        created_at=created_at,
    )


def _divergence(found: Sequence[Any]) -> Divergence:
    kind, index, is_step, expected, actual = found
    return Divergence(kind=DivergenceKind(kind), index=index, is_step=is_step, expected=expected, actual=actual)


def _mismatch(row: Row) -> Ranked[ReplayMismatch]:
    found = _divergence(row[3 : 3 + len(FOUND)])
    value = ReplayMismatch(
        id=node_id("ReplayMismatch", row[2]),
        kind=found.kind,
        index=found.index,
        is_step=found.is_step,
        expected=found.expected,
        actual=found.actual,
        subject_name=row[8],
        reason=row[9],
    )
    return Ranked(row[1], row[0], value)
