"""Every table keeps the tenancy rules, and its closed sets are the enums of the contracts."""

import ast
import importlib
import re
from enum import StrEnum
from types import ModuleType

import pytest
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql

from spine.contracts import enums
from spine.storage.base import metadata
from tests.architecture.source import PROJECT

# A key is looked up before its tenant is known: it says which tenant that is.
INDEXES_WITHOUT_TENANT = {"ix_api_keys_key_id"}

# Led by the tenant it was taken for as good as the primary key to find a step by its place (migration 0013).
UNIQUES_LED_BY_ANOTHER = {"uq_trace_steps_trace_id_span_id_tenant_id"}

FILES = [*sorted((PROJECT / "domains").glob("*/tables.py")), PROJECT / "spine/storage/tables.py"]
MODULES = {file: importlib.import_module(".".join(file.relative_to(PROJECT).with_suffix("").parts)) for file in FILES}


def tables_of(module: ModuleType) -> list[Table]:
    """The tables that a module declares."""
    return [value for value in vars(module).values() if isinstance(value, Table)]


TABLES = [table for module in MODULES.values() for table in tables_of(module)]
every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def declared_sets() -> list[tuple[str, str, type[StrEnum]]]:
    """(table, column, enum) of every `one_of(…)` in the sources."""
    found = []
    for file, module in MODULES.items():
        for table in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(table, ast.Call) and isinstance(table.func, ast.Name) and table.func.id == "Table":
                name = ast.literal_eval(table.args[0])
                found += [(name, column, getattr(module, values)) for column, values in _sets(table)]
    return found


def _sets(table: ast.Call) -> list[tuple[str, str]]:
    calls = [one for one in ast.walk(table) if isinstance(one, ast.Call) and ast.unparse(one.func) == "one_of"]
    return [(ast.literal_eval(one.args[0]), ast.unparse(one.args[1])) for one in calls]


def checks_of(table: Table) -> dict[str, str]:
    """The table's CHECKs: name to SQL."""
    return {str(one.name): str(one.sqltext) for one in table.constraints if isinstance(one, CheckConstraint)}


def listed_values(table: Table, column: str) -> set[str]:
    """The values that the column's CHECK allows, read from its SQL."""
    check = checks_of(table)[f"ck_{table.name}_{column}"]
    assert check.startswith(f"{column} IN (")
    return set(re.findall(r"'([^']*)'", check))


def test_every_table_of_the_metadata_is_declared_in_a_tables_module() -> None:
    assert TABLES
    assert set(TABLES) == set(metadata.tables.values())


@every_table
class TestTenancy:
    def test_the_tenant_leads_the_primary_key(self, table: Table) -> None:
        assert next(iter(table.primary_key.columns)).name == "tenant_id"

    def test_the_tenant_leads_every_unique_key(self, table: Table) -> None:
        uniques = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
        assert [one.columns.keys() for one in uniques if "tenant_id" not in one.columns] == []
        others = {str(one.name) for one in uniques if one.columns.keys()[0] != "tenant_id"}
        assert others <= UNIQUES_LED_BY_ANOTHER

    def test_the_tenant_leads_every_foreign_key_on_both_sides(self, table: Table) -> None:
        for one in table.constraints:
            if isinstance(one, ForeignKeyConstraint):
                assert one.column_keys[0] == "tenant_id"
                assert one.elements[0].target_fullname.endswith(".tenant_id")

    def test_a_foreign_key_stays_in_its_domain(self, table: Table) -> None:
        home = next(tables_of(module) for module in MODULES.values() if table in tables_of(module))
        assert [one for one in table.foreign_key_constraints if one.referred_table not in home] == []

    def test_the_tenant_leads_every_index(self, table: Table) -> None:
        others = {str(one.name) for one in table.indexes if next(iter(one.columns)).name != "tenant_id"}
        assert others <= INDEXES_WITHOUT_TENANT

    def test_a_column_has_no_unique_or_index_shorthand_which_would_leave_the_tenant_out(self, table: Table) -> None:
        assert [column.name for column in table.columns if column.unique or column.index] == []


def test_the_exceptions_exist() -> None:
    assert {str(index.name) for table in TABLES for index in table.indexes} >= INDEXES_WITHOUT_TENANT
    assert {str(one.name) for table in TABLES for one in table.constraints} >= UNIQUES_LED_BY_ANOTHER


class TestClosedSets:
    @pytest.mark.parametrize(("table", "column", "values"), declared_sets())
    def test_a_columns_check_lists_exactly_the_contracts_enum(
        self, table: str, column: str, values: type[StrEnum]
    ) -> None:
        assert values is getattr(enums, values.__name__), "closed sets are declared in spine.contracts.enums"
        assert listed_values(metadata.tables[table], column) == {member.value for member in values}

    @every_table
    def test_every_check_of_a_closed_set_comes_from_an_enum(self, table: Table) -> None:
        closed = {f"ck_{name}_{column}" for name, column, _ in declared_sets() if name == table.name}
        assert {name for name, check in checks_of(table).items() if " IN (" in check} == closed

    def test_an_enums_name_is_its_value(self) -> None:
        every = [one for one in vars(enums).values() if isinstance(one, type) and issubclass(one, StrEnum)]
        members = [member for one in every if one not in {StrEnum, enums.Permission} for member in one]
        assert [member for member in members if member.name != member.value] == []

    def test_no_column_is_a_native_enum_which_migrations_cannot_shrink(self) -> None:
        natives = [c for table in TABLES for c in table.columns if isinstance(c.type, postgresql.ENUM)]
        assert natives == []
