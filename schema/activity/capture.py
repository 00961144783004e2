"""What was captured of a run: five classes of evidence, what is missing of each, and how complete that is."""

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any

import strawberry

from schema.activity.evidence import After, First
from schema.batched import check_after, rows_wanted
from schema.contract import contract_type
from schema.fields import field
from schema.relay import Connection, nested_view
from schema.selection import selection
from spine.contracts import capture
from spine.contracts.paging import NestedPage

CALLS = 20
FAILURES = 10


@contract_type(capture.MissingEvidence, name="MissingEvidence")
class MissingEvidence:
    """Something that a run's evidence lacks."""


@contract_type(capture.CapturedClass, name="CapturedClass")
class CapturedClass:
    """How much of one class of evidence was captured."""


@contract_type(capture.CaptureCompleteness, name="CaptureCompleteness")
class CaptureCompleteness:
    """How complete a run's evidence is: the share of what is expected of it that was captured."""


@contract_type(capture.EnvironmentAttribute, name="EnvironmentAttribute")
class EnvironmentAttribute:
    """One attribute of the environment in which a run was made."""


@contract_type(capture.ActivityEvidence, name="ActivityEvidence")
class ActivityEvidence:
    """What was captured of one model call, as its chained step holds it."""


@contract_type(capture.ProviderEvidence, name="ProviderEvidence")
class ProviderEvidence:
    """What was captured of the provider that answered one model call."""


@contract_type(capture.PolicyEvidence, name="PolicyEvidence")
class PolicyEvidence:
    """How often rules said the same of a run."""


@contract_type(capture.SealEvidence, name="SealEvidence")
class SealEvidence:
    """The latest seal of a run, as it is stored; `proof` recomputes it."""


@contract_type(capture.CaptureFailure, name="CaptureFailure")
class CaptureFailure:
    """A time when evidence could not be captured; recorded outside of what failed."""


@contract_type(
    capture.RunCapture,
    name="RunCapture",
    omit=("activity", "provider", "failures", "computed_at"),
    ids=("run_id",),
)
class RunCapture:
    """What was captured of a run. Nothing in it is invented: what nobody sent is listed as missing."""

    @field("Its model calls in the order in which they started.", Connection[ActivityEvidence])
    def activity(self: Any, info: strawberry.Info, first: First = CALLS, after: After = strawberry.UNSET) -> Any:
        """A slice of what was loaded."""
        return _calls(self.activity, info, first, after)

    @field("Who answered its model calls, in the same order.", Connection[ProviderEvidence])
    def provider(self: Any, info: strawberry.Info, first: First = CALLS, after: After = strawberry.UNSET) -> Any:
        """A slice of what was loaded."""
        return _calls(self.provider, info, first, after)

    @field("Times when evidence of it could not be captured, newest first.", Connection[CaptureFailure])
    def failures(self: Any, info: strawberry.Info, first: First = FAILURES, after: After = strawberry.UNSET) -> Any:
        """A slice of what was loaded."""
        check_after(info, after)
        return nested_view(self.failures, first, after, _failure_identity)

    computed_at: datetime = strawberry.field(description="When it was read (UTC).")


def _calls(page: NestedPage[Any], info: strawberry.Info, first: int, after: str | None) -> Any:
    check_after(info, after)
    return nested_view(page, first, after, _call_identity)


def _call_identity(call: capture.ActivityEvidence | capture.ProviderEvidence) -> str:
    return call.span_id


def _failure_identity(failure: capture.CaptureFailure) -> str:
    return str(failure.key)


def capture_rows(info: strawberry.Info, _given: Mapping[str, Any]) -> Mapping[str, Hashable]:
    """How many model calls and failures the query needs: the most of all aliases; what is not selected is not read."""
    calls = [*_rows(info, "activity", CALLS), *_rows(info, "provider", CALLS)]
    wanted: dict[str, Hashable] = {"calls": max(calls)} if calls else {}
    failures = _rows(info, "failures", FAILURES)
    return {**wanted, "failures": max(failures)} if failures else wanted


def _rows(info: strawberry.Info, name: str, default: int) -> list[int]:
    below = selection(info)
    return [rows_wanted(info, given, default) for given in below.arguments(name)] if name in below else []
