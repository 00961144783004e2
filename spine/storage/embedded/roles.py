"""The roles and the database that every cluster has, and further databases of the same kind.

hoc_owner     runs migrations, owns the databases
hoc_app       serves requests, bound by row security
hoc_keyfinder owns the functions that look up keys across tenants; nobody logs in as it
"""

import asyncpg

from spine.storage.embedded.session import PostgresAddress, quote_identifier, run_sql

APP_ROLE = "hoc_app"
OWNER_ROLE = "hoc_owner"
KEYFINDER_ROLE = "hoc_keyfinder"
SUPERUSER = "postgres"
LOGIN_ROLES = (OWNER_ROLE, APP_ROLE, SUPERUSER)
DATABASE = "hoc"
MAINTENANCE_DATABASE = "postgres"

_PLAIN = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
_ROLES = {
    OWNER_ROLE: f"LOGIN {_PLAIN}",
    APP_ROLE: f"LOGIN {_PLAIN}",
    KEYFINDER_ROLE: f"NOLOGIN {_PLAIN}",
}


def ensure_roles_and_database(maintenance: PostgresAddress) -> None:
    """Create what is missing; repeats harmlessly after an interrupted first start."""

    async def create_roles(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
        present = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        async with connection.transaction():
            for role, attributes in _ROLES.items():
                if role not in present:
                    await connection.execute(f"CREATE ROLE {role} {attributes}")
            if (
                KEYFINDER_ROLE not in present
            ):  # SET lets migrations give a function to it, without its rights in passing
                await connection.execute(
                    f"GRANT {KEYFINDER_ROLE} TO {OWNER_ROLE} WITH INHERIT FALSE, SET TRUE, ADMIN FALSE"
                )
        return await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE) is True

    if not run_sql(maintenance, create_roles):
        create_database(maintenance, DATABASE, template=None)
    else:
        grant_access(maintenance, DATABASE)


def create_database(maintenance: PostgresAddress, name: str, *, template: str | None) -> None:
    """Create a database owned by hoc_owner which hoc_app may use; raises asyncpg.DuplicateDatabaseError."""
    copied = f" TEMPLATE {quote_identifier(template)}" if template else ""

    async def create(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute(f"CREATE DATABASE {quote_identifier(name)} OWNER {OWNER_ROLE}{copied}")

    run_sql(maintenance, create)
    grant_access(maintenance, name)


def drop_database(maintenance: PostgresAddress, name: str) -> None:
    """Drop the database and end its sessions; an absent one is no error."""

    async def drop(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")

    run_sql(maintenance, drop)


def grant_access(maintenance: PostgresAddress, name: str) -> None:
    """Let only our roles connect; repeats harmlessly, also while migrations run.

    Schema public needs nothing: since PostgreSQL 15 only a database's owner creates in it. Saying so again would meet
    a migration that grants on the same schema: "tuple concurrently updated".
    """
    database = quote_identifier(name)

    async def grant(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute(
            f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC;"
            f"GRANT CONNECT ON DATABASE {database} TO {OWNER_ROLE}, {APP_ROLE};"
        )

    target = PostgresAddress(maintenance.host, maintenance.port, maintenance.user, name)
    run_sql(target, grant)
