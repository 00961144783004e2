"""What the spine counts for operators, as Prometheus metrics: operations, pool, ingested spans, broken chains, events.

Every name is bound by the program, never by a client, so the number of series is too. An operation's figures are
written when its transaction has ended. Gauges are summed over the live processes of one server.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from spine.contracts.enums import BreakKind
from spine.contracts.errors import HocError
from spine.contracts.log import Integrated, Signing
from spine.contracts.proof import RunProof
from spine.contracts.runs import IngestOutcome

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of durations: a warm page takes a few milliseconds, the deadline is 10 s."""

disable_created_metrics()  # type: ignore[no-untyped-call] # a third of a scrape, and nobody asks for them

OPERATIONS: Final = Counter("hoc_operations_total", "Operations dispatched, by outcome.", ["operation", "code"])
OPERATION_SECONDS: Final = Histogram(
    "hoc_operation_duration_seconds", "How long operations took.", ["operation"], buckets=SECONDS
)
SPANS: Final = Counter("hoc_ingest_spans_total", "Spans of committed exports, by what became of them.", ["result"])
PROOF_FAILURES: Final = Counter("hoc_proof_failures_total", "Proofs that were answered FAILED, by break.", ["kind"])
FEEDS: Final = Gauge("hoc_feeds_open", "Subscriptions that are followed.", multiprocess_mode="livesum")
EVENT_LAG: Final = Gauge(
    "hoc_event_lag_seconds", "Age of the oldest event of the batch read last.", multiprocess_mode="livemax"
)
ACCESS_RECORDS: Final = Counter(
    "hoc_access_records_total", "Lines of the access log, by what became of them.", ["result"]
)
POOL_MAX: Final = Gauge("hoc_pool_connections_max", "Most connections to hold.", multiprocess_mode="livesum")
POOL_USED: Final = Gauge("hoc_pool_connections_used", "Connections lent out now.", multiprocess_mode="livesum")
POOL_WAITING: Final = Gauge("hoc_pool_waiting", "Requests that wait for a connection.", multiprocess_mode="livesum")
POOL_SECONDS: Final = Histogram("hoc_pool_acquire_seconds", "How long a connection was waited for.", buckets=SECONDS)
POOL_FAILED: Final = Counter("hoc_pool_failures_total", "Connections not had in time: all taken, or no database.")

LOG_LEAVES: Final = Counter("hoc_log_leaves_total", "Leaves that got their place in a tenant's log.")
LOG_PENDING: Final = Gauge(
    "hoc_log_pending_leaves", "Leaves that waited behind the batch integrated last.", multiprocess_mode="livemax"
)
LOG_WAITING: Final = Gauge(
    "hoc_log_tenants_waiting",
    "Tenants with leaves without index or signature, at the last look.",
    multiprocess_mode="livemax",
)
LOG_CHECKPOINTS: Final = Counter("hoc_log_signings_total", "Attempts to sign a log, by what came of them.", ["result"])
LOG_TREE_SIZE: Final = Gauge("hoc_log_tree_size", "Leaves of the log signed last.", multiprocess_mode="livemax")
LOG_SIGNED_AT: Final = Gauge(
    "hoc_log_checkpoint_timestamp_seconds", "When a checkpoint was signed last.", multiprocess_mode="livemax"
)

LOG_VOUCHERS: Final = Counter(
    "hoc_log_vouchers_total", "Outsiders asked to vouch for a checkpoint, by what came of it.", ["kind", "result"]
)
LOG_UNVOUCHED: Final = Gauge(
    "hoc_log_unvouched_tenants",
    "Tenants whose newest checkpoints lack an outsider's word, at the last look.",
    ["kind"],
    multiprocess_mode="livemax",
)

for _kind in ("witness", "authority"):
    for _result in ("kept", "refused", "unreachable"):
        LOG_VOUCHERS.labels(_kind, _result)
for _result in ("signed", "refused"):
    LOG_CHECKPOINTS.labels(_result)
for _result in ("accepted", "duplicate", "refused"):
    SPANS.labels(_result)  # a series that is there from the start shows its first increase
for _result in ("written", "retried", "lost"):
    ACCESS_RECORDS.labels(_result)
for _break in BreakKind:
    PROOF_FAILURES.labels(_break)


def count_operation(operation: str, error: HocError | None, seconds: float) -> None:
    """Count one dispatch."""
    _outcomes(operation, "OK" if error is None else error.code.value).inc()
    _durations(operation).observe(seconds)


def count_spans(outcome: IngestOutcome) -> None:
    """Count the spans of an export that was committed."""
    SPANS.labels("accepted").inc(outcome.accepted)
    SPANS.labels("duplicate").inc(outcome.duplicates)
    SPANS.labels("refused").inc(outcome.refused)


def count_breaks(proofs: Mapping[object, RunProof | HocError]) -> None:
    """Count the proofs that failed; a run that is asked for again counts again."""
    for proof in proofs.values():
        first = proof.integrity.first_break if isinstance(proof, RunProof) else None
        if first is not None:
            PROOF_FAILURES.labels(first.kind).inc()


def count_integrated(integrated: Integrated) -> None:
    """Count the leaves of a batch, and tell how many wait behind it."""
    LOG_LEAVES.inc(integrated.count)
    if not integrated.busy:
        LOG_PENDING.set(integrated.waiting)


def count_signing(signing: Signing) -> None:
    """Count what came of signing a log."""
    if signing.refusal is not None:
        LOG_CHECKPOINTS.labels("refused").inc()
    elif signing.signed:
        LOG_CHECKPOINTS.labels("signed").inc()
        LOG_TREE_SIZE.set(signing.tree_size)
        LOG_SIGNED_AT.set_to_current_time()


@contextmanager
def waiting_for_connection() -> Iterator[None]:
    """Measure how long a connection is waited for; one that is had counts as lent out."""
    began = time.perf_counter()
    POOL_WAITING.inc()
    try:
        yield
    except Exception:
        POOL_FAILED.inc()
        raise
    else:
        POOL_USED.inc()
    finally:
        POOL_WAITING.dec()
        POOL_SECONDS.observe(time.perf_counter() - began)


@cache
def _outcomes(operation: str, code: str) -> Counter:
    """Looking a series up costs more than counting."""
    return OPERATIONS.labels(operation, code)


@cache
def _durations(operation: str) -> Histogram:
    return OPERATION_SECONDS.labels(operation)
