"""What a bundle can be refused for."""

from enum import StrEnum


class Fault(StrEnum):
    """What does not hold."""

    FORMAT = "FORMAT"
    SIGNATURE = "SIGNATURE"
    ORIGIN = "ORIGIN"
    COSIGNATURE = "COSIGNATURE"
    SEAL = "SEAL"
    RUN = "RUN"
    STEP = "STEP"
    EVIDENCE = "EVIDENCE"
    INCLUSION = "INCLUSION"
    CONSISTENCY = "CONSISTENCY"
    FORK = "FORK"
    TRUNCATION = "TRUNCATION"


class Refused(Exception):
    """A bundle that does not verify: the kind of fault, and exactly what it is."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(f"{fault}: {reason}")
        self.fault = fault
        self.reason = reason
