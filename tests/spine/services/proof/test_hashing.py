"""What is hashed is RFC 8785, and every field is in it."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from spine.contracts.enums import EvaluationOutcome, RulePhase
from spine.contracts.records import (
    BreachRecord,
    DecisionRecord,
    EnvironmentRecord,
    EvaluationRecord,
    EvidenceRecord,
    SealRecord,
    StepRecord,
)
from spine.services.canonical_json import MAX_SAFE_INTEGER, canonical
from spine.services.clock import to_us
from spine.services.proof.hashing import (
    EVIDENCE_TAG,
    GENESIS,
    SEAL_TAG,
    STEP_TAG,
    evidence_genesis,
    evidence_hash,
    seal_hash,
    step_hash,
)
from tests.spine.services.proof.records import TENANT, make_evidence, make_sealed, make_step, tampered

SCALARS = st.none() | st.booleans() | st.text() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
BYTES = {"span_digest", "input_digest", "output_digest", "attributes_digest", "prev_hash"}
TEXTS = ("name", "skill_name", "status_message", "model", "response_id", "finish_reason")


def plain(step: StepRecord) -> dict[str, Any]:
    """A step's fields as the docstring of `step_hash` says that they are written."""
    record = {name: getattr(step, name) for name in StepRecord.__struct_fields__ if name != "step_hash"}
    if not step.salted:
        del record["salted"]
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

    def test_of_a_step_without_salts_is_what_it_always_was(self) -> None:
        step = make_step(0, GENESIS, salted=False)
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


def written(value: Any) -> Any:
    """A value of a record as it is hashed: bytes as hex, instants as microseconds, large integers as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return str(to_us(value))
    if isinstance(value, UUID) or (isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER):
        return str(value)
    return value


def fields(record: EvidenceRecord | SealRecord, own_hash: str) -> dict[str, Any]:
    """Every field of a record but its own hash, and what kind of record it is."""
    names = [name for name in type(record).__struct_fields__ if name != own_hash]
    return {name: written(getattr(record, name)) for name in names} | {"record": type(record).__name__}


class TestEvidenceHash:
    @pytest.mark.parametrize("index", [0, 1, 2, 3])
    @given(text=st.text(), number=st.integers(-(2**63), 2**63 - 1))
    def test_is_sha_256_of_tag_and_rfc_8785_of_all_other_fields(self, index: int, text: str, number: int) -> None:
        record = make_evidence(make_sealed().run, 4)[index]
        names = {"reason", "rule_name", "limit_name", "facts", "attributes"} & set(type(record).__struct_fields__)
        numbers = {"count", "breached_value", "evidence_index"} & set(type(record).__struct_fields__)
        record = structs.replace(record, **dict.fromkeys(names, text), **dict.fromkeys(numbers, number))
        whole = fields(record, "evidence_hash") | {"prev_hash": GENESIS.hex()}
        assert evidence_hash(record, GENESIS) == hashlib.sha256(EVIDENCE_TAG + rfc8785.dumps(whole)).digest()

    @pytest.mark.parametrize(
        ("index", "field"),
        [
            (index, field)
            for index, kind in enumerate((EvaluationRecord, BreachRecord, DecisionRecord, EnvironmentRecord))
            for field in kind.__struct_fields__
            if field != "evidence_hash"
        ],
    )
    def test_covers_every_field(self, index: int, field: str) -> None:
        stored = make_sealed()
        record = make_evidence(stored.run, 4)[index]
        head = evidence_genesis(TENANT, stored.run.id)
        assert evidence_hash(tampered(record, field), head) != evidence_hash(record, head)

    def test_of_an_evaluation_from_before_engines_were_recorded_is_what_it_was(self) -> None:
        record = EvaluationRecord(
            run_key=UUID(int=1),
            evidence_index=0,
            id=UUID(int=2),
            rule_id=UUID(int=3),
            rule_version=2,
            rule_name="No refunds above 500",
            rule_digest=bytes(range(32)),
            phase=RulePhase.STEP,
            outcome=EvaluationOutcome.WARN,
            count=1,
            step_index=1,
            facts='{"step.kind":"CHAT"}',
            reason="because",
            evaluated_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
            evidence_hash=b"",
        )
        assert evidence_hash(record, GENESIS).hex() == (
            "4d050fdf336ee18e395521e3e15bc98cdf3d39c1b53bc2bb10e451d61cf4a2fe"
        )

    def test_depends_on_the_record_before(self) -> None:
        record = make_evidence(make_sealed().run, 1)[0]
        assert evidence_hash(record, GENESIS) != evidence_hash(record, b"1" * 32)


class TestSealHash:
    def test_is_sha_256_of_tag_and_rfc_8785_of_all_other_fields(self) -> None:
        seal = make_sealed().seals[0]
        assert seal.seal_hash == hashlib.sha256(SEAL_TAG + rfc8785.dumps(fields(seal, "seal_hash"))).digest()

    @pytest.mark.parametrize("field", [name for name in SealRecord.__struct_fields__ if name != "seal_hash"])
    def test_covers_every_field(self, field: str) -> None:
        seal = make_sealed().seals[0]
        assert seal_hash(tampered(seal, field)) != seal.seal_hash
