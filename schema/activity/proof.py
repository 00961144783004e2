"""A run's proof: the verdict, traces, steps and payloads; the query says which of them are read."""

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Annotated, Any

import strawberry

from schema.batched import Argument, check_after
from schema.contract import contract_type
from schema.fields import field
from schema.logs.log import LogInclusion
from schema.relay import Connection, nested_view
from schema.selection import selection, single_parent
from spine.contracts import proof
from spine.contracts.paging import NestedPage

STEPS = 100


@contract_type(proof.FirstBreak, name="FirstBreak")
class FirstBreak:
    """The first place at which what is stored differs from what was sealed."""


@contract_type(proof.IntegrityVerification, name="IntegrityVerification")
class IntegrityVerification:
    """The verdict on a run's record, recomputed when asked."""


@contract_type(proof.TraceSummary, name="Trace", ids=("run_id",))
class Trace:
    """A trace that holds steps of the run."""


@contract_type(proof.TraceStepSummary, name="TraceStep")
class TraceStep:
    """One step of a run: a model call, a tool call or another span."""


@contract_type(proof.RawLog, name="RawLog")
class RawLog:
    """A step's payloads, verified against their commitments when read."""


@contract_type(proof.RunProofBundle, name="RunProofBundle")
class RunProofBundle:
    """A run's record with its proof, to take away: `hoc verify` checks it with nothing but the log's key.

    Payloads are not in it, only their digests.
    """


@contract_type(
    proof.RunProof,
    name="RunProof",
    omit=("integrity", "traces", "steps", "raw_logs", "inclusion", "verified_at"),
    ids=("run_id",),
)
class RunProof:
    """A run's proof. The server can be checked, not only believed: `stepHash` and `prevHash` are in every step."""

    integrity: IntegrityVerification = strawberry.field(description="The verdict.")
    traces: list[Trace] = strawberry.field(description="The traces that hold its steps.")

    @field("Its steps in the order in which they started.", Connection[TraceStep])
    def steps(
        self: Any,
        info: strawberry.Info,
        first: Annotated[int, strawberry.argument(description="How many rows, 1 to 100.")] = STEPS,
        after: Annotated[
            str | None, strawberry.argument(description="Go on after this cursor; under a single parent only.")
        ] = strawberry.UNSET,
    ) -> Any:
        """A slice of what was loaded."""
        check_after(info, after)
        view: Any = nested_view(NestedPage(self.steps, len(self.steps)), first, after, step_identity)
        return view

    raw_logs: list[RawLog] | None = strawberry.field(
        description="Payloads of its steps; null unless `includePayloads` is true and the key may read them."
    )
    inclusion: LogInclusion | None = strawberry.field(
        description="That its latest seal is in the tenant's log; null until a signed checkpoint covers it."
    )
    verified_at: datetime = strawberry.field(description="When it was verified (UTC).")


def step_identity(step: proof.TraceStepSummary) -> str:
    """What identifies a step within its run."""
    return step.span_id


def proof_arguments() -> tuple[Argument, ...]:
    """The arguments of `proof`."""
    text = "Whether payloads are read and verified as well; needs the permission PAYLOADS_READ."
    return (Argument("include_payloads", bool, default=False, description=text),)


def proof_parts(info: strawberry.Info, given: Mapping[str, Any]) -> Mapping[str, Hashable]:
    """What must be read besides the verdict; a single run is verified whole, however much evidence it has."""
    below = selection(info)
    return {
        "traces": "traces" in below,
        "steps": "steps" in below,
        "payloads": bool(given["include_payloads"]),
        "inclusion": "inclusion" in below,
        "whole": single_parent(info),
    }
