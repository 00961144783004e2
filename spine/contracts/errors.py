"""The error tree: every failure that a caller may see, each with a stable code.

HocError
├── NotFound                 absent, or another tenant's: the two are never told apart
├── Unauthenticated          no key, or one that is unknown, expired, revoked
│   └── KeyFrozen            the key is frozen and may be thawed
├── Forbidden                the principal lacks the operation's permission
├── ValidationFailed         the input itself is wrong; `field` says where
│   ├── RunValidationFailed  an attribution rule R1-R8 is broken; `reason` is its ATTR_ code
│   ├── ConditionInvalid     a policy condition does not compile; has line and column
│   └── EvidenceContextInvalid  evidence came without the run's own trace: no context, no evidence
├── TooLarge                 a body, a batch or a text is over its limit
├── Conflict                 the state, or an idempotency key used with another body, forbids it
│   └── IdempotencyConflict  the key of an execution stands for another request
├── PolicyDenied             a BLOCK rule or a blocking limit refused the action
├── InvariantViolated        a business invariant (BI-…) would break
├── CursorExpired            events after the cursor are kept no more; read the list anew
├── FellBehind               a subscriber takes events more slowly than they come; resume from its last cursor
├── DocumentNotFound         no trusted document of the tenant has this id; nothing registers one by asking
├── DocumentNotTrusted       the tenant takes trusted documents only, and this text is none
├── Unreadable               a stored row holds what this server never writes; others are not affected
├── Unavailable              a dependency did not answer in time; retry later
├── QueryTooComplex          a document is over a limit: too deep, too long, too dear
├── RateLimited              the key's budget of points is empty; `retry_after_ms` says when it is not
├── ExecutionTimeout         the query took too long and was cut; what it was writing was rolled back
├── UnknownOperation         no such operation is registered
└── InternalError            everything unexpected, masked; the request id leads to the log

`MisuseError` and below are programming errors and never reach a client as such.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable machine-readable cause of a failure; part of the GraphQL contract."""

    NOT_FOUND = "NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FROZEN = "FROZEN"
    FORBIDDEN = "FORBIDDEN"
    VALIDATION = "VALIDATION"
    RUN_VALIDATION_FAILURE = "RUN_VALIDATION_FAILURE"
    CONDITION_INVALID = "CONDITION_INVALID"
    EVIDENCE_CONTEXT_INVALID = "EVIDENCE_CONTEXT_INVALID"
    TOO_LARGE = "TOO_LARGE"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    POLICY_DENIED = "POLICY_DENIED"
    INVARIANT_VIOLATION = "INVARIANT_VIOLATION"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    RESUME = "RESUME"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    DOCUMENT_NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
    UNREADABLE = "UNREADABLE"
    UNAVAILABLE = "UNAVAILABLE"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    RATE_LIMITED = "RATE_LIMITED"
    EXECUTION_TIMEOUT = "EXECUTION_TIMEOUT"
    UNKNOWN_OPERATION = "UNKNOWN_OPERATION"
    INTERNAL = "INTERNAL"


class HocError(Exception):
    """A failure with a stable code and a message that may be shown to the caller."""

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotFound(HocError):
    """The object does not exist for this tenant; a foreign id answers the same."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, kind: str, key: str, *, field: str | None = None) -> None:
        super().__init__(f"{kind} {key} was not found", field=field)
        self.kind = kind
        self.key = key


class Unauthenticated(HocError):
    """The request carries no valid key."""

    code = ErrorCode.UNAUTHENTICATED

    def __init__(self, message: str = "a valid API key is required") -> None:
        super().__init__(message)


class KeyFrozen(Unauthenticated):
    """The key is frozen: it is known, but refused until it is unfrozen."""

    code = ErrorCode.FROZEN

    def __init__(self) -> None:
        super().__init__("this API key is frozen")


class Forbidden(HocError):
    """The principal is known but lacks the permission that the operation declares."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, operation: str, permission: str) -> None:
        super().__init__(f"{operation} needs the permission {permission}")
        self.operation = operation
        self.permission = permission


class ValidationFailed(HocError):
    """The input is malformed or out of range; nothing was written."""

    code = ErrorCode.VALIDATION


class RunValidationFailed(ValidationFailed):
    """A run breaks an attribution rule (R1-R8); `reason` is the ATTR_ code."""

    code = ErrorCode.RUN_VALIDATION_FAILURE

    def __init__(self, reason: str, message: str, *, field: str) -> None:
        super().__init__(f"{reason}: {message}", field=field)
        self.reason = reason


class ConditionInvalid(ValidationFailed):
    """A policy condition does not compile against the fact model; `line`/`column` are 1-based."""

    code = ErrorCode.CONDITION_INVALID

    def __init__(self, message: str, *, line: int, column: int, field: str = "condition") -> None:
        super().__init__(f"{line}:{column}: {message}", field=field)
        self.line = line
        self.column = column


class EvidenceContextInvalid(ValidationFailed):
    """Evidence names another trace than the run's own: without its context there is no evidence."""

    code = ErrorCode.EVIDENCE_CONTEXT_INVALID

    def __init__(self, *, field: str = "trace_id") -> None:
        super().__init__("evidence is captured in the run's own trace, and this is another", field=field)


class TooLarge(HocError):
    """A body, a batch or a text is over its limit; nothing was written."""

    code = ErrorCode.TOO_LARGE

    def __init__(self, what: str, limit: int, *, field: str | None = None) -> None:
        super().__init__(f"{what} is over the limit of {limit}", field=field)
        self.limit = limit


class Conflict(HocError):
    """The object's state, or an idempotency key already used with another body, forbids it."""

    code = ErrorCode.CONFLICT


class IdempotencyConflict(Conflict):
    """An execution is reserved under this key for another request; nothing was executed."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT

    def __init__(self) -> None:
        super().__init__("this idempotency key stands for another request", field="idempotencyKey")


class PolicyDenied(HocError):
    """A BLOCK rule or a blocking limit refused the action; `rule` names it."""

    code = ErrorCode.POLICY_DENIED

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"refused by {rule}: {reason}")
        self.rule = rule
        self.reason = reason


class InvariantViolated(HocError):
    """A business invariant would break; `invariant` is its BI-… id."""

    code = ErrorCode.INVARIANT_VIOLATION

    def __init__(self, invariant: str, message: str) -> None:
        super().__init__(f"{invariant}: {message}")
        self.invariant = invariant


class CursorExpired(HocError):
    """Events after this cursor are kept no more: read the list anew, and follow from the cursor read with it."""

    code = ErrorCode.CURSOR_EXPIRED

    def __init__(self) -> None:
        super().__init__("events after this cursor are kept no more: read list and eventCursor anew", field="after")


class FellBehind(HocError):
    """The subscriber took events more slowly than they came; nothing is lost when it resumes from its last cursor."""

    code = ErrorCode.RESUME

    def __init__(self) -> None:
        super().__init__("too slow for the events that came: subscribe again after the last cursor that you got")


class DocumentNotFound(HocError):
    """The tenant has no trusted document with this SHA-256, or has retired it.

    The text is neither Apollo's PersistedQueryNotFound nor PersistedQueryNotSupported: on those its clients send the
    document itself, to have it registered, which never happens here.
    """

    code = ErrorCode.DOCUMENT_NOT_FOUND

    def __init__(self, sha256: str) -> None:
        super().__init__(f"PersistedQueryNotInList: sha256:{sha256} is not in the list of trusted documents")
        self.sha256 = sha256


class DocumentNotTrusted(HocError):
    """The tenant takes trusted documents only, and the text that was sent is none of them."""

    code = ErrorCode.DOCUMENT_NOT_TRUSTED

    def __init__(self, sha256: str) -> None:
        super().__init__(f"only trusted documents are taken here, and sha256:{sha256} is not in their list")
        self.sha256 = sha256


class Unreadable(HocError):
    """A stored object holds what this server never writes, so it cannot be shown; its proof says where it differs."""

    code = ErrorCode.UNREADABLE

    def __init__(self, kind: str) -> None:
        super().__init__(f"this {kind} cannot be read as it is stored")


class Unavailable(HocError):
    """A dependency did not answer in time; the same request may succeed later."""

    code = ErrorCode.UNAVAILABLE


class QueryTooComplex(HocError):
    """A GraphQL document asks for more than one request may; nothing of it was executed."""

    code = ErrorCode.QUERY_TOO_COMPLEX

    def __init__(self, what: str, found: int, limit: int) -> None:
        super().__init__(f"{what}: {found} is over the limit of {limit}")
        self.found = found
        self.limit = limit


class RateLimited(HocError):
    """The key's budget does not hold what the request costs; nothing of it was executed."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, needed: int, left: int, retry_after_ms: int) -> None:
        super().__init__(f"this costs {needed} points and the key has {left} left; try again in {retry_after_ms} ms")
        self.retry_after_ms = retry_after_ms


class ExecutionTimeout(HocError):
    """The execution was cut: it took too long in all, or worked too long without letting others have their turn."""

    code = ErrorCode.EXECUTION_TIMEOUT

    def __init__(self) -> None:
        super().__init__("the query took too long and was stopped; a write that was under way was rolled back")


class UnknownOperation(HocError):
    """No operation of that name is registered."""

    code = ErrorCode.UNKNOWN_OPERATION

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no operation {name}")
        self.name = name


class InternalError(HocError):
    """Something unexpected failed; its text stays in the log under the request id."""

    code = ErrorCode.INTERNAL

    def __init__(self) -> None:
        super().__init__("an internal error occurred")


class MisuseError(RuntimeError):
    """The code itself is wrong: a layer rule was broken at run time."""


class CoordinatorMisuse(MisuseError):
    """A coordinator was entered outside a registry dispatch."""


class UndeclaredDependency(MisuseError):
    """A handler asked for a bridge capability that its operation does not declare."""


class RegistryError(MisuseError):
    """An operation cannot be registered, or the registry is already frozen."""
