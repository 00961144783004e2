"""Fixtures: a real PostgreSQL for the test session, a migrated database for each file, a fresh tenant for each test.

Tests are plain `async def` functions; each runs in an event loop of its own.
"""

import asyncio
import gc
import inspect
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from spine.authority.rbac import OWNER
from spine.bootstrap import Runtime
from spine.contracts.access import CreateTenant
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, Role
from spine.contracts.operations import OperationResult
from spine.services.ids import tenant_id_of
from spine.settings import Settings
from spine.storage.embedded import EmbeddedPostgres
from spine.storage.migrate import migrate

Execute = Callable[..., Awaitable[OperationResult[Any]]]
MakeTenant = Callable[[], Awaitable[Principal]]

SAMPLE = Path(os.environ.get("HOC_SAMPLE_OTLP", Path(__file__).parents[2] / "shared/data/airline-runs.otlp.jsonl"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test to its end in a loop of its own, with its async fixtures in the same loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    loop = pyfuncitem.funcargs["event_loop"]
    assert isinstance(loop, asyncio.AbstractEventLoop)
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}
    loop.run_until_complete(pyfuncitem.obj(**arguments))
    return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every async test the loop, and begin with the README's: among the longest, it would be last and alone."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.fixturenames.insert(0, "event_loop")


def pytest_collection_finish() -> None:
    """Leave what was loaded out of garbage collections, as servers do: one over all of it uses up a query's time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop of one test and of its fixtures."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the whole test session: every worker holds the same directory."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with EmbeddedPostgres.start(shared / "postgres") as server:
        yield server


@contextmanager
def another_database(postgres: EmbeddedPostgres, template: str | None = None) -> Iterator[str]:
    """An empty database, or a copy of the template, for as long as the block runs."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{secrets.token_hex(4)}"
    postgres.create_database(name, template)
    yield name
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def migrated_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of this worker's own with every table and nothing in them, to be copied."""
    with another_database(postgres) as name:
        asyncio.run(migrate(dict(postgres.connection("hoc_owner", name).asyncpg_arguments())))
        yield name


@pytest.fixture(scope="module")
def database_name(postgres: EmbeddedPostgres, migrated_database: str) -> Iterator[str]:
    """A migrated database of the file's own: what reads whole tables would read all that the files before it wrote."""
    with another_database(postgres, migrated_database) as name:
        yield name


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a test's runtime."""
    return Settings(data_dir=tmp_path / "hoc", pool_size=10, key_environment="test")


@pytest.fixture
def runtime(
    event_loop: asyncio.AbstractEventLoop, postgres: EmbeddedPostgres, database_name: str, settings: Settings
) -> Iterator[Runtime]:
    """A started runtime on the file's database."""
    runtime = Runtime(settings, connect=dict(postgres.connection("hoc_app", database_name).asyncpg_arguments()))
    event_loop.run_until_complete(runtime.open())
    yield runtime
    event_loop.run_until_complete(runtime.close())


@pytest.fixture
def superuser(postgres: EmbeddedPostgres, database_name: str) -> dict[str, Any]:
    """How to connect to the file's database as its superuser, who may do anything."""
    return dict(postgres.connection("postgres", database_name).asyncpg_arguments())


@pytest.fixture
def execute(runtime: Runtime) -> Execute:
    """The door to every operation: a test awaits `execute("name", request, principal)`."""
    return runtime.registry.execute


def owner_of(slug: str) -> Principal:
    """An OWNER of the tenant with this slug, as the command line has it."""
    actor = Actor(ActorKind.HUMAN, "owner", "Owner")
    return Principal(tenant_id_of(slug), actor, Role.OWNER, OWNER, "key")


@pytest.fixture
def make_tenant(execute: Execute) -> MakeTenant:
    """Make fresh tenants in a test, for tests that need many."""

    async def make() -> Principal:
        slug = f"t-{secrets.token_hex(6)}"
        principal = owner_of(slug)
        (await execute("account.create_tenant", CreateTenant(slug), principal)).unwrap()
        return principal

    return make


@pytest.fixture
def new_tenant(event_loop: asyncio.AbstractEventLoop, make_tenant: MakeTenant) -> Callable[[], Principal]:
    """Make a fresh tenant and answer its OWNER."""
    return lambda: event_loop.run_until_complete(make_tenant())


@pytest.fixture
def principal(new_tenant: Callable[[], Principal]) -> Principal:
    """The OWNER of a fresh tenant."""
    return new_tenant()


@pytest.fixture
def other(new_tenant: Callable[[], Principal]) -> Principal:
    """The OWNER of another fresh tenant."""
    return new_tenant()


@pytest.fixture(scope="session")
def sample_lines() -> list[bytes]:
    """The real runs, one OTLP/JSON export a line."""
    if not SAMPLE.exists():
        pytest.skip("the sample of real runs is not here; HOC_SAMPLE_OTLP names it")
    return SAMPLE.read_bytes().splitlines()
