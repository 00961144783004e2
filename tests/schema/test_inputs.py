"""Inputs become the contracts' requests."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import strawberry
from graphql import GraphQLError

from schema.activity.inputs import ActorInput, AppendStepsInput, RunFilter, StartRunInput, StepInput
from schema.controls.limit import UpdateLimitInput
from schema.inputs import CONTRACTS, contract_input, field_name, required, to_contract
from schema.policies.rule import RetirePolicyRuleInput
from schema.scalars import SCALARS
from spine.contracts import governance, runs
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind, RunStatus, StepKind
from spine.contracts.errors import ValidationFailed
from spine.contracts.scalars import BigInt, Json
from spine.services.ids import node_id

KEY = UUID("0192a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


class TestRequests:
    def test_what_is_left_out_has_the_contracts_default(self) -> None:
        given = make(
            StartRunInput,
            idempotency_key="k",
            agent_id="a",
            actor=make(ActorInput, kind=ActorKind.SYSTEM),
            origin_system_id="o",
            goal=None,
        )
        actor = Actor(ActorKind.SYSTEM, None, None)
        wanted = runs.StartRun(idempotency_key="k", agent_id="a", actor=actor, origin_system_id="o")
        assert to_contract(given) == wanted

    def test_lists_become_tuples_and_ids_keys(self) -> None:
        given = make(RunFilter, status=[RunStatus.FAILED], parent_run_id=strawberry.ID(node_id("Run", KEY)))
        assert to_contract(given) == runs.RunFilter(status=(RunStatus.FAILED,), parent_key=KEY)

    def test_inputs_within_inputs_become_requests_too(self) -> None:
        step = make(StepInput, step_id="s", name="n", kind=StepKind.CHAT, started_at=MOMENT, ended_at=MOMENT)
        given = make(AppendStepsInput, idempotency_key="k", run_id=strawberry.ID(node_id("Run", KEY)), steps=[step])
        inner = runs.StepInput(step_id="s", name="n", kind=StepKind.CHAT, started_at=MOMENT, ended_at=MOMENT)
        assert to_contract(given) == runs.AppendSteps(idempotency_key="k", run_key=KEY, steps=(inner,))

    def test_an_id_of_another_kind_blames_its_field(self) -> None:
        given = make(
            RetirePolicyRuleInput,
            id=strawberry.ID(node_id("PolicyRule", KEY)),
            reason="r",
            superseded_by_id=strawberry.ID(node_id("Limit", KEY)),
        )
        with pytest.raises(ValidationFailed) as caught:
            to_contract(given)
        assert caught.value.field == "supersededById"

    def test_text_with_u0000_is_refused(self) -> None:
        """PostgreSQL cannot hold it; the driver would raise in the middle of the transaction."""
        with pytest.raises(ValidationFailed, match="U\\+0000"):
            to_contract(make(RunFilter, text="a\x00b"))
        with pytest.raises(ValidationFailed, match="U\\+0000"):
            to_contract(make(RunFilter, model=["a\x00b"]))

    def test_every_input_is_held_against_its_contract(self) -> None:
        assert len(CONTRACTS) > 15
        with pytest.raises(TypeError, match="differ in \\['reason'\\]"):

            @contract_input(governance.DisableLimit, name="HalfInput")
            class HalfInput:
                limit_key: str = required("Only one of two fields.")


class TestBlame:
    def test_an_error_names_the_clients_field(self) -> None:
        assert field_name(UpdateLimitInput, "limit_key") == "id"
        assert field_name(UpdateLimitInput, "max_value") == "maxValue"
        assert field_name(AppendStepsInput, "steps[2].started_at") == "steps[2].startedAt"
        assert field_name(None, "created_after") == "createdAfter"


class TestScalars:
    @pytest.mark.parametrize("text", ["2026-01-31T09:30:00Z", "2026-01-31T10:30:00+01:00"])
    def test_a_time_is_read_with_its_zone(self, text: str) -> None:
        assert read(datetime, text) == MOMENT
        assert write(datetime, MOMENT) == "2026-01-31T09:30:00+00:00"

    @pytest.mark.parametrize("wrong", ["2026-01-31T09:30:00", "yesterday", "", 5, None])
    def test_a_time_without_one_is_refused(self, wrong: object) -> None:
        with pytest.raises(GraphQLError, match="time zone"):
            read(datetime, wrong)

    def test_money_is_exact_and_without_exponent(self) -> None:
        assert read(Decimal, "0.000001") == Decimal("0.000001")
        assert read(Decimal, 3) == Decimal(3)
        assert write(Decimal, Decimal("1E-7")) == "0.0000001"
        assert [write(Decimal, Decimal(text)) for text in ("0.250000", "50", "0.000000")] == ["0.25", "50", "0"]

    @pytest.mark.parametrize(
        "wrong", ["NaN", "Infinity", "x", "1e400", "9" * 31, 0.5, True, " 1 ", "1_000", "\uff11", ""]
    )
    def test_what_is_no_number_is_refused(self, wrong: object) -> None:
        with pytest.raises(GraphQLError):
            read(Decimal, wrong)

    def test_a_big_integer_is_one_that_json_carries_exactly(self) -> None:
        assert read(BigInt, 2**53 - 1) == 2**53 - 1
        for wrong in (2**53, True, 1.5, "1"):
            with pytest.raises(GraphQLError):
                read(BigInt, wrong)

    def test_json_text_is_shown_as_its_value(self) -> None:
        assert write(Json, '{"a":[1,null]}') == {"a": [1, None]}


def make(of: Any, **fields: Any) -> Any:
    """An input as GraphQL builds it."""
    return of(**fields)


def read(kind: object, value: object) -> object:
    parse = SCALARS[kind].parse_value
    assert parse is not None
    return parse(value)


def write(kind: object, value: object) -> object:
    serialize = SCALARS[kind].serialize
    assert serialize is not None
    return serialize(value)
