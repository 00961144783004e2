"""What must hold before the server answers: a role that row-level security binds, and no pending migration."""

import asyncpg

from spine.contracts.errors import MisuseError
from spine.storage.sessions import TEMPORARY, Connection
from spine.storage.unit_of_work import UNREACHABLE, Database

READY_S = 2.0
"""Whoever asks for readiness, such as a load balancer, does not wait as long as a request does."""

ROLE = """
SELECT current_user,
    EXISTS (SELECT 1 FROM pg_roles g WHERE (g.rolsuper OR g.rolbypassrls) AND pg_has_role(r.oid, g.oid, 'MEMBER')),
    (SELECT string_agg(c.relname, ', ') FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
     AND c.relkind IN ('r', 'p') AND pg_has_role(r.oid, c.relowner, 'MEMBER'))
FROM pg_roles r WHERE r.rolname = current_user
"""


class UnsafeRole(MisuseError):
    """The serving role could bypass row-level security."""


async def refuse_unsafe_role(database: Database) -> None:
    """Raise UnsafeRole when the connected role, or one that it may become, bypasses row security or owns a table."""
    connection = await database.acquire()
    try:
        row = await connection.fetchrow(ROLE)
    finally:
        await database.release(connection)
    if row is None or row[1] or row[2]:
        why = "is, or may become, a superuser or one with BYPASSRLS" if row is None or row[1] else f"owns {row[2]}"
        raise UnsafeRole(f"refusing to serve: the role {row[0] if row else 'unknown'} {why}")


async def readiness(database: Database, head: str) -> str | None:
    """Why the server is not ready; None when it is."""
    try:
        connection = await database.acquire(READY_S)
    except Exception as error:  # noqa: BLE001 - readiness reports every reason, it never raises
        return f"database: {type(error).__name__}"
    try:
        return await _pending(connection, head)
    except (asyncpg.PostgresError, *UNREACHABLE, TimeoutError) as error:
        return f"database: {type(error).__name__}"
    finally:
        await database.release(connection)


async def _pending(connection: Connection, head: str) -> str | None:
    try:
        version = await connection.fetchval("SELECT version_num FROM public.alembic_version", timeout=READY_S)
    except TEMPORARY:
        return f"migrations pend: the database has none of them, the program brings {head}"
    return None if version == head else f"migrations pend: the database is at {version}, the program at {head}"
