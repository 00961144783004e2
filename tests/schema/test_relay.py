"""Global ids, and the cursors of lists below a parent."""

from uuid import UUID

import pytest
from msgspec import Struct

from schema.relay import NestedView, encode, key_of, nested_view, split_id
from spine.contracts.errors import ValidationFailed
from spine.contracts.paging import NestedPage
from spine.services import ids

KEY = UUID("0192a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")


class Row(Struct, frozen=True):
    id: str


def page(*names: str, total: int | None = None) -> NestedPage[Row]:
    return NestedPage([Row(name) for name in names], len(names) if total is None else total)


def names(view: NestedView) -> list[str]:
    return [row.id for row in view.nodes]


class TestGlobalIds:
    def test_they_are_those_of_the_services(self) -> None:
        assert key_of(ids.node_id("Run", KEY), "Run") == KEY == ids.key_of(ids.node_id("Run", KEY), "Run")
        assert split_id(ids.text_node_id("Agent", "a:b")) == ids.split_node_id(ids.text_node_id("Agent", "a:b"))

    @pytest.mark.parametrize("opaque", ["", "x", "????", "UnVu", ids.node_id("Run", KEY)[:-3], "é" * 20, "Ok\x00"])
    def test_what_is_none_is_refused_as_the_services_do(self, opaque: str) -> None:
        for read in (key_of, ids.key_of):
            with pytest.raises(ValidationFailed):
                read(opaque, "Run")

    def test_another_kind_is_refused(self) -> None:
        with pytest.raises(ValidationFailed, match="ruleId is not the id of a PolicyRule"):
            key_of(ids.node_id("Run", KEY), "PolicyRule", field="ruleId")


class TestNestedPages:
    def test_a_page_is_the_first_rows_and_says_whether_more_follow(self) -> None:
        view = nested_view(page("a", "b", "c"), 2, None)
        assert names(view) == ["a", "b"]
        assert view.total_count == 3
        assert view.page_info.has_next_page
        assert not view.page_info.has_previous_page

    def test_it_goes_on_after_its_last_row(self) -> None:
        first = nested_view(page("a", "b", total=3), 2, None)
        rest = nested_view(page("a", "b", "c"), 2, first.page_info.end_cursor)
        assert names(rest) == ["c"]
        assert not rest.page_info.has_next_page
        assert rest.page_info.has_previous_page

    def test_it_goes_on_after_the_same_row_when_others_came_before_it(self) -> None:
        first = nested_view(page("b", "a", total=3), 1, None)
        rest = nested_view(page("c", "b", "a", total=3), 5, first.page_info.end_cursor)
        assert names(rest) == ["a"]

    def test_an_empty_page_has_no_cursors(self) -> None:
        info = nested_view(page(), 5, None).page_info
        assert (info.start_cursor, info.end_cursor, info.has_next_page) == (None, None, False)

    def test_edges_carry_the_cursors(self) -> None:
        view = nested_view(page("a", "b"), 2, None)
        assert [edge.node and edge.node.id for edge in view.edges] == ["a", "b"]
        assert view.edges[-1].cursor == view.page_info.end_cursor

    @pytest.mark.parametrize(
        "cursor",
        ["x", encode("x"), encode("0:a"), encode("-1:a"), encode("1:"), encode("9" * 5000 + ":a"), encode("1:z")],
    )
    def test_a_cursor_of_something_else_is_refused(self, cursor: str) -> None:
        with pytest.raises(ValidationFailed) as caught:
            nested_view(page("a", "b"), 2, cursor)
        assert caught.value.field == "after"

    @pytest.mark.parametrize("first", [0, -1, 101])
    def test_a_page_has_1_to_100_rows(self, first: int) -> None:
        with pytest.raises(ValidationFailed, match="first must be 1 to 100"):
            nested_view(page("a"), first, None)
