"""Runs, and what hangs on them."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.account import actor as _actor  # noqa: F401 - a run holds an actor
from schema.activity import policy_context as _policy_context  # noqa: F401 - and its governing limit
from schema.activity.capture import RunCapture, capture_rows
from schema.activity.evidence import RunEvidence, evidence_rows
from schema.activity.proof import RunProof, proof_arguments, proof_parts
from schema.batched import batched, batched_list
from schema.contract import contract_type
from schema.relay import Connection, Node
from spine.contracts.runs import RunSummary

if TYPE_CHECKING:
    from schema.activity.signal import Signal

SIGNALS = 10


@contract_type(RunSummary, name="Run")
class Run(Node):
    """One agent run: who ran what, when, at what cost, and how close it came to its rules and limits."""

    parent_run: Annotated["Run", strawberry.lazy("schema.activity.run")] | None = batched(
        "activity.runs_by_key",
        key="parent_key",
        description="The run that started it; null when none did.",
    )
    evidence: RunEvidence | None = batched(
        "activity.run_evidence",
        key="key",
        description="What it touched: incidents, policies, limits, decisions.",
        fills=("incidents", "policies", "limits", "decisions", "probe"),
        look_ahead=evidence_rows,
    )
    proof: RunProof | None = batched(
        "activity.run_proof",
        key="key",
        description="Whether its record is what was sealed, recomputed now.",
        arguments=proof_arguments(),
        fills=("traces", "steps", "payloads", "inclusion", "whole"),
        look_ahead=proof_parts,
    )
    capture: RunCapture | None = batched(
        "logs.run_capture",
        key="key",
        description="What was captured of it in five classes of evidence, what is missing, and how complete that is.",
        fills=("calls", "failures"),
        look_ahead=capture_rows,
    )
    signals: Connection[Annotated["Signal", strawberry.lazy("schema.activity.signal")]] | None = batched_list(
        "activity.signals_for_runs",
        key="key",
        description="The warnings that it raised, newest first.",
        first=SIGNALS,
    )
