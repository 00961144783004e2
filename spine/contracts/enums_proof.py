"""The closed sets of proof and log, which `spine.contracts.enums` hands on with all others."""

from enum import StrEnum


class IntegrityModel(StrEnum):
    """How a run's integrity is protected."""

    NONE = "NONE"
    HASH_CHAIN = "HASH_CHAIN"
    MERKLE_TREE = "MERKLE_TREE"


class VerificationStatus(StrEnum):
    """VERIFIED means recomputed now from what is stored, and equal to what was sealed."""

    VERIFIED = "VERIFIED"
    FAILED = "FAILED"
    UNSUPPORTED = "UNSUPPORTED"
    UNVERIFIED_EVIDENCE = "UNVERIFIED_EVIDENCE"


class BreakKind(StrEnum):
    """What a failed verification found first."""

    EDIT = "EDIT"
    GAP = "GAP"
    REORDER = "REORDER"
    TRUNCATION = "TRUNCATION"
    INSERTION = "INSERTION"
    RUN_EDIT = "RUN_EDIT"
    SEAL = "SEAL"
    EVIDENCE = "EVIDENCE"
    PAYLOAD_TAMPERED = "PAYLOAD_TAMPERED"
    LEAF = "LEAF"


class LeafKind(StrEnum):
    """What kind of fact a leaf of the tenant's log commits to."""

    SEAL = "SEAL"
    AUDIT = "AUDIT"
    ACCESS = "ACCESS"


class LogFaultKind(StrEnum):
    """What checking a tenant's log found first."""

    LEAF_MISSING = "LEAF_MISSING"
    FACT_MISSING = "FACT_MISSING"
    LEAF = "LEAF"
    NODE = "NODE"
    HEAD = "HEAD"
    CHECKPOINT = "CHECKPOINT"
    TRUNCATED = "TRUNCATED"
    NOT_LOGGED = "NOT_LOGGED"


class ExportKind(StrEnum):
    """What an export is of."""

    RUN = "RUN"
    INCIDENT = "INCIDENT"
    PERIOD = "PERIOD"


class ExportFormat(StrEnum):
    """What an export's file is."""

    JSON = "JSON"
    HTML = "HTML"
    LOG = "LOG"


class PayloadState(StrEnum):
    """Whether a step's payload is still there."""

    PRESENT = "PRESENT"
    REDACTED = "REDACTED"
