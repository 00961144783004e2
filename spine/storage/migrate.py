"""Migrations: hand-written revisions, run as the tables' owner; serving starts only when none pends.

Two processes that migrate at once meet at an advisory lock held for the transaction.
"""

from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
from alembic.command import upgrade as alembic_upgrade
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from spine.contracts.errors import MisuseError, Unavailable
from spine.storage.unit_of_work import UNREACHABLE

MIGRATION_LOCK = 7_400_001

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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


@cache
def head_revision() -> str:
    """The newest revision that this program brings."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise MisuseError("the program brings no migrations")
    return head


async def migrate(connect: dict[str, Any]) -> None:
    """Bring the database to the newest revision; `connect` reaches it as the owner. Unavailable when it can't."""

    async def creator() -> Any:
        return await asyncpg.connect(**connect)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            await connection.run_sync(_upgrade)
    except UNREACHABLE as error:
        raise Unavailable("the database cannot be reached") from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    alembic_upgrade(config, "head")
