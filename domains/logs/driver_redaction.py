"""The one change that payloads and refused spans allow: to be erased, with their salts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, TIMESTAMP, Integer, Table, Text, Update, bindparam, func, null, update

from domains.logs.driver import TENANT
from domains.logs.tables import span_refusals, step_payloads
from spine.contracts.statements import Write


def _erasing(table: Table, *names: str) -> Update:
    """Those of the trace that are there still, without these columns."""
    erased: dict[str, Any] = dict.fromkeys(names, null())
    return (
        update(table)
        .where(
            table.c.tenant_id == TENANT,
            table.c.trace_id == bindparam("of_trace", type_=Text),
            table.c.redacted_at.is_(None),
        )
        .values(redacted_at=bindparam("now", type_=TIMESTAMP(timezone=True)), **erased)
    )


ERASE_PAYLOADS = _erasing(step_payloads, "input", "output", "attributes", "salt").where(
    step_payloads.c.step_index == func.any(bindparam("step_indexes", type_=ARRAY(Integer)))
)
ERASE_REFUSED = _erasing(span_refusals, "body", "span_digest").where(
    span_refusals.c.span_id == func.any(bindparam("span_ids", type_=ARRAY(Text))), span_refusals.c.body.is_not(None)
)


def erase_payloads(trace_id: str, step_indexes: Sequence[int], now: datetime) -> Write:
    """Erase the payloads and salts of these steps; those that are erased already stay as they are."""
    return Write(ERASE_PAYLOADS, {"of_trace": trace_id, "step_indexes": list(step_indexes), "now": now})


def erase_refused(trace_id: str, span_ids: Sequence[str], now: datetime) -> Write:
    """Erase what is kept of refused copies of these spans."""
    return Write(ERASE_REFUSED, {"of_trace": trace_id, "span_ids": list(span_ids), "now": now})
