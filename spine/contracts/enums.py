"""Every closed set of the product; the GraphQL enums and the tables' CHECKs are held against these by a test.

Names are those of the system the seed describes; its lower-case values are upper case here, once and everywhere.
"""

from enum import StrEnum

from spine.contracts.enums_capture import CaptureFailureReason as CaptureFailureReason  # noqa: PLC0414 - handed on
from spine.contracts.enums_capture import CaptureGrade as CaptureGrade  # noqa: PLC0414 - handed on
from spine.contracts.enums_capture import CaptureResolution as CaptureResolution  # noqa: PLC0414 - handed on
from spine.contracts.enums_capture import CaptureState as CaptureState  # noqa: PLC0414 - handed on
from spine.contracts.enums_capture import CaptureStatus as CaptureStatus  # noqa: PLC0414 - handed on
from spine.contracts.enums_capture import EnvironmentSource as EnvironmentSource  # noqa: PLC0414 - handed on
from spine.contracts.enums_capture import EvidenceClass as EvidenceClass  # noqa: PLC0414 - handed on
from spine.contracts.enums_proof import BreakKind as BreakKind  # noqa: PLC0414 - handed on
from spine.contracts.enums_proof import ExportFormat as ExportFormat  # noqa: PLC0414 - handed on
from spine.contracts.enums_proof import ExportKind as ExportKind  # noqa: PLC0414 - handed on
from spine.contracts.enums_proof import IntegrityModel as IntegrityModel  # noqa: PLC0414 - handed on
from spine.contracts.enums_proof import LeafKind as LeafKind  # noqa: PLC0414 - handed on
from spine.contracts.enums_proof import LogFaultKind as LogFaultKind  # noqa: PLC0414 - handed on
from spine.contracts.enums_proof import PayloadState as PayloadState  # noqa: PLC0414 - handed on
from spine.contracts.enums_proof import VerificationStatus as VerificationStatus  # noqa: PLC0414 - handed on
from spine.contracts.enums_replay import DecisionKind as DecisionKind  # noqa: PLC0414 - handed on
from spine.contracts.enums_replay import DivergenceKind as DivergenceKind  # noqa: PLC0414 - handed on
from spine.contracts.enums_replay import ReplayBehavior as ReplayBehavior  # noqa: PLC0414 - handed on
from spine.contracts.enums_replay import ReplayOutcome as ReplayOutcome  # noqa: PLC0414 - handed on
from spine.contracts.enums_replay import ReplayVerdict as ReplayVerdict  # noqa: PLC0414 - handed on
from spine.contracts.enums_replay import ReservationState as ReservationState  # noqa: PLC0414 - handed on


class ActorKind(StrEnum):
    """Who acted."""

    HUMAN = "HUMAN"
    SYSTEM = "SYSTEM"
    SERVICE = "SERVICE"
    AGENT = "AGENT"


class Role(StrEnum):
    """What a key's holder may do; MACHINE holds exactly the scopes listed on its key."""

    VIEWER = "VIEWER"
    MEMBER = "MEMBER"
    ADMIN = "ADMIN"
    OWNER = "OWNER"
    MACHINE = "MACHINE"


class Permission(StrEnum):
    """One right; roles and machine scopes are sets of these."""

    RUNS_READ = "runs:read"
    POLICIES_READ = "policies:read"
    AGENTS_READ = "agents:read"
    INCIDENTS_READ = "incidents:read"
    REPORTS_READ = "reports:read"
    TENANT_READ = "tenant:read"
    RUNS_WRITE = "runs:write"
    POLICIES_WRITE = "policies:write"
    AGENTS_WRITE = "agents:write"
    RUNS_REDACT = "runs:redact"
    PAYLOADS_READ = "payloads:read"
    AUDIT_READ = "audit:read"
    API_KEYS_READ = "api_keys:read"
    API_KEYS_MANAGE = "api_keys:manage"
    BILLING_READ = "billing:read"
    BILLING_MANAGE = "billing:manage"
    DOCUMENTS_MANAGE = "documents:manage"
    SCHEMA_EXPLORE = "schema:explore"
    LOG_MANAGE = "log:manage"


class RunStatus(StrEnum):
    """Where a run stands; RUNNING is LIVE, every other value is COMPLETED."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    FAILED_POLICY = "FAILED_POLICY"
    CANCELLED = "CANCELLED"


class RunState(StrEnum):
    """Whether a run is still going on."""

    LIVE = "LIVE"
    COMPLETED = "COMPLETED"


class RunSource(StrEnum):
    """How a run reached the server: AGENT by telemetry (OTLP), SDK by mutations."""

    AGENT = "AGENT"
    SDK = "SDK"


class ProviderType(StrEnum):
    """The model provider's family."""

    OPENAI = "OPENAI"
    ANTHROPIC = "ANTHROPIC"
    INTERNAL = "INTERNAL"
    OTHER = "OTHER"


class RiskLevel(StrEnum):
    """How close a run came to its rules and limits; it only rises."""

    NORMAL = "NORMAL"
    NEAR_THRESHOLD = "NEAR_THRESHOLD"
    AT_RISK = "AT_RISK"
    VIOLATED = "VIOLATED"


class LatencyBucket(StrEnum):
    """How a run's time compares with its limit and its agent's habit."""

    OK = "OK"
    SLOW = "SLOW"
    STALLED = "STALLED"


class EvidenceHealth(StrEnum):
    """Whether the run's evidence arrives whole."""

    FLOWING = "FLOWING"
    DEGRADED = "DEGRADED"
    MISSING = "MISSING"


class CostStatus(StrEnum):
    """Whether every counted model call has a price; an unknown price is never counted as zero."""

    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"
    UNKNOWN = "UNKNOWN"


class TerminationReason(StrEnum):
    """Why a run ended."""

    COMPLETED = "COMPLETED"
    POLICY_BLOCK = "POLICY_BLOCK"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    USER_ABORT = "USER_ABORT"
    SYSTEM_FAILURE = "SYSTEM_FAILURE"
    TIMEOUT = "TIMEOUT"


class StepKind(StrEnum):
    """What a step did."""

    CHAT = "CHAT"
    EXECUTE_TOOL = "EXECUTE_TOOL"
    EMBEDDINGS = "EMBEDDINGS"
    RETRIEVAL = "RETRIEVAL"
    OTHER = "OTHER"


class StepStatus(StrEnum):
    """How a step ended."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    RETRY = "RETRY"
    SKIPPED = "SKIPPED"


class RuleMode(StrEnum):
    """What a rule does when its condition holds; a DISABLED rule is not evaluated."""

    BLOCK = "BLOCK"
    WARN = "WARN"
    AUDIT = "AUDIT"
    DISABLED = "DISABLED"


class RuleStatus(StrEnum):
    """Rules are never deleted: they retire."""

    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class RulePhase(StrEnum):
    """When a rule is evaluated; it follows from the facts that its condition reads."""

    RUN_START = "RUN_START"
    STEP = "STEP"
    RUN_END = "RUN_END"


class Scope(StrEnum):
    """What a rule or a limit applies to; the narrowest limit of a type wins."""

    AGENT = "AGENT"
    PROJECT = "PROJECT"
    TENANT = "TENANT"
    GLOBAL = "GLOBAL"


class Consequence(StrEnum):
    """What follows a BLOCK or a breach: a signal, also an incident, also a refusal of further steps."""

    ALERT = "ALERT"
    INCIDENT = "INCIDENT"
    ABORT = "ABORT"


class EvaluationOutcome(StrEnum):
    """What a rule said about a run or a step; ERROR means that it could not be decided."""

    ALLOW = "ALLOW"
    AUDIT = "AUDIT"
    WARN = "WARN"
    BLOCK = "BLOCK"
    ERROR = "ERROR"


class DecisionType(StrEnum):
    """What kind of governance decision changed a run."""

    POLICY_EVALUATION = "POLICY_EVALUATION"
    LIMIT_ENFORCEMENT = "LIMIT_ENFORCEMENT"


class DecisionOutcome(StrEnum):
    """What was decided about a run."""

    WARNED = "WARNED"
    BLOCKED = "BLOCKED"
    STOPPED = "STOPPED"


class LimitType(StrEnum):
    """What a per-run limit measures: milliseconds, tokens, US dollars, failed steps."""

    TIME_MS = "TIME_MS"
    TOKENS_TOTAL = "TOKENS_TOTAL"
    COST_USD = "COST_USD"
    FAILURES = "FAILURES"


class LimitStatus(StrEnum):
    """Limits are never deleted: they are disabled."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class LimitLevel(StrEnum):
    """NEAR is 80 % of the limit or more, BREACH is more than the limit."""

    NEAR = "NEAR"
    BREACH = "BREACH"


class ThresholdSource(StrEnum):
    """Where the governing limit of a run comes from."""

    SYSTEM_DEFAULT = "SYSTEM_DEFAULT"
    TENANT_OVERRIDE = "TENANT_OVERRIDE"


class RiskType(StrEnum):
    """What a run risks."""

    COST = "COST"
    TIME = "TIME"
    TOKENS = "TOKENS"
    RATE = "RATE"


class SignalType(StrEnum):
    """What a signal warns of."""

    COST_RISK = "COST_RISK"
    TIME_RISK = "TIME_RISK"
    TOKEN_RISK = "TOKEN_RISK"  # noqa: S105 - a kind of risk, not a secret
    RATE_RISK = "RATE_RISK"
    POLICY_BREACH = "POLICY_BREACH"
    EVIDENCE_DEGRADED = "EVIDENCE_DEGRADED"
    RELIABILITY = "RELIABILITY"
    SECURITY = "SECURITY"
    THRESHOLD_PROXIMITY = "THRESHOLD_PROXIMITY"


class SignalSeverity(StrEnum):
    """How much attention a signal asks for: VIOLATED is HIGH, AT_RISK MEDIUM, else LOW."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class IncidentSeverity(StrEnum):
    """How bad an incident is."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class IncidentCategory(StrEnum):
    """What kind of thing went wrong."""

    EXECUTION_FAILURE = "EXECUTION_FAILURE"
    POLICY_VIOLATION = "POLICY_VIOLATION"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    RESOURCE_EXHAUSTION = "RESOURCE_EXHAUSTION"


class IncidentTrigger(StrEnum):
    """What opened an incident."""

    RUN_FAILURE = "RUN_FAILURE"
    POLICY = "POLICY"
    LIMIT = "LIMIT"


class EvidenceDomain(StrEnum):
    """A domain that contributes to a run's evidence."""

    INCIDENTS = "INCIDENTS"
    POLICIES = "POLICIES"
    CONTROLS = "CONTROLS"


class SourceStatus(StrEnum):
    """Whether a domain could be read; anything but OK means that an empty list proves nothing."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    UNAVAILABLE = "UNAVAILABLE"
    FORBIDDEN = "FORBIDDEN"


class RefusalKind(StrEnum):
    """Why a span was not taken as a step."""

    MALFORMED = "MALFORMED"
    DUPLICATE_DIFFERS = "DUPLICATE_DIFFERS"


class DocumentMode(StrEnum):
    """What becomes of a GraphQL document that is not in the tenant's list; ids of documents work in every mode."""

    OFF = "OFF"
    LOG = "LOG"
    ENFORCE = "ENFORCE"


class AuditEntityType(StrEnum):
    """What kind of object an audit entry is about."""

    RUN = "RUN"
    INGEST = "INGEST"
    SIGNAL = "SIGNAL"
    POLICY_RULE = "POLICY_RULE"
    LIMIT = "LIMIT"
    MODEL_PRICE = "MODEL_PRICE"
    API_KEY = "API_KEY"
    TENANT = "TENANT"
    OPERATION = "OPERATION"
    TRUSTED_DOCUMENT = "TRUSTED_DOCUMENT"
    LOG = "LOG"
    EXPORT = "EXPORT"


class OperationKind(StrEnum):
    """READ: a snapshot. WRITE: one transaction. STREAM: a feed. SEQUENCE: dispatches others, each in its own."""

    READ = "READ"
    WRITE = "WRITE"
    STREAM = "STREAM"
    SEQUENCE = "SEQUENCE"


class Topic(StrEnum):
    """What an event is about: each subscription follows one topic."""

    RUNS = "RUNS"
    SIGNALS = "SIGNALS"
    INCIDENTS = "INCIDENTS"
    AUDIT = "AUDIT"


class ChangeKind(StrEnum):
    """What happened to the object of an event."""

    ADDED = "ADDED"
    CHANGED = "CHANGED"
    WITHDRAWN = "WITHDRAWN"
    RESTORED = "RESTORED"
