"""The console's page in one statement: what only people see as JSON that PostgreSQL builds, what is verified as arrays.

JSON is made by `row_to_json`, which writes it as compactly as orjson does. Columns that verification hashes come as one
array each, because an array is decoded faster than as many rows.
"""

from collections.abc import Sequence
from typing import Final

from spine.contracts.ports import RunRow
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    SealRecord,
    StepRecord,
)
from tests.bench.hand_written_answer import INCIDENTS_SHOWN, SIGNALS_SHOWN
from tests.bench.hand_written_sql import COUNT, columns_of

RUN_COLUMNS: Final = columns_of(RunRow).split(", ")
PLACE_COLUMNS: Final = ("position", "trace_id", "step_index")
STEP_COLUMNS: Final = columns_of(StepRecord).split(", ")
SEAL_COLUMNS: Final = columns_of(SealRecord).split(", ")
LEAF_COLUMNS: Final = ("leaf_index", "leaf_hash")
CHAINED: Final = (
    ("policy_evaluations", EvaluationRecord, "evidence_index"),
    ("decisions", DecisionRecord, "evidence_index"),
    ("limit_breaches", BreachRecord, "evidence_index"),
    ("environment_evidence", EnvironmentRecord, "evidence_index"),
)
"""Tables whose rows of a run come as arrays, by what they are ordered."""


def _node_id(kind: str, column: str) -> str:
    """The API's global id: type and key in base64 for URLs, without padding."""
    return f"rtrim(translate(encode('{kind}:'::bytea || uuid_send({column}), 'base64'), '+/', '-_'), '=')"


def _iso(moment: str) -> str:
    """As orjson writes an instant, but for those without microseconds, of which there is one in a million."""
    return f"""to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""


def _told(row: str) -> str:
    """A row of named columns as JSON text."""
    return f"(SELECT row_to_json(told_row)::text FROM (SELECT {row}) AS told_row)"


def _shown(row: str, source: str, most: int) -> str:
    """How many there are, and the newest as elements of a JSON array."""
    return f"""(
    SELECT count(*) AS total, string_agg(told, ',' ORDER BY place) FILTER (WHERE place <= {most}) AS shown FROM (
        SELECT row_number() OVER (ORDER BY x.created_at DESC, x.id DESC) AS place, {_told(row)} AS told
        FROM {source}
    ) AS newest
)"""


def _arrays(columns: Sequence[str], source: str) -> str:
    """One array a column; `source` gives them in order."""
    return f"(SELECT {', '.join(f'array_agg({column}) AS {column}' for column in columns)} FROM ({source}) AS ordered)"


FEEDBACK: Final = f"""(
    SELECT
        bool_or(event_type = 'SignalAcknowledged') AS acknowledged,
        bool_or(event_type = 'SignalEscalated') AS escalated,
        (array_agg({_told("actor_kind AS kind, actor_id AS id, actor_name AS name")} ORDER BY created_at DESC, id DESC)
            FILTER (WHERE event_type = 'SignalAcknowledged'))[1] AS acknowledged_by,
        max(created_at) FILTER (WHERE event_type = 'SignalAcknowledged') AS acknowledged_at,
        (array_agg((after_state::json ->> 'until')::timestamptz ORDER BY created_at DESC, id DESC)
            FILTER (WHERE event_type IN ('SignalSuppressed', 'SignalReopened')))[1] AS until
    FROM audit_ledger
    WHERE tenant_id = $1 AND entity_type = 'SIGNAL' AND entity_id = x.fingerprint AND event_type = any(
        ARRAY['SignalAcknowledged', 'SignalSuppressed', 'SignalReopened', 'SignalEscalated'])
) AS f"""

INCIDENTS: Final = _shown(
    f'{_node_id("Incident", "x.id")} AS id, x.severity, x.title, {_iso("x.created_at")} AS "createdAt"',
    "incidents AS x WHERE x.tenant_id = $1 AND x.source_run_id = page.id AND NOT x.withdrawn",
    INCIDENTS_SHOWN,
)
FEEDBACK_JSON: Final = f"""(SELECT row_to_json(feedback_row) FROM (SELECT
    coalesce(f.acknowledged, false) AS acknowledged, f.acknowledged_by::json AS "acknowledgedBy",
    {_iso("f.acknowledged_at")} AS "acknowledgedAt", coalesce(f.until > now(), false) AS suppressed,
    CASE WHEN f.until > now() THEN {_iso("f.until")} END AS "suppressedUntil",
    coalesce(f.escalated, false) AS escalated) AS feedback_row)"""
SIGNALS: Final = _shown(
    f'{_node_id("Signal", "x.id")} AS id, x.type, x.severity, x.fingerprint, {_iso("x.created_at")} AS "createdAt", '
    f"{FEEDBACK_JSON} AS feedback",
    f"signals AS x CROSS JOIN LATERAL {FEEDBACK} WHERE x.tenant_id = $1 AND x.run_id = page.id",
    SIGNALS_SHOWN,
)
PLACED: Final = [f"placed_{name}" for name in PLACE_COLUMNS]
STEPS: Final = _arrays(
    [*PLACED, *STEP_COLUMNS],
    f"SELECT {', '.join(f'r.{name} AS placed_{name}' for name in PLACE_COLUMNS)}, "
    f"{', '.join(f's.{name}' for name in STEP_COLUMNS)} "
    "FROM run_steps AS r LEFT JOIN trace_steps AS s USING (tenant_id, trace_id, step_index) "
    "WHERE r.tenant_id = $1 AND r.run_id = page.id ORDER BY r.position",
)

SEALS: Final = _arrays(
    [*SEAL_COLUMNS, *LEAF_COLUMNS],
    f"SELECT {', '.join(f's.{name}' for name in SEAL_COLUMNS)}, {', '.join(f'l.{name}' for name in LEAF_COLUMNS)} "
    "FROM seals AS s LEFT JOIN log_leaves AS l "
    "ON l.tenant_id = $1 AND l.kind = 'SEAL' AND l.subject = page.id AND l.version = s.version "
    "WHERE s.tenant_id = $1 AND s.run_id = page.id ORDER BY s.version",
)


def _chained(table: str, record: type, order: str) -> str:
    columns = columns_of(record)
    rows = f"SELECT {columns} FROM {table} WHERE tenant_id = $1 AND run_id = page.id ORDER BY {order}"
    return f"CROSS JOIN LATERAL {_arrays(columns.split(', '), rows)} AS {table}"


PAGE: Final = f"""
WITH page AS MATERIALIZED (
    SELECT {columns_of(RunRow)} FROM runs
    WHERE tenant_id = $1 AND NOT withdrawn ORDER BY started_ns DESC, id DESC LIMIT $2
)
SELECT page.*, counted.total, incidents.*, signals.*, steps.*, seals.*,
    {", ".join(f"{table}.*" for table, _, _ in CHAINED)}
FROM page
CROSS JOIN ({COUNT}) AS counted (total)
CROSS JOIN LATERAL {INCIDENTS} AS incidents
CROSS JOIN LATERAL {SIGNALS} AS signals
CROSS JOIN LATERAL {STEPS} AS steps
CROSS JOIN LATERAL {SEALS} AS seals
{" ".join(_chained(*one) for one in CHAINED)}
ORDER BY page.started_ns DESC, page.id DESC
"""
