"""What is hashed is RFC 8785, and every field is in it."""

import hashlib
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from spine.contracts.records import BreachRecord, DecisionRecord, EvaluationRecord, SealRecord, StepRecord
from spine.services.canonical_json import MAX_SAFE_INTEGER, canonical
from spine.services.proof.hashing import GENESIS, STEP_TAG, evidence_genesis, evidence_hash, seal_hash, step_hash
from tests.spine.services.proof.records import TENANT, make_evidence, make_sealed, make_step, tampered

SCALARS = st.none() | st.booleans() | st.text() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
BYTES = {"span_digest", "input_digest", "output_digest", "attributes_digest", "prev_hash"}
TEXTS = ("name", "skill_name", "status_message", "model", "response_id", "finish_reason")


def plain(step: StepRecord) -> dict[str, Any]:
    """A step's fields as the docstring of `step_hash` says that they are written."""
    record = {name: getattr(step, name) for name in StepRecord.__struct_fields__ if name != "step_hash"}
    for name in BYTES:
        record[name] = None if record[name] is None else record[name].hex()
    for name in ("kind", "status", "provider_type"):
        record[name] = str(record[name])
    return record | {"started_ns": str(step.started_ns), "ended_ns": str(step.ended_ns)}


class TestCanonicalJson:
    @given(st.dictionaries(st.text(st.characters(min_codepoint=97, max_codepoint=122)), SCALARS))
    def test_is_rfc_8785(self, record: dict[str, Any]) -> None:
        assert canonical(record) == rfc8785.dumps(record)

    @pytest.mark.parametrize("number", [MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1])
    def test_refuses_an_integer_that_json_readers_round(self, number: int) -> None:
        with pytest.raises(ValueError, match="does not fit"):
            canonical({"number": number})


class TestStepHash:
    @given(st.fixed_dictionaries(dict.fromkeys(TEXTS, st.text())), st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER))
    def test_is_sha_256_of_tag_and_rfc_8785_of_all_other_fields(self, texts: dict[str, str], number: int) -> None:
        step = make_step(0, GENESIS, **texts, input_tokens=number, started_ns=number * 1000)
        assert step.step_hash == hashlib.sha256(STEP_TAG + rfc8785.dumps(plain(step))).digest()

    @pytest.mark.parametrize("field", [name for name in StepRecord.__struct_fields__ if name != "step_hash"])
    def test_covers_every_field(self, field: str) -> None:
        step = make_step(3, GENESIS)
        assert step_hash(tampered(step, field)) != step.step_hash

    @pytest.mark.parametrize("field", ["input_tokens", "output_tokens", "cost_micro_usd"])
    def test_refuses_an_integer_that_json_readers_round(self, field: str) -> None:
        step = structs.replace(make_step(0, GENESIS), **{field: 2**53})
        with pytest.raises(ValueError, match="does not fit"):
            step_hash(step)


class TestEvidenceHash:
    @pytest.mark.parametrize(
        ("index", "field"),
        [
            (index, field)
            for index, kind in enumerate((EvaluationRecord, BreachRecord, DecisionRecord))
            for field in kind.__struct_fields__
            if field != "evidence_hash"
        ],
    )
    def test_covers_every_field(self, index: int, field: str) -> None:
        stored = make_sealed()
        record = make_evidence(stored.run, 3)[index]
        head = evidence_genesis(TENANT, stored.run.id)
        assert evidence_hash(tampered(record, field), head) != evidence_hash(record, head)

    def test_depends_on_the_record_before(self) -> None:
        record = make_evidence(make_sealed().run, 1)[0]
        assert evidence_hash(record, GENESIS) != evidence_hash(record, b"1" * 32)


class TestSealHash:
    @pytest.mark.parametrize("field", [name for name in SealRecord.__struct_fields__ if name != "seal_hash"])
    def test_covers_every_field(self, field: str) -> None:
        seal = make_sealed().seals[0]
        assert seal_hash(tampered(seal, field)) != seal.seal_hash
