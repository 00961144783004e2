"""The unit of work: opens, commits and rolls back; nothing else in the project does.

READ: one `REPEATABLE READ READ ONLY` transaction per request, opened lazily and shared by all its operations, which
run one after the other under a lock: a page of evidence and proof is one snapshot. WRITE: one transaction per
operation. Nothing but a `UUID` object and integers is ever put into the text that begins a transaction.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from spine.contracts.access_log import AccessNote
from spine.contracts.errors import MisuseError, Unavailable
from spine.services.metrics import POOL_MAX, POOL_USED, waiting_for_connection
from spine.storage.sessions import PLANS, AnonymousSession, Connection, ReadSession, Timeouts, WriteSession

UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection was lost in the middle of a statement
    asyncpg.OperatorInterventionError,
)
NOBODY = UUID(int=0)
LONGEST_TEXT = 64 * 1024
"""Characters of a statement that is still kept prepared: the text of a whole wave is near asyncpg's default, 15 kB."""
KEEP_PLANS_S = 10.0
"""Plans that last are made for tables as large as they are then. Until PostgreSQL's statistics noticed that they had
grown, a minute later, a page of 12,000 runs took 6 s by plans for 20 runs; plans made anew cost milliseconds."""
OPENING = 3
"""Statements that open a read, in one round trip: BEGIN, the settings, SAVEPOINT; DISCARD PLANS is not counted."""


Report = Callable[[Sequence[AccessNote]], None]
"""Takes what a request's operations disclosed, for the access log."""


class DatabaseSettings(Struct, frozen=True):
    """How to reach the database as the app role, and how patient to be with it (milliseconds)."""

    connect: dict[str, Any]
    pool_size: int = 10
    acquire_timeout_s: float = 5.0
    read: Timeouts = Timeouts(statement_ms=10_000, lock_ms=150)
    write: Timeouts = Timeouts(statement_ms=30_000, lock_ms=10_000)


async def _keep(_connection: object) -> None:
    """Nothing to reset: every transaction has ended, and all settings were local to it."""


class Database:
    """The pool of connections as the app role, and the three kinds of transaction."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool[Any] | None = None
        self._closing = False
        self._planned: dict[int, float] = {}

    async def open(self) -> None:
        """Connect; raises Unavailable when the database can't be reached."""
        size = self._settings.pool_size
        try:
            self._pool = await asyncpg.create_pool(
                **self._settings.connect,
                min_size=1,
                max_size=size,
                reset=_keep,
                statement_cache_size=512,
                max_cacheable_statement_size=LONGEST_TEXT,
            )
        except UNREACHABLE as error:
            raise Unavailable("the database cannot be reached") from error
        self._closing = False
        POOL_MAX.set(size)

    async def close(self) -> None:
        """Close every connection; those in use are given a moment to come back, then terminated."""
        if (pool := self._pool) is not None:
            self._closing = True
            try:
                await asyncio.wait_for(pool.close(), timeout=5)
            except TimeoutError:
                pool.terminate()
            self._pool = None

    def opening(self, connection: Connection, begin: str) -> str:
        """What begins a transaction, and now and then has the connection's plans made anew."""
        server, now = connection.get_server_pid(), time.monotonic()
        if now < self._planned.get(server, 0.0):
            return begin
        if len(self._planned) > 2 * self._settings.pool_size:  # connections that are gone
            self._planned.clear()
        self._planned[server] = now + KEEP_PLANS_S
        return f"{begin};DISCARD PLANS"

    async def acquire(self, timeout_s: float | None = None) -> Connection:
        """A connection of the pool; raises Unavailable when none comes free in time (the setting's, when not given)."""
        if self._pool is None or self._closing:
            raise Unavailable("the database is not open")
        try:
            with waiting_for_connection():
                connection = await self._pool.acquire(timeout=timeout_s or self._settings.acquire_timeout_s)
        except (TimeoutError, *UNREACHABLE) as error:
            raise Unavailable("the database did not answer in time") from error
        return connection

    async def release(self, connection: Connection) -> None:
        """Give a connection back."""
        POOL_USED.dec()
        if self._pool is not None:
            await self._pool.release(connection)

    async def give_up(self, connection: Connection) -> None:
        """Roll back and give the connection back, or end it when it cannot even do that; never fails.

        The pool takes a connection that the server ended back by itself; whatever is asked of it then raises.
        """
        try:
            await connection.execute("ROLLBACK")
        except (asyncpg.PostgresError, *UNREACHABLE):
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()
        finally:
            await self.release(connection)

    @asynccontextmanager
    async def write(self, tenant_id: UUID, turn: int | None = None) -> AsyncIterator[WriteSession]:
        """One write transaction: committed when the block ends, rolled back when it raises.

        Transactions with the same `turn` (64 bits, signed) run one after the other.
        """
        begin = _begin("", tenant_id, self._settings.write)
        if turn is not None:
            begin = f"{begin};SELECT pg_advisory_xact_lock({turn:d})"
        async with self._transaction(begin) as connection:
            yield WriteSession(connection, tenant_id)

    @asynccontextmanager
    async def anonymous(self) -> AsyncIterator[AnonymousSession]:
        """A read-only transaction that is not bound to a tenant yet."""
        async with self._transaction(_begin_reading(NOBODY, self._settings.read)) as connection:
            yield AnonymousSession(connection, NOBODY)

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[Connection]:
        connection = await self.acquire()
        try:
            await connection.execute(self.opening(connection, begin))
            yield connection
            await _commit(connection)
        except BaseException:
            await asyncio.shield(self.give_up(connection))
            raise
        await self.release(connection)

    def request(self, report: Report | None = None) -> "RequestSession":
        """The session that a request holds; it takes a connection at its first read, and reports what was disclosed."""
        return RequestSession(self, self._settings.read, report)


class RequestSession:
    """What L2 holds for one request and hands to the registry: opaque, opened lazily, closed with the request."""

    def __init__(self, database: Database, timeouts: Timeouts, report: Report | None = None) -> None:
        self.notes: list[AccessNote] | None = None if report is None else []
        """What was disclosed and is not reported yet; None where nobody keeps an access log."""
        self._report = report
        self._database = database
        self._timeouts = timeouts
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._session: ReadSession | None = None
        self.statements = 0
        self.round_trips = 0

    def reading(self, tenant_id: UUID, *, lasting: bool = False) -> "Turn":
        """The request's snapshot, for one operation at a time: `async with` it; `lasting` says how it is planned.

        PostgreSQL would plan a wave anew whenever its keys promise fewer rows than the ten that a lasting plan expects,
        and a page whenever its rows are fewer than a tenth of all: half the time of a wave of five went into that, and
        a quarter of a page's. So what is asked alike by everybody is planned once a connection. A list that a filter
        narrows stays with what its values promise: where one is rare, a plan for any value took seven times as long.
        """
        return Turn(self._lock, lambda: self._of(tenant_id, lasting=lasting))

    async def _of(self, tenant_id: UUID, *, lasting: bool) -> ReadSession:
        if self._session is None:
            self._session = await self._begin(tenant_id, lasting=lasting)
        if self._session.tenant_id != tenant_id:
            raise Unavailable("a request session serves one tenant")
        await self._session.plan(lasting=lasting)
        return self._session

    async def _begin(self, tenant_id: UUID, *, lasting: bool) -> ReadSession:
        connection = await self._database.acquire()
        begin = self._database.opening(connection, _begin_reading(tenant_id, self._timeouts, lasting=lasting))
        try:
            await connection.execute(f"{begin};SAVEPOINT s")
        except BaseException:
            await asyncio.shield(self._database.give_up(connection))
            raise
        self._connection = connection
        session = ReadSession(connection, tenant_id, lasting=lasting)
        session.statements, session.round_trips = OPENING, 1
        return session

    async def renew(self) -> None:
        """End the snapshot, so that the next read sees what has been committed since."""
        async with self._lock:
            if self._connection is None or self._session is None:
                return
            connection, self._connection = self._connection, None
            self.statements += self._session.statements + 1
            self.round_trips += self._session.round_trips + 1
            self._session = None
            await self._database.give_up(connection)

    def account(self) -> None:
        """Report what was disclosed: once a request, and once each event of a subscription."""
        if self.notes and self._report is not None:
            notes, self.notes = self.notes, []
            self._report(notes)

    async def close(self) -> None:
        """End the request's snapshot and give its connection back."""
        self.account()
        if self._session is not None or self._lock.locked():  # most have been ended before the answer was sent
            await asyncio.shield(self.renew())


class Turn:
    """An operation's turn with a snapshot; a class, because an event loop keeps a list of asynchronous generators."""

    __slots__ = ("_begin", "_lock")

    def __init__(self, lock: asyncio.Lock, begin: Callable[[], Awaitable[ReadSession]]) -> None:
        self._lock = lock
        self._begin = begin

    async def __aenter__(self) -> ReadSession:
        await self._lock.acquire()
        try:
            return await self._begin()
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


async def _commit(connection: Connection) -> None:
    """Commit; PostgreSQL answers ROLLBACK when a statement had failed and somebody went on regardless."""
    if await connection.execute("COMMIT") != "COMMIT":
        raise MisuseError("a transaction whose statement failed was to be committed")


def _begin_reading(tenant_id: UUID, timeouts: Timeouts, *, lasting: bool = False) -> str:
    """A snapshot, and how its statements are planned."""
    begin = _begin("ISOLATION LEVEL REPEATABLE READ READ ONLY", tenant_id, timeouts)
    return f"{begin},set_config('plan_cache_mode','{PLANS[lasting]}',true)" if lasting else begin


def _begin(mode: str, tenant_id: UUID, timeouts: Timeouts) -> str:
    """Two statements: the transaction, and everything that is set for it alone."""
    return (
        f"BEGIN {mode};SELECT set_config('app.tenant_id','{UUID(int=tenant_id.int)}',true),"
        f"set_config('statement_timeout','{timeouts.statement_ms:d}',true),"
        f"set_config('lock_timeout','{timeouts.lock_ms:d}',true)"
    )
