"""Keyset cursors and pages."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Column, MetaData, Table, Text, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE

from spine.contracts.errors import ValidationFailed
from spine.contracts.paging import PageRequest
from spine.storage.compiling import compiled
from spine.storage.keyset import Keyset, first_of, page_of, paged

THINGS = Keyset("things", (datetime, UUID))
AT = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
table = Table(
    "things",
    MetaData(),
    Column("id", UUID_TYPE(as_uuid=True)),
    Column("created_at", TIMESTAMP(timezone=True)),
    Column("name", Text),
)


def raw(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


KEY = UUID(int=7)


class TestCursor:
    def test_a_cursor_gives_back_its_values_to_the_microsecond(self) -> None:
        key = uuid4()
        assert THINGS.values(THINGS.cursor(AT, key)) == (AT, key)

    def test_text_and_integers_survive(self) -> None:
        mixed = Keyset("mixed", (int, str))
        assert mixed.values(mixed.cursor(2**62 + 1, "ä/\U0001f600")) == (2**62 + 1, "ä/\U0001f600")

    def test_instants_come_back_in_utc(self) -> None:
        key = uuid4()
        elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
        assert THINGS.values(THINGS.cursor(elsewhere, key))[0].tzinfo is UTC

    def test_a_cursor_of_another_list_is_refused(self) -> None:
        with pytest.raises(ValidationFailed, match="another list") as caught:
            Keyset("others", (datetime, UUID)).values(THINGS.cursor(AT, uuid4()))
        assert caught.value.field == "after"

    @pytest.mark.parametrize(
        "cursor",
        [
            "",
            "a",
            "%%%",
            "é",
            "x" * 100_000,
            base64.urlsafe_b64encode(b"\xff\xfe").decode(),
            base64.urlsafe_b64encode(b"[" * 50_000).decode(),
            raw(),
            raw("things"),
            raw("things", AT.isoformat()),
            raw("things", AT.isoformat(), "no-uuid"),
            raw("things", AT.isoformat(), str(KEY), 1),
            raw("things", "2026-02-03T04:05:06", str(KEY)),
            raw("things", "0001-01-01T00:00:00+23:59", str(KEY)),
            raw("things", 5, str(KEY)),
            raw("things", None, None),
        ],
    )
    def test_a_malformed_cursor_is_refused(self, cursor: str) -> None:
        with pytest.raises(ValidationFailed) as caught:
            THINGS.values(cursor)
        assert caught.value.field == "after"

    @pytest.mark.parametrize("value", ["a\0b", "\0", "\0\n", "\n\0"])
    def test_text_that_the_database_cannot_hold_is_refused(self, value: str) -> None:
        with pytest.raises(ValidationFailed):
            Keyset("names", (str,)).values(raw("names", value))

    @pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 1.5, True])
    def test_a_number_that_the_database_cannot_hold_is_refused(self, value: float) -> None:
        with pytest.raises(ValidationFailed):
            Keyset("numbers", (int,)).values(raw("numbers", value))


class TestPage:
    @pytest.mark.parametrize("first", [0, -1, 101, 2**70])
    def test_first_outside_its_range_is_refused(self, first: int) -> None:
        with pytest.raises(ValidationFailed) as caught:
            first_of(PageRequest(first))
        assert caught.value.field == "first"

    @pytest.mark.parametrize("first", [1, 100])
    def test_the_bounds_of_first_are_allowed(self, first: int) -> None:
        assert THINGS.params(PageRequest(first)) == {"limit": first + 1}

    def test_the_row_too_many_only_says_that_more_follow(self) -> None:
        page = page_of([1, 2, 3], 2, str, total=9)
        assert (page.nodes, page.cursors, page.has_next_page, page.total_count) == ([1, 2], ["1", "2"], True, 9)

    def test_a_full_last_page_has_no_next(self) -> None:
        assert not page_of([1, 2], 2, str).has_next_page
        assert page_of([], 2, str).nodes == []

    def test_a_later_page_compares_rows(self) -> None:
        statement = paged(select(table.c.id), (table.c.created_at, table.c.id), after=True)
        sql = " ".join(compiled(statement).sql.split())
        assert "(things.created_at, things.id) < ($1::TIMESTAMP WITH TIME ZONE, $2::UUID)" in sql
        assert "ORDER BY things.created_at DESC, things.id DESC LIMIT $3" in sql
        assert compiled(statement).names == ("after_0", "after_1", "limit")

    def test_an_ascending_list_goes_the_other_way(self) -> None:
        statement = paged(select(table.c.id), (table.c.name,), after=True, descending=False)
        sql = " ".join(compiled(statement).sql.split())
        assert "things.name > $1" in sql.replace("(", "").replace(")", "")
        assert "ORDER BY things.name ASC" in sql
