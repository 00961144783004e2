"""Signals: raising them, listing them, and finding those of runs. Signals of withdrawn runs stay unseen."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, TIMESTAMP, BigInteger, ColumnElement, Select, Text, Uuid, and_, bindparam, func, select

from domains.activity.driver import TENANT
from domains.activity.tables import runs, signals
from spine.contracts.enums import SignalSeverity, SignalType
from spine.contracts.paging import MOST_COUNTED
from spine.contracts.ports import NewSignal, Ranked
from spine.contracts.runs import PolicyContext
from spine.contracts.signals import ListSignals, SignalFilter, SignalProjection
from spine.contracts.statements import InsertRows, Read, Row
from spine.services.ids import node_id

TYPES = {kind.value: kind for kind in SignalType}
SEVERITIES = {severity.value: severity for severity in SignalSeverity}
INSTANT = TIMESTAMP(timezone=True)

INSERTED = tuple("run_id" if name == "run_key" else name for name in NewSignal.__struct_fields__)
COLUMNS = tuple(signals.c[name] for name in INSERTED)
VISIBLE = and_(
    signals.c.tenant_id == TENANT,
    ~select(runs.c.id)
    .where(runs.c.tenant_id == TENANT, runs.c.id == signals.c.run_id, runs.c.withdrawn)
    .correlate(signals)
    .exists(),
)

_ranked = (
    select(
        *COLUMNS,
        func.count().over(partition_by=signals.c.run_id).label("total"),
        func.row_number()
        .over(partition_by=signals.c.run_id, order_by=(signals.c.created_at.desc(), signals.c.id.desc()))
        .label("place"),
    )
    .where(VISIBLE, signals.c.run_id == func.any(bindparam("run_keys", type_=ARRAY(Uuid()))))
    .subquery("ranked")
)
FOR_RUNS = (
    select(_ranked)
    .where(_ranked.c.place <= bindparam("first", type_=BigInteger))
    .order_by(_ranked.c.run_id, _ranked.c.place)
)
BY_KEY = select(*COLUMNS).where(VISIBLE, signals.c.id == func.any(bindparam("signal_keys", type_=ARRAY(Uuid()))))

_context_decoder = msgspec.json.Decoder(PolicyContext)


def insert_signals(raised: Sequence[NewSignal]) -> InsertRows:
    """Raise signals; known fingerprints are left out."""
    return InsertRows(signals, INSERTED, [_values(signal) for signal in raised], conflict="skip")


def _values(signal: NewSignal) -> list[object]:
    context = signal.policy_context
    encoded = None if context is None else msgspec.json.encode(context)
    return [encoded if name == "policy_context" else getattr(signal, name) for name in NewSignal.__struct_fields__]


def signals_for_runs(run_keys: Sequence[UUID], first: int) -> Read[Ranked[SignalProjection]]:
    """The newest `first` signals below each run, with totals."""
    params = {"run_keys": list(run_keys), "first": first}
    return Read(FOR_RUNS, params, lambda row: Ranked(row[1], row[len(COLUMNS)], decode_signal(row)))


def signals_by_key(signal_keys: Sequence[UUID]) -> Read[SignalProjection]:
    """The signals with these keys."""
    return Read(BY_KEY, {"signal_keys": list(signal_keys)}, decode_signal)


def signals_page(request: ListSignals, after: tuple[datetime, UUID] | None) -> Read[SignalProjection]:
    """One row more than `first`, newest first, after the given (created_at, id)."""
    filtered, params = _filter_params(request.filter)
    params["limit"] = request.page.first + 1
    if after is not None:
        params |= {"after_at": after[0], "after_id": after[1]}
    return Read(_page(filtered, after=after is not None), params, decode_signal)


def signals_count(wanted: SignalFilter) -> Read[int]:
    """How many signals the filter lets through; one more than `MOST_COUNTED` where there are more."""
    filtered, params = _filter_params(wanted)
    return Read(_count(filtered), params, lambda row: int(row[0]))


@lru_cache(maxsize=64)
def _page(filtered: frozenset[str], *, after: bool) -> Select[Any]:
    page = _filtered(select(*COLUMNS), filtered)
    if after:
        cursor = func.row(bindparam("after_at", type_=INSTANT), bindparam("after_id", type_=Uuid()))
        page = page.where(func.row(signals.c.created_at, signals.c.id) < cursor)
    newest = (signals.c.created_at.desc(), signals.c.id.desc())
    return page.order_by(*newest).limit(bindparam("limit", type_=BigInteger))


@lru_cache(maxsize=64)
def _count(filtered: frozenset[str]) -> Select[Any]:
    counted = _filtered(select(signals.c.id), filtered).limit(MOST_COUNTED + 1).subquery("counted")
    return select(func.count()).select_from(counted)


FILTERS: Mapping[str, Callable[[str], ColumnElement[bool]]] = {
    "type": lambda name: signals.c.type == func.any(bindparam(name, type_=ARRAY(Text))),
    "severity": lambda name: signals.c.severity == func.any(bindparam(name, type_=ARRAY(Text))),
    "created_after": lambda name: signals.c.created_at >= bindparam(name, type_=INSTANT),
    "created_before": lambda name: signals.c.created_at < bindparam(name, type_=INSTANT),
}


def _filter_params(wanted: SignalFilter) -> tuple[frozenset[str], dict[str, object]]:
    params: dict[str, object] = {}
    for name in FILTERS:
        value = getattr(wanted, name)
        if value is not None and value != ():
            params[f"by_{name}"] = list(value) if isinstance(value, tuple) else value
    return frozenset(name[3:] for name in params), params


def _filtered(statement: Select[Any], filtered: frozenset[str]) -> Select[Any]:
    return statement.where(VISIBLE, *(FILTERS[name](f"by_{name}") for name in sorted(filtered)))


def decode_signal(row: Row) -> SignalProjection:
    """One row of `COLUMNS`."""
    return SignalProjection(
        key=row[0],
        id=node_id("Signal", row[0]),
        run_key=row[1],
        fingerprint=row[2],
        type=TYPES[row[3]],
        severity=SEVERITIES[row[4]],
        dimension=row[5],
        source=row[6],
        summary=row[7],
        policy_context=None if row[8] is None else _context_decoder.decode(row[8]),
        created_at=row[9],
    )
