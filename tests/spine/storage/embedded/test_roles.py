"""The roles' powers, and databases made for tests."""

from collections.abc import Iterator

import asyncpg
import pytest

from spine.storage.embedded import EmbeddedPostgres
from tests.spine.storage.embedded.processes import execute, fetch


class TestRoles:
    @pytest.mark.parametrize(("role", "may_log_in"), [("hoc_owner", True), ("hoc_app", True), ("hoc_keyfinder", False)])
    def test_none_of_ours_is_privileged(self, server: EmbeddedPostgres, role: str, may_log_in: bool) -> None:
        attributes = fetch(
            server.connection("postgres"),
            "SELECT ARRAY[rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls]"
            f" FROM pg_roles WHERE rolname = '{role}'",
        )
        assert attributes == [may_log_in, False, False, False, False, False]

    @pytest.mark.parametrize("role", ["hoc_owner", "hoc_app", "postgres"])
    def test_the_client_may_be_each_login_role(self, server: EmbeddedPostgres, role: str) -> None:
        assert fetch(server.connection(role), "SELECT current_user") == role

    def test_nobody_logs_in_as_the_keyfinder(self, server: EmbeddedPostgres) -> None:
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            fetch(server.connection("hoc_keyfinder"), "SELECT 1")

    def test_the_app_cannot_become_anybody_else(self, server: EmbeddedPostgres) -> None:
        for role in ("hoc_owner", "hoc_keyfinder", "postgres"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                execute(server.connection(), f"SET ROLE {role}")

    def test_the_app_cannot_create_tables(self, server: EmbeddedPostgres) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            execute(server.connection(), "CREATE TABLE mine (id int)")


class TestDatabases:
    @pytest.fixture
    def database(self, server: EmbeddedPostgres) -> Iterator[str]:
        server.create_database("worker 1")
        yield "worker 1"
        server.drop_database("worker 1")

    def test_a_database_belongs_to_the_owner_and_serves_the_app(self, server: EmbeddedPostgres, database: str) -> None:
        execute(server.connection("hoc_owner", database), "CREATE TABLE runs (id int); GRANT SELECT ON runs TO hoc_app")
        assert fetch(server.connection("hoc_app", database), "SELECT count(*) FROM runs") == 0

    def test_only_our_roles_connect(self, server: EmbeddedPostgres, database: str) -> None:
        query = f"SELECT has_database_privilege('hoc_keyfinder', '{database}', 'CONNECT')"
        assert fetch(server.connection(), query) is False

    def test_a_migration_may_give_a_function_to_the_keyfinder(self, server: EmbeddedPostgres, database: str) -> None:
        execute(
            server.connection("hoc_owner", database),
            "CREATE FUNCTION find_key() RETURNS text LANGUAGE sql SECURITY DEFINER RETURN current_user;"
            "GRANT CREATE ON SCHEMA public TO hoc_keyfinder;"
            "ALTER FUNCTION find_key() OWNER TO hoc_keyfinder;"
            "REVOKE CREATE ON SCHEMA public FROM hoc_keyfinder;",
        )
        assert fetch(server.connection("hoc_app", database), "SELECT find_key()") == "hoc_keyfinder"

    def test_the_owner_does_not_hold_the_keyfinders_rights_in_passing(
        self, server: EmbeddedPostgres, database: str
    ) -> None:
        query = "SELECT pg_has_role('hoc_owner', 'hoc_keyfinder', 'USAGE')"
        assert fetch(server.connection("hoc_owner", database), query) is False

    def test_a_template_is_copied_with_its_tables_and_grants(self, server: EmbeddedPostgres, database: str) -> None:
        execute(server.connection("hoc_owner", database), "CREATE TABLE kept AS SELECT 42 AS answer")
        execute(server.connection("hoc_owner", database), "GRANT SELECT ON kept TO hoc_app")
        server.create_database("copy", template=database)
        try:
            assert fetch(server.connection("hoc_app", "copy"), "SELECT answer FROM kept") == 42
        finally:
            server.drop_database("copy")

    def test_dropping_an_absent_database_is_no_error(self, server: EmbeddedPostgres) -> None:
        server.drop_database("absent")

    def test_a_name_in_use_is_refused(self, server: EmbeddedPostgres, database: str) -> None:
        with pytest.raises(asyncpg.DuplicateDatabaseError):
            server.create_database(database)
