"""Plans answer what graphql-core answers: data, the order of keys, errors, and points.

`make fuzz` sets HOC_FUZZ and goes on with seeds that nobody has tried until something differs or it is stopped.
"""

import gc
import os
import time
from collections.abc import Iterator
from itertools import count

import pytest
from graphql import parse, validate

from tests.resolvers.execution.both import Both
from tests.resolvers.execution.corpus import CORPUS
from tests.resolvers.execution.mutations import MISTAKES, Plant
from tests.resolvers.execution.operations import Making

GENERATED = 3_000
SPOILT = 400
"""Operations over rows with something wrong in them: each makes errors."""
MOST_TRIED = 600

pytestmark = pytest.mark.filterwarnings("ignore")  # graphql-core leaves coroutines unawaited beside what fails at once


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """What is left unawaited is told of here, where it's expected, and not in whichever test comes later."""
    yield
    gc.collect()


class TestBothExecutors:
    async def test_answer_the_corpus_alike(self, both: Both) -> None:
        for operation in CORPUS:
            assert await both.difference(operation) is None
            for seed in range(4):
                assert await both.difference(operation, seed) is None

    async def test_answer_generated_operations_alike(self, both: Both, ids: list[str]) -> None:
        for seed in range(GENERATED):
            operation = Making(both.graph, seed, ids).operation()
            assert seed % 50 or validate(both.graph, parse(operation.text)) == [], seed
            assert await both.difference(operation) is None, seed

    async def test_answer_alike_when_something_is_wrong_with_the_rows(self, both: Both, ids: list[str]) -> None:
        for seed in range(SPOILT):
            assert await both.difference(Making(both.graph, seed, ids).operation(), seed) is None, seed

    @pytest.mark.skipif("HOC_FUZZ" not in os.environ, reason="make fuzz")
    async def test_answer_whatever_comes_alike(self, both: Both, ids: list[str]) -> None:
        for seed in count(time.time_ns()):
            operation = Making(both.graph, seed, ids).operation()
            assert await both.difference(operation) is None, seed
            assert await both.difference(operation, seed) is None, seed


class TestMistakes:
    @pytest.mark.parametrize("plant", MISTAKES.values(), ids=MISTAKES)
    async def test_are_found(self, both: Both, ids: list[str], plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
        plant(monkeypatch)
        assert await finds(both, ids)


async def finds(both: Both, ids: list[str]) -> bool:
    """Whether the suite finds a difference: in the corpus, as it is and spoilt, or in generated operations."""
    tried = [*CORPUS, *(Making(both.graph, seed, ids).operation() for seed in range(MOST_TRIED))]
    for number, operation in enumerate(tried):
        for seed in (None, number):
            if await both.difference(operation, seed) is not None:
                return True
    return False
