"""Dataloaders, made lazily per request from the registry's entries: no loader class is written by hand.

One loader serves an operation and everything that must be equal for its keys. Row counts need not be: aliases that ask
for different numbers of rows load the largest once, and each field slices its own part. So the number of statements
depends on the query's shape, never on the number of parents.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

from aiodataloader import DataLoader

from spine.contracts.errors import NotFound
from spine.contracts.loading import Arguments
from spine.contracts.operations import Operation, OperationResult

Execute = Callable[[str, Any], Awaitable[OperationResult[Any]]]
Asked = tuple[Hashable, Arguments]


class Loaders:
    """The loaders of one request; `clear` forgets everything, after a write."""

    def __init__(self, operations: Mapping[str, Operation], execute: Execute) -> None:
        self._operations = operations
        self._execute = execute
        self._loaders: dict[tuple[str, Arguments], DataLoader[Asked, Any]] = {}
        self._running: set[asyncio.Task[Any]] = set()

    def load(self, operation: str, key: Hashable, wanted: Arguments) -> Awaitable[Any]:
        """The value of one key; raises its HocError, NotFound when the operation has none for it."""
        counts = tuple(one for one in wanted if type(one[1]) is int)
        shared = tuple(one for one in wanted if type(one[1]) is not int)
        loader = self._loaders.get((operation, shared))
        if loader is None:
            batch = partial(self._run, self._operations[operation], shared)
            loader = self._loaders[operation, shared] = DataLoader(batch_load_fn=batch)
        return loader.load((key, counts))

    def clear(self) -> None:
        """Forget what was loaded."""
        self._loaders.clear()

    async def stop(self) -> None:
        """Cancel the batches that are under way, and wait until they are gone; they are tasks of their own."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _run(self, operation: Operation, shared: Arguments, asked: Sequence[Asked]) -> list[Any]:
        """One batch, which can be stopped while it runs."""
        task: Any = asyncio.current_task()
        self._running.add(task)
        try:
            return await self._batch(operation, shared, asked)
        finally:
            self._running.discard(task)

    async def _batch(self, operation: Operation, shared: Arguments, asked: Sequence[Asked]) -> list[Any]:
        """One dispatch for all keys; in order, a value or an exception for each."""
        keys = tuple(dict.fromkeys(key for key, _ in asked))
        values: dict[str, Any] = {str(operation.batch_key): keys, **dict(shared), **_largest(asked)}
        result = await self._execute(operation.name, operation.request(**values))
        if result.error is not None:
            return [result.error] * len(asked)
        found = result.unwrap()
        absent = NotFound(_kind(operation), "of this object")
        return [found.get(key, absent) for key, _ in asked]


def _largest(asked: Sequence[Asked]) -> dict[str, int]:
    largest: dict[str, int] = {}
    for _, counts in asked:
        for name, count in counts:
            largest[name] = max(largest.get(name, 0), count)  # type: ignore[call-overload]
    return largest


def _kind(operation: Operation) -> str:
    """What the operation answers, for people: `activity.run_evidence` answers run evidence."""
    return operation.name.partition(".")[2].replace("_", " ")
