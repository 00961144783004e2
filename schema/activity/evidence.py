"""A run's evidence: lists from three domains, loaded together, each sliced by the arguments of its own field."""

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Annotated, Any

import strawberry

from schema.batched import check_after, rows_wanted
from schema.contract import contract_type
from schema.controls.breach import LimitBreach
from schema.fields import field
from schema.incidents.incident import Incident
from schema.policies.evaluation import Decision, PolicyEvaluation
from schema.relay import Connection, nested_view
from schema.selection import selection
from spine.contracts import evidence
from spine.contracts.enums import EvidenceDomain
from spine.contracts.paging import NestedPage

INCIDENTS = 10
POLICIES = 20
LIMITS = 10
DECISIONS = 10

LISTS = (
    ("incidentsCaused", "incidents", INCIDENTS),
    ("policiesEvaluated", "policies", POLICIES),
    ("limitsHit", "limits", LIMITS),
    ("decisionsMade", "decisions", DECISIONS),
)
"""GraphQL field, field of the request and of the contract, default of `first`."""

First = Annotated[int, strawberry.argument(description="How many rows, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Go on after this cursor; under a single parent only.")]


@contract_type(evidence.EvidenceSource, name="EvidenceSource")
class EvidenceSource:
    """Whether a domain could be read for this run; only OK makes an empty list mean that nothing happened."""


@contract_type(
    evidence.RunEvidence,
    name="RunEvidence",
    omit=("incidents", "policies", "limits", "decisions", "sources", "computed_at"),
    ids=("run_id",),
)
class RunEvidence:
    """What a run touched. A list is null when its domain could not be read, and then `sources` says why."""

    @field("Incidents that it caused.", Connection[Incident] | None)
    def incidents_caused(
        self: Any, info: strawberry.Info, first: First = INCIDENTS, after: After = strawberry.UNSET
    ) -> Any:
        """A slice of what was loaded."""
        return _part(self.incidents, info, first, after)

    @field("What rules said of it; ALLOW is summed by rule version.", Connection[PolicyEvaluation] | None)
    def policies_evaluated(
        self: Any, info: strawberry.Info, first: First = POLICIES, after: After = strawberry.UNSET
    ) -> Any:
        """A slice of what was loaded."""
        return _part(self.policies, info, first, after)

    @field("Limits that it came near to or passed.", Connection[LimitBreach] | None)
    def limits_hit(self: Any, info: strawberry.Info, first: First = LIMITS, after: After = strawberry.UNSET) -> Any:
        """A slice of what was loaded."""
        return _part(self.limits, info, first, after)

    @field("Governance decisions that changed it.", Connection[Decision] | None)
    def decisions_made(
        self: Any, info: strawberry.Info, first: First = DECISIONS, after: After = strawberry.UNSET
    ) -> Any:
        """A slice of what was loaded."""
        return _part(self.decisions, info, first, after)

    sources: list[EvidenceSource] = strawberry.field(
        description="The domains that were read for this object: those whose lists were selected, else all three.",
        metadata={"size": len(EvidenceDomain)},
    )
    computed_at: datetime = strawberry.field(description="When it was read (UTC).")


def _part(page: NestedPage[Any] | None, info: strawberry.Info, first: int, after: str | None) -> Any:
    check_after(info, after)
    return nested_view(page, first, after) if page is not None else None


def evidence_rows(info: strawberry.Info, _given: Mapping[str, Any]) -> Mapping[str, Hashable]:
    """How many rows of each list the query needs: the most of all aliases; unselected domains stay unread."""
    below = selection(info)
    wanted: dict[str, Hashable] = {
        name: max(rows_wanted(info, given, default) for given in below.arguments(field))
        for field, name, default in LISTS
        if field in below
    }
    if not wanted and "sources" in below:
        wanted["probe"] = frozenset(EvidenceDomain)
    return wanted
