"""The enums of proof, of the log, of replays and of captured evidence as GraphQL enums."""

from schema.enums import describe
from spine.contracts import enums as e

describe(
    e.IntegrityModel,
    NONE="Not protected.",
    HASH_CHAIN="By a chain of hashes over its steps.",
    MERKLE_TREE="By that chain, and its latest seal is a leaf of the tenant's log.",
)
describe(
    e.VerificationStatus,
    VERIFIED="Recomputed just now and equal to what was sealed.",
    FAILED="Something differs from what was sealed.",
    UNSUPPORTED="There is nothing sealed to compare with: no trace, or the run goes on.",
    UNVERIFIED_EVIDENCE="The record is verified, but it has more evidence rows than a list of runs checks.",
)
describe(
    e.BreakKind,
    EDIT="A step was changed.",
    GAP="A step is missing.",
    REORDER="Steps changed places.",
    TRUNCATION="The end of the chain is missing.",
    INSERTION="A step was added.",
    RUN_EDIT="A field of the run was changed.",
    SEAL="The seal itself was changed.",
    EVIDENCE="An evaluation, a breach or a decision was changed.",
    PAYLOAD_TAMPERED="A step's input, output or attributes were changed.",
    LEAF="The log's leaf of a seal is not that seal's.",
)
describe(
    e.LogFaultKind,
    LEAF_MISSING="An index below the log's size has no leaf.",
    FACT_MISSING="What a leaf is of is not there.",
    LEAF="A leaf is not the hash of what it is of, as that is now.",
    NODE="A stored node is not what the leaves below it give.",
    HEAD="The log's head is not what its leaves give.",
    CHECKPOINT="A signed checkpoint does not agree with the leaves.",
    TRUNCATED="The log is shorter than what was signed.",
    NOT_LOGGED="A seal or an audit entry neither is in the log nor waits for it.",
)
describe(
    e.PayloadState,
    PRESENT="The payload is there, and is what the step commits to.",
    REDACTED="The payload was erased; what the step commits to stays, and so does its proof.",
)
describe(
    e.ReplayBehavior,
    EXECUTE="Execute it.",
    SKIP="Answer with what was recorded.",
    CHECK="Execute it and compare with what was recorded.",
)
describe(
    e.ReplayOutcome,
    MATCHED="It was compared, and is equal.",
    MISMATCHED="It differs.",
    EXECUTED="It was executed, and not compared.",
    PLAYED_BACK="The recorded output is the answer; nothing was executed or compared.",
    FAILED="Its execution failed.",
    NO_EXECUTOR="Nothing here executes this skill.",
    REDACTED="Its content was erased, so it cannot be checked.",
    UNREPLAYABLE="What is recorded of it does not suffice; the reason says what is missing.",
)
describe(
    e.ReplayVerdict,
    MATCHED="Everything was compared, and is equal.",
    PARTIAL="Nothing differs, but not everything was compared.",
    DIVERGED="Something differs.",
)
describe(
    e.DivergenceKind,
    RECORD="What is stored is not what was chained.",
    OUTPUT="A step gives another output.",
    RULE="The rule's text.",
    ENGINE="The engine that evaluates conditions.",
    FACTS="The facts are not those of the step.",
    OUTCOME="The same facts give another outcome or reason.",
)
describe(
    e.DecisionKind,
    EVALUATION="What a rule said.",
    BREACH="A limit that was reached, or is no longer.",
    DECISION="What followed from one of these.",
)
describe(
    e.EvidenceClass,
    ENVIRONMENT="Where the run was made: service, SDK, host, deployment.",
    ACTIVITY="What was done: its trace, its steps, and what each model call used.",
    PROVIDER="Who answered each model call.",
    POLICY="What rules said of it.",
    INTEGRITY="The seal over its record.",
)
describe(
    e.CaptureStatus,
    COMPLETE="Everything that is expected was captured.",
    PARTIAL="Some of it was captured.",
    MISSING="Nothing of it was captured.",
    NOT_APPLICABLE="Nothing of it is expected of this run.",
    PENDING="It cannot be there before the run ends.",
    FORBIDDEN="This key may not read it, and so it counts neither way.",
)
describe(
    e.CaptureGrade,
    PASS="At least 80 % of what is expected was captured, and everything that is required.",  # noqa: S106 - a grade
    WARN="At least 50 %, or capturing has failed at some time.",
    FAIL="Less, or something required is missing, or a failure is permanent.",
)
describe(
    e.CaptureState,
    PENDING="No seal covers all of it yet.",
    SEALED="The run's latest seal covers every step and every evidence record.",
)
describe(
    e.CaptureFailureReason,
    CAPTURE_FAILED="Something unexpected failed.",
    CONTEXT_INVALID="It came without the context of the run.",
    DATABASE_ERROR="The database did not answer in time.",
)
describe(
    e.CaptureResolution,
    TRANSIENT="Sending it again may succeed.",
    PERMANENT="Sending it again fails again.",
    SUPERSEDED="What was to be captured has been captured since.",
)
describe(
    e.EnvironmentSource,
    RUN="With the run itself.",
    CAPTURE="By captureEnvironment, afterwards.",
)
