"""Look-ahead sees what will be resolved: directives, fragments and aliases included."""

from typing import Any

import pytest
import strawberry

from schema.activity.evidence import evidence_rows
from schema.relay import encode
from schema.selection import selection, single_parent
from spine.contracts.enums import EvidenceDomain


def seen(query: str, variables: dict[str, Any] | None = None) -> Any:
    """What look-ahead finds below `evidence`, in a schema of this shape."""
    found: list[Any] = []

    @strawberry.type
    class Rows:
        total_count: int = 0

    def rows(first: int = 10, after: str | None = None) -> Rows:
        return Rows()

    @strawberry.type
    class Evidence:
        incidents_caused: Rows = strawberry.field(resolver=rows)
        policies_evaluated: Rows = strawberry.field(resolver=rows)
        limits_hit: Rows = strawberry.field(resolver=rows)
        sources: str = "OK"
        computed_at: str = "now"

    @strawberry.type
    class Run:
        @strawberry.field
        def evidence(self, info: strawberry.Info) -> Evidence:
            found.append((dict(evidence_rows(info, {})), single_parent(info), set(selection(info).fields)))
            return Evidence()

    @strawberry.type
    class Query:
        @strawberry.field
        def run(self) -> Run:
            return Run()

        @strawberry.field
        def runs(self) -> list[Run]:
            return [Run()]

    result = strawberry.Schema(Query).execute_sync(query, variable_values=variables)
    assert result.errors is None, result.errors
    return found[0]


def rows_of(query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = seen(query, variables)[0]
    return found


class TestSelectedDomains:
    def test_only_what_is_selected_is_wanted(self) -> None:
        assert rows_of("{ run { evidence { incidentsCaused { totalCount } } } }") == {"incidents": 10}

    def test_the_clock_alone_wants_nothing(self) -> None:
        assert rows_of("{ run { evidence { computedAt __typename } } }") == {}

    def test_sources_alone_probes_every_domain(self) -> None:
        assert rows_of("{ run { evidence { sources } } }") == {"probe": frozenset(EvidenceDomain)}

    def test_sources_beside_a_list_probes_nothing_else(self) -> None:
        assert rows_of("{ run { evidence { sources limitsHit { totalCount } } } }") == {"limits": 10}


class TestDirectives:
    @pytest.mark.parametrize(("flag", "wanted"), [(True, {"incidents": 10}), (False, {})])
    def test_include_counts(self, *, flag: bool, wanted: dict[str, int]) -> None:
        query = (
            "query($f: Boolean!) { run { evidence { computedAt incidentsCaused @include(if: $f) { totalCount } } } }"
        )
        assert rows_of(query, {"f": flag}) == wanted

    @pytest.mark.parametrize(("flag", "wanted"), [(True, {}), (False, {"incidents": 10})])
    def test_skip_counts_on_a_fragment(self, *, flag: bool, wanted: dict[str, int]) -> None:
        query = """query($f: Boolean!) { run { evidence { computedAt ...Rest @skip(if: $f) } } }
            fragment Rest on Evidence { ... on Evidence { incidentsCaused { totalCount } } }"""
        assert rows_of(query, {"f": flag}) == wanted

    def test_a_default_of_a_variable_counts(self) -> None:
        query = """query($f: Boolean = false, $n: Int = 7) {
            run { evidence { computedAt incidentsCaused(first: $n) @skip(if: $f) { totalCount } } } }"""
        assert rows_of(query) == {"incidents": 7}


class TestRowCounts:
    def test_aliases_want_the_most_of_them(self) -> None:
        query = """{ run { evidence {
            a: incidentsCaused(first: 3) { totalCount } b: incidentsCaused(first: 8) { totalCount } } } }"""
        assert rows_of(query) == {"incidents": 8}

    def test_two_occurrences_of_the_field_are_one(self) -> None:
        query = (
            "{ run { evidence { incidentsCaused { totalCount } } evidence { limitsHit(first: 4) { totalCount } } } }"
        )
        assert rows_of(query) == {"incidents": 10, "limits": 4}

    def test_what_is_out_of_range_is_left_to_the_list(self) -> None:
        assert rows_of("{ run { evidence { incidentsCaused(first: 101) { totalCount } } } }") == {"incidents": 1}

    def test_a_cursor_wants_the_rows_up_to_the_end_of_its_page_wherever_its_row_has_moved(self) -> None:
        query = "query($after: String) { run { evidence { incidentsCaused(first: 5, after: $after) { totalCount } } } }"
        assert rows_of(query, {"after": encode("30:x")}) == {"incidents": 135}

    def test_below_a_list_it_does_not(self) -> None:
        query = (
            "query($after: String) { runs { evidence { incidentsCaused(first: 5, after: $after) { totalCount } } } }"
        )
        assert rows_of(query, {"after": encode("30:x")}) == {"incidents": 5}


class TestPlaces:
    def test_a_single_parent_is_one_without_a_list_above(self) -> None:
        assert seen("{ run { evidence { computedAt } } }")[1]
        assert not seen("{ runs { evidence { computedAt } } }")[1]

    def test_nested_spreads_are_walked_once(self) -> None:
        doubled = "".join(f"fragment F{n} on Evidence {{ ...F{n + 1} ...F{n + 1} }} " for n in range(40))
        query = "{ run { evidence { ...F0 } } } " + doubled + "fragment F40 on Evidence { computedAt }"
        assert seen(query)[2] == {"computedAt"}
