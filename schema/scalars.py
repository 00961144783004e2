"""The scalars of the API: what each means on the wire, in both directions."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import orjson
import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from spine.contracts.scalars import BigInt, Json

MAX_SAFE_INTEGER = 2**53 - 1
MAX_DIGITS = 30
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def _read_integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_SAFE_INTEGER:
        raise GraphQLError("a BigInt is an integer within ±(2^53-1)")
    return value


def _read_decimal(value: object) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(_read_integer(value))
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):  # Python's own also takes NaN, 1_000, blanks
        raise GraphQLError("a Decimal is a string such as 12.50")
    number = Decimal(value)
    if abs(number.adjusted()) >= MAX_DIGITS or len(number.as_tuple().digits) > MAX_DIGITS:
        raise GraphQLError(f"a Decimal has at most {MAX_DIGITS} digits")
    return number


def _write_decimal(value: Decimal) -> str:
    return format(value.normalize(), "f")


def _read_time(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except ValueError:
        pass
    except OverflowError:
        raise GraphQLError("a DateTime is within the years 1 to 9999 in UTC") from None
    raise GraphQLError("a DateTime is a string with a time zone, such as 2026-01-31T09:30:00Z")


def _write_time(value: datetime) -> str:
    """As `isoformat` writes it, which takes two and a half times as long; a page has hundreds of times."""
    return orjson.dumps(value)[1:-1].decode() if type(value) is datetime else value.isoformat()


def _read_date(value: object) -> date:
    try:
        if isinstance(value, str):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise GraphQLError("a Date is a string such as 2026-01-31")


def _write_date(value: date) -> str:
    return value.isoformat()


def _read_json(value: object) -> Json:
    return Json(json.dumps(value))


NATIVE: Mapping[str, type] = {"DateTime": datetime, "Date": date}
"""Scalars whose values orjson writes just as their serializers do, by the class that their values have."""

SCALARS: Mapping[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="An integer that may exceed 32 bits, within ±(2^53-1): tokens, milliseconds, counts.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
        parse_value=_read_integer,
    ),
    Json: strawberry.scalar(
        name="JSON",
        description="A JSON value of any shape.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=json.loads,
        parse_value=_read_json,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number as a string, without exponent: money, limits.",
        specified_by_url="https://speleotrove.com/decimal/daconvs.html",
        serialize=_write_decimal,
        parse_value=_read_decimal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment with its time zone; answers are in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_write_time,
        parse_value=_read_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_write_date,
        parse_value=_read_date,
    ),
}
