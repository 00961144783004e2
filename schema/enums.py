"""The contracts' enums as GraphQL enums: a sentence for each, and one for each of its values.

A value that a contract gains must be described here, else the import fails; a test holds SDL and contracts equal.
"""

from enum import StrEnum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from spine.contracts import enums as e
from spine.contracts.errors import ErrorCode
from spine.contracts.runs import EvaluationOfLimit, RunGrouping, RunOrder
from spine.contracts.signals import FeedbackKind

ENUMS: list[type[StrEnum]] = []


def describe(enum: type[StrEnum], /, **values: str) -> None:
    """Make a contract's enum a GraphQL enum; every value needs its sentence."""
    if set(values) != set(enum.__members__):
        raise TypeError(f"{enum.__name__}: {sorted(set(values) ^ set(enum.__members__))} undescribed or unknown")
    strawberry.enum(enum, description=" ".join((enum.__doc__ or "").split()))
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
        value.value = enum[value.name]  # the member: a sorted schema's enums hand on this very value
    ENUMS.append(enum)


describe(
    e.ActorKind,
    HUMAN="A person.",
    SYSTEM="This server itself.",
    SERVICE="Another program.",
    AGENT="An AI agent.",
)
describe(
    e.Role,
    VIEWER="May read.",
    MEMBER="May also report runs, leave feedback, write rules and limits, and read payloads.",
    ADMIN="May also manage keys and trusted documents, explore the schema and read the bill.",
    OWNER="May do everything in the tenant.",
    MACHINE="May do exactly what its scopes say.",
)
describe(
    e.Permission,
    RUNS_READ="Read runs and their counts, signals, evidence and proof.",
    POLICIES_READ="Read rules and limits.",
    AGENTS_READ="Read agents.",
    INCIDENTS_READ="Read incidents.",
    REPORTS_READ="Read the audit ledger and prices.",
    TENANT_READ="Read the tenant.",
    RUNS_WRITE="Report runs and leave feedback on signals.",
    POLICIES_WRITE="Write rules and limits.",
    AGENTS_WRITE="Change agents.",
    RUNS_REDACT="Erase the payloads of runs.",
    PAYLOADS_READ="Read the inputs and outputs of steps.",
    AUDIT_READ="Read who read which runs.",
    API_KEYS_READ="List keys.",
    API_KEYS_MANAGE="Make, freeze and revoke keys.",
    BILLING_READ="Read the bill.",
    BILLING_MANAGE="Set prices and change the subscription.",
    DOCUMENTS_MANAGE="Add and retire trusted documents, and say whether others are taken.",
    SCHEMA_EXPLORE="Send any document, also where only trusted ones are taken.",
    LOG_MANAGE="Integrate, sign and continue the tenant's log; from the command line only.",
)
describe(
    e.RunStatus,
    RUNNING="It goes on.",
    SUCCEEDED="It ended well.",
    FAILED="It failed.",
    FAILED_POLICY="A policy stopped it.",
    CANCELLED="It was given up.",
)
describe(
    e.ThresholdSource,
    SYSTEM_DEFAULT="A limit for everybody, or none at all.",
    TENANT_OVERRIDE="A limit that the tenant set for itself, a project or an agent.",
)
describe(e.RiskType, COST="Money.", TIME="Time.", TOKENS="Tokens.", RATE="Calls in a time.")
describe(
    FeedbackKind,
    ACKNOWLEDGED="Somebody has seen it.",
    SUPPRESSED="It was kept quiet for a time.",
    REOPENED="Its suppression was ended.",
    ESCALATED="It was passed on.",
)
describe(e.RunState, LIVE="It goes on.", COMPLETED="It has ended, in whichever way.")
describe(e.RunSource, AGENT="By telemetry (OTLP).", SDK="By mutations.")
describe(
    e.ProviderType,
    OPENAI="OpenAI, also when hosted by others.",
    ANTHROPIC="Anthropic, also when hosted by others.",
    INTERNAL="A model of one's own.",
    OTHER="Any other provider, or none known.",
)
describe(
    e.RiskLevel,
    NORMAL="Nothing came close.",
    NEAR_THRESHOLD="A limit is 80 % used or more, or a rule warned.",
    AT_RISK="A limit was passed.",
    VIOLATED="A blocking rule or limit was violated.",
)
describe(
    e.LatencyBucket,
    OK="As fast as usual.",
    SLOW="Over 80 % of its time limit, or twice its agent's median.",
    STALLED="Live, but silent for longer than the setting allows.",
)
describe(
    e.EvidenceHealth,
    FLOWING="Everything arrives.",
    DEGRADED="A gap, a refused span or a model without a price.",
    MISSING="No step has arrived.",
)
describe(
    e.CostStatus,
    COMPLETE="Every counted model call has a price.",
    PARTIAL="Some have none; the cost is that of the others.",
    UNKNOWN="None has a price; the cost is unknown, not zero.",
)
describe(
    e.TerminationReason,
    COMPLETED="It came to its end.",
    POLICY_BLOCK="A blocking rule.",
    BUDGET_EXCEEDED="A cost or token limit.",
    RATE_LIMITED="A rate limit.",
    USER_ABORT="Somebody gave it up.",
    SYSTEM_FAILURE="Something broke.",
    TIMEOUT="It took too long.",
)
describe(
    e.StepKind,
    CHAT="A model call.",
    EXECUTE_TOOL="A tool call.",
    EMBEDDINGS="An embeddings call.",
    RETRIEVAL="A search in documents.",
    OTHER="Any other span.",
)
describe(
    e.StepStatus,
    SUCCESS="It went well.",
    FAILURE="It failed.",
    RETRY="It failed and was tried again.",
    SKIPPED="It was left out.",
)
describe(
    e.RuleMode,
    BLOCK="Forbid: a mutation is refused, a run reported by telemetry is marked violated.",
    WARN="Raise a signal.",
    AUDIT="Record it.",
    DISABLED="Do not evaluate.",
)
describe(e.RuleStatus, ACTIVE="In force, as its mode says.", RETIRED="Out of force for good.")
describe(
    e.RulePhase,
    RUN_START="When a run starts.",
    STEP="At each step.",
    RUN_END="When a run ends.",
)
describe(
    e.Scope,
    AGENT="One agent.",
    PROJECT="One project.",
    TENANT="The tenant.",
    GLOBAL="Everything, unless a narrower one is set.",
)
describe(
    e.Consequence,
    ALERT="A signal.",
    INCIDENT="A signal and an incident.",
    ABORT="A signal, an incident, and further steps are refused.",
)
describe(
    e.EvaluationOutcome,
    ALLOW="The condition did not hold.",
    AUDIT="It held, and was recorded.",
    WARN="It held, and a signal was raised.",
    BLOCK="It held, and the action was forbidden.",
    ERROR="It could not be decided.",
)
describe(
    e.DecisionType,
    POLICY_EVALUATION="A rule decided.",
    LIMIT_ENFORCEMENT="A limit decided.",
)
describe(
    e.DecisionOutcome,
    WARNED="The run was warned of.",
    BLOCKED="An action of the run was forbidden.",
    STOPPED="The run was stopped.",
)
describe(
    e.LimitType,
    TIME_MS="How long a run takes, in milliseconds.",
    TOKENS_TOTAL="Input and output tokens together.",
    COST_USD="The known cost in US dollars.",
    FAILURES="How many steps fail.",
)
describe(e.LimitStatus, ACTIVE="In force.", DISABLED="Out of force.")
describe(e.LimitLevel, NEAR="80 % or more of the limit.", BREACH="More than the limit.")
describe(
    e.SignalType,
    COST_RISK="The cost comes close to its limit or passes it.",
    TIME_RISK="The time comes close to its limit or passes it.",
    TOKEN_RISK="The tokens come close to their limit or pass it.",  # noqa: S106 - a kind of risk, not a secret
    RATE_RISK="The rate comes close to its limit or passes it.",
    POLICY_BREACH="A rule applied.",
    EVIDENCE_DEGRADED="Evidence is missing or refused.",
    RELIABILITY="The run failed, or its steps do.",
    SECURITY="Something looks like an attack.",
    THRESHOLD_PROXIMITY="A limit of another kind comes close.",
)
describe(e.SignalSeverity, HIGH="Look now.", MEDIUM="Look soon.", LOW="For information.")
describe(
    e.IncidentSeverity,
    CRITICAL="Act now.",
    HIGH="Act today.",
    MEDIUM="Act soon.",
    LOW="Keep an eye on it.",
)
describe(
    e.IncidentCategory,
    EXECUTION_FAILURE="A run failed.",
    POLICY_VIOLATION="A rule was violated.",
    BUDGET_EXCEEDED="A cost or token limit was passed.",
    RESOURCE_EXHAUSTION="A time or failure limit was passed.",
)
describe(e.IncidentTrigger, RUN_FAILURE="A failed run.", POLICY="A policy rule.", LIMIT="A limit.")
describe(
    e.EvidenceDomain,
    INCIDENTS="Incidents that the run caused.",
    POLICIES="Rules that judged it.",
    CONTROLS="Limits that it reached.",
)
describe(
    e.SourceStatus,
    OK="It answered.",
    DEGRADED="It answered in part.",
    UNAVAILABLE="It could not be read.",
    FORBIDDEN="The key may not read it.",
)
describe(
    e.AuditEntityType,
    RUN="A run.",
    INGEST="An export of spans.",
    SIGNAL="A signal.",
    POLICY_RULE="A policy rule.",
    LIMIT="A limit.",
    MODEL_PRICE="A model's price.",
    API_KEY="An API key.",
    TENANT="The tenant.",
    OPERATION="An operation that was denied or failed.",
    TRUSTED_DOCUMENT="A trusted document.",
    LOG="The tenant's log.",
    EXPORT="A file that was handed out.",
)
describe(
    e.ExportKind,
    RUN="A run.",
    INCIDENT="An incident, with the run that caused it.",
    PERIOD="All that entered the tenant's log in a period.",
)
describe(
    e.ExportFormat,
    JSON="Canonical JSON, with the proof bundle of the run in it.",
    HTML="One page to read and print, which holds the same.",
    LOG="A period of the log, as `hoc verify` reads it.",
)
describe(
    e.DocumentMode,
    OFF="It is taken.",
    LOG="It is taken, and logged by its SHA-256.",
    ENFORCE="It is refused, unless the key may explore the schema.",
)
describe(
    e.OperationKind,
    READ="Reads one snapshot.",
    WRITE="Writes in a transaction of its own.",
    STREAM="Goes on.",
    SEQUENCE="Asks for several others, each in a transaction of its own.",
)
describe(
    EvaluationOfLimit,
    OK="Less than 80 % of it.",
    NEAR_THRESHOLD="80 % of it or more.",
    BREACH="More than it.",
    ADVISORY="There is no limit, or no value to compare.",
)
describe(RunOrder, STARTED_AT_DESC="Latest start first.", STARTED_AT_ASC="Earliest start first.")
describe(
    RunGrouping,
    STATUS="By status.",
    STATE="By state.",
    RISK_LEVEL="By risk level.",
    LATENCY_BUCKET="By latency.",
    EVIDENCE_HEALTH="By the health of their evidence.",
    SOURCE="By the way in which they were reported.",
    PROVIDER_TYPE="By the model provider's family.",
    MODEL="By requested model.",
    AGENT="By agent.",
    PROJECT="By project.",
)
describe(
    e.ChangeKind,
    ADDED="It is new.",
    CHANGED="It has changed.",
    WITHDRAWN="It is shown no more: what it followed from was corrected.",
    RESTORED="It is shown again.",
)
describe(
    ErrorCode,
    NOT_FOUND="There is no such object.",
    UNAUTHENTICATED="No valid key was presented.",
    FROZEN="The key is frozen.",
    FORBIDDEN="The key lacks the permission.",
    VALIDATION="The input is wrong.",
    RUN_VALIDATION_FAILURE="A run breaks an attribution rule.",
    CONDITION_INVALID="A policy condition does not compile.",
    EVIDENCE_CONTEXT_INVALID="Evidence names another trace than the run's own.",
    TOO_LARGE="A body, a batch or a text is over its limit.",
    CONFLICT="The object's state, or an idempotency key used with another body, forbids it.",
    IDEMPOTENCY_CONFLICT="The idempotency key stands for another request.",
    POLICY_DENIED="A blocking rule or limit refused the action.",
    INVARIANT_VIOLATION="A business invariant would break.",
    DOCUMENT_NOT_FOUND="No trusted document has this id; sending its text does not register it.",
    DOCUMENT_NOT_TRUSTED="Only trusted documents are taken, and this text is none.",
    UNAVAILABLE="Something did not answer in time; try again.",
    QUERY_TOO_COMPLEX="The query is too deep, too long or too dear; ask for less.",
    RATE_LIMITED="The key's budget of points is empty; retryAfterMs says when it is not.",
    EXECUTION_TIMEOUT="The query took too long and was stopped; ask for less.",
    UNKNOWN_OPERATION="There is no such operation.",
    CURSOR_EXPIRED="Events after this cursor are kept no more; read the list and the event cursor anew.",
    RESUME="The subscriber is too slow; subscribe again after the last cursor that arrived.",
    UNREADABLE="A stored object cannot be shown as it is stored; its proof says where it differs.",
    INTERNAL="Something unexpected failed; the request id leads to the log.",
)
