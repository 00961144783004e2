"""Dataloaders, made lazily per request from the registry's entries: no loader class is written by hand.

One loader serves an operation and everything that must be equal for its keys. Row counts need not be: aliases that ask
for different numbers of rows load the largest once, and each field slices its own part. So the number of statements
depends on the query's shape, never on the number of parents.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from aiodataloader import DataLoader

from spine.contracts.errors import NotFound
from spine.contracts.loading import Arguments
from spine.contracts.operations import Operation, OperationResult

Execute = Callable[[str, Any], Awaitable[OperationResult[Any]]]
Asked = tuple[Hashable, Arguments]
Shared = tuple[str, Arguments]
"""An operation, and what must be equal for all keys that are loaded at once."""


class Wave(NamedTuple):
    """What a field asks of an operation for all its parents at once."""

    operation: str
    wanted: Arguments
    keys: Sequence[Hashable]


class Loaders:
    """The loaders of one request; `clear` forgets everything, after a write."""

    def __init__(self, operations: Mapping[str, Operation], execute: Execute) -> None:
        self._operations = operations
        self._execute = execute
        self._loaders: dict[Shared, DataLoader[Asked, Any]] = {}
        self._values: dict[Shared, dict[Asked, Any]] = {}
        self._running: set[asyncio.Task[Any]] = set()

    def load(self, operation: str, key: Hashable, wanted: Arguments) -> Awaitable[Any]:
        """The value of one key; raises its HocError, NotFound when the operation has none for it."""
        counts, shared = _split(wanted)
        loader = self._loaders.get((operation, shared))
        if loader is None:
            batch = partial(self._load, (operation, shared))
            loader = self._loaders[operation, shared] = DataLoader(batch_load_fn=batch)
        return loader.load((key, counts))

    async def load_waves(self, waves: Sequence[Wave]) -> list[list[Any]]:
        """For each a value or an exception for each key: one dispatch for all that can share it, and no future each.

        One after the other: they share one snapshot on one connection, so tasks would only wait for one another. What
        recalls the rows of another operation comes after all that does not.
        """
        groups: dict[Shared, list[Asked]] = {}
        parts: list[tuple[Shared, int, int]] = []
        for wave in waves:
            counts, shared = _split(wave.wanted)
            asked = groups.setdefault((wave.operation, shared), [])
            parts.append(((wave.operation, shared), len(asked), len(asked) + len(wave.keys)))
            asked += [(key, counts) for key in wave.keys]
        ordered = sorted(groups, key=lambda shared: self._operations[shared[0]].recalls is not None)
        found = {shared: await self._load(shared, groups[shared]) for shared in ordered}
        return [found[shared][start:end] for shared, start, end in parts]

    def clear(self) -> None:
        """Forget what was loaded."""
        self._loaders.clear()
        self._values.clear()

    async def stop(self) -> None:
        """Cancel the batches that are under way, and wait until they are gone; they are tasks of their own."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _load(self, shared: Shared, asked: Sequence[Asked]) -> list[Any]:
        """In order, a value or an exception for each; what was loaded before is not loaded again."""
        known = self._values.setdefault(shared, {})
        missing = [one for one in asked if one not in known] if known else asked
        loaded = await self._run(shared, missing) if missing else []
        known.update(zip(missing, loaded, strict=True))
        return loaded if missing is asked else [known[one] for one in asked]

    async def _run(self, shared: Shared, asked: Sequence[Asked]) -> list[Any]:
        """One batch, which can be stopped while it runs."""
        task: Any = asyncio.current_task()
        self._running.add(task)
        try:
            return await self._batch(self._operations[shared[0]], shared[1], asked)
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
        try:
            return [found[key] for key, _ in asked]
        except KeyError:
            absent = NotFound(_kind(operation), "of this object")
            return [found.get(key, absent) for key, _ in asked]


def _split(wanted: Arguments) -> tuple[Arguments, Arguments]:
    """The row counts, and what must be equal for all keys."""
    counts = tuple(one for one in wanted if type(one[1]) is int)
    return counts, tuple(one for one in wanted if type(one[1]) is not int)


def _largest(asked: Sequence[Asked]) -> dict[str, int]:
    largest: dict[str, int] = {}
    for _, counts in asked:
        for name, count in counts:
            largest[name] = max(largest.get(name, 0), count)  # type: ignore[call-overload]
    return largest


def _kind(operation: Operation) -> str:
    """What the operation answers, for people: `activity.run_evidence` answers run evidence."""
    return operation.name.partition(".")[2].replace("_", " ")
