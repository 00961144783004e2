"""What clients see of an error."""

from types import SimpleNamespace
from typing import Any

import pytest
import strawberry

from resolvers.errors import CodedErrors, Schema
from spine.contracts.errors import Unavailable, ValidationFailed


def broken(error: Exception) -> Any:
    """A field that raises it."""

    def resolve() -> str:
        raise error

    return strawberry.field(resolver=resolve)


@strawberry.type
class Query:
    crash: str | None = broken(RuntimeError("secret: postgres://user:password@host"))
    away: str | None = broken(Unavailable("the database did not answer in time"))
    wrong: str | None = broken(ValidationFailed("first must be 1 to 100", field="created_after"))
    fine: str | None = "fine"


SCHEMA = Schema(Query, extensions=[CodedErrors])


async def ask(query: str, variables: dict[str, Any] | None = None) -> tuple[Any, list[dict[str, Any]]]:
    context: Any = SimpleNamespace(request_id="r-1")
    result = await SCHEMA.execute(query, variable_values=variables, context_value=context, root_value=Query())
    return result.data, [dict(error.formatted) for error in result.errors or ()]


class TestMasking:
    async def test_a_crash_says_only_where_and_under_which_request(self) -> None:
        data, (error,) = await ask("{ fine crash }")
        assert data == {"fine": "fine", "crash": None}
        assert error["message"] == "an internal error occurred"
        assert error["path"] == ["crash"]
        assert error["extensions"] == {"code": "INTERNAL", "requestId": "r-1"}
        assert "secret" not in str(error)

    async def test_an_expected_failure_keeps_its_text_and_code(self) -> None:
        _, (error,) = await ask("{ away }")
        assert error["message"] == "the database did not answer in time"
        assert error["extensions"]["code"] == "UNAVAILABLE"

    async def test_it_names_the_clients_field(self) -> None:
        _, (error,) = await ask("{ wrong }")
        assert error["extensions"] == {"code": "VALIDATION", "requestId": "r-1", "field": "createdAfter"}


class TestDocuments:
    @pytest.mark.parametrize("query", ["{ nothing }", "{ fine ", "query($n: Int!) { fine @include(if: $n) }", "{"])
    async def test_a_wrong_document_is_said_to_be(self, query: str) -> None:
        data, (error, *_) = await ask(query)
        assert data is None
        assert error["extensions"] == {"code": "VALIDATION", "requestId": "r-1"}
        assert error["message"] != "an internal error occurred"

    async def test_a_wrong_variable_is_said_to_be(self) -> None:
        data, (error,) = await ask("query($yes: Boolean!) { fine @include(if: $yes) }", {"yes": "maybe"})
        assert data is None
        assert error["extensions"]["code"] == "VALIDATION"
