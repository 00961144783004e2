"""Statements to SQL: compiled once, parameters by name, whole tables in one INSERT."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Uuid, bindparam, insert, select, update

from domains.account.tables import tenants
from domains.controls.tables import limits
from domains.logs.tables import traces
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.statements import InsertRows, Read
from spine.storage.compiling import compiled, insert_statement

TENANT = bindparam("tenant_id", type_=Uuid())


class TestCompiling:
    def test_gives_postgresqls_numbered_parameters_in_the_order_of_their_names(self) -> None:
        statement = select(tenants.c.slug).where(tenants.c.slug == bindparam("slug"), tenants.c.tenant_id == TENANT)
        one = compiled(statement)
        assert "$1" in one.sql
        assert "$2" in one.sql
        assert one.arguments({"slug": "a", "tenant_id": 7}) == ["a", 7]

    def test_happens_once_for_one_object(self) -> None:
        statement = select(tenants.c.slug)
        assert compiled(statement) is compiled(statement)

    def test_keeps_the_values_that_the_expression_itself_carries(self) -> None:
        one = compiled(update(limits).where(limits.c.name == bindparam("wanted")).values(status="DISABLED"))
        assert one.arguments({"wanted": "x"}) == ["DISABLED", "x"]

    def test_a_missing_parameter_is_named(self) -> None:
        with pytest.raises(KeyError, match="slug"):
            compiled(select(tenants.c.slug).where(tenants.c.slug == bindparam("slug"))).arguments({})


class TestInserting:
    NOW = datetime(2026, 1, 1, tzinfo=UTC)

    def head(self, trace_id: str, steps: int, conflict: str = "fail") -> InsertRows:
        columns = ("trace_id", "step_count", "head_hash", "refused_count", "created_at")
        later = datetime(2027, 1, 1, tzinfo=UTC) if conflict == "replace" else self.NOW
        return InsertRows(traces, columns, [(trace_id, steps, b"", 0, later)], conflict)  # type: ignore[arg-type]

    async def stored(self, runtime: Runtime, principal: Principal) -> list[tuple[str, int, datetime]]:
        query = select(traces.c.trace_id, traces.c.step_count, traces.c.created_at).where(traces.c.tenant_id == TENANT)
        async with runtime.database.write(principal.tenant_id) as session:
            return await session.fetch(Read(query, {}, lambda row: (row[0], row[1], row[2])))

    async def test_skips_or_replaces_what_exists(self, runtime: Runtime, principal: Principal) -> None:
        async with runtime.database.write(principal.tenant_id) as session:
            assert await session.insert(self.head("a", 1)) == 1
            assert await session.insert(self.head("a", 2, "skip")) == 0
        assert await self.stored(runtime, principal) == [("a", 1, self.NOW)]
        async with runtime.database.write(principal.tenant_id) as session:
            assert await session.insert(self.head("a", 3, "replace")) == 1
        assert await self.stored(runtime, principal) == [("a", 3, self.NOW)], "created_at stays"

    async def test_of_nothing_sends_nothing(self, runtime: Runtime, principal: Principal) -> None:
        async with runtime.database.write(principal.tenant_id) as session:
            assert await session.insert(InsertRows(traces, ("trace_id",), [])) == 0
            assert session.statements == 0

    def test_is_one_statement_whatever_the_number_of_rows(self) -> None:
        columns = ("trace_id", "step_count")
        texts = {insert_statement(InsertRows(traces, columns, [("a", 1)] * rows))[0] for rows in (1, 500)}
        assert len(texts) == 1

    def test_takes_rows_of_the_table_and_the_tenant_beside_them(self) -> None:
        columns = ("head_hash", "trace_id")
        sql, rows = insert_statement(InsertRows(traces, columns, [(b"h", "a"), (b"i", "b")]))
        assert sql == (
            "INSERT INTO traces (tenant_id, head_hash, trace_id) "
            "SELECT $1::uuid, r.head_hash, r.trace_id FROM unnest($2::traces[]) r"
        )
        places = {name: place for place, name in enumerate(traces.c.keys())}
        assert [(row[places["trace_id"]], row[places["head_hash"]]) for row in rows] == [("a", b"h"), ("b", b"i")]
        assert {row[places["tenant_id"]] for row in rows} == {None}
        assert {len(row) for row in rows} == {len(places)}

    def test_a_single_row_needs_no_unnesting(self) -> None:
        one = compiled(insert(tenants))
        assert set(one.names) == {"tenant_id", "slug", "created_at"}
