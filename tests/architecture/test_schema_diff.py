"""A breaking change of the schema needs a line in the changelog's Unreleased section."""

import runpy
from collections.abc import Callable

from tests.architecture.source import PROJECT

SCRIPT = runpy.run_path(str(PROJECT / ".ci/schema_diff.py"))
breaking_changes: Callable[[str, str], list[str]] = SCRIPT["breaking_changes"]
approves_breaking: Callable[[str], bool] = SCRIPT["approves_breaking"]

RELEASED = "type Query { run(id: ID!): String, runs: Int }"


class TestBreakingChanges:
    def test_a_removed_field_breaks(self) -> None:
        assert "Field Query.run was removed." in breaking_changes(RELEASED, "type Query { runs: Int }")

    def test_a_new_required_argument_breaks(self) -> None:
        assert breaking_changes(RELEASED, "type Query { run(id: ID!): String, runs(first: Int!): Int }") != []

    def test_an_added_field_does_not(self) -> None:
        assert breaking_changes(RELEASED, "type Query { run(id: ID!): String, runs: Int, more: Int }") == []


class TestApproval:
    def test_a_line_in_the_unreleased_section_approves(self) -> None:
        assert approves_breaking("# Changelog\n\n## [Unreleased]\n\n### Changed\n\n- BREAKING: run is gone\n")

    def test_a_line_in_an_older_section_does_not(self) -> None:
        assert not approves_breaking("## [Unreleased]\n\n- New.\n\n## [0.1.0] - 2026-01-01\n\n- BREAKING: old\n")

    def test_the_word_elsewhere_in_a_line_does_not(self) -> None:
        assert not approves_breaking("## [Unreleased]\n\n- Nothing BREAKING: here\n")

    def test_our_changelog_has_an_unreleased_section(self) -> None:
        assert "\n## [Unreleased]\n" in (PROJECT / "CHANGELOG.md").read_text("utf-8")
