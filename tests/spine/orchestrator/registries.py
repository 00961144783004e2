"""Registries for tests: every operation of the product, and some that only a test would register."""

from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from spine.bootstrap import Runtime
from spine.contracts.access import Nothing
from spine.contracts.config import RuntimeConfig
from spine.contracts.enums import OperationKind, Permission
from spine.contracts.operations import Operation
from spine.orchestrator.context import ReadContext, WriteContext
from spine.orchestrator.handlers import OPERATIONS
from spine.orchestrator.operation_registry import OperationRegistry
from spine.services.clock import system_clock
from spine.storage.log_signing import LogSigner

CONFIG = RuntimeConfig(
    key_pepper=b"pepper",
    key_environment="test",
    stalled_after_s=60,
    points_per_key=50_000,
    points_per_second=1_000,
    log=LogSigner(Path("nowhere"), "test", bytes(32)),
)


class Text(Struct, frozen=True):
    """A request with one text."""

    text: str
    idempotency_key: str = "key"


async def answer(ctx: ReadContext, request: Nothing) -> str:
    """Read nothing."""
    return "read"


async def echo(ctx: WriteContext, request: Text) -> str:
    """Write nothing."""
    return request.text


READING = Operation(
    name="test.read",
    kind=OperationKind.READ,
    request=Nothing,
    result=str,
    handler=answer,
    permission=Permission.RUNS_READ,
    cross_domain_deps=(),
    cost=1,
    summary="A read.",
)
WRITING = Operation(
    name="test.write",
    kind=OperationKind.WRITE,
    request=Text,
    result=str,
    handler=echo,
    permission=Permission.RUNS_WRITE,
    cross_domain_deps=(),
    cost=1,
    summary="A write.",
)


def reading(handler: Any, **changes: Any) -> Operation:
    return structs.replace(READING, handler=handler, **changes)


def writing(handler: Any, **changes: Any) -> Operation:
    return structs.replace(WRITING, handler=handler, **changes)


def registry_with(runtime: Runtime, *operations: Operation) -> OperationRegistry:
    """A frozen registry on the runtime's database."""
    registry = OperationRegistry(runtime.database, system_clock, CONFIG, runtime.hub)
    registry.register((*OPERATIONS, *operations))
    registry.freeze()
    return registry
