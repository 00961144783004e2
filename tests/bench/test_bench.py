"""The benchmark itself, small: both servers answer the same, and every figure is a number."""

import asyncio
import io
import math
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from rich.console import Console

from spine.storage.embedded import EmbeddedPostgres
from spine.storage.migrate import migrate
from tests.bench.__main__ import plan_of
from tests.bench.console import difference
from tests.bench.data import fill
from tests.bench.fleet import Fleet
from tests.bench.place import Place
from tests.bench.report import notes, table
from tests.bench.run import Plan, measure

PLAN = Plan(Fleet(runs=240, tenants=2), rounds=1, seconds=0.3, concurrency=(1, 2))


@pytest.fixture
def place(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Place]:
    """An empty migrated database."""
    name = f"bench_{secrets.token_hex(4)}"
    postgres.create_database(name)
    asyncio.run(migrate(dict(postgres.connection("hoc_owner", name).asyncpg_arguments())))
    yield Place(dict(postgres.connection("hoc_app", name).asyncpg_arguments()), tmp_path)
    postgres.drop_database(name)


class TestBench:
    def test_a_small_run_compares_equal_answers_and_prints_numbers(self, place: Place) -> None:
        stored: list[int] = []
        keys = fill(place, PLAN.fleet, stored.append)
        results = measure(PLAN, place, keys, lambda _: None)

        assert sum(stored) == PLAN.fleet.runs
        assert results.compared.verdicts.keys() == {"VERIFIED", "UNSUPPORTED"}
        for measured in (*results.figures.values(), *results.ratios.values(), *results.counts.values()):
            assert all(math.isfinite(figure) for figure in structs.astuple(measured)), measured
        assert results.ingest_per_second > 0
        printed = io.StringIO()
        console = Console(file=printed, width=100)
        console.print(table(PLAN, results), *notes(PLAN, results))
        assert "ours / hand-written" in printed.getvalue()


class TestPlan:
    def test_it_is_small_unless_asked(self) -> None:
        assert plan_of([]) == Plan(Fleet(2000, 10))

    @pytest.mark.parametrize(
        "asked", [["--runs", "100001"], ["--runs", "5"], ["--rounds", "0"], ["--seconds", "0"], ["--concurrency", "65"]]
    )
    def test_it_is_bounded(self, asked: list[str]) -> None:
        with pytest.raises(SystemExit):
            plan_of(asked)


class TestDifference:
    def test_it_names_the_first_place(self) -> None:
        assert difference({"a": [1, 2]}, {"a": [1, 3]}) == "$.a[1]: 2 is not 3"
        assert difference({"a": 1}, {"a": True}) == "$.a: 1 is not True"
        assert difference({"a": 1}, {"a": 1}) is None
