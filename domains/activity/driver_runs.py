"""Runs as people read them: pages, single runs, counts. Latency and evidence health are computed here, when read.

A run is STALLED when it is live and silent, SLOW when it is over 80 % of its time limit or takes twice the median of
its agent's last 100 completed runs. That median is computed once for each agent concerned, never for each run.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    null,
    or_,
    select,
)

from domains.activity.driver import TENANT, bound_ns
from domains.activity.driver_decoding import COLUMNS, summary_or_error
from domains.activity.tables import runs
from spine.contracts.enums import CostStatus, EvidenceHealth, LatencyBucket, RiskLevel, RunState
from spine.contracts.errors import Unreadable
from spine.contracts.paging import MOST_COUNTED
from spine.contracts.runs import CountRuns, ListRuns, RunFilter, RunGrouping, RunOrder, RunSummary
from spine.contracts.statements import Read

HISTORY = 100
MAX_GROUPS = 100
STARTED = COLUMNS.index("started_ns")
LIKE_SPECIAL = re.compile(r"[\\%_]")

NOW = bindparam("now_ns", type_=BigInteger)
STALLED_NS = bindparam("stalled_ns", type_=BigInteger)
LIMIT = bindparam("limit", type_=BigInteger)
PAGE_COLUMNS = tuple(runs.c[name] for name in (*COLUMNS, "time_limit_ms"))
MINE = and_(runs.c.tenant_id == TENANT, ~runs.c.withdrawn)


PlacedRun = tuple[int, UUID, RunSummary | Unreadable]
"""A run with its place in the list; an error stands for a row that cannot be read."""


class RunClock(Struct, frozen=True):
    """What is computed when read needs to know: the time, and the silence after which a live run is STALLED."""

    now_ns: int
    stalled_ns: int

    def params(self) -> dict[str, object]:
        """As parameters of a statement."""
        return {"now_ns": self.now_ns, "stalled_ns": self.stalled_ns}


def runs_page(request: ListRuns, after: tuple[int, UUID] | None, clock: RunClock) -> Read[PlacedRun]:
    """One row more than `first` with its (started_ns, id), in the asked order, after the given place."""
    filtered, params = filter_params(request.filter)
    params |= clock.params() | {"limit": request.page.first + 1}
    if after is not None:
        params |= {"after_ns": after[0], "after_id": after[1]}
    statement = _page(filtered, request.order, after=after is not None, latency=request.latency)
    return Read(statement, params, lambda row: (row[STARTED], row[0], summary_or_error(row)))


def runs_count(wanted: RunFilter, clock: RunClock) -> Read[int]:
    """How many runs the filter lets through; one more than `MOST_COUNTED` where there are more."""
    filtered, params = filter_params(wanted)
    return Read(_count(filtered), params | clock.params(), lambda row: int(row[0]))


def runs_among(run_keys: Sequence[UUID], wanted: RunFilter, clock: RunClock) -> Read[UUID]:
    """Those of the runs that the filter lets through."""
    filtered, params = filter_params(wanted)
    return Read(_among(filtered), params | clock.params() | {"run_keys": list(run_keys)}, lambda row: row[0])


def run_summaries(run_keys: Sequence[UUID], clock: RunClock) -> Read[PlacedRun]:
    """The runs with these keys; a withdrawn run is absent."""
    params = clock.params() | {"run_keys": list(run_keys)}
    return Read(_by_key(), params, lambda row: (row[STARTED], row[0], summary_or_error(row)))


def run_groups(request: CountRuns, clock: RunClock) -> Read[tuple[str | None, int, int]]:
    """Value, count and grand total of each group, the largest first, at most 100."""
    filtered, params = filter_params(request.filter)
    statement = _groups(filtered, request.group_by)
    return Read(statement, params | clock.params(), lambda row: (row[0], row[1], row[2]))


@lru_cache(maxsize=512)
def _page(filtered: frozenset[str], order: RunOrder, *, after: bool, latency: bool) -> Select[Any]:
    descending = order is RunOrder.STARTED_AT_DESC
    page = _filtered(select(*PAGE_COLUMNS), filtered)
    if after:
        place = func.row(runs.c.started_ns, runs.c.id)
        cursor = func.row(bindparam("after_ns", type_=BigInteger), bindparam("after_id", type_=Uuid()))
        page = page.where(place < cursor if descending else place > cursor)
    keys = (runs.c.started_ns, runs.c.id)
    page = page.order_by(*(key.desc() if descending else key for key in keys)).limit(LIMIT)
    return _summarised(page, descending=descending, latency=latency)


@lru_cache(maxsize=512)
def _among(filtered: frozenset[str]) -> Select[Any]:
    wanted = runs.c.id == func.any(bindparam("run_keys", type_=ARRAY(Uuid())))
    return _filtered(select(runs.c.id).where(wanted), filtered)


@lru_cache(maxsize=1)
def _by_key() -> Select[Any]:
    wanted = runs.c.id == func.any(bindparam("run_keys", type_=ARRAY(Uuid())))
    return _summarised(select(*PAGE_COLUMNS).where(MINE, wanted), descending=True, latency=True)


def _summarised(inner: Select[Any], *, descending: bool, latency: bool) -> Select[Any]:
    """The inner rows with both computed columns, in the same order; NULL for a latency that was not asked for."""
    page = inner.cte("page")
    keys = [key.desc() if descending else key for key in (page.c.started_ns, page.c.id)]
    columns = [page.c[name] for name in COLUMNS]
    health = evidence_health(page).label("evidence_health")
    if not latency:
        return select(*columns, cast(null(), Text).label("latency_bucket"), health).order_by(*keys)
    medians = _medians(select(page.c.agent_id).distinct(), "medians")
    bucket = latency_bucket(page, medians.c.median_ns).label("latency_bucket")
    return (
        select(*columns, bucket, health)
        .select_from(page.join(medians, medians.c.of_agent == page.c.agent_id))
        .where(_kept(medians))
        .order_by(*keys)
    )


@lru_cache(maxsize=512)
def _count(filtered: frozenset[str]) -> Select[Any]:
    counted = _filtered(select(runs.c.id), filtered).limit(MOST_COUNTED + 1).subquery("counted")
    return select(func.count()).select_from(counted)


@lru_cache(maxsize=512)
def _groups(filtered: frozenset[str], group_by: RunGrouping) -> Select[Any]:
    value = GROUPINGS[group_by]()
    rows = select(value.label("value")).select_from(runs)
    if group_by is RunGrouping.LATENCY_BUCKET and "latency_bucket" not in filtered:
        rows = _with_medians(rows)
    counted = _filtered(rows, filtered).subquery("counted")
    return (
        select(counted.c.value, func.count().label("n"), func.sum(func.count()).over().cast(BigInteger).label("total"))
        .group_by(counted.c.value)
        .order_by(func.count().desc(), counted.c.value)
        .limit(MAX_GROUPS)
    )


def latency_bucket(run: FromClause, median_ns: ColumnElement[Any]) -> ColumnElement[str]:
    """The bucket of a run, given its agent's median duration (NULL when the agent has no history)."""
    elapsed = func.coalesce(run.c.completed_ns, NOW) - run.c.started_ns
    silent = and_(run.c.state == RunState.LIVE.value, run.c.last_seen_ns < NOW - STALLED_NS)
    slow = or_(elapsed > run.c.time_limit_ms * 800_000, elapsed > median_ns * 2)
    return case((silent, LatencyBucket.STALLED.value), (slow, LatencyBucket.SLOW.value), else_=LatencyBucket.OK.value)


def evidence_health(run: FromClause) -> ColumnElement[str]:
    """Whether the run's evidence is whole: steps, no gap, no refused span, every model call priced."""
    partial = or_(
        run.c.missing_span_count > 0, run.c.refused_span_count > 0, run.c.cost_status != CostStatus.COMPLETE.value
    )
    return case(
        (run.c.step_count == 0, EvidenceHealth.MISSING.value),
        (partial, EvidenceHealth.DEGRADED.value),
        else_=EvidenceHealth.FLOWING.value,
    )


def _medians(agents: Select[Any], name: str) -> FromClause:
    """The median duration of each agent's last completed runs."""
    agent = agents.subquery("agents")
    past = runs.alias("past")
    history = (
        select((past.c.completed_ns - past.c.started_ns).label("taken_ns"))
        .where(
            past.c.tenant_id == TENANT,
            past.c.agent_id == agent.c.agent_id,
            past.c.state == RunState.COMPLETED.value,
            ~past.c.withdrawn,
        )
        .order_by(past.c.started_ns.desc())
        .limit(HISTORY)
        .correlate(agent)
        .subquery("history")
    )
    median = select(func.percentile_cont(0.5).within_group(history.c.taken_ns)).select_from(history).scalar_subquery()
    return select(agent.c.agent_id.label("of_agent"), median.label("median_ns")).cte(name)


def _kept(medians: FromClause) -> ColumnElement[bool]:
    """True where there are runs: PostgreSQL computes a CTE once only when the statement names it twice."""
    return select(medians.c.of_agent).exists()


@lru_cache(maxsize=1)
def _all_medians() -> FromClause:
    return _medians(select(runs.c.agent_id).where(MINE).distinct(), "all_medians")


def _latency_of_any() -> ColumnElement[str]:
    """The bucket of each of the tenant's runs, in a statement that `_with_medians` has given the medians."""
    return latency_bucket(runs, _all_medians().c.median_ns)


def _with_medians(statement: Select[Any]) -> Select[Any]:
    """Join each run's agent; a subquery would look through all agents for each run."""
    medians = _all_medians()
    return statement.select_from(runs.join(medians, medians.c.of_agent == runs.c.agent_id)).where(_kept(medians))


def _any_of(column: ColumnElement[Any]) -> Callable[[str], ColumnElement[bool]]:
    return lambda name: column == func.any(bindparam(name, type_=ARRAY(Text)))


def _is(column: ColumnElement[Any]) -> Callable[[str], ColumnElement[bool]]:
    return lambda name: column == bindparam(name, type_=column.type)


def _text(name: str) -> ColumnElement[bool]:
    pattern = bindparam(name, type_=Text)
    fields = (runs.c.goal, runs.c.agent_name, runs.c.agent_id, runs.c.error_message, runs.c.error_code)
    return or_(*(field.ilike(pattern, escape="\\") for field in fields))


def _risky(name: str) -> ColumnElement[bool]:
    risky = or_(runs.c.risk_level != RiskLevel.NORMAL.value, runs.c.incident_count > 0, runs.c.policy_violation)
    return risky == bindparam(name)


def _ns(column: ColumnElement[Any], *, after: bool) -> Callable[[str], ColumnElement[bool]]:
    def bound(name: str) -> ColumnElement[bool]:
        instant = bindparam(name, type_=BigInteger)
        return column >= instant if after else column < instant

    return bound


FILTERS: Mapping[str, Callable[[str], ColumnElement[bool]]] = {
    "project_id": _is(runs.c.project_id),
    "agent_id": _is(runs.c.agent_id),
    "state": _is(runs.c.state),
    "status": _any_of(runs.c.status),
    "risk": _risky,
    "risk_level": _any_of(runs.c.risk_level),
    "latency_bucket": _any_of(_latency_of_any()),
    "evidence_health": _any_of(evidence_health(runs)),
    "source": _any_of(runs.c.source),
    "provider_type": _any_of(runs.c.provider_type),
    "model": _any_of(runs.c.model),
    "is_synthetic": _is(runs.c.is_synthetic),
    "parent_key": _is(runs.c.parent_run_id),
    "started_after": _ns(runs.c.started_ns, after=True),
    "started_before": _ns(runs.c.started_ns, after=False),
    "completed_after": _ns(runs.c.completed_ns, after=True),
    "completed_before": _ns(runs.c.completed_ns, after=False),
    "text": _text,
}

GROUPINGS: Mapping[RunGrouping, Callable[[], ColumnElement[Any]]] = {
    RunGrouping.STATUS: lambda: runs.c.status,
    RunGrouping.STATE: lambda: runs.c.state,
    RunGrouping.RISK_LEVEL: lambda: runs.c.risk_level,
    RunGrouping.LATENCY_BUCKET: _latency_of_any,
    RunGrouping.EVIDENCE_HEALTH: lambda: evidence_health(runs),
    RunGrouping.SOURCE: lambda: runs.c.source,
    RunGrouping.PROVIDER_TYPE: lambda: runs.c.provider_type,
    RunGrouping.MODEL: lambda: runs.c.model,
    RunGrouping.AGENT: lambda: runs.c.agent_id,
    RunGrouping.PROJECT: lambda: runs.c.project_id,
}


def filter_params(wanted: RunFilter) -> tuple[frozenset[str], dict[str, object]]:
    """Which filters are set, and their parameters as the database takes them."""
    params: dict[str, object] = {}
    for name in FILTERS:
        value = getattr(wanted, name)
        if value is None or value == ():
            continue
        if name.endswith(("_after", "_before")):
            value = bound_ns(value)
        elif name == "text":
            value = LIKE_SPECIAL.sub(r"\\\g<0>", value).join("%%")
        params[f"by_{name}"] = list(value) if isinstance(value, tuple) else value
    return frozenset(name[3:] for name in params), params


def _filtered(statement: Select[Any], filtered: frozenset[str]) -> Select[Any]:
    if "latency_bucket" in filtered:
        statement = _with_medians(statement)
    return statement.where(MINE, *(FILTERS[name](f"by_{name}") for name in sorted(filtered)))
