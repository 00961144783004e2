"""The commands that need no server: schema, operations, config, migrate."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from resolvers.cli import schema as schema_command
from resolvers.cli.main import COMMANDS, GROUPS, asked_for, program
from spine.settings import Settings
from tests.resolvers.cli.processes import hoc

RUN = CliRunner()


class TestSchema:
    def test_the_committed_schema_is_what_is_served(self) -> None:
        assert RUN.invoke(program(), ["schema", "export", "--check"]).exit_code == 0

    def test_a_difference_is_found_and_mended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "schema.graphql"
        file.write_text("type Query { nothing: Int }\n")
        monkeypatch.setattr(schema_command, "SCHEMA_FILE", file)
        assert RUN.invoke(program(), ["schema", "export", "--check"]).exit_code == 1
        assert file.read_text().startswith("type Query { nothing")
        assert RUN.invoke(program(), ["schema", "export"]).exit_code == 0
        assert RUN.invoke(program(), ["schema", "export", "--check"]).exit_code == 0


class TestOperations:
    def test_every_operation_is_a_row(self) -> None:
        shown = RUN.invoke(program(), ["operations"]).stdout
        assert "activity.run_evidence" in shown
        assert "incidents.incidents_for_run_capability" in shown
        assert "runs:write" in shown


class TestConfig:
    def test_every_setting_says_where_it_comes_from(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOC_WORKERS", "3")
        monkeypatch.setenv("DATABASE_URL", "postgresql://app:s3cret@db/hoc")
        monkeypatch.setenv("HOC_KEY_PEPPER", "s3cret")
        shown = RUN.invoke(program(), ["config", "show", "--port", "1234"]).stdout
        rows = {line.split("│")[1].strip(): line for line in shown.splitlines() if line.startswith("│")}
        assert len(rows) == len(Settings.model_fields)
        assert "│ 3 " in rows["HOC_WORKERS"]
        assert "environment" in rows["HOC_WORKERS"]
        assert "flag" in rows["HOC_PORT"]
        assert "default" in rows["HOC_HOST"]
        assert "(hidden)" in rows["DATABASE_URL"]
        assert "s3cret" not in shown


class TestMigrate:
    def test_the_roles_are_printed_as_sql(self) -> None:
        assert "CREATE ROLE hoc_app LOGIN" in RUN.invoke(program(), ["migrate", "--print-roles"]).stdout

    def test_an_empty_directory_is_migrated(self, tmp_path: Path) -> None:
        done = hoc("migrate", "--data-dir", tmp_path / "hoc")
        assert (done.returncode, done.stdout.startswith("the database is at revision")) == (0, True)


class TestTheProgram:
    def test_it_says_what_it_can_do(self) -> None:
        shown = RUN.invoke(program(), ["--help"]).stdout
        assert [name for name in (*COMMANDS, *GROUPS) if f" {name} " not in shown] == []

    @pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
    def test_with_one_command_it_reads_the_same_line(self, name: str) -> None:
        alone, among_all = (RUN.invoke(app, [name, "--help"]) for app in (asked_for([name, "--help"]), program()))
        assert (alone.exit_code, alone.output) == (0, among_all.output)

    @pytest.mark.parametrize("arguments", [["nothing"], ["--nothing"], ["key", "create"]])
    def test_a_wrong_name_is_told_from_all_commands(self, arguments: list[str]) -> None:
        said = RUN.invoke(asked_for(arguments), arguments)
        assert (said.exit_code, said.output) == (2, RUN.invoke(program(), arguments).output)

    def test_a_command_imports_nothing_of_a_server_that_it_does_not_start(self) -> None:
        check = "import sys; sys.argv = ['hoc', 'keys', '--help']; from resolvers.cli.main import main\n"
        check += "try: main()\nexcept SystemExit: print({'uvicorn', 'strawberry', 'alembic'} & {*sys.modules})"
        done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "set()"


class TestSettings:
    def test_that_leave_no_key_able_to_pay_for_a_query_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOC_MAX_QUERY_COST", "60000")
        done = RUN.invoke(program(), ["config", "show"])
        assert done.exit_code != 0
        assert "HOC_POINTS_PER_KEY" in done.output
