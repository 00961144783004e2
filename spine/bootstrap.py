"""The composition root: settings to a running spine. Nothing imports it but L2's entry points and the tests."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from spine.authority.rbac import permissions_of
from spine.consequences.hub import Hub
from spine.contracts.actors import Actor, Principal
from spine.contracts.config import RuntimeConfig
from spine.contracts.enums import ActorKind, Role
from spine.contracts.errors import HocError, MisuseError
from spine.contracts.executors import Executors
from spine.contracts.operations import Operation
from spine.orchestrator.access_log import AccessLog
from spine.orchestrator.handlers import OPERATIONS
from spine.orchestrator.operation_registry import OperationRegistry
from spine.orchestrator.sequencer import Sequencer
from spine.orchestrator.vouching import AskedAuthority, AskedWitness, Outsider, Vouching
from spine.services.clock import Clock, system_clock
from spine.services.executors import BUILT_IN
from spine.services.ids import tenant_id_of
from spine.services.proof.timestamp import TimestampError, read_roots
from spine.services.proof.witness import WitnessAddress
from spine.services.vouchers import Authority
from spine.settings import Settings
from spine.storage.checks import UnsafeRole, readiness, refuse_unsafe_role
from spine.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from spine.storage.embedded.keeper import Keeper
from spine.storage.log_signing import LogSigner, seed_of
from spine.storage.migrate import ROLES_SQL, head_revision, migrate
from spine.storage.private_files import kept_secret
from spine.storage.sessions import Timeouts
from spine.storage.unit_of_work import Database, DatabaseSettings

PEPPER_BYTES = 32

Connect = dict[str, Any]
Report = Callable[[str], None]


class WrongUrl(MisuseError):
    """A setting that should be a PostgreSQL URL is none, or is missing."""


class BadPepper(MisuseError):
    """The file of the key pepper is damaged: keys hashed with what is left of it could be guessed."""


class Runtime:
    """A spine with its database: open it, dispatch through `registry`, close it."""

    def __init__(
        self,
        settings: Settings,
        *,
        connect: Connect | None = None,
        owner_connect: Connect | None = None,
        clock: Clock = system_clock,
        executors: Executors = BUILT_IN,
    ) -> None:
        self.settings = settings
        self._executors = executors
        self._connect = connect
        self._owner_connect = owner_connect
        self._clock = clock
        self._embedded: EmbeddedPostgres | None = None
        self._keeper: Keeper | None = None
        self._head = head_revision()
        self._draining = False
        self.stopping = False
        self._sequencer: Sequencer | None = None
        self._vouching: Vouching
        self.access_log: AccessLog | None = None
        self.database: Database
        self.hub: Hub
        self.registry: OperationRegistry

    async def open(self, *, migrating: bool = True) -> None:
        """Reach (or start) the database, migrate it when asked, refuse an unsafe role, freeze the registry."""
        connect = await self._reach()
        try:
            await self._start(connect, migrating=migrating)
        except BaseException:
            await self._let_go()
            raise

    async def _start(self, connect: Connect, *, migrating: bool) -> None:
        if migrating and self._owner_connect is not None:
            await migrate(self._owner_connect)
        settings = self.settings
        self.database = Database(
            DatabaseSettings(
                connect=connect,
                pool_size=settings.pool_size,
                read=Timeouts(statement_ms=settings.statement_timeout_ms, lock_ms=settings.source_timeout_ms),
            ),
        )
        direct = settings.database_direct_url
        listening = connect if direct is None else connect_arguments(direct.get_secret_value())
        self.hub = Hub(self.database, listening, self._clock, timedelta(hours=settings.event_retention_hours))
        await self.database.open()
        try:
            await refuse_unsafe_role(self.database)
            self.registry = build_registry(self.database, settings, self._clock, self.hub, self._executors)
            self._vouching = Vouching(outsiders(settings, self.registry, self._clock))
        except BaseException:
            await self.database.close()
            raise

    async def _reach(self) -> Connect:
        if self._connect is not None:
            return self._connect
        if self.settings.database_url is not None:
            if self.settings.database_owner_url is not None:
                self._owner_connect = connect_arguments(self.settings.database_owner_url.get_secret_value())
            return connect_arguments(self.settings.database_url.get_secret_value())
        self._embedded = await asyncio.to_thread(EmbeddedPostgres.start, self.settings.data_dir)
        self._owner_connect = dict(self._embedded.connection("hoc_owner").asyncpg_arguments())
        return dict(self._embedded.connection("hoc_app").asyncpg_arguments())

    async def ready(self) -> str | None:
        """Why the server can't serve now, or soon won't; None when it can."""
        return "draining" if self._draining else await readiness(self.database, self._head)

    def drain(self) -> None:
        """From now on be unready: the server is about to stop, and new requests had better go elsewhere."""
        self._draining = True

    def end_streams(self) -> None:
        """From now on whatever lasts, such as a subscription, ends: the server stops and would wait for it."""
        self.stopping = True

    def keep_log(self) -> None:
        """From now on give leaves of the tenants' logs their indices, sign checkpoints, have others vouch for them."""
        self._sequencer = Sequencer(self.registry)
        self.hub.watch(self._sequencer.wake)
        self._sequencer.start()
        self._vouching.start()

    def keep_access_log(self) -> None:
        """From now on record who reads which runs."""
        self.access_log = AccessLog(self.registry, self._clock)
        self.registry.keep_accesses(self.access_log.take)

    async def close(self) -> None:
        """Close the connections, and let go of the embedded database: its last holder stops it."""
        if self.access_log is not None:
            await self.access_log.close()
        await self._vouching.close()
        if self._sequencer is not None:
            await self._sequencer.close()
        await self.hub.close()
        await self.database.close()
        await self._let_go()

    def keep_database_alive(self) -> None:
        """From now on start the embedded database again when it dies; one of your own is yours to keep."""
        if self._embedded is not None:
            self._keeper = Keeper(self._embedded)

    async def _let_go(self) -> None:
        if self._keeper is not None:
            await self._keeper.stop()
        if self._embedded is not None:
            embedded, self._embedded = self._embedded, None
            await asyncio.to_thread(embedded.stop)


@contextmanager
def installation(settings: Settings, report: Report) -> Iterator[str | None]:
    """Hold the database while the block runs, migrated where the settings name its owner, and safe to serve from.

    Gives the reason why it can't be served yet, None when it can. `report` gets a line for each thing that takes time.
    """
    held = None if settings.database_url is not None else EmbeddedPostgres.start(settings.data_dir, report=report)
    try:
        report("migrating the database")
        yield asyncio.run(_prepare(settings))
    finally:
        if held is not None:
            report("stopping PostgreSQL")
            held.stop()


async def _prepare(settings: Settings) -> str | None:
    runtime = Runtime(settings)
    await runtime.open()
    try:
        return await runtime.ready()
    finally:
        await runtime.close()


async def migrate_alone(settings: Settings, report: Report) -> str:
    """Migrate without serving and answer the revision; WrongUrl when nothing says who owns the database."""
    if settings.database_owner_url is not None:
        report("migrating the database")
        await migrate(connect_arguments(settings.database_owner_url.get_secret_value()))
    elif settings.database_url is not None:
        raise WrongUrl("DATABASE_OWNER_URL must name the database as the role that owns its tables, to migrate it")
    else:
        with EmbeddedPostgres.start(settings.data_dir, report=report) as held:
            report("migrating the database")
            await migrate(dict(held.connection("hoc_owner").asyncpg_arguments()))
    return head_revision()


def roles_sql() -> str:
    """The SQL that makes the two roles and the database, for whoever administers the server."""
    return ROLES_SQL


def catalogue() -> tuple[Operation, ...]:
    """Every operation, by name; needs no database."""
    return tuple(sorted(OPERATIONS, key=lambda operation: operation.name))


def platform_principal(tenant: str) -> Principal:
    """The party that administers a tenant from the command line: whoever can reach its database as the app role."""
    actor = Actor(ActorKind.SYSTEM, None, "hoc command line")
    return Principal(tenant_id_of(tenant), actor, Role.OWNER, permissions_of(Role.OWNER, ()), "command line")


def explained(error: BaseException) -> str | None:
    """What an operator can do something about, in one line; None for a fault of the program."""
    if isinstance(error, SQLAlchemyError) and error.__cause__ is not None:
        return explained(error.__cause__) or explained(error.__cause__.__cause__ or error.__cause__)
    if isinstance(error, HocError | EmbeddedPostgresError | UnsafeRole | WrongUrl | BadPepper | TimestampError):
        cause = error.__cause__
        told = isinstance(cause, OSError | asyncpg.PostgresError | asyncpg.InterfaceError)
        return f"{error}: {cause}" if told else str(error)
    if isinstance(error, asyncpg.PostgresError):
        return f"PostgreSQL refused: {error}"
    if isinstance(error, asyncpg.InterfaceError):
        return f"the database cannot be reached: {error}"
    return str(error) if isinstance(error, OSError) and error.errno is not None else None


def build_registry(
    database: Database, settings: Settings, clock: Clock, hub: Hub, executors: Executors
) -> OperationRegistry:
    """Every operation, checked and frozen."""
    config = RuntimeConfig(
        key_pepper=key_pepper(settings),
        key_environment=settings.key_environment,
        stalled_after_s=settings.stalled_after_s,
        points_per_key=settings.points_per_key,
        points_per_second=settings.points_per_second,
        log=log_signer(settings),
        executors=executors,
    )
    registry = OperationRegistry(database, clock, config, hub)
    registry.register(OPERATIONS)
    registry.freeze()
    return registry


def outsiders(settings: Settings, registry: OperationRegistry, clock: Clock) -> list[Outsider]:
    """Who vouches for checkpoints; raises TimestampError or OSError when the authority's certificates can't be read."""
    found: list[Outsider] = [AskedWitness(registry, WitnessAddress.parse(one)) for one in settings.witnesses]
    if settings.tsa_url is not None and settings.tsa_roots is not None:
        authority = Authority(settings.tsa_url, tuple(read_roots(settings.tsa_roots.read_bytes())))
        found.append(AskedAuthority(registry, authority, timedelta(seconds=settings.tsa_interval_s), clock))
    return found


def connect_arguments(url: str) -> Connect:
    """A PostgreSQL URL as asyncpg's arguments; a SQLAlchemy driver name in it is ignored."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # whose texts quote parts of it, and so the password
        raise WrongUrl("a database URL must look like postgresql://role:password@host:5432/database") from None
    if parsed.get_backend_name() != "postgresql":
        raise WrongUrl("a database URL must begin with postgresql://")
    return {"dsn": parsed.set(drivername="postgresql").render_as_string(hide_password=False)}


def key_pepper(settings: Settings) -> bytes:
    """The pepper of key hashes: from the environment, else a file of the data directory, made when absent."""
    if settings.key_pepper is not None:
        return hashlib.sha256(settings.key_pepper.get_secret_value().encode()).digest()
    path = settings.data_dir / "key-pepper"
    pepper = kept_secret(path, PEPPER_BYTES)
    if len(pepper) != PEPPER_BYTES:
        raise BadPepper(f"{path} must hold the {PEPPER_BYTES} bytes that were made for it, but has {len(pepper)}")
    return pepper


def log_signer(settings: Settings) -> LogSigner:
    """Who signs the tenants' logs; raises BadLogKey when HOC_LOG_KEY is no key."""
    given = None if settings.log_key is None else seed_of(settings.log_key.get_secret_value())
    return LogSigner(settings.data_dir, settings.log_origin, given)
