"""Agents, as their runs show them."""

from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Select, Text, and_, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from domains.activity.driver import TENANT, bound_ns
from domains.activity.driver_decoding import usd
from domains.activity.tables import runs
from spine.contracts.enums import CostStatus, RunState, RunStatus
from spine.contracts.runs import AgentSummary, ListAgents
from spine.contracts.statements import Read, Row
from spine.services.clock import from_ns
from spine.services.ids import text_node_id

FAILED = (RunStatus.FAILED.value, RunStatus.FAILED_POLICY.value)
MINE = and_(runs.c.tenant_id == TENANT, ~runs.c.withdrawn)


def agents_page(request: ListAgents, after: str | None) -> Read[AgentSummary]:
    """One row more than `first`, by agent id."""
    bounds, params = _bounds(request)
    params["limit"] = request.page.first + 1
    if after is not None:
        params["after_id"] = after
    return Read(_page(bounds, after=after is not None), params, decode_agent)


def agents_count(request: ListAgents) -> Read[int]:
    """How many agents have runs in the given time."""
    bounds, params = _bounds(request)
    return Read(_count(bounds), params, lambda row: int(row[0]))


def _bounds(request: ListAgents) -> tuple[frozenset[str], dict[str, object]]:
    given = {"started_after": request.started_after, "started_before": request.started_before}
    params: dict[str, object] = {name: bound_ns(value) for name, value in given.items() if value is not None}
    return frozenset(params), params


def _bounded(statement: Select[Any], bounds: frozenset[str]) -> Select[Any]:
    if "started_after" in bounds:
        statement = statement.where(runs.c.started_ns >= bindparam("started_after", type_=BigInteger))
    if "started_before" in bounds:
        statement = statement.where(runs.c.started_ns < bindparam("started_before", type_=BigInteger))
    return statement.where(MINE)


@lru_cache(maxsize=16)
def _page(bounds: frozenset[str], *, after: bool) -> Select[Any]:
    names = func.array_agg(aggregate_order_by(runs.c.agent_name, runs.c.started_ns.desc()))
    failed = case((runs.c.status == FAILED[0], 1), (runs.c.status == FAILED[1], 1))
    completed = case((runs.c.state == RunState.COMPLETED.value, 1))
    whole = case((runs.c.cost_status == CostStatus.COMPLETE.value, 1))
    statement = select(
        runs.c.agent_id,
        names[1].label("name"),
        func.count().label("run_count"),
        func.count(failed).label("failed_count"),
        func.count(completed).label("completed_count"),
        func.sum(runs.c.cost_micro_usd).cast(BigInteger).label("cost"),
        func.count(whole).label("whole_count"),
        func.max(runs.c.started_ns).label("last_ns"),
    )
    if after:
        statement = statement.where(runs.c.agent_id > bindparam("after_id", type_=Text))
    return (
        _bounded(statement, bounds)
        .group_by(runs.c.agent_id)
        .order_by(runs.c.agent_id)
        .limit(bindparam("limit", type_=BigInteger))
    )


@lru_cache(maxsize=16)
def _count(bounds: frozenset[str]) -> Select[Any]:
    return _bounded(select(func.count(runs.c.agent_id.distinct())), bounds)


def decode_agent(row: Row) -> AgentSummary:
    """One agent's row."""
    agent_id, name, run_count, failed, completed, cost, whole, last_ns = row
    some = CostStatus.UNKNOWN if cost is None else CostStatus.PARTIAL
    return AgentSummary(
        id=text_node_id("Agent", agent_id),
        agent_id=agent_id,
        name=name,
        run_count=run_count,
        failed_run_count=failed,
        error_rate=failed / completed if completed else 0.0,
        cost_usd=usd(cost),
        cost_status=CostStatus.COMPLETE if whole == run_count else some,
        last_run_at=from_ns(last_ns),
    )
