"""What an operator sees of several processes: one scrape for all of them, and spans at a collector."""

import contextlib
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from tests.resolvers.cli.processes import Server
from tests.spine.storage.embedded.processes import wait_for

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


def scraped(url: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    text = httpx.get(f"{url}/metrics", timeout=30).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def counted(url: str) -> float | None:
    """How many requests named Counted there were."""
    return scraped(url).get(("hoc_graphql_requests_total", "OK", "Counted"))


def children(pid: int) -> set[int]:
    """The processes that this one has started and that live."""
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def serving(pid: int) -> set[int]:
    """Those of them that are server processes."""
    found = set()
    for one in children(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended while it was looked at
            if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes():
                found.add(one)
    return found


class TestMetrics:
    def test_of_all_processes_are_in_one_scrape_also_when_one_dies(self, tmp_path: Path) -> None:
        with Server(tmp_path / "hoc", "--workers", "2") as server:
            key, url = server.new_key(), server.url
            wait_for(lambda: scraped(url).get(("hoc_processes",)) == 2, "both processes")
            for number in range(1, 21):
                server.data(key, "query Counted { viewer { tenant } }")
                wait_for(lambda wanted=number: counted(url) == wanted, "a request to count")  # type: ignore[misc]
            assert scraped(url)["hoc_pool_connections_max",] == 20
            victim = serving(server.process.pid).pop()
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: victim not in serving(server.process.pid), "the end of one process")
            wait_for(lambda: len(serving(server.process.pid)) == 2, "another in its place")
            wait_for(lambda: scraped(url).get(("hoc_processes",)) == 2, "it to count")
            wait_for(lambda: scraped(url)["hoc_pool_connections_max",] == 20, "its pool")
            after = scraped(url)
            assert counted(url) == 20
            assert after["process_resident_memory_bytes",] > 100_000_000
            assert abs(after["process_start_time_seconds",] - time.time()) < 300

    def test_leave_no_files_behind(self, tmp_path: Path) -> None:
        (tmp_path / "tmp").mkdir()
        with Server(tmp_path / "hoc", "--workers", "2", TMPDIR=str(tmp_path / "tmp")) as server:
            assert httpx.get(f"{server.url}/metrics").status_code == 200
            assert len(list((tmp_path / "tmp").glob("hoc-metrics-*"))) == 1
            server.stop()
        assert list((tmp_path / "tmp").glob("hoc-metrics-*")) == []


class TestTraces:
    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_go_to_the_collector_of_the_setting_and_never_where_agents_are_sent(
        self, tmp_path: Path, workers: str
    ) -> None:
        with Collector() as collector, Collector() as agents:
            environment = {
                "HOC_OTLP_ENDPOINT": collector.url,
                "HOC_OTLP_HEADERS": "authorization=Bearer%20ours",
                "OTEL_EXPORTER_OTLP_ENDPOINT": agents.url,
                "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20agents,x-agents=1",
                "OTEL_SERVICE_NAME": "agents",
            }
            with Server(tmp_path / "hoc", "--workers", workers, **environment) as server:
                ask(server, server.new_key())
                assert server.stop() == 0
        assert agents.requests == []
        headers = collector.requests[0][0]
        assert headers["authorization"] == "Bearer ours"
        assert "x-agents" not in headers
        spans = {span.name: span for span in collector.spans() if span.trace_id.hex() == TRACE}
        assert set(spans) == {"graphql query", "api_keys.authenticate", "api_keys.lease_points", "activity.runs"}
        request = spans["graphql query"]
        assert request.parent_span_id.hex() == CALLER
        assert {spans["activity.runs"].parent_span_id, spans["api_keys.authenticate"].parent_span_id} == {
            request.span_id
        }
        assert attributes(request) == {
            "graphql.operation.name": "Traced",
            "graphql.operation.type": "query",
            "hoc.code": "OK",
            "hoc.request_id": "request-0001",
            "hoc.statements": 5,
            "http.response.status_code": 200,
        }
        assert attributes(spans["activity.runs"]) == {"hoc.operation": "activity.runs", "hoc.code": "OK"}
        assert b"swordfish" not in b"".join(body for _, body in collector.requests)

    def test_a_collector_that_is_away_delays_neither_answers_nor_the_end(self, tmp_path: Path) -> None:
        with Server(tmp_path / "hoc", HOC_OTLP_ENDPOINT="http://127.0.0.1:1") as server:
            ask(server, server.new_key())
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 10
        assert "swordfish" not in server.stderr


def ask(server: Server, key: str) -> None:
    """A query with a literal and a caller's trace."""
    body = {"query": 'query Traced { runs(filter: {agentId: "swordfish"}) { totalCount } }'}
    headers = {
        "authorization": f"Bearer {key}",
        "traceparent": f"00-{TRACE}-{CALLER}-01",
        "tracestate": "vendor=swordfish",
        "x-request-id": "request-0001",
    }
    assert httpx.post(f"{server.url}/graphql", json=body, headers=headers).status_code == 200


def attributes(span: Span) -> dict[str, object]:
    """The attributes of a span, by name."""
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


class Collector:
    """An OTLP/HTTP receiver that keeps what it is sent; a context manager."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector.requests.append((headers | {"path": self.path}, body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def spans(self) -> list[Span]:
        """Every span that came."""
        found: list[Span] = []
        for headers, body in self.requests:
            assert headers["path"] == "/v1/traces"
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            for resource in request.resource_spans:
                assert {"key": "service.name", "value": "hoc-spine"} in [
                    {"key": one.key, "value": one.value.string_value} for one in resource.resource.attributes
                ]
                found.extend(span for scope in resource.scope_spans for span in scope.spans)
        return found

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
