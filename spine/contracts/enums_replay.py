"""The closed sets of replay; `spine.contracts.enums` hands them on."""

from enum import StrEnum


class ReservationState(StrEnum):
    """Where the execution under an idempotency key stands."""

    RESERVED = "RESERVED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class ReplayBehavior(StrEnum):
    """What a replay does with a step."""

    EXECUTE = "EXECUTE"
    SKIP = "SKIP"
    CHECK = "CHECK"


class ReplayOutcome(StrEnum):
    """What became of one step or one decision in a replay; only MATCHED says that something was compared and equal."""

    MATCHED = "MATCHED"
    MISMATCHED = "MISMATCHED"
    EXECUTED = "EXECUTED"
    PLAYED_BACK = "PLAYED_BACK"
    FAILED = "FAILED"
    NO_EXECUTOR = "NO_EXECUTOR"
    REDACTED = "REDACTED"
    UNREPLAYABLE = "UNREPLAYABLE"


class ReplayVerdict(StrEnum):
    """What a whole replay says: MATCHED means that everything was compared, and equal."""

    MATCHED = "MATCHED"
    PARTIAL = "PARTIAL"
    DIVERGED = "DIVERGED"


class DivergenceKind(StrEnum):
    """What differs where a replay diverges."""

    RECORD = "RECORD"
    OUTPUT = "OUTPUT"
    RULE = "RULE"
    ENGINE = "ENGINE"
    FACTS = "FACTS"
    OUTCOME = "OUTCOME"


class DecisionKind(StrEnum):
    """What kind of governance record is replayed."""

    EVALUATION = "EVALUATION"
    BREACH = "BREACH"
    DECISION = "DECISION"
