"""Cross-domain SQL counts as a cross-domain import: every statement that a driver can build names its own tables only.

Each public driver function is called with made-up arguments, once with as little and once with as much as its types
allow, so that filters and cursors are in the statement too.
"""

import enum
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Table
from sqlalchemy.sql import visitors

from spine.contracts.statements import InsertRows, Read, Write
from spine.storage.base import metadata

DOMAINS = Path(__file__).parents[2] / "domains"
PLAIN: Mapping[Any, Any] = {
    str: "x",
    int: 1,
    bool: True,
    bytes: b"x",
    float: 1.0,
    object: 1,
    UUID: UUID(int=7),
    Decimal: Decimal(1),
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
}


def little(hint: Any) -> Any:
    """The least that a type allows: None, nothing, defaults."""
    return _sample(hint, full=False)


def much(hint: Any) -> Any:
    """The most that a type allows: a value everywhere."""
    return _sample(hint, full=True)


def _sample(hint: Any, *, full: bool) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _sample(arguments[0], full=full)
    if origin in (types.UnionType, typing.Union):
        present = [one for one in arguments if one is not types.NoneType]
        return _sample(present[0], full=full) if full or types.NoneType not in arguments else None
    if origin is not None:
        return _container(origin, arguments, full=full)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _struct(hint, full=full)
    is_enum = isinstance(hint, type) and issubclass(hint, enum.Enum)
    return next(iter(hint)) if is_enum else PLAIN[getattr(hint, "__supertype__", hint)]


def _container(origin: Any, arguments: tuple[Any, ...], *, full: bool) -> Any:
    if origin is tuple:
        wanted = arguments if full or arguments[-1] is not ... else ()
        return tuple(_sample(one, full=full) for one in wanted if one is not ...)
    return {} if origin in (dict, Mapping) else [_sample(arguments[0], full=full)]


def _struct(kind: type[msgspec.Struct], *, full: bool) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    return kind(**{name: _sample(hint, full=full) for name, hint in hints.items() if full or name in required})


def builders() -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Domain, name and function of everything in a driver that builds a statement."""
    for path in sorted(DOMAINS.glob("*/driver*.py")):
        module = importlib.import_module(f"domains.{path.parent.name}.{path.stem}")
        for name, function in vars(module).items():
            if name[0] == "_" or not inspect.isfunction(function) or function.__module__ != module.__name__:
                continue
            result = typing.get_type_hints(function).get("return")
            if (typing.get_origin(result) or result) in (Read, Write, InsertRows):
                yield path.parent.name, f"{module.__name__}.{name}", function


def tables_of(built: Read[Any] | Write | InsertRows) -> set[str]:
    """The names of the tables that a statement reads or writes."""
    if isinstance(built, InsertRows):
        return {built.table.name}
    found = {element.name for element in visitors.iterate(built.statement) if isinstance(element, Table)}
    target = getattr(built.statement, "table", None)
    return found | ({target.name} if isinstance(target, Table) else set())


def own_tables(domain: str) -> set[str]:
    """The names of the tables that a domain declares."""
    module = importlib.import_module(f"domains.{domain}.tables")
    return {value.name for value in vars(module).values() if isinstance(value, Table)}


BUILDERS = tuple(builders())


def test_the_drivers_of_every_domain_with_tables_are_looked_at() -> None:
    assert {domain for domain, _, _ in BUILDERS} == {path.parent.name for path in DOMAINS.glob("*/tables.py")}


@pytest.mark.parametrize("sample", [little, much])
@pytest.mark.parametrize(("domain", "name", "build"), BUILDERS, ids=[name for _, name, _ in BUILDERS])
def test_a_statement_names_only_tables_of_its_own_domain(
    domain: str, name: str, build: Callable[..., Any], sample: Callable[[Any], Any]
) -> None:
    hints = typing.get_type_hints(build)
    arguments = {parameter: sample(hints[parameter]) for parameter in inspect.signature(build).parameters}
    named = tables_of(build(**arguments))
    assert named <= own_tables(domain), name
    across = (
        ".find_key",
        ".tenants_waiting",
        ".tenants_unwitnessed",
        ".tenants_unstamped",
    )  # which ask functions, the schema's only ways across tenants
    assert named or name.endswith(across), name


def test_a_statement_over_another_domains_table_would_be_seen() -> None:
    planted = Read(metadata.tables["runs"].select().where(metadata.tables["incidents"].select().exists()), {}, tuple)
    assert tables_of(planted) == {"runs", "incidents"}
