"""Ports: what one domain offers to the others through its bridge, as protocols of statement builders and judgements.

A bridge capability returns an object of one of these. Statement builders never run anything; the caller runs them in
its own session, so that several domains share one snapshot or one transaction.
"""

from spine.contracts.ports.activity import (
    NewSignal,
    RunFolding,
    RunReporting,
    RunRow,
    SignalRaising,
    SpanCost,
    SpanMapping,
    TraceFold,
)
from spine.contracts.ports.evidence import (
    IncidentsForRun,
    LimitBreaches,
    PolicyEvaluations,
    Ranked,
)
from spine.contracts.ports.governance import (
    ActiveLimit,
    ActiveRule,
    IncidentCause,
    IncidentOpening,
    LimitMeasuring,
    LimitReading,
    ModelPricing,
    NewIncident,
    PriceQuote,
    Quoting,
    RuleEvaluation,
    RuleVerdict,
    RunMeasure,
    Subject,
    TenantPrice,
)
from spine.contracts.ports.integrations import DocumentPolicies
from spine.contracts.ports.traces import (
    AuditLedgerRead,
    AuditLedgerWrite,
    FeedbackEvent,
    KnownStep,
    Refusal,
    RunStep,
    TraceHead,
    TraceHeadSummary,
    TracesStore,
    TraceWriting,
)

__all__ = [
    "ActiveLimit",
    "ActiveRule",
    "AuditLedgerRead",
    "AuditLedgerWrite",
    "DocumentPolicies",
    "FeedbackEvent",
    "IncidentCause",
    "IncidentOpening",
    "IncidentsForRun",
    "KnownStep",
    "LimitBreaches",
    "LimitMeasuring",
    "LimitReading",
    "ModelPricing",
    "NewIncident",
    "NewSignal",
    "PolicyEvaluations",
    "PriceQuote",
    "Quoting",
    "Ranked",
    "Refusal",
    "RuleEvaluation",
    "RuleVerdict",
    "RunFolding",
    "RunMeasure",
    "RunReporting",
    "RunRow",
    "RunStep",
    "SignalRaising",
    "SpanCost",
    "SpanMapping",
    "Subject",
    "TenantPrice",
    "TraceFold",
    "TraceHead",
    "TraceHeadSummary",
    "TraceWriting",
    "TracesStore",
]
