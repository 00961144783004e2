"""Migrations: hand-written, and in the database exactly what the code declares, both ways round."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import CheckConstraint, Column, MetaData, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from spine.bootstrap import Runtime
from spine.contracts.errors import Unavailable
from spine.settings import Settings
from spine.storage.base import metadata
from spine.storage.embedded import EmbeddedPostgres
from spine.storage.migrate import MIGRATION_LOCK, ROLES_SQL, head_revision, migrate

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
OWN = {"alembic_version"}

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid), a.attidentity::text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum
"""
CONSTRAINTS = """
SELECT c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = $1::regnamespace AND k.contype <> 'n' ORDER BY 1, 2
"""
INDEXES = """
SELECT c.relname, i.relname, pg_get_indexdef(x.indexrelid)
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE c.relnamespace = $1::regnamespace ORDER BY 1, 2
"""


@asynccontextmanager
async def connected(arguments: dict[str, Any]) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(**arguments)
    try:
        yield connection
    finally:
        await connection.close()


async def described(connection: "asyncpg.Connection[Any]", schema: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a schema's tables are made of, without the schema's name."""
    found = {}
    for name, query in (("columns", COLUMNS), ("constraints", CONSTRAINTS), ("indexes", INDEXES)):
        rows = [tuple(row) for row in await connection.fetch(query, schema) if row[0] not in OWN]
        found[name] = [tuple(str(cell).replace(f"{schema}.", "") for cell in row) for row in rows]
    return found


def declared_sql(tables: MetaData) -> list[str]:
    """The statements that would make the declared tables."""
    statements = []
    for table in tables.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=DIALECT)))
        statements += [str(CreateIndex(index).compile(dialect=DIALECT)) for index in table.indexes]
    return statements


@pytest.fixture
def fresh_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """An empty database of a test's own."""
    name = f"fresh_{secrets.token_hex(6)}"
    postgres.create_database(name)
    yield name
    postgres.drop_database(name)


def owner(postgres: EmbeddedPostgres, database: str) -> dict[str, Any]:
    return dict(postgres.connection("hoc_owner", database).asyncpg_arguments())


class TestTheTables:
    async def test_are_exactly_the_declared_ones(self, superuser: dict[str, Any]) -> None:
        async with connected(superuser) as connection, Rollback(connection):
            await connection.execute("CREATE SCHEMA declared; SET LOCAL search_path = declared")
            for statement in declared_sql(metadata):
                await connection.execute(statement)
            declared = await described(connection, "declared")
            migrated = await described(connection, "public")
        for what, rows in declared.items():
            assert rows, what
            assert migrated[what] == rows, what

    @pytest.mark.parametrize("column", ["name", "type", "nullability"])
    async def test_would_be_told_from_others(self, superuser: dict[str, Any], column: str) -> None:
        """The comparison sees a change of any kind."""
        changed = MetaData()
        wrong = {
            "name": Column("slag", postgresql.TEXT, nullable=False),
            "type": Column("slug", postgresql.VARCHAR(9), nullable=False),
            "nullability": Column("slug", postgresql.TEXT),
        }[column]
        Table("tenants", changed, Column("tenant_id", postgresql.UUID, primary_key=True), wrong)
        async with connected(superuser) as connection, Rollback(connection):
            await connection.execute("CREATE SCHEMA declared; SET LOCAL search_path = declared")
            for statement in declared_sql(changed):
                await connection.execute(statement)
            declared = (await described(connection, "declared"))["columns"]
            migrated = (await described(connection, "public"))["columns"]
        assert not set(declared) <= set(migrated)

    def test_name_their_constraints(self) -> None:
        named = (UniqueConstraint, CheckConstraint)
        every = [one for table in metadata.tables.values() for one in table.constraints if isinstance(one, named)]
        assert every
        assert [one for one in every if one.name is None] == []


class Rollback:
    """A transaction that leaves nothing."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._transaction = connection.transaction()

    async def __aenter__(self) -> None:
        await self._transaction.start()

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.rollback()


class TestMigrating:
    async def test_brings_an_empty_database_to_the_newest_revision_and_then_nothing(
        self, postgres: EmbeddedPostgres, fresh_database: str
    ) -> None:
        arguments = owner(postgres, fresh_database)
        for _ in range(2):
            await migrate(arguments)
            async with connected(arguments) as connection:
                assert await connection.fetchval("SELECT version_num FROM alembic_version") == head_revision()

    async def test_by_two_processes_at_once_happens_once(self, postgres: EmbeddedPostgres, fresh_database: str) -> None:
        arguments = owner(postgres, fresh_database)
        await asyncio.gather(*(migrate(arguments) for _ in range(4)))
        async with connected(arguments) as connection:
            assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1

    async def test_of_what_is_newest_waits_for_nobody(self, postgres: EmbeddedPostgres, fresh_database: str) -> None:
        arguments = owner(postgres, fresh_database)
        await migrate(arguments)
        async with connected(arguments) as another, another.transaction():
            await another.execute(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            async with asyncio.timeout(60):
                await migrate(arguments)

    async def test_that_fails_leaves_nothing(self, postgres: EmbeddedPostgres, fresh_database: str) -> None:
        arguments = owner(postgres, fresh_database)
        async with connected(arguments) as connection:
            await connection.execute("CREATE TABLE incidents (in_the_way int)")
        with pytest.raises(Exception, match="incidents"):
            await migrate(arguments)
        async with connected(arguments) as connection:
            query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            assert [row[0] for row in await connection.fetch(query)] == ["incidents"]
            await connection.execute("DROP TABLE incidents")
        await migrate(arguments)

    async def test_a_database_that_is_not_there_is_unavailable(self) -> None:
        with pytest.raises(Unavailable):
            await migrate({"host": "/nowhere", "user": "hoc_owner", "database": "hoc"})

    async def test_as_the_app_is_refused(self, postgres: EmbeddedPostgres, fresh_database: str) -> None:
        app = dict(postgres.connection("hoc_app", fresh_database).asyncpg_arguments())
        with pytest.raises(Exception, match="permission denied"):
            await migrate(app)

    def test_the_printed_roles_are_those_that_an_embedded_database_has(self) -> None:
        for role in ("hoc_owner LOGIN", "hoc_app LOGIN", "hoc_keyfinder NOLOGIN"):
            assert f"CREATE ROLE {role}" in ROLES_SQL
        assert ROLES_SQL.count("NOBYPASSRLS") == 3


class TestReadiness:
    async def test_says_that_migrations_pend_and_then_that_all_is_well(
        self, postgres: EmbeddedPostgres, fresh_database: str, settings: Settings
    ) -> None:
        connect = dict(postgres.connection("hoc_app", fresh_database).asyncpg_arguments())
        runtime = Runtime(settings, connect=connect)
        await runtime.open()
        try:
            assert "migrations pend" in (await runtime.ready() or "")
            await migrate(owner(postgres, fresh_database))
            assert await runtime.ready() is None
            async with connected(owner(postgres, fresh_database)) as connection:
                await connection.execute("UPDATE alembic_version SET version_num = '0000'")
            assert "the database is at 0000" in (await runtime.ready() or "")
        finally:
            await runtime.close()

    async def test_says_that_the_database_is_gone(self, runtime: Runtime) -> None:
        await runtime.database.close()
        assert (await runtime.ready() or "").startswith("database: ")
