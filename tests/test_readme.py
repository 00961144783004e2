"""The README does what it says: every command is run, every query asked, every path looked up."""

import importlib.util
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest
import typer

from resolvers.cli.main import program
from spine.settings import Settings
from spine.storage.embedded import EmbeddedPostgres
from tests.spine.storage.embedded.processes import is_running, wait_for

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "README.md").read_text("utf-8")
BIN: Final = Path(sys.executable).parent
START_SECONDS: Final = 60.0
PROVING: Final = "Prove it to someone who doesn't trust you"
WITNESS_PORT: Final = "8001"
APP_URL: Final = "postgresql://hoc_app:app-password@db.example:5432/hoc"
OWNER_URL: Final = "postgresql://hoc_owner:owner-password@db.example:5432/hoc"
SERVERS: Final = ("make demo", "hoc serve", "hoc demo")
LINE: Final = (
    b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "11111111111111111111111111111111", '
    b'"spanId": "2222222222222222", "name": "invoke_agent x", "startTimeUnixNano": "1779000000000000000"}]}]}]}\n'
)


def sections() -> dict[str, list[tuple[str, str]]]:
    """The fenced blocks of each chapter: language and text."""
    chapters = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)[1:]
    fenced = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return {title: fenced.findall(body) for title, body in zip(chapters[::2], chapters[1::2], strict=True)}


SECTIONS: Final = sections()


class Shell:
    """Runs the README's blocks one after the other: what one exports the next one sees."""

    def __init__(self, directory: Path, data_dir: Path, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._directory = directory
        self._replaced = {":8000": f":{self.port}"}
        self.environment = os.environ | {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "VENV": str(BIN.parent),
            "HOC_PORT": str(self.port),
            "HOC_DATA_DIR": str(data_dir),
            **environment,
        }

    def replace(self, written: str, real: str) -> None:
        """What stands in the README for something that only a reader knows."""
        self._replaced[written] = real

    def real(self, block: str) -> str:
        """The block as a reader would run it."""
        for written, real in self._replaced.items():
            block = block.replace(written, real)
        return block.replace("make ", f"make -C '{ROOT}' ")

    def run(self, block: str) -> str:
        """Run a block to its end; its output."""
        kept = self._directory / "environment"
        script = f"set -euo pipefail\n{self.real(block)}\nenv -0 > '{kept}'"
        done = self._start(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, complaints = done.communicate(timeout=START_SECONDS)
        assert done.returncode == 0, f"{block}\n{output}{complaints}"
        self.environment = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
        return output

    def serve(self, block: str) -> tuple["subprocess.Popen[str]", Path]:
        """Start a block that goes on, and wait until it is ready; also where it prints."""
        printed = self._directory / f"printed-{time.monotonic_ns()}"
        with printed.open("w") as out:
            server = self._start(self.real(f"exec {block}"), stdout=out, stderr=subprocess.STDOUT)
        wait = time.monotonic() + START_SECONDS
        while not self.is_ready():
            assert server.poll() is None, printed.read_text()
            assert time.monotonic() < wait, printed.read_text()
            time.sleep(0.05)
        return server, printed

    def is_ready(self) -> bool:
        """Whether the server answers that it can serve."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, query: str, key: str) -> object:
        """A query's answer, without what it cost: what is left of a key's points is different each time."""
        headers = {"authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{self.port}/graphql"
        answer: dict[str, Any] = httpx.post(url, json={"query": query}, headers=headers, timeout=30).json()
        assert set(answer.pop("extensions")) == {"cost"}
        return answer

    def _start(self, script: str, **streams: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            ["bash", "-c", script],
            cwd=self._directory,
            env=self.environment,
            text=True,
            start_new_session=True,
            **streams,
        )


def stop(server: "subprocess.Popen[str]") -> None:
    """Ctrl-C, as a terminal sends it: to everything in the foreground."""
    os.killpg(server.pid, signal.SIGINT)
    server.wait(30)


def is_witnessed(shell: Shell) -> bool:
    """Whether the witness has cosigned the newest checkpoint."""
    return "hoc-witness" in str(shell.ask("{ logCheckpoint { witnesses { name } } }", shell.environment["KEY"]))


def blocks(language: str, *titles: str) -> list[str]:
    """The blocks of that language in these chapters."""
    return [text for title in titles for found, text in SECTIONS[title] if found == language]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The demo as the README starts it, on a port and in a directory of the test's own."""
    directory = tmp_path_factory.mktemp("readme")
    (command,) = (block for block in blocks("bash", "Two commands") if block.startswith("make demo"))
    shell = Shell(directory, directory / "hoc")
    (directory / "runs.otlp.jsonl").write_bytes(LINE)
    server, printed = shell.serve(command)
    try:
        wait_for(lambda: "Ctrl-C stops" in printed.read_text(), "the demo's last line")
        found = re.search(r"^key +(\S+)$", printed.read_text(), re.MULTILINE)
        assert found is not None
        shell.replace("hoc_live_...", found[1])
        yield shell
    finally:
        stop(server)
    wait_for(lambda: not is_running(directory / "hoc"), "the end of PostgreSQL")


@pytest.fixture(scope="module")
def key(demo: Shell) -> str:
    """The key that the demo printed."""
    return demo.real("hoc_live_...")


class TestWithTheDemo:
    """The chapters that a reader goes through with the demo running."""

    def test_every_query_gives_the_answer_that_is_shown(self, demo: Shell, key: str) -> None:
        both = [pair for title in ("A query", "Connect an agent") for pair in SECTIONS[title]]
        asked = 0
        for (language, text), (_, answer) in itertools.pairwise(both):
            if language == "graphql":
                assert demo.ask(text, key) == orjson.loads(answer)
                asked += 1
        assert asked == len(blocks("graphql", "A query", "Connect an agent")) == 2

    def test_every_command_works_and_an_sdk_with_that_environment_reports_a_run(self, demo: Shell, key: str) -> None:
        proved = []
        for block in blocks("bash", "A query", "Follow what happens", PROVING, "Connect an agent"):
            printed = demo.run(block)
            if "text/event-stream" in block:
                assert printed.startswith('event: next\ndata: {"data":{"runUpdated":{"cursor":'), printed
            if "hoc verify" in block:
                proved.append(printed.split()[0])
        assert proved == ["VERIFIED", "refused"]
        script = """if True:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import SimpleSpanProcessor
            provider = TracerProvider()
            provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
            provider.get_tracer("x").start_span("invoke_agent from-the-readme").end()
            provider.shutdown()
        """
        subprocess.run([sys.executable, "-c", script], env=demo.environment, check=True)
        query = '{ runs(filter: {agentId: "from-the-readme"}) { totalCount } }'
        assert demo.ask(query, key) == {"data": {"runs": {"totalCount": 1}}}

    def test_the_framework_example_runs_where_the_framework_is_installed(self, demo: Shell, key: str) -> None:
        (example,) = blocks("python", "Connect an agent")
        compile(example, "README.md", "exec")
        if importlib.util.find_spec("pydantic_ai") is not None:
            headers = {"OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{key}"}
            endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{demo.port}"}
            subprocess.run([sys.executable, "-c", example], env=os.environ | headers | endpoint, check=True)
            query = '{ runs(filter: {agentId: "weather"}) { nodes { status } } }'
            assert demo.ask(query, key) == {"data": {"runs": {"nodes": [{"status": "SUCCEEDED"}]}}}


class TestForReal:
    """The chapter about one's own PostgreSQL, here the test session's."""

    @pytest.fixture
    def shell(self, postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Shell]:
        name = f"readme_{time.monotonic_ns()}"
        postgres.create_database(name)
        shell = Shell(tmp_path, tmp_path / "hoc")
        shell.replace("schema/operations/", f"'{ROOT}'/schema/operations/")
        for written, role in ((APP_URL, "hoc_app"), (OWNER_URL, "hoc_owner")):
            shell.replace(written, f"'postgresql://{role}@/{name}?host={postgres.socket_dir}&port={postgres.port}'")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            shell.replace(WITNESS_PORT, str(free.getsockname()[1]))
        yield shell
        subprocess.run(["pkill", "-f", f"witness serve .*{shell.real(WITNESS_PORT)}"], check=True)
        postgres.drop_database(name)

    def test_every_command_works_in_the_order_in_which_it_stands(self, shell: Shell, tmp_path: Path) -> None:
        servers = []
        try:
            for block in blocks("bash", "Run it for real"):
                if block.startswith(SERVERS):
                    servers.append(shell.serve(block)[0])
                    wait_for(lambda: is_witnessed(shell), "the witness")
                else:
                    shell.run(block)
        finally:
            for server in servers:
                stop(server)
        assert len(servers) == 1
        assert "CREATE ROLE hoc_app" in (tmp_path / "roles.sql").read_text()
        headers = {"authorization": f"Bearer {shell.environment['KEY']}"}
        assert headers["authorization"].startswith("Bearer hoc_live_")
        assert not is_running(tmp_path)  # PostgreSQL is the reader's own


class TestTypedClients:
    """The configurations that the client tools use in earnest."""

    TOOLS = ROOT / ".ci" / "clients" / "tools"

    @pytest.mark.parametrize(
        ("language", "file"), [("ts", "graphql-codegen/codegen.ts"), ("toml", "ariadne-codegen/pyproject.toml")]
    )
    def test_what_is_shown_is_what_was_tried(self, language: str, file: str) -> None:
        assert blocks(language, "Typed clients") == [(self.TOOLS / file).read_text("utf-8")]


class TestLimits:
    def test_the_numbers_are_the_settings_defaults(self) -> None:
        rows = re.findall(r"^\| .* \| ([0-9.]+) \| `HOC_(\w+)` \|$", TEXT, re.MULTILINE)
        told = {name.lower(): float(number) for number, name in rows}
        told |= {name.lower(): float(n) for n, name in re.findall(r"(\d+)\s[^(`]*\(`HOC_(POINTS_\w+)`\)", TEXT)}
        assert len(told) == 9
        assert told == {name: Settings.model_fields[name].default for name in told}


class TestWhatItNames:
    def test_no_block_is_left_out(self) -> None:
        tried = [
            "Two commands",
            "A query",
            "Follow what happens",
            PROVING,
            "Typed clients",
            "Connect an agent",
            "Run it for real",
        ]
        assert [title for title, found in SECTIONS.items() if found] == tried
        languages = {language for found in SECTIONS.values() for language, _ in found}
        assert languages == {"bash", "graphql", "json", "python", "toml", "ts"}

    @pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)", TEXT)) - {"demo"}))
    def test_every_make_target_exists(self, target: str) -> None:
        subprocess.run(["make", "--dry-run", "-C", str(ROOT), target], capture_output=True, check=True)

    def test_the_table_of_commands_is_complete(self) -> None:
        named = set(re.findall(r"^\| `hoc ([a-z -]+)` \|", TEXT, re.MULTILINE))
        group = typer.main.get_group(program())
        assert named == {
            name if not hasattr(command, "commands") else f"{name} {inner}"
            for name, command in group.commands.items()
            for inner in (getattr(command, "commands", None) or {"": None})
        }

    @pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:[a-z_]+/)+[a-z_.]*)`", TEXT))))
    def test_every_path_exists(self, path: str) -> None:
        assert (ROOT / path).exists()

    @pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^):]+)\)", TEXT))))
    def test_every_link_leads_somewhere(self, target: str) -> None:
        assert (ROOT / target).exists()
