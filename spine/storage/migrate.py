"""Migrations: hand-written revisions, run as the tables' owner; serving starts only when none pends.

Two processes that migrate at once meet at an advisory lock held for the transaction.
"""

from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import Connection

from spine.contracts.errors import MisuseError, Unavailable
from spine.storage.unit_of_work import UNREACHABLE

MIGRATION_LOCK = 7_400_001
MIGRATIONS = Path(__file__).parent / "migrations"

ROLES_SQL = """\
-- Run once as a superuser, with passwords of your own.
-- hoc_owner owns the tables and runs migrations; hoc_app serves and can neither own nor bypass anything.
CREATE ROLE hoc_owner LOGIN PASSWORD 'change-me' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE hoc_app LOGIN PASSWORD 'change-me' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE hoc_keyfinder NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
-- The owner may give a function to hoc_keyfinder; from PostgreSQL 16 on without having its rights in passing.
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 160000 THEN
        EXECUTE 'GRANT hoc_keyfinder TO hoc_owner WITH INHERIT FALSE, SET TRUE';
    ELSE
        GRANT hoc_keyfinder TO hoc_owner;
    END IF;
END $$;
CREATE DATABASE hoc OWNER hoc_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE hoc FROM PUBLIC;
GRANT CONNECT ON DATABASE hoc TO hoc_app;
"""


@cache
def head_revision() -> str:
    """The newest revision that this program brings: files are named by their numbers."""
    revisions = [path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py")]
    if not revisions:
        raise MisuseError("the program brings no migrations")
    return max(revisions)


async def migrate(connect: dict[str, Any]) -> None:
    """Bring the database to the newest revision; `connect` reaches it as the owner. Unavailable when it can't."""
    try:
        if not await _is_newest(connect):
            await _migrate(connect)
    except UNREACHABLE as error:
        raise Unavailable("the database cannot be reached") from error


async def _is_newest(connect: dict[str, Any]) -> bool:
    connection = await asyncpg.connect(**connect)
    try:
        found = await connection.fetchval("SELECT version_num FROM public.alembic_version")
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
    return bool(found == head_revision())


async def _migrate(connect: dict[str, Any]) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - it and Alembic are for migrating only

    async def creator() -> Any:
        return await asyncpg.connect(**connect)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    from alembic.command import upgrade  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    upgrade(config, "head")
