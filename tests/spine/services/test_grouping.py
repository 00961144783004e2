"""Rows are put together by key, whatever order they come in."""

from hypothesis import given
from hypothesis import strategies as st

from spine.services.grouping import grouped


class TestGrouped:
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers())))
    def test_keeps_every_row_below_its_key_in_order(self, rows: list[tuple[int, int]]) -> None:
        found = grouped(rows, lambda row: row[0])
        assert found == {key: [row for row in rows if row[0] == key] for key, _ in rows}
        assert list(found) == list(dict.fromkeys(key for key, _ in rows))

    def test_none_is_a_key_like_any_other(self) -> None:
        assert grouped([None, 1, None], lambda row: row) == {None: [None, None], 1: [1]}
