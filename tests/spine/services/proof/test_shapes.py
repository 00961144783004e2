"""Every record that is hashed has the shape that its type says, and no other record has it."""

from typing import Any, get_args
from uuid import UUID

import orjson
import pytest
from msgspec import Struct, UnsetType, structs

from spine.contracts.records import EvaluationRecord, EvidenceRecord, SealRecord, StepRecord
from spine.services.proof.hashing import GENESIS, evidence_content, seal_content, step_content
from spine.services.proof.shapes import EVIDENCE, SEAL, STEP, NotARecord, Shape, shape_of
from tests.spine.services.proof.records import make_evidence, make_run, make_sealed, make_step

RUN = make_run()
CASES: list[tuple[Shape, dict[str, Any]]] = [
    (STEP, orjson.loads(step_content(make_step(3, GENESIS)))),
    (SEAL, orjson.loads(seal_content(make_sealed().seals[0]))),
    *(
        (EVIDENCE[type(record).__name__], orjson.loads(evidence_content(record, GENESIS)))
        for record in make_evidence(RUN, 3)
    ),
]
FIELDS = [(shape, record, name) for shape, record in CASES for name in record]
NEEDED = [(shape, record, name) for shape, record, name in FIELDS if name in shape.needed]


def case_name(value: object) -> str:
    return value.name if isinstance(value, Shape) else value if isinstance(value, str) else "record"


class TestShapes:
    @pytest.mark.parametrize(("shape", "record"), CASES, ids=case_name)
    def test_are_those_of_what_is_hashed(self, shape: Shape, record: dict[str, Any]) -> None:
        shape.demand(record)
        assert shape.needed <= record.keys() <= shape.checks.keys()

    def test_there_is_one_for_each_kind_of_record(self) -> None:
        assert set(EVIDENCE) == {kind.__name__ for kind in get_args(EvidenceRecord)}
        assert STEP.checks.keys() == set(StepRecord.__struct_fields__) - {"step_hash"}
        assert SEAL.checks.keys() == set(SealRecord.__struct_fields__) - {"seal_hash"} | {"record"}

    @pytest.mark.parametrize(("shape", "record", "name"), NEEDED, ids=case_name)
    def test_a_missing_field_is_refused(self, shape: Shape, record: dict[str, Any], name: str) -> None:
        with pytest.raises(NotARecord, match=f"field {name} is missing"):
            shape.demand({other: value for other, value in record.items() if other != name})

    @pytest.mark.parametrize(("shape", "record"), CASES, ids=case_name)
    def test_an_unknown_field_is_refused(self, shape: Shape, record: dict[str, Any]) -> None:
        with pytest.raises(NotARecord, match="unknown field 'more'"):
            shape.demand(record | {"more": None})

    @pytest.mark.parametrize(("shape", "record", "name"), FIELDS, ids=case_name)
    def test_a_value_of_another_kind_is_refused(self, shape: Shape, record: dict[str, Any], name: str) -> None:
        other = 1 if isinstance(record[name], bool | str) or record[name] is None else "text"
        with pytest.raises(NotARecord, match=f"field {name} holds"):
            shape.demand(record | {name: other})

    def test_a_field_that_was_added_later_may_be_missing_but_not_empty(self) -> None:
        class Record(Struct):
            old: int
            flag: bool
            text: str | None

        class Written(Struct):
            flag: bool | UnsetType
            old: int
            text: str | UnsetType

        shape = shape_of(Record, Written)
        good: list[dict[str, Any]] = [{"old": 1}, {"old": 1, "flag": True}, {"old": 1, "flag": True, "text": "x"}]
        bad: list[dict[str, Any]] = [{"flag": True}, *({"old": 1, name: None} for name in ("flag", "text"))]
        for record in good:
            shape.demand(record)
        for record in [*bad, {"old": 1, "flag": False}, {"old": 1, "flag": "x"}]:
            with pytest.raises(NotARecord):
                shape.demand(record)

    def test_an_integer_beyond_what_json_holds_is_its_text(self) -> None:
        large = structs.replace(make_evidence(RUN, 2)[1], breached_value=2**60)
        EVIDENCE["BreachRecord"].demand(orjson.loads(evidence_content(large, GENESIS)))
        for wrong in ("7", "1.5", "", "-0", "0" * 20, "9" * 31):
            with pytest.raises(NotARecord, match="breached_value"):
                EVIDENCE["BreachRecord"].demand(CASES[3][1] | {"breached_value": wrong})

    @pytest.mark.parametrize("wrong", ["9" * 29, "-" + "9" * 29, "1.5", "01", ""])
    def test_an_instant_that_no_calendar_shows_is_refused(self, wrong: str) -> None:
        with pytest.raises(NotARecord, match="evaluated_at"):
            EVIDENCE["EvaluationRecord"].demand(CASES[2][1] | {"evaluated_at": wrong})

    def test_a_record_of_another_kind_is_refused(self) -> None:
        record = CASES[2][1]
        assert record["record"] == EvaluationRecord.__name__
        with pytest.raises(NotARecord, match="field record holds"):
            EVIDENCE["EvaluationRecord"].demand(record | {"record": "BreachRecord"})
        with pytest.raises(NotARecord, match="field id holds"):
            EVIDENCE["EvaluationRecord"].demand(record | {"id": str(UUID(int=0xABC)).upper()})
