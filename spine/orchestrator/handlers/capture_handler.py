"""Evidence capture: adding to what is known of a run's environment, and what was captured of runs."""

from domains.logs import engine_capture
from spine.contracts.capture import CaptureEnvironment, CaptureRequest, RunCapture
from spine.contracts.enums import OperationKind, Permission
from spine.contracts.operations import Operation
from spine.contracts.runs import RunChanged
from spine.orchestrator.coordinators.evidence_capture_coordinator import (
    CAPTURING,
    capture_environment,
    keep_capture_failure,
)
from spine.orchestrator.coordinators.run_capture_coordinator import READING, RunCaptureCoordinator
from spine.orchestrator.disclosures import of_batch

OPERATIONS = (
    Operation(
        name="logs.capture",
        kind=OperationKind.WRITE,
        request=CaptureEnvironment,
        result=RunChanged,
        handler=capture_environment,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=CAPTURING,
        cost=10,
        idempotent=True,
        validate=engine_capture.check_capture,
        summary="Add to what is known of the environment in which a run was made.",
        on_failure=keep_capture_failure,
    ),
    Operation(
        name="logs.run_capture",
        kind=OperationKind.READ,
        request=CaptureRequest,
        result=RunCapture,
        handler=RunCaptureCoordinator.run_captures,
        permission=Permission.RUNS_READ,
        cross_domain_deps=READING,
        cost=5,
        batch_key="run_keys",
        discloses=of_batch,
        summary="What was captured of runs in five classes of evidence, and how complete it is.",
    ),
)
