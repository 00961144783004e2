"""Statements to SQL text: each Core expression is compiled once, for asyncpg's `$n` parameters.

The hot path runs this text on asyncpg directly; SQLAlchemy builds statements, it does not run them. Statement objects
are kept by their drivers (one per shape), so the cache is bounded by the number of shapes.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

from msgspec import Struct
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql import ClauseElement

from spine.contracts.statements import InsertRows

DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]
PLACEHOLDER = re.compile(r"\$(\d+)")


class CompiledStatement(Struct, frozen=True):
    """SQL text, the parameter names in order, and the values that the expression itself carries."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, object]

    def arguments(self, params: Mapping[str, object]) -> list[object]:
        """The positional arguments; KeyError names a parameter that is missing."""
        constants = self.constants
        return [params[name] if name in params else constants[name] for name in self.names]


@lru_cache(maxsize=2048)
def compiled(statement: ClauseElement) -> CompiledStatement:
    """The statement's SQL; the same object gives the same result without compiling again."""
    result: Any = statement.compile(dialect=DIALECT)
    names = tuple(result.positiontup or ())
    constants = {name: value for name, value in result.params.items() if result.binds[name].value is not None}
    return CompiledStatement(str(result), names, constants)


@lru_cache(maxsize=256)
def _insert_sql(table: Table, columns: tuple[str, ...], conflict: str) -> str:
    sql = (
        f"INSERT INTO {table.name} (tenant_id, {', '.join(columns)}) "  # noqa: S608 - names of our own tables
        f"SELECT $1::uuid, {', '.join(f'r.{name}' for name in columns)} FROM unnest($2::{table.name}[]) r"
    )
    if conflict == "skip":
        return f"{sql} ON CONFLICT DO NOTHING"
    if conflict == "replace":
        keys = [column.name for column in table.primary_key.columns]
        kept = {*keys, "created_at"}
        changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in kept)
        return f"{sql} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"
    return sql


@lru_cache(maxsize=256)
def _in_order(table: Table, columns: tuple[str, ...]) -> Callable[[tuple[object, ...]], tuple[object, ...]]:
    """Takes values of `columns`, and None after them, to a row in the order of the table's columns."""
    names = [column.name for column in table.c]
    return itemgetter(*(columns.index(name) if name in columns else len(columns) for name in names))


def insert_statement(insert: InsertRows) -> tuple[str, list[tuple[object, ...]]]:
    """One INSERT for all rows, and the rows as the table has its columns, None where the statement sets none.

    Rows cost asyncpg a third of what an array for each column costs, in each of whose values it looks for further
    arrays. There is no COPY for a role that row-level security holds.
    """
    in_order = _in_order(insert.table, insert.columns)
    rows = [in_order((*row, None)) for row in insert.rows]
    return _insert_sql(insert.table, insert.columns, insert.conflict), rows
