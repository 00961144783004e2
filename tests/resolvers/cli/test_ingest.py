"""`hoc ingest`: everything arrives once, and what does not arrive is said."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from resolvers.cli.client import Client, RequestFailed
from tests.conftest import SAMPLE
from tests.resolvers.cli.processes import Server, hoc

STATE = "{ runs { totalCount } auditEntries { totalCount } signals { totalCount } }"


def ingest(server: Server, key: str, *files: Path) -> tuple[int, str, str]:
    """Send files: exit code, the summary, the complaints."""
    done = hoc("ingest", *files, "--url", server.url, HOC_KEY=key)
    return done.returncode, done.stdout, done.stderr


class TestIngest:
    def test_real_runs_arrive_and_sending_them_again_changes_nothing(
        self, server: Server, sample_lines: list[bytes]
    ) -> None:
        key = server.new_key(tenant="airline")
        spans = sum(line.count(b'"spanId"') for line in sample_lines)
        summary = f"{len(sample_lines)} lines, {spans} spans accepted, 0 refused, 0 lines failed\n"
        assert ingest(server, key, SAMPLE) == (0, summary, "")
        state = server.data(key, STATE)
        assert state["runs"]["totalCount"] == len(sample_lines)
        assert ingest(server, key, SAMPLE) == (0, summary, "")
        assert server.data(key, STATE) == state

    @pytest.mark.parametrize("secret", ["hoc_live_s3cret\nx", "hoc_live_s3cr\u00e9t"])
    def test_a_key_that_is_none_is_not_printed(self, server: Server, secret: str, tmp_path: Path) -> None:
        file = tmp_path / "one.jsonl"
        file.write_text("{}")
        code, _, complaints = ingest(server, secret, file)
        assert (code, complaints) == (1, "hoc: the key holds what no key can hold\n")

    def test_bad_lines_harm_no_other_and_fail_the_command(self, server: Server, tmp_path: Path) -> None:
        good = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "invoke_agent a", "startTimeUnixNano": "1000"}
        bad_span = good | {"spanId": "beef"}
        lines = [
            orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [good]}]}]}),
            b"{ not JSON",
            b"[]",
            b'{"resourceSpans": [{"scopeSpans": [{"spans": [], "scope": 7}]}]}',
            orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [bad_span]}]}]}),
        ]
        file = tmp_path / "mixed.jsonl"
        file.write_bytes(b"\n".join(lines))
        code, summary, complaints = ingest(server, server.new_key(tenant="mixed"), file)
        assert (code, summary) == (1, "5 lines, 1 spans accepted, 1 refused, 3 lines failed\n")
        assert [f"{file}:{number}" in complaints for number in (1, 2, 3, 4, 5)] == [False, True, True, True, True]
        assert "span id" in complaints

    def test_a_wrong_key_is_one_line(self, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "one.jsonl"
        file.write_bytes(b'{"resourceSpans": []}')
        code, summary, complaints = ingest(server, "hoc_live_wrong", file)
        assert (code, summary) == (1, "")
        assert complaints == "hoc: 401: a valid API key is required\n"

    def test_an_absent_file_is_said_before_anything_is_sent(self, server: Server, tmp_path: Path) -> None:
        code, _, complaints = ingest(server, "key", tmp_path / "absent.jsonl")
        assert (code, "no such file" in complaints) == (2, True)


class TestPatience:
    @pytest.fixture
    def overloaded(self) -> Iterator[tuple[str, list[int]]]:
        """A server that answers 429, then 503, then takes it; and what it answered."""
        answers = [429, 503, 200]
        given: list[int] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                given.append(answers[min(len(given), 2)])
                self.send_response(given[-1])
                self.send_header("retry-after", "3")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
            threading.Thread(target=httpd.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{httpd.server_address[1]}", given
            httpd.shutdown()

    @pytest.fixture
    def waits(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """How long the client would have waited, each time."""
        waits: list[float] = []
        monkeypatch.setattr("resolvers.cli.client.time.sleep", waits.append)
        return waits

    def test_it_comes_again_when_the_server_says(self, overloaded: tuple[str, list[int]], waits: list[float]) -> None:
        url, given = overloaded
        with Client(url, "key") as client:
            assert client.export(b"{}").refused == 0
        assert given == [429, 503, 200]
        assert waits[0] == 3.0

    def test_an_unreachable_server_is_given_up(self, waits: list[float]) -> None:
        with Client("http://127.0.0.1:1", "key") as client, pytest.raises(RequestFailed, match="cannot be reached"):
            client.export(b"{}")
        assert len(waits) == 5
