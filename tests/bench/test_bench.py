"""The benchmark itself, small: all servers answer the same, clones verify, and every figure is a number."""

import asyncio
import io
import math
import secrets
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import asyncpg
import msgspec
import pytest
from msgspec import structs
from rich.console import Console

from spine.storage.embedded import EmbeddedPostgres
from spine.storage.migrate import migrate
from tests.bench.__main__ import asked_of, stored
from tests.bench.chart import chart
from tests.bench.console import difference
from tests.bench.contest import Outcome
from tests.bench.data import fill
from tests.bench.fleet import Fleet
from tests.bench.place import Place
from tests.bench.report import as_json, growth_chart, notes, tables
from tests.bench.run import PARTS, Filled, Plan, Results, measure

FLEET = Fleet(runs=120, tenants=2)
SAMPLE = 20
PLAN = Plan(
    FLEET,
    parts=PARTS,
    rounds=1,
    seconds=0.05,
    settling=0.0,
    concurrency=(1, 2),
    ingest_seconds=0.2,
    requests=100,
    bundles=1,
    leaves=1500,
)

UNLOGGED = """SELECT
    (SELECT count(*) FROM log_pending) AS waiting,
    (SELECT count(*) FROM log_heads WHERE signed_size < tree_size) AS unsigned,
    (SELECT count(*) FROM seals) + (SELECT count(*) FROM audit_ledger)
        - (SELECT count(*) FROM log_leaves) AS unlogged"""


@pytest.fixture
def place(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Place]:
    """An empty migrated database."""
    name = f"bench_{secrets.token_hex(4)}"
    postgres.create_database(name)
    asyncio.run(migrate(dict(postgres.connection("hoc_owner", name).asyncpg_arguments())))
    yield Place(
        dict(postgres.connection("hoc_app", name).asyncpg_arguments()),
        dict(postgres.connection("postgres", name).asyncpg_arguments()),
        tmp_path,
    )
    postgres.drop_database(name)


class TestBench:
    def test_a_small_run_of_every_part_compares_equal_answers_and_prints_numbers(self, place: Place) -> None:
        filled = Filled(place, fill(place, FLEET, lambda _: None, SAMPLE))
        results = measure(PLAN, filled, lambda _: None, structs.replace(filled, label="beside"))

        assert results.compared.verdicts.keys() == {"VERIFIED", "UNSUPPORTED"}
        assert list(results.contests) == ["console", "single", "growth", "beside"]
        for figures in _all_figures(results):
            assert all(math.isfinite(figure) for figure in figures), figures
        there = asyncio.run(stored(place))
        printed = io.StringIO()
        Console(file=printed, width=120).print(*tables(PLAN, results), *notes(PLAN, results, there))
        for said in ("ours / ordinary ORM", "spans/s", "mixed requests", "us of CPU for each further run", "leaves/s"):
            assert said in printed.getvalue()
        written = msgspec.json.decode(as_json(PLAN, results, there))
        assert written["results"]["contests"]["console"][0]["ratios"].keys() == {
            "hand-written",
            "one statement",
            "ordinary ORM",
        }
        assert ET.fromstring(growth_chart(results)).tag.endswith("svg")  # noqa: S314 - our own text


class TestFilling:
    def test_filling_again_adds_what_is_missing_and_every_clone_verifies(self, place: Place) -> None:
        fill(place, Fleet(runs=60, tenants=1), lambda _: None, SAMPLE)
        fill(place, Fleet(runs=98, tenants=1), lambda _: None, SAMPLE)
        heard: list[int] = []
        keys = fill(place, Fleet(runs=98, tenants=1), heard.append, SAMPLE)

        assert sum(heard) == 98
        assert asyncio.run(stored(place))[0] == 100  # two of them live
        assert asyncio.run(_logged(place)) == {"waiting": 0, "unsigned": 0, "unlogged": 0}
        plan = Plan(Fleet(98, 1), parts=(), first=100)
        assert measure(plan, Filled(place, keys), lambda _: None).compared.verdicts == {
            "VERIFIED": 98,
            "UNSUPPORTED": 2,
        }


class TestPlan:
    def test_it_is_small_unless_asked(self) -> None:
        plan, asked = asked_of([])
        assert plan == Plan(Fleet(2000, 10))
        assert asked.data_dir == Path(".bench")

    @pytest.mark.parametrize(
        "wrong",
        [
            ["--runs", "10000001"],
            ["--runs", "5"],
            ["--rounds", "0"],
            ["--seconds", "0"],
            ["--concurrency", "65"],
            ["--parts", "beside"],
            ["--beside", "elsewhere"],
        ],
    )
    def test_it_is_bounded(self, wrong: list[str]) -> None:
        with pytest.raises(SystemExit):
            asked_of(wrong)


class TestDifference:
    def test_it_names_the_first_place(self) -> None:
        assert difference({"a": [1, 2]}, {"a": [1, 3]}) == "$.a[1]: 2 is not 3"
        assert difference({"a": 1}, {"a": True}) == "$.a: 1 is not True"
        assert difference({"a": 1}, {"a": 1}) is None


class TestChart:
    def test_it_has_a_line_for_each_name(self) -> None:
        drawn = chart("t", "x", "y", {"one & only": [(1, 2.0), (3, 4.0)], "other": [(1, 1.0), (3, 2.0)]})
        assert drawn.count("<polyline") == 2
        assert "one &amp; only" in drawn


async def _logged(place: Place) -> dict[str, int]:
    """Leaves that wait, logs that are not signed as they are, seals and ledger entries without a leaf."""
    connection = await asyncpg.connect(**place.superuser)
    try:
        found = await connection.fetchrow(UNLOGGED)
    finally:
        await connection.close()
    return dict(found)


def _all_figures(results: Results) -> Iterator[tuple[float, ...]]:
    outcomes: list[Outcome] = [outcome for held in results.contests.values() for outcome in held]
    for outcome in outcomes:
        yield from (structs.astuple(one) for one in outcome.figures.values())
        yield from (structs.astuple(one) for ratios in outcome.ratios.values() for one in ratios.values())
    yield from (structs.astuple(one) for one in (*results.counts.values(), *results.ingested))
    assert results.verification is not None
    assert results.memory is not None
    assert results.appended is not None
    yield from (structs.astuple(one)[1:] for one in results.offline)
    yield structs.astuple(results.appended)
    yield structs.astuple(results.verification)
    yield (*results.memory.mib, results.memory.ratio)
