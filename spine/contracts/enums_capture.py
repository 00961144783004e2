"""The closed sets of evidence capture; like all others they are held against schema and tables by a test."""

from enum import StrEnum


class EvidenceClass(StrEnum):
    """What kind of evidence is captured of a run."""

    ENVIRONMENT = "ENVIRONMENT"
    ACTIVITY = "ACTIVITY"
    PROVIDER = "PROVIDER"
    POLICY = "POLICY"
    INTEGRITY = "INTEGRITY"


class CaptureStatus(StrEnum):
    """How much of a class was captured; what may not be read, or cannot be there yet, counts neither way."""

    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"
    MISSING = "MISSING"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    PENDING = "PENDING"
    FORBIDDEN = "FORBIDDEN"


class CaptureGrade(StrEnum):
    """What a run's captured evidence is good for."""

    PASS = "PASS"  # noqa: S105 - a grade, not a secret
    WARN = "WARN"
    FAIL = "FAIL"


class CaptureState(StrEnum):
    """Whether what was captured is covered by the run's seal."""

    PENDING = "PENDING"
    SEALED = "SEALED"


class CaptureFailureReason(StrEnum):
    """Why evidence could not be captured."""

    CAPTURE_FAILED = "CAPTURE_FAILED"
    CONTEXT_INVALID = "CONTEXT_INVALID"
    DATABASE_ERROR = "DATABASE_ERROR"


class CaptureResolution(StrEnum):
    """What became of a failure; SUPERSEDED follows from what was captured since, and is never stored."""

    TRANSIENT = "TRANSIENT"
    PERMANENT = "PERMANENT"
    SUPERSEDED = "SUPERSEDED"


class EnvironmentSource(StrEnum):
    """How an attribute of a run's environment came: with the run itself, or captured afterwards."""

    RUN = "RUN"
    CAPTURE = "CAPTURE"
