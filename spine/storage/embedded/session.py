"""Where a database is, and SQL against it from synchronous code.

asyncpg is asynchronous and the caller may already run an event loop, so each call has a loop in a thread of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypedDict, TypeVar

import asyncpg

CONNECT_TIMEOUT_SECONDS = 10

Result = TypeVar("Result")


class AsyncpgArguments(TypedDict):
    """Keyword arguments of `asyncpg.connect` and `asyncpg.create_pool`."""

    host: str
    port: int
    user: str
    database: str
    ssl: bool


@dataclass(frozen=True)
class PostgresAddress:
    """One role in one database of a server on a Unix socket; `host` is the socket's directory."""

    host: str
    port: int
    user: str
    database: str

    def asyncpg_arguments(self) -> AsyncpgArguments:
        """All that asyncpg would otherwise take from PG* environment variables (no TLS on a Unix socket)."""
        return AsyncpgArguments(host=self.host, port=self.port, user=self.user, database=self.database, ssl=False)


def run_sql(
    address: PostgresAddress, work: "Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[Result]]"
) -> Result:
    """Run `work` on a fresh connection and return its result. Raises what asyncpg raises, and OSError."""

    async def session() -> Result:
        connection = await asyncpg.connect(
            **address.asyncpg_arguments(), timeout=CONNECT_TIMEOUT_SECONDS, statement_cache_size=0
        )
        try:
            return await work(connection)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1, thread_name_prefix="hoc-sql") as pool:
        return pool.submit(asyncio.run, session()).result()


def quote_identifier(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
