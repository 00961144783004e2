"""The dataloaders that are made of registry entries."""

import asyncio
from typing import Any

import pytest

from resolvers.loaders import Loaders
from spine.contracts.errors import Forbidden, HocError, NotFound, Unavailable
from spine.contracts.evidence import EvidenceRequest
from spine.contracts.operations import Operation, OperationResult
from spine.orchestrator.coordinators.run_evidence_coordinator import OPERATIONS

EVIDENCE: Operation = next(one for one in OPERATIONS if one.name == "activity.run_evidence")


class Dispatches:
    """What was dispatched, answered from a table."""

    def __init__(self, answers: dict[str, Any], error: HocError | None = None) -> None:
        self.requests: list[Any] = []
        self._answers = answers
        self._error = error

    async def __call__(self, operation: str, request: EvidenceRequest) -> OperationResult[Any]:
        self.requests.append(request)
        return OperationResult(operation, None if self._error else self._answers, self._error)

    def loaders(self) -> Loaders:
        return Loaders({EVIDENCE.name: EVIDENCE}, self)


async def load(loaders: Loaders, *asked: tuple[str, dict[str, Any]]) -> list[Any]:
    waiting = [loaders.load(EVIDENCE.name, key, tuple(wanted.items())) for key, wanted in asked]
    return await asyncio.gather(*waiting, return_exceptions=True)


class TestBatches:
    async def test_all_keys_of_a_moment_are_one_dispatch(self) -> None:
        dispatches = Dispatches({"a": 1, "b": 2})
        assert await load(dispatches.loaders(), ("a", {}), ("b", {}), ("a", {})) == [1, 2, 1]
        assert [request.run_keys for request in dispatches.requests] == [("a", "b")]

    async def test_different_row_counts_load_the_largest_once(self) -> None:
        dispatches = Dispatches({"a": 1, "b": 2})
        await load(dispatches.loaders(), ("a", {"incidents": 3}), ("b", {"incidents": 8}), ("a", {"limits": 1}))
        (request,) = dispatches.requests
        assert (request.incidents, request.limits, request.policies) == (8, 1, 0)

    async def test_what_must_be_equal_for_all_keys_separates(self) -> None:
        dispatches = Dispatches({"a": 1})
        await load(dispatches.loaders(), ("a", {}), ("a", {"probe": frozenset()}))
        assert len(dispatches.requests) == 2

    async def test_after_a_write_everything_is_loaded_again(self) -> None:
        dispatches = Dispatches({"a": 1})
        loaders = dispatches.loaders()
        await load(loaders, ("a", {}))
        await load(loaders, ("a", {}))
        assert len(dispatches.requests) == 1
        loaders.clear()
        await load(loaders, ("a", {}))
        assert len(dispatches.requests) == 2


class TestFailures:
    async def test_one_unreadable_key_leaves_the_others_standing(self) -> None:
        broken = Unavailable("this one cannot be read")
        assert await load(Dispatches({"a": 1, "b": broken}).loaders(), ("a", {}), ("b", {})) == [1, broken]

    async def test_a_key_without_a_value_is_not_found(self) -> None:
        first, second = await load(Dispatches({"a": 1}).loaders(), ("a", {}), ("b", {}))
        assert first == 1
        assert isinstance(second, NotFound)
        assert second.message == "run evidence of this object was not found"

    @pytest.mark.parametrize("falsy", [0, "", (), None])
    async def test_a_falsy_value_is_a_value(self, falsy: object) -> None:
        assert await load(Dispatches({"a": falsy}).loaders(), ("a", {})) == [falsy]

    async def test_a_refused_dispatch_is_every_keys_error(self) -> None:
        refused = Forbidden("activity.run_evidence", "runs:read")
        assert await load(Dispatches({}, refused).loaders(), ("a", {}), ("b", {})) == [refused, refused]
