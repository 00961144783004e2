"""What mutations answer: the changed object as it is now, or the reasons why nothing was written."""

import strawberry

from schema.activity.run import Run
from schema.activity.signal import Signal
from schema.analytics.model_price import ModelPrice
from schema.controls.limit import Limit
from schema.errors import UserError
from schema.integrations.trusted_document import TrustedDocument
from schema.logs.export import Export
from schema.logs.replay import Replay, ReplayedDecision, ReplayedStep
from schema.policies.rule import PolicyRule
from spine.contracts.enums import DocumentMode


@strawberry.interface(description="What every mutation answers.")
class Payload:
    """The part that all payloads have."""

    user_errors: list[UserError] = strawberry.field(description="Why nothing was written; empty when it was.")


@strawberry.type(description="A run that was reported on, or erased.")
class RunPayload(Payload):
    """Of startRun, appendSteps, completeRun, captureEnvironment and redactRun."""

    run: Run | None = strawberry.field(
        description="The run as it is now; null when nothing was written, or when the key may not read runs."
    )
    run_id: strawberry.ID | None = strawberry.field(
        description="The run's global id, also for a key that may only report; null when nothing was written."
    )


@strawberry.type(description="A signal with new feedback.")
class SignalPayload(Payload):
    """Of acknowledgeSignal, suppressSignal, reopenSignal and escalateSignal."""

    signal: Signal | None = strawberry.field(description="The signal as it is now; null when nothing was written.")


@strawberry.type(description="A rule that was written.")
class PolicyRulePayload(Payload):
    """Of createPolicyRule, updatePolicyRule and retirePolicyRule."""

    policy_rule: PolicyRule | None = strawberry.field(
        description="The rule as it is now; null when nothing was written."
    )


@strawberry.type(description="A limit that was written.")
class LimitPayload(Payload):
    """Of createLimit, updateLimit and disableLimit."""

    limit: Limit | None = strawberry.field(description="The limit as it is now; null when nothing was written.")


@strawberry.type(description="A price that was set.")
class ModelPricePayload(Payload):
    """Of setModelPrice."""

    model_price: ModelPrice | None = strawberry.field(
        description="The price as it is now; null when nothing was written."
    )


@strawberry.type(description="Trusted documents that were added or retired.")
class TrustedDocumentsPayload(Payload):
    """Of addTrustedDocuments and retireTrustedDocuments."""

    trusted_documents: list[TrustedDocument] | None = strawberry.field(
        description="The documents as they are now, in the order of the input; null when nothing was written."
    )


@strawberry.type(description="A run that was replayed.")
class ReplayPayload(Payload):
    """Of replayRun."""

    replay: Replay | None = strawberry.field(description="The replay, as it is kept; null when there was none.")
    steps: list[ReplayedStep] | None = strawberry.field(
        description="What became of each step, in the order in which they started."
    )
    decisions: list[ReplayedDecision] | None = strawberry.field(
        description="What became of each record of the run's evidence, in its order."
    )


@strawberry.type(description="The mode that was set.")
class DocumentModePayload(Payload):
    """Of setDocumentMode."""

    document_mode: DocumentMode | None = strawberry.field(
        description="The mode as it is now; null when nothing was written."
    )


@strawberry.type(description="A file that was made.")
class ExportPayload(Payload):
    """Of exportRun, exportIncident and exportPeriod."""

    export: Export | None = strawberry.field(description="What is kept of it; null when none was made.")
    content: str | None = strawberry.field(description="The file, to be kept byte for byte as UTF-8.")
