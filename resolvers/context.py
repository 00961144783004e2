"""The context of one request: its principal, its read session, its loaders. Everything goes through the registry."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from types import TracebackType
from typing import Any, Self

import strawberry

from resolvers.limits.meter import Meter
from resolvers.loaders import Loaders, Wave
from resolvers.observing import note_reads
from spine.contracts.access import RateLimit
from spine.contracts.actors import Principal
from spine.contracts.errors import ExecutionTimeout
from spine.contracts.loading import Arguments
from spine.contracts.operations import CHANGING, OperationResult
from spine.orchestrator.operation_registry import OperationRegistry


class RequestContext:
    """What resolvers see as `info.context`; leave it (`async with`) to give the snapshot back."""

    def __init__(self, registry: OperationRegistry, principal: Principal, request_id: str) -> None:
        self.principal = principal
        self.request_id = request_id
        self.selections: dict[Hashable, Arguments] = {}
        self.native = False
        """Whether the answer goes straight to orjson, which writes moments itself."""
        self.meter: Meter
        self.standing: Callable[[], RateLimit]
        self._over = False
        self._registry = registry
        self._session = registry.get_session_dep()
        self._loaders = Loaders(self._registry.operations, self.dispatch)

    async def __aenter__(self) -> Self:
        """The session is opened by the first read."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Nothing is read for the request any more.

        Nor told of its budget: whoever tells it holds the whole answer, which would wait for the garbage collector.
        """
        self._over = True
        self.__dict__.pop("standing", None)
        await self.abandon()
        await self._session.close()
        note_reads(self._session.statements, self._session.round_trips)

    async def renew(self, *, answered: bool = True) -> None:
        """Give the snapshot and everything that was loaded back; what is read next is read anew.

        What was read so far is one line of the access log when it was for an answer of its own.
        """
        self._loaders.clear()
        if self.meter.stopped:
            self.meter = self.meter.again()
        if answered:
            self._session.account()
        await self._session.renew()

    async def abandon(self) -> None:
        """Stop whatever of the request is still under way: a cancelled field leaves the batch that it waited for."""
        await self._loaders.stop()

    async def keep_books(self, operation: str, request: Any) -> Any:
        """The value of a write about the key itself; it is no part of the query, which it neither sees nor delays."""
        result = await self._registry.execute(operation, request, self.principal, request_id=self.request_id)
        return result.unwrap()

    def rate_limit(self) -> RateLimit:
        """How the key's budget stands."""
        return self.standing()

    async def dispatch(self, operation: str, request: Any) -> OperationResult[Any]:
        """Dispatch an operation; after a write, later reads of this request see what it wrote."""
        if self._over or self.meter.stopped:
            return OperationResult(operation, None, ExecutionTimeout())
        result = await self._registry.execute(
            operation, request, self.principal, session=self._session, request_id=self.request_id
        )
        entry = self._registry.operations.get(operation)
        if entry is not None:
            self.meter.points += entry.cost
            if entry.kind in CHANGING:
                self._loaders.clear()
        return result

    async def execute(self, operation: str, request: Any) -> Any:
        """The value of an operation; raises its HocError."""
        return (await self.dispatch(operation, request)).unwrap()

    def load(self, operation: str, key: Hashable, wanted: Arguments = ()) -> Awaitable[Any]:
        """The value of one key of a batch operation, loaded together with all others that are asked for now."""
        return self._loaders.load(operation, key, wanted)

    def load_waves(self, waves: Sequence[Wave]) -> Awaitable[list[list[Any]]]:
        """For each a value or an exception for each of its keys, all loaded together."""
        return self._loaders.load_waves(waves)


Info = strawberry.Info[RequestContext, None]
