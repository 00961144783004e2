"""What PostgreSQL does for the console's page among many runs: it looks rows up, however many there are.

Two tenants' runs are multiplied in the tables themselves, statistics are brought up to date, and the page is asked for
until cached statements have got the plan that they keep. Sequential scans are then looked for in the plans that
PostgreSQL shows and in what it counted.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest
from msgspec import Struct

from resolvers.context import RequestContext
from schema.export import SCHEMA_FILE
from spine.bootstrap import Runtime
from spine.contracts.access import CreateTenant
from spine.contracts.actors import Principal
from spine.contracts.paging import MOST_COUNTED
from spine.settings import Settings
from spine.storage.base import metadata
from spine.storage.embedded import EmbeddedPostgres
from spine.storage.migrate import migrate
from tests.conftest import owner_of
from tests.domains.activity.test_runs_plan import nodes
from tests.resolvers.conftest import SCHEMA, govern

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

CONSOLE = (SCHEMA_FILE.parent / "operations" / "console.graphql").read_text("utf-8")
ONE = "query($id: ID!) { run(id: $id) { id evidence { policiesEvaluated { nodes { id } } } proof { verifiedAt } } }"
ALONE = """query($first: Int!) { runs(first: $first) { nodes { evidence { incidentsCaused { totalCount }
    policiesEvaluated { totalCount } limitsHit { totalCount } decisionsMade { totalCount } } } } }"""
CAPPED = "query($first: Int!) { runs(first: $first) { totalCount totalCountCapped nodes { id } } }"
RUNS = 50
FEW = 3
COPIES = 420
UNTIL_PLANS_STAY = 8
OTHER = UUID(int=7)
BIG = (
    "runs",
    "signals",
    "incidents",
    "policy_evaluations",
    "limit_breaches",
    "decisions",
    "run_steps",
    "trace_steps",
    "seals",
    "audit_ledger",
)
COPIED = {
    "tenant_id": f"CASE WHEN n % 2 = 0 THEN '{OTHER}' ELSE tenant_id END",
    "started_ns": "started_ns - n * 1000000",
    **dict.fromkeys(("id", "run_id", "source_run_id", "parent_run_id"), "md5({0}::text || n)::uuid"),
    **dict.fromkeys(("trace_id", "fingerprint", "entity_id"), "md5({0} || n)"),
}
"""What differs in each copy of a row; everything else is copied."""


class Asked(Struct):
    """What the page's reads were: texts and arguments; rows read one after the other, by table; the last answer.

    `pages` are the texts of the console's page and of one with evidence alone.
    `replanned_few` says of the wave of proofs how often it was planned anew while pages of few runs were asked for, and
    `replanned` says of each statement how often it was planned anew while one run after the other was looked up.
    """

    statements: list[tuple[str, Any]]
    scans: dict[str, int]
    capped: Any
    plans: dict[str, dict[str, Any]]
    replanned: dict[str, int]
    replanned_few: dict[str, int] = {}
    pages: tuple[list[str], list[str]] = ([], [])


@pytest.fixture(scope="module")
def asked(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """The page, asked for on a database with many runs."""
    name = "many_runs"
    postgres.create_database(name)
    settings = Settings(data_dir=tmp_path_factory.mktemp("many") / "hoc", key_environment="test")
    yield asyncio.run(ask_among_many(postgres, name, settings))
    postgres.drop_database(name)


async def ask_among_many(postgres: EmbeddedPostgres, name: str, settings: Settings) -> Asked:
    """Fill the database, ask, and look at what was done."""
    await migrate(dict(postgres.connection("hoc_owner", name).asyncpg_arguments()))
    superuser = dict(postgres.connection("postgres", name).asyncpg_arguments())
    app = dict(postgres.connection("hoc_app", name).asyncpg_arguments())
    principal = owner_of("many")
    asked = Asked([], {}, None, {}, {})
    connections: list[Connection] = []

    class Logging(Connection):
        """A connection that keeps what it sends."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            connections.append(self)
            self.add_query_logger(lambda query: asked.statements.append((query.query, query.args)))

    runtime = Runtime(settings, connect={**app, "connection_class": Logging})
    await runtime.open()
    try:
        (await runtime.registry.execute("account.create_tenant", CreateTenant("many"), principal)).unwrap()
        await govern(runtime, principal, RUNS)
        await multiply(superuser)
        before = await scans(superuser)
        for _ in range(UNTIL_PLANS_STAY):
            asked.statements.clear()
            shown = await page(runtime, principal, CONSOLE, {"first": RUNS})
            console = len(asked.statements)
            await page(runtime, principal, ALONE, {"first": RUNS})
            texts = [text for text, _ in asked.statements]
            asked.pages = (texts[:console], texts[console:])
        asked.capped = await page(runtime, principal, CAPPED, {"first": RUNS})
        known = await custom_plans(connections)
        for _ in range(UNTIL_PLANS_STAY):
            await page(runtime, principal, CONSOLE, {"first": FEW})
        known, before_few = await custom_plans(connections), known
        asked.replanned_few = {text: known[text] - before_few[text] for text in known if "run_steps" in text}
        for edge in shown["runs"]["edges"][:UNTIL_PLANS_STAY]:
            await page(runtime, principal, ONE, {"id": edge["node"]["id"]})
        planned = await custom_plans(connections)
        asked.replanned = {text: planned[text] - known.get(text, 0) for text in planned if "UNION ALL" in text}
    finally:
        await runtime.close()
    asked.scans = {table: count - before[table] for table, count in (await scans(superuser)).items()}
    asked.plans = await plans(app, principal, asked.statements)
    return asked


async def multiply(superuser: dict[str, Any]) -> None:
    """Copy every row of the big tables `COPIES` times, half of them to another tenant."""
    connection = await asyncpg.connect(**superuser)
    try:
        for table in BIG:
            names = [column.name for column in metadata.tables[table].columns]
            values = ", ".join(COPIED.get(name, "{0}").format(name) for name in names)
            await connection.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table}, generate_series(1, {COPIES}) n"
            )
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


async def custom_plans(connections: list[Connection]) -> dict[str, int]:
    """How often each statement was planned for the values that it was given, on all connections."""
    found: Counter[str] = Counter()
    for connection in connections:
        if not connection.is_closed():
            rows = await connection.fetch("SELECT statement, custom_plans FROM pg_prepared_statements")
            found.update({row["statement"]: row["custom_plans"] for row in rows})
    return found


async def page(runtime: Runtime, principal: Principal, query: str, variables: dict[str, Any]) -> Any:
    """The answer's data."""
    async with RequestContext(runtime.registry, principal, "plans") as context:
        result = await SCHEMA.execute(query, variable_values=variables, context_value=context)
    assert not result.errors
    return result.data


async def scans(superuser: dict[str, Any]) -> dict[str, int]:
    """How many sequential scans of each big table PostgreSQL has counted; sessions that have ended have reported."""
    connection = await asyncpg.connect(**superuser)
    try:
        query = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = any($1)"
        return {row[0]: int(row[1]) for row in await connection.fetch(query, BIG)}
    finally:
        await connection.close()


async def plans(app: dict[str, Any], principal: Principal, asked: list[tuple[str, Any]]) -> dict[str, dict[str, Any]]:
    """The plan of each SELECT with arguments, as the app role has it."""
    connection = await asyncpg.connect(**app)
    try:
        await connection.execute(f"SET app.tenant_id = '{principal.tenant_id}'")
        found = {}
        for text, given in asked:
            if given:
                [row] = await connection.fetch(f"EXPLAIN (FORMAT JSON) {text}", *given)
                found[text] = json.loads(row[0])[0]["Plan"]
        return found
    finally:
        await connection.close()


class TestAmongManyRuns:
    def test_no_read_of_the_console_is_planned_as_a_sequential_scan(self, asked: Asked) -> None:
        assert len(asked.plans) > 4
        for text, plan in asked.plans.items():
            scanned = {one["Relation Name"] for one in nodes(plan) if one["Node Type"].endswith("Seq Scan")}
            assert not scanned & set(BIG), text

    @pytest.mark.parametrize("table", ["policy_evaluations", "decisions", "limit_breaches"])
    def test_evidence_is_read_once_for_people_and_for_proofs(self, asked: Asked, table: str) -> None:
        for texts in asked.pages:
            assert len([text for text in texts if f"FROM {table}" in text]) == 1

    def test_a_single_run_is_read_by_plans_that_are_made_once(self, asked: Asked) -> None:
        assert len(asked.replanned) > 3
        assert set(asked.replanned.values()) == {0}

    def test_so_is_what_stands_below_a_page_of_few(self, asked: Asked) -> None:
        assert set(asked.replanned_few.values()) == {0}

    def test_a_step_is_found_by_its_place_in_the_trace(self, asked: Asked) -> None:
        """By the index of spans a run of thousands of steps went through all of them for each."""
        scans = [
            one for plan in asked.plans.values() for one in nodes(plan) if one.get("Relation Name") == "trace_steps"
        ]
        assert {one["Index Name"] for one in scans} == {"pk_trace_steps"}

    def test_none_was_executed_as_one_either(self, asked: Asked) -> None:
        assert asked.scans == dict.fromkeys(BIG, 0)

    def test_a_list_is_counted_up_to_a_bound_and_says_so(self, asked: Asked) -> None:
        assert asked.capped["runs"]["totalCount"] == MOST_COUNTED
        assert asked.capped["runs"]["totalCountCapped"] is True
