"""What is expected of a run's evidence, what counts as missing, and the grade of that."""

from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from domains.logs.engine_capture import (
    ENVIRONMENT,
    MAX_ATTRIBUTES,
    added,
    captured,
    check_capture,
    completeness,
    environment_of,
    missing_of,
)
from spine.contracts.capture import CaptureCompleteness, CaptureEnvironment, EnvironmentInput
from spine.contracts.enums import (
    CaptureGrade,
    CaptureResolution,
    CaptureState,
    CaptureStatus,
    EvidenceClass,
    ProviderType,
    StepKind,
    StepStatus,
)
from spine.contracts.errors import Conflict, HocError, TooLarge, ValidationFailed
from spine.contracts.ports import CallCounts, CaptureFacts, ModelCall, SealSummary
from spine.services.clock import EPOCH

RUN = UUID(int=1)
SEAL = SealSummary(RUN, 1, 3, 2, b"s" * 32, EPOCH)
WHOLE = CaptureFacts(
    live=False,
    erased=False,
    names_model=True,
    environment={names[-1]: "known" for names in ENVIRONMENT.values()},
    step_count=3,
    evidence_count=2,
    missing_spans=0,
    refused_spans=0,
    calls=CallCounts(RUN, calls=2, answered=2, answered_chats=2),
    evaluations=2,
    seal=SEAL,
    failures={},
)
CALL = ModelCall(
    step_index=0,
    span_id="a" * 16,
    name="chat",
    kind=StepKind.CHAT,
    status=StepStatus.SUCCESS,
    started_ns=0,
    ended_ns=1,
    provider="openai",
    provider_type=ProviderType.OPENAI,
    model="gpt-4o",
    input_tokens=1,
    output_tokens=1,
    finish_reason="stop",
    response_id="chatcmpl-1",
    input_digest=None,
    output_digest=None,
    step_hash=b"h" * 32,
)


def judged(**changes: Any) -> CaptureCompleteness:
    return completeness(structs.replace(WHOLE, **changes))


def missing(found: CaptureCompleteness) -> dict[str, tuple[int, int]]:
    return {one.attribute: (one.missing_count, one.expected_count) for one in found.missing}


def statuses(found: CaptureCompleteness) -> dict[EvidenceClass, CaptureStatus]:
    return {one.evidence_class: one.status for one in found.classes}


class TestCompleteness:
    def test_is_one_when_everything_is_there(self) -> None:
        found = judged()
        assert (found.score, found.grade, found.state) == (1.0, CaptureGrade.PASS, CaptureState.SEALED)
        assert found.observed == found.expected == 17
        assert found.missing == ()
        assert set(statuses(found).values()) == {CaptureStatus.COMPLETE}

    def test_falls_by_every_attribute_that_is_missing(self) -> None:
        found = judged(environment={"service.name": "shop"})
        assert found.score == round(11 / 17, 3)
        assert found.grade is CaptureGrade.WARN
        assert set(missing(found)) == set(ENVIRONMENT) - {"service.name"}

    def test_says_that_an_environment_was_erased_not_that_nobody_sent_it(self) -> None:
        found = judged(environment={}, erased=True)
        reasons = {one.reason for one in found.missing if one.evidence_class is EvidenceClass.ENVIRONMENT}
        assert reasons == {"what the run carried of it was erased with its payloads"}

    @pytest.mark.parametrize(
        ("changes", "attribute"),
        [
            ({"environment": {"service.version": "1"}}, "service.name"),
            ({"environment": {**WHOLE.environment, "service.name": "unknown_service:python"}}, "service.name"),
            ({"step_count": 0}, "steps"),
            ({"seal": None}, "seal"),
            ({"seal": structs.replace(SEAL, step_count=2)}, "seal"),
            ({"seal": structs.replace(SEAL, evidence_count=1)}, "seal"),
        ],
    )
    def test_fails_without_what_is_required(self, changes: dict[str, Any], attribute: str) -> None:
        found = judged(**changes)
        assert found.grade is CaptureGrade.FAIL
        assert attribute in {one.attribute for one in found.missing if one.required}
        assert attribute in found.explanation

    def test_is_sealed_only_by_a_seal_that_covers_everything(self) -> None:
        assert judged(seal=None).state is CaptureState.PENDING
        assert judged(seal=structs.replace(SEAL, step_count=2)).state is CaptureState.PENDING
        assert judged(live=True).state is CaptureState.PENDING

    def test_counts_calls_that_lack_something(self) -> None:
        calls = structs.replace(WHOLE.calls, without_response_id=1, without_finish_reason=2)
        found = judged(calls=calls)
        assert missing(found) == {"gen_ai.response.id": (1, 2), "gen_ai.response.finish_reasons": (2, 2)}
        assert next(one.reason for one in found.missing) == "1 of 2 model calls did not carry it"
        assert statuses(found)[EvidenceClass.PROVIDER] is CaptureStatus.PARTIAL

    def test_expects_no_answer_of_calls_that_failed(self) -> None:
        found = judged(calls=CallCounts(RUN, calls=2))
        assert found.expected == 13
        assert found.missing == ()

    def test_expects_no_provider_of_a_run_without_a_model(self) -> None:
        found = judged(calls=CallCounts(RUN), names_model=False)
        assert statuses(found)[EvidenceClass.PROVIDER] is CaptureStatus.NOT_APPLICABLE
        assert found.score == 1.0

    def test_misses_the_calls_of_a_model_that_the_run_names(self) -> None:
        found = judged(calls=CallCounts(RUN))
        assert statuses(found)[EvidenceClass.PROVIDER] is CaptureStatus.MISSING

    def test_leaves_out_what_the_key_may_not_read_and_says_so(self) -> None:
        found = judged(evaluations=None)
        assert statuses(found)[EvidenceClass.POLICY] is CaptureStatus.FORBIDDEN
        assert (found.expected, found.score) == (16, 1.0)
        assert missing(judged(evaluations=0)) == {"evaluations": (1, 1)}

    def test_misses_spans_that_never_came_or_were_refused(self) -> None:
        assert "trace" in missing(judged(missing_spans=1))
        assert "trace" in missing(judged(refused_spans=1))

    @pytest.mark.parametrize(
        ("failures", "grade"),
        [
            ({CaptureResolution.PERMANENT: 1}, CaptureGrade.FAIL),
            ({CaptureResolution.TRANSIENT: 1}, CaptureGrade.WARN),
            ({CaptureResolution.SUPERSEDED: 2}, CaptureGrade.WARN),
        ],
    )
    def test_is_lowered_by_failures(self, failures: dict[CaptureResolution, int], grade: CaptureGrade) -> None:
        found = judged(failures=failures)
        assert found.grade is grade
        assert found.failure_count == sum(failures.values())

    def test_does_not_fail_a_live_run_for_what_may_still_come(self) -> None:
        found = judged(live=True, step_count=0, environment={}, calls=CallCounts(RUN), evaluations=0, seal=None)
        assert found.grade is CaptureGrade.WARN
        assert statuses(found)[EvidenceClass.INTEGRITY] is CaptureStatus.PENDING

    def test_fails_below_half(self) -> None:
        calls = CallCounts(RUN, 1, 1, 1, 1, 1, 1, 1, 1, 1)
        found = judged(environment={"service.name": "shop"}, calls=calls, evaluations=0)
        assert found.score < 0.5
        assert found.grade is CaptureGrade.FAIL


class TestTheEnvironment:
    def test_is_the_resource_without_what_is_none(self) -> None:
        kept = b'{"resource":{"service.name":"shop","host.cores":4,"process.command_line":"x --key k","secret":"s"}}'
        assert environment_of(kept) == {"host.cores": "4", "service.name": "shop"}

    @pytest.mark.parametrize(
        "kept", [None, b"", b"{", b"[]", b"{}", b'{"resource":[]}', b'{"resource":{"host.name":null}}']
    )
    def test_of_garbage_or_nothing_is_empty(self, kept: bytes | None) -> None:
        assert environment_of(kept) == {}

    def test_is_bounded(self) -> None:
        many = ",".join(f'"host.{number}":"{"x" * 2000}"' for number in range(MAX_ATTRIBUTES + 5))
        found = environment_of(f'{{"resource":{{{many}}}}}'.encode())
        assert len(found) == MAX_ATTRIBUTES
        assert {len(value) for value in found.values()} == {1000}

    @pytest.mark.parametrize("text", ["", "[]", '{"host.name":1}'])
    def test_of_a_record_that_none_of_ours_wrote_is_empty(self, text: str) -> None:
        assert captured(text) == {}


class TestAdding:
    def test_takes_what_is_new_and_leaves_what_is_known(self) -> None:
        given = (EnvironmentInput(name="host.name", value="a"), EnvironmentInput(name="os.type", value="linux"))
        assert added({"host.name": "a"}, given) == {"os.type": "linux"}

    def test_refuses_another_value(self) -> None:
        with pytest.raises(Conflict, match=r"host\.name"):
            added({"host.name": "a"}, (EnvironmentInput(name="host.name", value="b"),))

    def test_refuses_too_many_of_a_run(self) -> None:
        known = {f"host.{number}": "x" for number in range(MAX_ATTRIBUTES)}
        with pytest.raises(TooLarge):
            added(known, (EnvironmentInput(name="os.type", value="linux"),))


class TestChecking:
    @pytest.mark.parametrize(
        ("attributes", "error"),
        [
            ((), ValidationFailed),
            ((("customer.name", "Ada"),), ValidationFailed),
            ((("process.command_args", "--key"),), ValidationFailed),
            ((("host.name", ""),), ValidationFailed),
            ((("host.name", "a"), ("host.name", "a")), ValidationFailed),
            ((("host." + "x" * 200, "a"),), ValidationFailed),
            ((("host.name", "x" * 1001),), TooLarge),
            (tuple((f"host.{number}", "x") for number in range(65)), TooLarge),
        ],
    )
    def test_refuses_what_no_environment_can_be(
        self, attributes: tuple[tuple[str, str], ...], error: type[HocError]
    ) -> None:
        given = tuple(EnvironmentInput(name=name, value=value) for name, value in attributes)
        request = CaptureEnvironment(idempotency_key="k", run_key=RUN, trace_id="t", attributes=given)
        with pytest.raises(error):
            check_capture(request)


class TestACall:
    def test_lacks_nothing_when_it_carries_everything(self) -> None:
        assert missing_of(CALL) == ((), ())

    def test_lacks_what_it_should_carry(self) -> None:
        bare = structs.replace(
            CALL, provider=None, model=None, input_tokens=None, output_tokens=None, finish_reason=None, response_id=None
        )
        activity, provider = missing_of(bare)
        assert activity == ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
        assert len(provider) == 4
        assert missing_of(structs.replace(bare, status=StepStatus.FAILURE)) == ((), provider[:2])
        assert missing_of(structs.replace(bare, kind=StepKind.EMBEDDINGS)) == (activity[:1], provider[:2])
