"""Sessions: one asyncpg connection inside one tenant-bound transaction.

Read and write sessions are different types, so a READ handler cannot write. Everything that begins a transaction goes
in one round trip; a read also sets one savepoint, to which the session goes back when a statement fails, so a failed
source never takes the snapshot with it (its tenant and timeouts were set before the savepoint and survive).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from spine.contracts.errors import Conflict, MisuseError
from spine.contracts.statements import InsertRows, Read, Write
from spine.storage.combining import together
from spine.storage.compiling import compiled, insert_statement

T = TypeVar("T")

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[Any]
else:
    Connection = asyncpg.pool.PoolConnectionProxy

DatabaseError = asyncpg.PostgresError
"""Whatever PostgreSQL itself answered with an error."""

StaleStatement = asyncpg.InvalidCachedStatementError
"""A migration has changed a table since a statement was prepared; the transaction must begin anew."""

BadValue = asyncpg.DataError
"""A parameter that PostgreSQL can't hold, such as U+0000 or a number beyond 64 bits."""

TEMPORARY = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.UndefinedTableError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)


class Timeouts(Struct, frozen=True):
    """How long a statement may run and wait for a lock, in milliseconds."""

    statement_ms: int
    lock_ms: int


class SourceFailed(Struct, frozen=True):
    """A read of a wave that could not be answered; the SQLSTATE is for the log, never for a client."""

    sqlstate: str


PLANS = {True: "force_generic_plan", False: "auto"}
"""How statements are planned: once a connection, or as PostgreSQL sees fit, which may be anew for their values."""


class ReadSession:
    """A repeatable-read, read-only snapshot of one tenant; `lasting` says how its statements are planned at first."""

    def __init__(self, connection: Connection, tenant_id: UUID, *, lasting: bool = False) -> None:
        self.tenant_id = tenant_id
        self.statements = 0
        self.round_trips = 0
        self._connection = connection
        self._lasting = self._lasting_at_first = lasting
        self._kept: dict[Any, tuple[Mapping[str, object], list[Any]]] = {}

    async def plan(self, *, lasting: bool) -> None:
        """Have the statements that follow planned once a connection, or for their values."""
        if lasting is not self._lasting:
            self.statements += 1
            self.round_trips += 1
            await self._connection.execute(f"SET LOCAL plan_cache_mode={PLANS[lasting]}")
            self._lasting = lasting

    async def fetch(self, read: Read[T]) -> list[T]:
        """Run one SELECT and decode its rows."""
        one = compiled(read.statement)
        arguments = one.arguments({**read.params, "tenant_id": self.tenant_id})
        self.statements += 1
        self.round_trips += 1
        decode = read.decode
        return [decode(row) for row in await self._connection.fetch(one.sql, *arguments)]

    async def fetch_one(self, read: Read[T]) -> T | None:
        """Run one SELECT that gives at most one row."""
        rows = await self.fetch(read)
        return rows[0] if rows else None

    async def fetch_counted(self, rows: Read[T], count: Read[int] | None) -> tuple[list[T], int | None]:
        """The rows of a page and, when it is asked for, how many the whole list has: one statement either way."""
        if count is None:
            return await self.fetch(rows), None
        found, [total] = await self.fetch_together([rows, count])
        return found, total

    async def fetch_together(self, reads: Sequence[Read[Any]]) -> list[list[Any]]:
        """Run several SELECTs as one statement; all of them answer, or it raises."""
        one = together(reads)
        tenant_id = self.tenant_id
        arguments = [tenant_id if name == "tenant_id" else _argument(reads[index], name) for index, name in one.slots]
        self.statements += 1
        self.round_trips += 1
        answers: list[list[Any]] = [[] for _ in reads]
        decoders = [
            (columns, read.decode, answer.append)
            for columns, read, answer in zip(one.columns, reads, answers, strict=True)
        ]
        for row in await self._connection.fetch(one.sql, *arguments):
            columns, decode, add = decoders[row[0]]
            add(decode(columns(row)))
        return answers

    async def fetch_wave(self, reads: Sequence[Read[Any]]) -> list[list[Any] | SourceFailed]:
        """Run several SELECTs as one statement; when it fails, one by one, to find which of them it is."""
        if not reads:
            return []
        try:
            answers: list[list[Any] | SourceFailed] = [*await self.fetch_together(reads)]
        except TEMPORARY:
            await self.recover()
            answers = [await self._fetch_isolated(read) for read in reads]
        for read, answer in zip(reads, answers, strict=True):
            if read.kept and isinstance(answer, list):
                self._kept[read.statement] = (read.params, answer)
        return answers

    def recalled(self, read: Read[T]) -> Sequence[T] | None:
        """The rows of this read where the last wave with its statement asked for the same of this snapshot; else None.

        A snapshot answers the same read with the same rows. They belong to whoever read them: not to be changed.
        """
        params, rows = self._kept.get(read.statement, (None, None))
        return rows if params == read.params else None

    async def _fetch_isolated(self, read: Read[Any]) -> list[Any] | SourceFailed:
        try:
            return await self.fetch(read)
        except TEMPORARY as error:
            await self.recover()
            return SourceFailed(error.sqlstate or "unknown")

    async def recover(self) -> None:
        """Go back to the savepoint after a failed statement; the snapshot stays the same."""
        self.statements += 1
        self.round_trips += 1
        await self._connection.execute("ROLLBACK TO s")
        self._lasting = self._lasting_at_first  # as it was when the savepoint was set


class WriteSession(ReadSession):
    """One read-committed transaction that the registry alone commits."""

    async def execute(self, write: Write) -> int:
        """Run one statement and answer how many rows it touched; Conflict when a unique key exists."""
        one = compiled(write.statement)
        arguments = one.arguments({**write.params, "tenant_id": self.tenant_id})
        self.statements += 1
        self.round_trips += 1
        try:
            status = await self._connection.execute(one.sql, *arguments)
        except asyncpg.UniqueViolationError as error:
            raise Conflict("an object with these values exists already") from error
        return int(status.rpartition(" ")[2])

    async def insert(self, insert: InsertRows) -> int:
        """Insert many rows in one statement and answer how many were written."""
        if not insert.rows:
            return 0
        sql, rows = insert_statement(insert)
        self.statements += 1
        self.round_trips += 1
        try:
            status = await self._connection.execute(sql, self.tenant_id, rows)
        except asyncpg.DatatypeMismatchError as error:
            raise await self._outdated() from error
        return int(status.rpartition(" ")[2])

    async def insert_new(self, insert: InsertRows) -> list[UUID]:
        """Insert many rows in one statement; the `id` of each that was written, not of those that were left out."""
        sql, rows = insert_statement(insert)
        self.statements += 1
        self.round_trips += 1
        try:
            return [row[0] for row in await self._connection.fetch(f"{sql} RETURNING id", self.tenant_id, rows)]
        except asyncpg.DatatypeMismatchError as error:
            raise await self._outdated() from error

    async def _outdated(self) -> StaleStatement:
        """The rows of a table are not what they were when the connection first wrote some: it is to look again."""
        await self._connection.reload_schema_state()
        return StaleStatement("a table has changed")

    def recalled(self, read: Read[T]) -> None:
        """Never: what a write has read may have changed since, by itself and by others."""

    async def recover(self) -> None:
        """A write has no savepoint: its failure is the transaction's."""
        raise MisuseError("a write transaction cannot go on after a failed statement")


class AnonymousSession(ReadSession):
    """The session of the one operation that runs before the tenant is known: finding a key's principal."""

    async def become(self, tenant_id: UUID) -> None:
        """Bind the transaction to the tenant of the key that was found."""
        self.tenant_id = tenant_id
        self.statements += 1
        self.round_trips += 1
        await self._connection.execute(f"SET LOCAL app.tenant_id = '{tenant_id}'")


def _argument(read: Read[Any], name: str) -> object:
    return read.params[name] if name in read.params else compiled(read.statement).constants[name]
