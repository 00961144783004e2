"""The composition root: settings to a running spine. Nothing imports it but L2's entry points and the tests."""

import asyncio
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from spine.contracts.config import RuntimeConfig
from spine.contracts.errors import MisuseError
from spine.orchestrator.handlers import OPERATIONS
from spine.orchestrator.operation_registry import OperationRegistry
from spine.services.clock import Clock, system_clock
from spine.settings import Settings
from spine.storage.checks import readiness, refuse_unsafe_role
from spine.storage.embedded import EmbeddedPostgres
from spine.storage.migrate import head_revision, migrate
from spine.storage.sessions import Timeouts
from spine.storage.unit_of_work import Database, DatabaseSettings

Connect = dict[str, Any]


class Runtime:
    """A spine with its database: open it, dispatch through `registry`, close it."""

    def __init__(
        self,
        settings: Settings,
        *,
        connect: Connect | None = None,
        owner_connect: Connect | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.settings = settings
        self._connect = connect
        self._owner_connect = owner_connect
        self._clock = clock
        self._embedded: EmbeddedPostgres | None = None
        self._head = head_revision()
        self.database: Database
        self.registry: OperationRegistry

    async def open(self, *, migrating: bool = True) -> None:
        """Reach (or start) the database, migrate it when asked, refuse an unsafe role, freeze the registry."""
        connect = await self._reach()
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
        await self.database.open()
        try:
            await refuse_unsafe_role(self.database)
            self.registry = build_registry(self.database, settings, self._clock)
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
        """Why the server can't serve now; None when it can."""
        return await readiness(self.database, self._head)

    async def close(self) -> None:
        """Close the connections, and let go of the embedded database: its last holder stops it."""
        await self.database.close()
        if self._embedded is not None:
            embedded, self._embedded = self._embedded, None
            await asyncio.to_thread(embedded.stop)


def build_registry(database: Database, settings: Settings, clock: Clock) -> OperationRegistry:
    """Every operation, checked and frozen."""
    config = RuntimeConfig(
        key_pepper=key_pepper(settings),
        key_environment=settings.key_environment,
        stalled_after_s=settings.stalled_after_s,
    )
    registry = OperationRegistry(database, clock, config)
    registry.register(OPERATIONS)
    registry.freeze()
    return registry


def connect_arguments(url: str) -> Connect:
    """A PostgreSQL URL as asyncpg's arguments; a SQLAlchemy driver name in it is ignored."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise MisuseError("DATABASE_URL must begin with postgresql://")
    return {"dsn": parsed.set(drivername="postgresql").render_as_string(hide_password=False)}


def key_pepper(settings: Settings) -> bytes:
    """The pepper of key hashes: from the environment, else a file of the data directory, made when absent."""
    if settings.key_pepper is not None:
        return hashlib.sha256(settings.key_pepper.get_secret_value().encode()).digest()
    path = settings.data_dir / "key-pepper"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"key-pepper.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        _write_private(fresh, secrets.token_bytes(32))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
