"""Several SELECTs as one: every row comes back to its own SELECT, in its own columns."""

import pytest
from sqlalchemy import ARRAY, Integer, Text, Uuid, bindparam, func, literal, select

from domains.account.tables import tenants
from domains.controls.tables import limits
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.errors import MisuseError
from spine.contracts.statements import Read
from spine.storage.combining import combined, together

TENANT = bindparam("tenant_id", type_=Uuid())


class TestCombining:
    def test_shares_the_tenant_and_what_all_give_the_same_value(self) -> None:
        first = select(tenants.c.slug).where(tenants.c.tenant_id == TENANT, tenants.c.slug == bindparam("name"))
        second = select(limits.c.name).where(limits.c.tenant_id == TENANT, limits.c.name == bindparam("name"))
        reads = [Read(first, {"name": "a"}, tuple), Read(second, {"name": "b"}, tuple)]
        assert together(reads).slots == ((0, "tenant_id"), (0, "name"), (1, "name"))
        assert together([reads[0], Read(second, {"name": "a"}, tuple)]).slots == ((0, "tenant_id"), (0, "name"))

    def test_keeps_a_constant_apart_from_a_parameter_of_its_name(self) -> None:
        constant = select(tenants.c.slug).where(tenants.c.slug == bindparam("name", "fixed"))
        given = select(limits.c.name).where(limits.c.name == bindparam("name"))
        reads = [Read(constant, {}, tuple), Read(given, {"name": "a"}, tuple)]
        assert together(reads).slots == ((0, "name"), (1, "name"))

    async def test_answers_every_select_in_its_own_columns(self, runtime: Runtime, principal: Principal) -> None:
        numbers = select(func.unnest(bindparam("numbers", type_=ARRAY(Integer)), type_=Integer))
        texts = select(literal("a"), func.unnest(bindparam("texts", type_=ARRAY(Text)), type_=Text), literal(True))
        empty = select(tenants.c.slug).where(tenants.c.tenant_id == TENANT, tenants.c.slug == "nobody")
        reads: list[Read[tuple[object, ...]]] = [
            Read(numbers, {"numbers": [1, 2]}, tuple),
            Read(texts, {"texts": ["x"]}, tuple),
            Read(empty, {}, tuple),
            Read(numbers, {"numbers": [3]}, tuple),
        ]
        request = runtime.database.request()
        async with request.reading(principal.tenant_id) as session:
            found = await session.fetch_together(reads)
            assert found == [[(1,), (2,)], [("a", "x", True)], [], [(3,)]]
            assert session.statements == 3 + 1
        await request.close()

    def test_columns_of_one_type_share_their_places(self) -> None:
        slug, made, name = tenants.c.slug, tenants.c.created_at, limits.c.name
        sql = combined((select(slug, made), select(name), select(made)), frozenset()).sql
        assert sql.count("::TEXT") == sql.count("::TIMESTAMP") == 3

    async def test_the_columns_of_the_read_with_most_rows_stand_together(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        wide = select(literal("a"), literal(1), literal("b"), literal(True))
        other = select(literal(False), literal("c"), literal(2))
        reads: list[Read[tuple[object, ...]]] = [Read(other, {}, tuple), Read(wide, {}, tuple, most_rows=True)]
        assert "SELECT 1, c0::TEXT, c1::INTEGER, c2::TEXT, c3::BOOLEAN FROM" in together(reads).sql
        request = runtime.database.request()
        async with request.reading(principal.tenant_id) as session:
            assert await session.fetch_together(reads) == [[(False, "c", 2)], [("a", 1, "b", True)]]
        await request.close()

    def test_refuses_a_column_whose_type_is_not_known(self) -> None:
        with pytest.raises(MisuseError, match="pg_sleep"):
            combined((select(func.pg_sleep(1)), select(literal(1))), frozenset())
