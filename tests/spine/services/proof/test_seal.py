"""Seals commit to every field that they say they do, and to the seal before."""

import orjson
import pytest
import rfc8785
from msgspec import structs

from spine.contracts.ports import RunRow
from spine.services.canonical_json import digest
from spine.services.commitments import commitment
from spine.services.proof.hashing import GENESIS, seal_hash
from spine.services.proof.seal import LEFT_OUT, attributes_digest, build_seal, needs_seal, run_record
from tests.spine.services.proof.records import ATTRIBUTES, NOW, NOW_NS, SALT, make_run, make_sealed, tampered


class TestRunRecord:
    @pytest.mark.parametrize("field", RunRow.__struct_fields__)
    def test_holds_every_field_but_those_that_a_later_decision_may_change(self, field: str) -> None:
        run = make_run()
        held = field not in LEFT_OUT or field == "salt"  # which is in the commitment to the attributes
        assert (run_record(tampered(run, field)) != run_record(run)) == held

    def test_is_rfc_8785(self) -> None:
        record = run_record(make_run())
        assert rfc8785.dumps(orjson.loads(record)) == record

    def test_writes_times_as_decimal_strings_and_attributes_as_their_commitment(self) -> None:
        record = orjson.loads(run_record(make_run(started_ns=5)))
        assert record["started_ns"] == "5"
        assert record["last_seen_ns"] == str(NOW_NS + 5_000_000_000)
        assert record["created_at"] == str(NOW_NS // 1000)
        assert record["attributes"] == f"salted:{commitment(SALT, ATTRIBUTES).hex()}"

    def test_writes_attributes_without_a_salt_as_it_always_did(self) -> None:
        assert orjson.loads(run_record(make_run(salt=None)))["attributes"] == digest(ATTRIBUTES).hex()

    def test_is_the_same_when_the_attributes_are_erased(self) -> None:
        for run in (make_run(), make_run(salt=None)):
            kept = {"attributes_digest": attributes_digest(run), "redacted_at": NOW}
            assert run_record(structs.replace(run, attributes=None, salt=None, **kept)) == run_record(run)

    def test_takes_an_integer_that_json_cannot_hold(self) -> None:
        assert orjson.loads(run_record(make_run(input_tokens=2**60)))["input_tokens"] == str(2**60)


class TestBuildSeal:
    def test_the_first_seal_follows_nothing(self) -> None:
        seal = build_seal(make_run(), None, [b"1" * 32, b"2" * 32], NOW)
        assert (seal.version, seal.step_count, seal.prev_seal_hash) == (1, 2, GENESIS)
        assert seal.step_hashes == b"1" * 32 + b"2" * 32
        assert seal.seal_hash == seal_hash(seal)

    def test_the_next_seal_holds_only_what_is_new_and_the_hash_before(self) -> None:
        first = build_seal(make_run(), None, [b"1" * 32], NOW)
        second = build_seal(make_run(), first, [b"2" * 32], NOW)
        assert (second.version, second.step_count, second.step_hashes) == (2, 2, b"2" * 32)
        assert second.prev_seal_hash == first.seal_hash


class TestNeedsSeal:
    def test_a_sealed_run_needs_none(self) -> None:
        stored = make_sealed()
        assert not needs_seal(stored.run, stored.seals[-1], [])

    def test_a_run_without_seal_a_new_step_and_a_changed_field_or_evidence_need_one(self) -> None:
        stored = make_sealed()
        latest = stored.seals[-1]
        assert needs_seal(stored.run, None, [])
        assert needs_seal(stored.run, latest, [b"1" * 32])
        assert needs_seal(structs.replace(stored.run, refused_span_count=1), latest, [])
        assert needs_seal(structs.replace(stored.run, evidence_head=b"1" * 32), latest, [])

    def test_a_later_decision_needs_none(self) -> None:
        stored = make_sealed()
        assert not needs_seal(structs.replace(stored.run, incident_count=3), stored.seals[-1], [])
