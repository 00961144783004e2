"""Evidence capture: what is expected of a run's evidence, what is there of it, and the grade of that. Pure.

Score = observed / expected, over attributes; one that every model call should carry is observed when every one does.
Something required that is missing is FAIL, and so is a permanent failure; any other failure is at best WARN. A live run
is not failed for what may still come. Evidence is captured with its context, the run's own trace, or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct

from spine.contracts.capture import (
    CaptureCompleteness,
    CapturedClass,
    CaptureEnvironment,
    EnvironmentInput,
    MissingEvidence,
)
from spine.contracts.enums import (
    CaptureGrade,
    CaptureResolution,
    CaptureState,
    CaptureStatus,
    EvidenceClass,
    StepKind,
    StepStatus,
)
from spine.contracts.errors import Conflict, TooLarge, ValidationFailed
from spine.contracts.ports import CaptureFacts, ModelCall
from spine.services.environment import MAX_VALUE, check_environment, is_environment

MAX_KEY: Final = 200
MAX_ATTRIBUTES: Final = 256
"""Of a run's environment, so that it has at most as many records."""

PASS_PERCENT: Final = 80
WARN_PERCENT: Final = 50

SERVICE_NAME: Final = "service.name"
PLACEHOLDER: Final = "unknown_service"
"""What OpenTelemetry SDKs send when nobody named the service."""

ENVIRONMENT: Final[dict[str, tuple[str, ...]]] = {
    SERVICE_NAME: (SERVICE_NAME,),
    "service.version": ("service.version",),
    "deployment.environment.name": ("deployment.environment.name", "deployment.environment"),
    "host.name": ("host.name", "host.id", "k8s.pod.name", "container.id"),
    "telemetry.sdk.name": ("telemetry.sdk.name",),
    "telemetry.sdk.version": ("telemetry.sdk.version",),
    "telemetry.sdk.language": ("telemetry.sdk.language",),
}
"""What is expected of an environment, and the names that stand for it (OpenTelemetry's resource conventions)."""

STEPS: Final = "steps"
TRACE: Final = "trace"
SEAL: Final = "seal"
EVALUATIONS: Final = "evaluations"
REQUIRED: Final = frozenset({SERVICE_NAME, STEPS, SEAL})
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASON: Final = "gen_ai.response.finish_reasons"
ERASED: Final = "what the run carried of it was erased with its payloads"

OF_CLASS: Final = {
    EvidenceClass.ENVIRONMENT: True,
    EvidenceClass.ACTIVITY: True,
    EvidenceClass.PROVIDER: False,
    EvidenceClass.POLICY: False,
    EvidenceClass.INTEGRITY: True,
}
"""Every class, and whether something of it is required."""


class Artifact(Struct, frozen=True, gc=False):
    """One attribute that is expected, how often, how often it is missing, and what that means."""

    evidence_class: EvidenceClass
    attribute: str
    expected: int
    missing: int
    reason: str


def check_capture(request: CaptureEnvironment) -> None:
    """Raise ValidationFailed or TooLarge for what no environment can be."""
    if not 1 <= len(request.idempotency_key) <= MAX_KEY:
        raise ValidationFailed(f"an idempotency key has 1 to {MAX_KEY} characters", field="idempotency_key")
    if not request.attributes:
        raise ValidationFailed("there are no attributes", field="attributes")
    check_environment(request.attributes, "attributes")


def environment_of(attributes: bytes | None) -> dict[str, str]:
    """The environment that a run's own attributes hold, by name; texts as they are, anything else as JSON.

    What is no JSON object holds none: verification says whether somebody changed it. None is what was erased.
    """
    if attributes is None:
        return {}
    try:
        kept: Any = orjson.loads(attributes)
    except orjson.JSONDecodeError:
        return {}
    resource = kept.get("resource") if isinstance(kept, dict) else None
    if not isinstance(resource, dict):
        return {}
    found = {name: _text(value) for name, value in sorted(resource.items()) if is_environment(name)}
    return {name: text for name, text in list(found.items())[:MAX_ATTRIBUTES] if text}


def captured(attributes: str) -> dict[str, str]:
    """The environment that a captured record holds; what none of ours wrote is left to verification as well."""
    try:
        return msgspec.json.decode(attributes, type=dict[str, str])
    except msgspec.DecodeError:
        return {}


def _text(value: object) -> str:
    if value is None:
        return ""
    return (value if isinstance(value, str) else orjson.dumps(value).decode())[:MAX_VALUE]


def added(known: Mapping[str, str], given: Sequence[EnvironmentInput]) -> dict[str, str]:
    """What is new of the given attributes; Conflict when one is known otherwise, TooLarge for too many."""
    new: dict[str, str] = {}
    for one in given:
        if one.name not in known:
            new[one.name] = one.value
        elif known[one.name] != one.value:
            raise Conflict(f"{one.name} was captured before, and differs", field="attributes")
    if len(known) + len(new) > MAX_ATTRIBUTES:
        raise TooLarge("the number of attributes of a run", MAX_ATTRIBUTES, field="attributes")
    return new


def missing_of(call: ModelCall) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a model call lacks, of activity and of provider; the same rules as `CallCounts` counts by."""
    answered = call.status is StepStatus.SUCCESS
    chat = answered and call.kind is StepKind.CHAT
    activity = (
        (INPUT_TOKENS, answered and call.input_tokens is None),
        (OUTPUT_TOKENS, chat and call.output_tokens is None),
    )
    provider = (
        (PROVIDER, call.provider is None),
        (MODEL, call.model is None),
        (RESPONSE_ID, chat and call.response_id is None),
        (FINISH_REASON, chat and call.finish_reason is None),
    )
    return tuple(name for name, lacks in activity if lacks), tuple(name for name, lacks in provider if lacks)


def completeness(facts: CaptureFacts) -> CaptureCompleteness:
    """How complete the evidence is."""
    artifacts = [*_environment(facts), *_activity(facts), *_provider(facts), *_policy(facts), *_integrity(facts)]
    missing = [one for one in artifacts if one.missing]
    expected, observed = len(artifacts), len(artifacts) - len(missing)
    grade, why = _grade(facts, missing, 100 * observed // expected)
    sealed = facts.seal is not None and not facts.live and _covers(facts)
    return CaptureCompleteness(
        score=round(observed / expected, 3),
        grade=grade,
        state=CaptureState.SEALED if sealed else CaptureState.PENDING,
        expected=expected,
        observed=observed,
        failure_count=sum(facts.failures.values()),
        classes=tuple(_class(facts, kind, artifacts) for kind in OF_CLASS),
        missing=tuple(_missing(one) for one in missing),
        explanation=f"{observed} of {expected} expected attributes were captured; {why}",
    )


def _environment(facts: CaptureFacts) -> Iterator[Artifact]:
    for attribute, names in ENVIRONMENT.items():
        found = [facts.environment[name] for name in names if name in facts.environment]
        named = any(not value.startswith(PLACEHOLDER) for value in found)
        nowhere = ERASED if facts.erased else "neither the run nor a later capture carried it"
        reason = "what came is a placeholder" if found else nowhere
        yield Artifact(EvidenceClass.ENVIRONMENT, attribute, 1, int(not named), reason)


def _activity(facts: CaptureFacts) -> Iterator[Artifact]:
    calls = facts.calls
    lost = facts.missing_spans + facts.refused_spans
    reason = f"{facts.missing_spans} spans that others name never came, {facts.refused_spans} were refused"
    yield Artifact(EvidenceClass.ACTIVITY, STEPS, 1, int(facts.step_count == 0), "no step was recorded")
    yield Artifact(EvidenceClass.ACTIVITY, TRACE, 1, int(lost > 0), reason)
    for attribute, expected, missing in (
        (INPUT_TOKENS, calls.answered, calls.without_input_tokens),
        (OUTPUT_TOKENS, calls.answered_chats, calls.without_output_tokens),
    ):
        if expected:
            yield _of_calls(EvidenceClass.ACTIVITY, attribute, expected, missing)


def _provider(facts: CaptureFacts) -> Iterator[Artifact]:
    calls = facts.calls
    if not calls.calls and facts.names_model:
        reason = "the run names a model, but no call of it was recorded"
        for attribute in (PROVIDER, MODEL, RESPONSE_ID, FINISH_REASON):
            yield Artifact(EvidenceClass.PROVIDER, attribute, 1, 1, reason)
    for attribute, expected, missing in (
        (PROVIDER, calls.calls, calls.without_provider),
        (MODEL, calls.calls, calls.without_model),
        (RESPONSE_ID, calls.answered_chats, calls.without_response_id),
        (FINISH_REASON, calls.answered_chats, calls.without_finish_reason),
    ):
        if expected:
            yield _of_calls(EvidenceClass.PROVIDER, attribute, expected, missing)


def _of_calls(kind: EvidenceClass, attribute: str, expected: int, missing: int) -> Artifact:
    return Artifact(kind, attribute, expected, missing, f"{missing} of {expected} model calls did not carry it")


def _policy(facts: CaptureFacts) -> Iterator[Artifact]:
    if facts.evaluations is not None:
        yield Artifact(EvidenceClass.POLICY, EVALUATIONS, 1, int(not facts.evaluations), "no rule was evaluated")


def _integrity(facts: CaptureFacts) -> Iterator[Artifact]:
    if not facts.live:
        reason = "there is no seal" if facts.seal is None else "the seal does not cover everything"
        yield Artifact(EvidenceClass.INTEGRITY, SEAL, 1, int(not _covers(facts)), reason)


def _covers(facts: CaptureFacts) -> bool:
    seal = facts.seal
    sealed = None if seal is None else (seal.step_count, seal.evidence_count)
    return sealed == (facts.step_count, facts.evidence_count)


def _grade(facts: CaptureFacts, missing: Sequence[Artifact], percent: int) -> tuple[CaptureGrade, str]:
    """The grade, and which rule gave it."""
    required = ", ".join(one.attribute for one in missing if one.attribute in REQUIRED)
    failures = sum(facts.failures.values())
    permanent = facts.failures.get(CaptureResolution.PERMANENT, 0)
    rules = (
        (permanent > 0, CaptureGrade.FAIL, f"capturing failed for good {permanent} times"),
        (bool(required) and not facts.live, CaptureGrade.FAIL, f"required and missing: {required}"),
        (
            facts.live and (bool(required) or percent < PASS_PERCENT),
            CaptureGrade.WARN,
            "more may come: the run is live",
        ),
        (percent < WARN_PERCENT, CaptureGrade.FAIL, f"that is less than {WARN_PERCENT} %"),
        (failures > 0, CaptureGrade.WARN, f"capturing failed {failures} times"),
        (percent < PASS_PERCENT, CaptureGrade.WARN, f"that is less than {PASS_PERCENT} %"),
    )
    found = next(((grade, why) for holds, grade, why in rules if holds), None)
    return found or (CaptureGrade.PASS, f"that is {PASS_PERCENT} % or more")


def _class(facts: CaptureFacts, kind: EvidenceClass, artifacts: Sequence[Artifact]) -> CapturedClass:
    own = [one for one in artifacts if one.evidence_class is kind]
    observed = sum(1 for one in own if not one.missing)
    return CapturedClass(
        evidence_class=kind,
        required=OF_CLASS[kind],
        status=_status(facts, kind, len(own), observed),
        expected=len(own),
        observed=observed,
    )


def _status(facts: CaptureFacts, kind: EvidenceClass, expected: int, observed: int) -> CaptureStatus:
    if expected:
        if observed == expected:
            return CaptureStatus.COMPLETE
        return CaptureStatus.PARTIAL if observed else CaptureStatus.MISSING
    if kind is EvidenceClass.POLICY and facts.evaluations is None:
        return CaptureStatus.FORBIDDEN
    return CaptureStatus.PENDING if kind is EvidenceClass.INTEGRITY else CaptureStatus.NOT_APPLICABLE


def _missing(one: Artifact) -> MissingEvidence:
    return MissingEvidence(
        evidence_class=one.evidence_class,
        attribute=one.attribute,
        required=one.attribute in REQUIRED,
        missing_count=one.missing,
        expected_count=one.expected,
        reason=one.reason,
    )
