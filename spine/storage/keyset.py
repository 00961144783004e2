"""Keyset pages: opaque cursors that carry a row's sort values, the predicate that goes on after them, and the page.

A cursor names its list, so one of another list is refused. Sort columns are not null and end with a unique one; all of
them run in one direction, so the predicate is one row comparison, which an index on these columns serves.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import ColumnElement, Integer, Select, bindparam, tuple_

from spine.contracts.errors import ValidationFailed
from spine.contracts.paging import MAX_PAGE, Page, PageRequest
from spine.contracts.statements import Read

T = TypeVar("T")

SortValue = datetime | UUID | str | int

# What PostgreSQL can hold: aware instants, int8, text without U+0000; anything else is not a cursor of ours.
_DECODED: dict[type, Any] = {
    datetime: Annotated[datetime, Meta(tz=True)],
    UUID: UUID,
    str: Annotated[str, Meta(pattern="^[^\x00]*$", max_length=4096)],
    int: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
}


class Keyset(Struct, frozen=True):
    """A list that is paged: its name and the types of its sort values (datetime, UUID, str or int)."""

    name: str
    types: tuple[type, ...]

    def cursor(self, *values: SortValue) -> str:
        """The cursor of the row with these sort values."""
        return base64.urlsafe_b64encode(msgspec.json.encode((self.name, *values))).decode().rstrip("=")

    def values(self, cursor: str) -> tuple[Any, ...]:
        """The sort values in a cursor; raises ValidationFailed for one that this list did not give."""
        shape: Any = tuple[(str, *(_DECODED[kind] for kind in self.types))]  # type: ignore[misc]
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            name, *values = msgspec.json.decode(raw, type=shape)
            values = [value.astimezone(UTC) if isinstance(value, datetime) else value for value in values]
        except (binascii.Error, msgspec.MsgspecError, ValueError, OverflowError) as error:
            raise ValidationFailed("malformed cursor", field="after") from error
        if name != self.name:
            raise ValidationFailed("this cursor belongs to another list", field="after")
        return tuple(values)

    def params(self, page: PageRequest) -> dict[str, object]:
        """The parameters of a `paged` statement: one row more than wanted, and where to go on."""
        values = () if page.after is None else self.values(page.after)
        return {"limit": first_of(page) + 1} | {f"after_{n}": value for n, value in enumerate(values)}

    def read(
        self, whole: Read[T], columns: tuple[ColumnElement[Any], ...], page: PageRequest, *, descending: bool = True
    ) -> Read[T]:
        """The read of one page of a whole list, in the order of `columns`; it gives one row more than wanted."""
        statement = paged(whole.statement, columns, after=page.after is not None, descending=descending)
        return Read(statement, {**whole.params, **self.params(page)}, whole.decode)


def first_of(page: PageRequest) -> int:
    """How many rows are wanted; raises ValidationFailed outside 1..100."""
    if not 1 <= page.first <= MAX_PAGE:
        raise ValidationFailed(f"first must be between 1 and {MAX_PAGE}", field="first")
    return page.first


@lru_cache(maxsize=256)
def paged(
    statement: Select[Any], columns: tuple[ColumnElement[Any], ...], *, after: bool, descending: bool = True
) -> Select[Any]:
    """The statement in the order of `columns`, cut to `:limit` rows and, if `after`, to rows behind the cursor's.

    The same statement and columns give the same object, so it is compiled once.
    """
    if after:
        row, last = tuple_(*columns), tuple_(*(bindparam(f"after_{n}", type_=c.type) for n, c in enumerate(columns)))
        statement = statement.where(row < last if descending else row > last)
    ordered = statement.order_by(*(column.desc() if descending else column.asc() for column in columns))
    return ordered.limit(bindparam("limit", type_=Integer))


def page_of(rows: Sequence[T], first: int, cursor_of: Callable[[T], str], total: int | None = None) -> Page[T]:
    """A page of the `first` + 1 rows that were asked for; the one too many says that more follow."""
    nodes = rows[:first]
    return Page(nodes, [cursor_of(node) for node in nodes], len(rows) > first, total)
