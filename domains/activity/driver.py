"""Runs as they are stored: what folding reads and writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from msgspec.structs import astuple
from sqlalchemy import ARRAY, Text, Uuid, bindparam, func, select

from domains.activity.tables import runs
from spine.contracts.enums import (
    ActorKind,
    CostStatus,
    ProviderType,
    RiskLevel,
    RunSource,
    RunState,
    RunStatus,
    TerminationReason,
)
from spine.contracts.ports import RunRow
from spine.contracts.statements import InsertRows, Read, Row
from spine.services.clock import to_ns

TENANT = bindparam("tenant_id", type_=Uuid())
LAST_NS: Final = 2**63 - 1

COLUMNS = RunRow.__struct_fields__
ROW = select(*(runs.c[name] for name in COLUMNS))
BY_TRACE = ROW.where(runs.c.tenant_id == TENANT, runs.c.trace_id == func.any(bindparam("trace_ids", type_=ARRAY(Text))))
BY_KEY = ROW.where(
    runs.c.tenant_id == TENANT, runs.c.id == func.any(bindparam("run_keys", type_=ARRAY(Uuid()))), ~runs.c.withdrawn
)
EXISTING = select(runs.c.id).where(
    runs.c.tenant_id == TENANT, runs.c.id == func.any(bindparam("run_keys", type_=ARRAY(Uuid()))), ~runs.c.withdrawn
)

ENUMS: dict[str, dict[str, Any]] = {
    name: {member.value: member for member in kind}
    for name, kind in (
        ("actor_kind", ActorKind),
        ("source", RunSource),
        ("provider_type", ProviderType),
        ("status", RunStatus),
        ("state", RunState),
        ("termination_reason", TerminationReason),
        ("cost_status", CostStatus),
        ("risk_level", RiskLevel),
    )
}
ENUM_PLACES = tuple((COLUMNS.index(name), known) for name, known in ENUMS.items())


def known_runs(trace_ids: Sequence[str]) -> Read[RunRow]:
    """Every run of the traces."""
    return Read(BY_TRACE, {"trace_ids": list(trace_ids)}, decode_run)


def runs_by_key(run_keys: Sequence[UUID]) -> Read[RunRow]:
    """The runs with these keys; a withdrawn run is absent."""
    return Read(BY_KEY, {"run_keys": list(run_keys)}, decode_run, kept=True)


def existing_runs(run_keys: Sequence[UUID]) -> Read[UUID]:
    """Which of these keys are runs that may be shown: cheap enough to ride along in every read below runs."""
    return Read(EXISTING, {"run_keys": list(run_keys)}, lambda row: cast("UUID", row[0]))


def put_runs(rows: Sequence[RunRow]) -> InsertRows:
    """Write runs, new or changed."""
    return InsertRows(runs, COLUMNS, [astuple(row) for row in rows], conflict="replace")


def bound_ns(instant: datetime) -> int:
    """A filter's bound in Unix nanoseconds; one beyond what a bigint holds bounds as the last that it does."""
    return max(-LAST_NS, min(to_ns(instant), LAST_NS))


def decode_run(row: Row) -> RunRow:
    """A stored run; a text outside a closed set stays text, so that a tampered row can still be judged."""
    values = list(row)
    for place, known in ENUM_PLACES:
        values[place] = known.get(values[place], values[place])
    return RunRow(*values)
