"""Tenancy, as the catalogue has it: row security on every tenant table, and an app that can't alter or bypass it."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from spine.bootstrap import Runtime
from spine.contracts.access import Authenticate, CreateKey
from spine.contracts.actors import Principal
from spine.contracts.enums import Role
from spine.settings import Settings
from spine.storage.base import metadata
from spine.storage.checks import UnsafeRole, refuse_unsafe_role
from spine.storage.embedded import EmbeddedPostgres
from spine.storage.unit_of_work import Database, DatabaseSettings
from tests.conftest import Execute

TABLES = sorted(metadata.tables)
APPEND_ONLY = sorted(name for name, table in metadata.tables.items() if table.info.get("append_only"))
CHANGING = {
    "api_keys",
    "document_policies",
    "event_heads",
    "incidents",
    "key_budgets",
    "limits",
    "log_heads",
    "policy_rules",
    "reservations",
    "runs",
    "traces",
    "trusted_documents",
}
"""What the app may update; every other table only grows, or forgets."""
ERASING = {"span_refusals", "step_payloads"}
"""What the app may erase, once and whole, as a trigger sees to; nothing else of it changes."""
FORGETTING = {"events", "log_pending"}
"""What the app may delete from."""


@asynccontextmanager
async def connected(arguments: dict[str, Any]) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(**arguments)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def app(postgres: EmbeddedPostgres, database_name: str) -> dict[str, Any]:
    """How the app role reaches the file's database."""
    return dict(postgres.connection("hoc_app", database_name).asyncpg_arguments())


class TestRowSecurity:
    async def test_is_enabled_forced_and_has_a_policy_on_every_table_of_tenants(
        self, superuser: dict[str, Any]
    ) -> None:
        query = """
            SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
                (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant' AND p.polcmd = '*'
                    AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
            WHERE c.relkind IN ('r', 'p', 'f') AND c.relnamespace NOT IN ('pg_catalog'::regnamespace) ORDER BY 1
        """
        async with connected(superuser) as connection:
            rows = [tuple(row) for row in await connection.fetch(query)]
        assert rows == [(name, True, True, 1) for name in TABLES]

    async def test_leaves_no_table_of_the_database_without_a_tenant(self, superuser: dict[str, Any]) -> None:
        query = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        async with connected(superuser) as connection:
            names = {row[0] for row in await connection.fetch(query)}
        assert names == {*TABLES, "alembic_version"}

    async def test_lets_more_through_only_to_find_keys_and_waiting_logs(self, superuser: dict[str, Any]) -> None:
        query = """SELECT c.relname, p.polname, p.polcmd::text, pg_get_userbyid(p.polroles[1]) FROM pg_policy p
                   JOIN pg_class c ON c.oid = p.polrelid WHERE p.polname <> 'tenant'"""
        async with connected(superuser) as connection:
            assert sorted(tuple(row) for row in await connection.fetch(query)) == [
                ("api_keys", "keyfinder", "r", "hoc_keyfinder"),
                ("log_cosignatures", "keyfinder", "r", "hoc_keyfinder"),
                ("log_heads", "keyfinder", "r", "hoc_keyfinder"),
                ("log_pending", "keyfinder", "r", "hoc_keyfinder"),
                ("log_timestamps", "keyfinder", "r", "hoc_keyfinder"),
            ]

    async def test_refuses_a_row_of_another_tenant(self, app: dict[str, Any]) -> None:
        async with connected(app) as connection:
            await connection.execute("BEGIN; SELECT set_config('app.tenant_id', gen_random_uuid()::text, true)")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await connection.execute("INSERT INTO tenants VALUES (gen_random_uuid(), 'stolen', now())")


class TestTheApp:
    @pytest.mark.parametrize("name", TABLES)
    async def test_can_only_add_to_what_only_grows(self, app: dict[str, Any], name: str) -> None:
        column = list(metadata.tables[name].columns)[-1].name
        attempts = {
            "UPDATE": f'UPDATE {name} SET "{column}" = "{column}"',
            "DELETE": f"DELETE FROM {name}",
            "TRUNCATE": f"TRUNCATE {name}",
        }
        async with connected(app) as connection:
            done = set()
            for verb, statement in attempts.items():
                try:
                    await connection.execute(statement)
                    done.add(verb)
                except asyncpg.InsufficientPrivilegeError:
                    pass
            assert done == {
                verb for verb, names in (("UPDATE", CHANGING | ERASING), ("DELETE", FORGETTING)) if name in names
            }

    def test_changes_nothing_that_is_declared_append_only(self) -> None:
        assert APPEND_ONLY
        assert (CHANGING | ERASING).isdisjoint(APPEND_ONLY)

    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER TABLE runs DISABLE ROW LEVEL SECURITY",
            "DROP POLICY tenant ON runs",
            "CREATE TABLE mine (id int)",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE SCHEMA mine",
            "SET ROLE hoc_owner",
            "SET ROLE hoc_keyfinder",
            "SET SESSION AUTHORIZATION postgres",
            "UPDATE alembic_version SET version_num = '0'",
            "GRANT ALL ON runs TO hoc_app",
        ],
    )
    async def test_cannot_reach_for_more(self, app: dict[str, Any], statement: str) -> None:
        async with connected(app) as connection:
            try:
                await connection.execute(statement)
            except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidRoleSpecificationError):
                return
            query = "SELECT has_table_privilege('hoc_app', 'runs', 'DELETE')"
            assert await connection.fetchval(query) is False, "PostgreSQL only warns of a GRANT that gives nothing"
            assert statement.startswith("GRANT")


class TestFindingKeys:
    async def test_is_with_finding_logs_all_that_runs_with_others_rights(self, superuser: dict[str, Any]) -> None:
        query = """
            SELECT p.proname, pg_get_userbyid(p.proowner), p.prosecdef, p.proconfig, pg_get_function_result(p.oid),
                has_function_privilege('public', p.oid, 'EXECUTE'), has_function_privilege('hoc_app', p.oid, 'EXECUTE')
            FROM pg_proc p WHERE p.pronamespace::regnamespace::text IN ('public', 'app')
                AND p.prorettype <> 'trigger'::regtype ORDER BY p.proname
        """
        async with connected(superuser) as connection:
            rows = [tuple(row) for row in await connection.fetch(query)]
        finders = ("tenants_unstamped", "tenants_unwitnessed", "tenants_waiting")
        assert rows == [
            (
                "find_key",
                "hoc_keyfinder",
                True,
                ["search_path=pg_catalog, pg_temp"],
                "TABLE(tenant_id uuid, secret_hash bytea, status text)",
                False,
                True,
            ),
            *(
                (name, "hoc_keyfinder", True, ["search_path=pg_catalog, pg_temp"], "TABLE(tenant_id uuid)", False, True)
                for name in finders
            ),
        ]

    async def test_triggers_run_with_nobody_elses_rights(self, superuser: dict[str, Any]) -> None:
        query = """SELECT p.proname, p.prosecdef, has_function_privilege('public', p.oid, 'EXECUTE') FROM pg_proc p
                   WHERE p.prorettype = 'trigger'::regtype AND p.pronamespace = 'app'::regnamespace ORDER BY 1"""
        async with connected(superuser) as connection:
            assert [tuple(row) for row in await connection.fetch(query)] == [
                ("payload_is_erased", False, False),
                ("refusal_is_erased", False, False),
            ]

    async def test_says_three_things_of_one_key(
        self, app: dict[str, Any], execute: Execute, principal: Principal
    ) -> None:
        made = (await execute("api_keys.create_key", CreateKey(name="k", role=Role.VIEWER), principal)).unwrap()
        async with connected(app) as connection:
            (row,) = await connection.fetch("SELECT * FROM app.find_key($1)", made.key_id)
            assert list(row.keys()) == ["tenant_id", "secret_hash", "status"]
            assert (row["tenant_id"], row["status"]) == (principal.tenant_id, "ACTIVE")
            assert await connection.fetch("SELECT * FROM app.find_key('nobody')") == []
            assert await connection.fetchval("SELECT count(*) FROM api_keys") == 0, "the table itself stays closed"

    async def test_is_done_by_a_role_that_sees_nothing_else(self, superuser: dict[str, Any]) -> None:
        query = "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND has_table_privilege('hoc_keyfinder', c.oid, 'SELECT, INSERT, UPDATE, DELETE') AND c.relnamespace = 'public'::regnamespace"  # noqa: E501
        columns = """SELECT c.relname, array_agg(a.attname::text ORDER BY a.attname)
                     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
                     AND has_column_privilege('hoc_keyfinder', c.oid, a.attnum, 'SELECT') GROUP BY 1 ORDER BY 1"""
        attributes = "SELECT rolcanlogin, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'hoc_keyfinder'"
        async with connected(superuser) as connection:
            assert await connection.fetch(query) == []
            assert [tuple(row) for row in await connection.fetch(columns)] == [
                ("api_keys", ["expires_at", "frozen_at", "key_id", "revoked_at", "secret_hash", "tenant_id"]),
                ("log_cosignatures", ["tenant_id", "tree_size", "witness"]),
                ("log_heads", ["signed_size", "tenant_id", "tree_size"]),
                ("log_pending", ["tenant_id"]),
                ("log_timestamps", ["received_at", "tenant_id", "tree_size"]),
            ]
            row = await connection.fetchrow(attributes)
        assert row is not None
        assert tuple(row) == (False, False, False)


@pytest.fixture
def strange_role(postgres: EmbeddedPostgres, superuser: dict[str, Any], event_loop: Any) -> Iterator[str]:
    """A role of a test's own, without any right."""
    name = f"strange_{secrets.token_hex(4)}"

    async def run(statement: str) -> None:
        async with connected(superuser) as connection:
            await connection.execute(statement)

    event_loop.run_until_complete(run(f"CREATE ROLE {name} NOLOGIN"))
    yield name
    event_loop.run_until_complete(run(f"DROP OWNED BY {name}; DROP ROLE {name}"))


async def check_as(superuser: dict[str, Any], role: str) -> None:
    """Check the serving role as a session would that became this role."""
    settings = {"role": role}
    database = Database(DatabaseSettings(connect=superuser | {"server_settings": settings}, pool_size=1))
    await database.open()
    try:
        await refuse_unsafe_role(database)
    finally:
        await database.close()


class TestAnUnsafeRole:
    async def test_a_superuser_never_serves(self, superuser: dict[str, Any], settings: Settings) -> None:
        with pytest.raises(UnsafeRole, match="postgres is, or may become, a superuser"):
            await Runtime(settings, connect=superuser).open()

    async def test_the_owner_of_the_tables_never_serves(
        self, postgres: EmbeddedPostgres, database_name: str, settings: Settings
    ) -> None:
        connect = dict(postgres.connection("hoc_owner", database_name).asyncpg_arguments())
        with pytest.raises(UnsafeRole, match=r"hoc_owner owns .*runs"):
            await Runtime(settings, connect=connect).open()

    @pytest.mark.parametrize(
        ("grant", "why"),
        [
            ("ALTER ROLE {role} BYPASSRLS", "BYPASSRLS"),
            ("GRANT hoc_owner TO {role}", "owns"),
            ("GRANT hoc_owner TO {role} WITH INHERIT FALSE, SET TRUE", "owns"),
            ("GRANT postgres TO {role} WITH INHERIT FALSE, SET TRUE", "may become, a superuser"),
        ],
    )
    async def test_one_that_may_become_such_a_role_never_serves(
        self, superuser: dict[str, Any], strange_role: str, grant: str, why: str
    ) -> None:
        async with connected(superuser) as connection:
            await connection.execute(grant.format(role=strange_role))
        with pytest.raises(UnsafeRole, match=why):
            await check_as(superuser, strange_role)

    async def test_one_without_such_rights_may(self, superuser: dict[str, Any], strange_role: str) -> None:
        await check_as(superuser, strange_role)
        await check_as(superuser, "hoc_app")


class TestTwoTenants:
    async def test_a_key_opens_its_own_tenant_only(
        self, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        for owner in (principal, other):
            made = (await execute("api_keys.create_key", CreateKey(name="k", role=Role.VIEWER), owner)).unwrap()
            found = (await execute("api_keys.authenticate", Authenticate(made.key), None)).unwrap()
            assert found.tenant_id == owner.tenant_id
