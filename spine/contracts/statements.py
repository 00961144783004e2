"""What a driver builds and the unit of work runs: statements with their parameters and row decoders.

Drivers never see a connection. `statement` is a SQLAlchemy Core expression, built once per shape and kept, because it
is compiled once per object; the parameter `tenant_id` is added by the unit of work from the principal, nowhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

T_co = TypeVar("T_co", covariant=True)

Row = Sequence[Any]


class Read(Struct, Generic[T_co], frozen=True):
    """A SELECT, its parameters and what one row means.

    `most_rows` marks the read of a wave that gives most of its rows; taking them apart is made cheapest. What is `kept`
    can be recalled in the same snapshot by whoever needs the same rows (`ReadSession.recalled`).
    """

    statement: Any
    params: Mapping[str, object]
    decode: Callable[[Row], T_co]
    most_rows: bool = False
    kept: bool = False


class Write(Struct, frozen=True):
    """An INSERT or UPDATE of one kind of row; running it answers how many rows it touched."""

    statement: Any
    params: Mapping[str, object]


class InsertRows(Struct, frozen=True):
    """Many rows for one table in one statement; `columns` name the values of each row, without `tenant_id`.

    `conflict` says what happens to a row whose primary or unique key exists: it fails, is left out, or replaces
    every column but the primary key and `created_at`.
    """

    table: Any
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    conflict: Literal["fail", "skip", "replace"] = "fail"
