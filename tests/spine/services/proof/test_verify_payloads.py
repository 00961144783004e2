"""Payloads: edited and lost ones are found, erased ones keep the proof, and nobody plays with the salts."""

from typing import Any

import pytest
from msgspec import structs

from spine.contracts.enums import BreakKind, VerificationStatus
from spine.contracts.records import StepPayload
from spine.services.canonical_json import digest
from spine.services.commitments import commitment
from spine.services.proof.hashing import trace_genesis
from spine.services.proof.offline import verify_bundle
from spine.services.proof.verify import StoredRun
from tests.spine.services.proof.bundles import bundle_of
from tests.spine.services.proof.records import NOW, SALT, TENANT, TRACE, make_step, tampered
from tests.spine.services.proof.test_verify import UNTOUCHED, breaks, sealed_over, verdict

LONG = b'{"attributes":{"kept":"and long enough to be cut in two"}}'


def recorded_unsalted(attributes: bytes) -> tuple[StoredRun, StepPayload]:
    """A run of one step, as they were recorded before there were salts, and its payload."""
    step = make_step(
        0, trace_genesis(TENANT, TRACE), input_digest=None, attributes_digest=digest(attributes), salted=False
    )
    payload = StepPayload(TRACE, 0, None, None, attributes, None, None)
    return structs.replace(sealed_over([step]), payloads=[payload]), payload


def erased(payload: StepPayload) -> StepPayload:
    """What is left of a payload that was erased."""
    return structs.replace(payload, input=None, output=None, attributes=None, salt=None, redacted_at=NOW)


class TestPayloads:
    @pytest.mark.parametrize("field", StepPayload.__struct_fields__)
    def test_edited_bytes_are_found(self, field: str) -> None:
        payloads = list(UNTOUCHED.payloads or ())
        payloads[2] = tampered(payloads[2], field) if field != "output" else structs.replace(payloads[2], output=b"x")
        assert breaks(structs.replace(UNTOUCHED, payloads=payloads)) == (BreakKind.PAYLOAD_TAMPERED, 2)

    def test_lost_bytes_are_found(self) -> None:
        payloads = list(UNTOUCHED.payloads or ())
        assert breaks(structs.replace(UNTOUCHED, payloads=payloads[:-1])) == (BreakKind.PAYLOAD_TAMPERED, 3)

    @pytest.mark.parametrize("value", [None, b""])
    def test_bytes_that_became_none_or_empty_are_found(self, value: bytes | None) -> None:
        payloads = list(UNTOUCHED.payloads or ())
        payloads[0] = structs.replace(payloads[0], input=value)
        assert breaks(structs.replace(UNTOUCHED, payloads=payloads)) == (BreakKind.PAYLOAD_TAMPERED, 0)

    def test_those_of_a_step_without_a_salt_are_verified_by_their_plain_digests(self) -> None:
        stored, payload = recorded_unsalted(LONG)
        assert verdict(stored).verification_status is VerificationStatus.VERIFIED
        edited = structs.replace(payload, attributes=LONG + b" ")
        assert breaks(structs.replace(stored, payloads=[edited])) == (BreakKind.PAYLOAD_TAMPERED, 0)

    def test_those_of_a_step_without_a_salt_are_bundled_as_the_others(self) -> None:
        bundled = bundle_of(recorded_unsalted(LONG)[0])
        (line,) = verify_bundle(bundled.text.encode(), bundled.trust).bundle.steps
        assert line.fields["attributes_digest"] == digest(LONG).hex()

    def test_a_contents_beginning_is_no_salt(self) -> None:
        stored, payload = recorded_unsalted(LONG)
        cut = structs.replace(payload, salt=LONG[:32], attributes=LONG[32:])
        assert breaks(structs.replace(stored, payloads=[cut])) == (BreakKind.PAYLOAD_TAMPERED, 0)

    def test_a_salt_is_no_contents_beginning(self) -> None:
        payloads = [
            structs.replace(one, input=SALT + (one.input or b""), attributes=SALT + (one.attributes or b""), salt=None)
            for one in UNTOUCHED.payloads or ()
        ]
        assert breaks(structs.replace(UNTOUCHED, payloads=payloads)) == (BreakKind.PAYLOAD_TAMPERED, 0)

    def test_a_longer_salt_is_found_though_its_end_is_the_contents_beginning(self) -> None:
        step = make_step(0, trace_genesis(TENANT, TRACE), input_digest=None, attributes_digest=commitment(SALT, LONG))
        moved = StepPayload(TRACE, 0, None, None, LONG[1:], SALT + LONG[:1], None)
        stored = structs.replace(sealed_over([step]), payloads=[moved])
        assert breaks(stored) == (BreakKind.PAYLOAD_TAMPERED, 0)

    def test_erased_ones_keep_the_proof(self) -> None:
        payloads = [erased(one) if one.step_index != 2 else one for one in UNTOUCHED.payloads or ()]
        assert verdict(structs.replace(UNTOUCHED, payloads=payloads)).verification_status is VerificationStatus.VERIFIED
        stored, payload = recorded_unsalted(LONG)
        stored = structs.replace(stored, payloads=[erased(payload)])
        assert verdict(stored).verification_status is VerificationStatus.VERIFIED

    @pytest.mark.parametrize(
        "kept", [{"redacted_at": None}, {"input": b"x"}, {"output": b"x"}, {"attributes": b"{}"}, {"salt": SALT}]
    )
    def test_erased_ones_of_which_something_is_left_or_no_time_are_found(self, kept: dict[str, Any]) -> None:
        payloads = [erased(one) for one in UNTOUCHED.payloads or ()]
        payloads[2] = structs.replace(payloads[2], **kept)
        assert breaks(structs.replace(UNTOUCHED, payloads=payloads)) == (BreakKind.PAYLOAD_TAMPERED, 2)

    def test_payloads_that_were_not_asked_for_are_not_judged(self) -> None:
        assert verdict(structs.replace(UNTOUCHED, payloads=None)).verification_status is VerificationStatus.VERIFIED
