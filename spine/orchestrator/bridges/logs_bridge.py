"""What logs offers: the chain's two sides, the log's read side, the audit ledger's two sides, and evidence capture."""

from domains.logs import (
    driver,
    driver_capture,
    driver_inclusion,
    driver_ledger,
    driver_log,
    driver_proof,
    driver_redaction,
    driver_replays,
    engine_capture,
)
from spine.contracts.ports import (
    AuditLedgerRead,
    AuditLedgerWrite,
    CaptureDriver,
    LogReading,
    ReplaySizing,
    TracesStore,
    TraceWriting,
)


class _TraceWriting:
    create_heads = staticmethod(driver.create_heads)
    lock_heads = staticmethod(driver.lock_heads)
    move_heads = staticmethod(driver.move_heads)
    known_steps = staticmethod(driver.known_steps)
    assigned_hashes = staticmethod(driver.assigned_hashes)
    known_refusals = staticmethod(driver.known_refusals)
    payloads_of = staticmethod(driver.payloads_of)
    insert_steps = staticmethod(driver.insert_steps)
    insert_payloads = staticmethod(driver.insert_payloads)
    insert_run_steps = staticmethod(driver.insert_run_steps)
    insert_refusals = staticmethod(driver.insert_refusals)
    insert_environments = staticmethod(driver_capture.insert_environments)
    erase_payloads = staticmethod(driver_redaction.erase_payloads)
    erase_refused = staticmethod(driver_redaction.erase_refused)
    latest_seals = staticmethod(driver.latest_seals)
    insert_seals = staticmethod(driver.insert_seals)


class _TracesStore:
    step_records = staticmethod(driver_proof.step_records)
    seals = staticmethod(driver_proof.seals)
    payloads = staticmethod(driver_proof.payloads)
    heads = staticmethod(driver_proof.heads)
    environment_records = staticmethod(driver_capture.environment_records)


class _CaptureDriver:
    environment_of = staticmethod(engine_capture.environment_of)
    captured = staticmethod(engine_capture.captured)
    added = staticmethod(engine_capture.added)
    completeness = staticmethod(engine_capture.completeness)
    missing_of = staticmethod(engine_capture.missing_of)
    call_counts = staticmethod(driver_capture.call_counts)
    model_calls = staticmethod(driver_capture.model_calls)
    seal_summaries = staticmethod(driver_capture.seal_summaries)
    failure_counts = staticmethod(driver_capture.failure_counts)
    failures_for_runs = staticmethod(driver_capture.failures_for_runs)
    insert_failures = staticmethod(driver_capture.insert_failures)


class _LogReading:
    latest_checkpoint = staticmethod(driver_inclusion.latest_checkpoint)
    hashes = staticmethod(driver_inclusion.hashes)


class _AuditLedgerRead:
    feedback_events = staticmethod(driver_ledger.feedback_events)


class _AuditLedgerWrite:
    insert_entries = staticmethod(driver_ledger.insert_entries)
    queue_leaves = staticmethod(driver_log.queue_leaves)


class _ReplaySizing:
    payload_sizes = staticmethod(driver_replays.payload_sizes)


class LogsBridge:
    """The door to logs."""

    def traces_store_capability(self) -> TracesStore:
        """Reading chains, seals and payloads."""
        return _TracesStore()

    def replay_sizing_capability(self) -> ReplaySizing:
        """How much a replay would have to read."""
        return _ReplaySizing()

    def trace_writing_capability(self) -> TraceWriting:
        """Appending to chains and sealing."""
        return _TraceWriting()

    def log_reading_capability(self) -> LogReading:
        """What proofs of inclusion in the tenant's log are made of."""
        return _LogReading()

    def audit_ledger_read_capability(self) -> AuditLedgerRead:
        """What the ledger says of signals."""
        return _AuditLedgerRead()

    def audit_ledger_write_capability(self) -> AuditLedgerWrite:
        """Appending to the ledger, and queueing leaves of the log."""
        return _AuditLedgerWrite()

    def capture_driver_capability(self) -> CaptureDriver:
        """Captured evidence, read, written and judged."""
        return _CaptureDriver()
