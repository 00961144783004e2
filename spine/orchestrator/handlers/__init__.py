"""Handlers: every operation of the product, one tuple a module."""

from spine.contracts.operations import Operation
from spine.orchestrator.coordinators import (
    run_bundle_coordinator,
    run_evidence_coordinator,
    run_ingest_coordinator,
    run_proof_coordinator,
    signal_feedback_coordinator,
)
from spine.orchestrator.handlers import (
    account_handler,
    activity_handler,
    analytics_handler,
    api_keys_handler,
    controls_handler,
    events_handler,
    incidents_handler,
    integrations_handler,
    log_check_handler,
    log_continuing_handler,
    log_handler,
    log_proofs_handler,
    logs_handler,
    policies_handler,
    signals_handler,
    vouchers_handler,
)

OPERATIONS: tuple[Operation, ...] = (
    *account_handler.OPERATIONS,
    *activity_handler.OPERATIONS,
    *analytics_handler.OPERATIONS,
    *api_keys_handler.OPERATIONS,
    *controls_handler.OPERATIONS,
    *events_handler.OPERATIONS,
    *incidents_handler.OPERATIONS,
    *integrations_handler.OPERATIONS,
    *log_check_handler.OPERATIONS,
    *log_continuing_handler.OPERATIONS,
    *log_handler.OPERATIONS,
    *log_proofs_handler.OPERATIONS,
    *logs_handler.OPERATIONS,
    *policies_handler.OPERATIONS,
    *run_bundle_coordinator.OPERATIONS,
    *run_evidence_coordinator.OPERATIONS,
    *run_ingest_coordinator.OPERATIONS,
    *run_proof_coordinator.OPERATIONS,
    *signal_feedback_coordinator.OPERATIONS,
    *signals_handler.OPERATIONS,
    *vouchers_handler.OPERATIONS,
)
