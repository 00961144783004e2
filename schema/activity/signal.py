"""Signals, and what people said of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.account import actor as _actor  # noqa: F401 - feedback holds actors
from schema.activity import policy_context as _policy_context  # noqa: F401 - a signal holds one
from schema.batched import batched
from schema.contract import contract_type
from schema.inputs import contract_input, optional, required, required_id
from schema.relay import Node
from spine.contracts import signals
from spine.contracts.enums import SignalSeverity, SignalType

if TYPE_CHECKING:
    from schema.activity.run import Run


@contract_type(signals.FeedbackEntry, name="SignalFeedbackEntry")
class SignalFeedbackEntry:
    """One thing that somebody did with a signal."""


@contract_type(signals.SignalFeedback, name="SignalFeedback")
class SignalFeedback:
    """What people said of a signal; a suppression expires by itself."""


@contract_type(signals.SignalProjection, name="Signal")
class Signal(Node):
    """A warning about one run; the same cause in the same run always has the same fingerprint."""

    run: Annotated["Run", strawberry.lazy("schema.activity.run")] | None = batched(
        "activity.runs_by_key",
        key="run_key",
        description="The run that it is about.",
    )
    feedback: SignalFeedback | None = batched(
        "activity.signal_feedback",
        key="fingerprint",
        description="What people said of it.",
    )


@contract_input(signals.SignalFilter, name="SignalFilter")
class SignalFilter:
    """Which signals are wanted; a given field must hold, a list by any of its values, unless it is empty."""

    type: list[SignalType] | None = optional("Of these types.")
    severity: list[SignalSeverity] | None = optional("Of these severities.")
    created_after: datetime | None = optional("Raised at this time or later.")
    created_before: datetime | None = optional("Raised before this time.")


@contract_input(signals.ChangeSignal, name="ChangeSignalInput")
class ChangeSignalInput:
    """Which signal the feedback is for."""

    id: strawberry.ID = required_id("signal_key", "Signal", "The signal.")
    reason: str | None = optional("Why, for people.")


@contract_input(signals.SuppressSignal, name="SuppressSignalInput")
class SuppressSignalInput:
    """Keep a signal quiet for a while."""

    id: strawberry.ID = required_id("signal_key", "Signal", "The signal.")
    until: datetime = required("Until when, at most 30 days ahead.")
    reason: str = required("Why, for people.")
