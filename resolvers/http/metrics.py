"""`/metrics` for Prometheus: what HTTP counts, and everything else that this server's processes have counted.

One of several processes answers a scrape for all: each keeps its figures in files of a directory that they share
(prometheus_client's multiprocess mode, named by PROMETHEUS_MULTIPROC_DIR). Clients choose the names of operations, so
only so many become labels.
"""

import asyncio
import hmac
import os
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from resolvers.observing import Seen

DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COUNTS: Final = (0, 1, 2, 4, 6, 8, 12, 16, 24, 32, 64, 128)
MOST_NAMES: Final = 200
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

REQUESTS: Final = Counter("hoc_graphql_requests_total", "GraphQL requests.", ["operation", "code"])
REQUEST_SECONDS: Final = Histogram(
    "hoc_graphql_request_duration_seconds", "How long GraphQL requests took.", ["operation"], buckets=SECONDS
)
STATEMENTS: Final = Histogram("hoc_graphql_statements", "SQL statements of a request's reads.", buckets=COUNTS)
ROUND_TRIPS: Final = Histogram("hoc_graphql_round_trips", "Database round trips of its reads.", buckets=COUNTS)
EXPORTS: Final = Counter("hoc_otlp_exports_total", "OTLP exports, by the status of their answer.", ["status"])
EXPORT_SECONDS: Final = Histogram("hoc_otlp_export_duration_seconds", "How long exports took.", buckets=SECONDS)
REFUSALS: Final = Counter("hoc_auth_refusals_total", "Requests whose key was refused.", ["code"])
CRASHES: Final = Counter("hoc_crashes_total", "Requests that a fault of the program ended.", ["endpoint"])
WEBSOCKETS: Final = Gauge("hoc_websockets_open", "WebSockets that are open.", multiprocess_mode="livesum")
PROCESSES: Final = Gauge("hoc_processes", "Server processes that live.", multiprocess_mode="livesum")

for _endpoint in ("graphql", "otlp"):
    CRASHES.labels(_endpoint)


class OperationNames:
    """The first so many names that clients use; whatever comes later is `(other)`."""

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, name: str | None) -> str:
        """The label of an operation's name; empty means that it has none, None that nothing was executed."""
        if not name:
            return "(none)" if name is None else "(anonymous)"
        if name not in self._known:
            if len(self._known) >= self._most:
                return "(other)"
            self._known.add(name)
        return name


NAMES: Final = OperationNames()


def count_request(code: str, seen: Seen, seconds: float) -> None:
    """Count a GraphQL request; of a subscription, which lasts as long as its client likes, no more than that it was."""
    operation = NAMES.label(seen.operation)
    _requests(operation, code).inc()
    if seen.kind == "subscription":
        return
    _seconds(operation).observe(seconds)
    STATEMENTS.observe(seen.statements)
    ROUND_TRIPS.observe(seen.round_trips)


def count_export(status: int | None, seconds: float) -> None:
    """Count an OTLP export; no status means that the client went away."""
    EXPORTS.labels("none" if status is None else str(status)).inc()
    EXPORT_SECONDS.observe(seconds)


@cache
def _requests(operation: str, code: str) -> Counter:
    """Looking a series up costs more than counting; labels are bounded, and so is what is kept."""
    return REQUESTS.labels(operation, code)


@cache
def _seconds(operation: str) -> Histogram:
    return REQUEST_SECONDS.labels(operation)


class Processes(Collector):
    """CPU, memory and file descriptors of all live processes of this server; they started when the first did."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        """One sample each: sums, and the earliest start."""
        found: dict[str, list[Metric]] = {}
        for file in self._directory.glob("gauge_livesum_*.db"):
            pid = file.stem.rpartition("_")[2]
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                found.setdefault(metric.name, []).append(metric)
        for name, metrics in found.items():
            values = [metric.samples[0].value for metric in metrics]
            first = metrics[0]
            value = min(values) if name.endswith("start_time_seconds") else sum(values)
            first.samples = [first.samples[0]._replace(value=value)]
            yield first


class MetricsEndpoint:
    """Answers whoever has the token, or when there is none whoever is on this machine."""

    def __init__(self, token: SecretStr | None) -> None:
        self._token = token
        PROCESSES.set(1)

    async def __call__(self, request: Request) -> Response:
        """The figures, or why not."""
        if self._token is not None:
            expected = f"Bearer {self._token.get_secret_value()}".encode()
            presented = request.headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(presented, expected):
                return Response("HOC_METRICS_TOKEN is the bearer token\n", 401, {"www-authenticate": "Bearer"})
        elif not is_local(request):
            return Response("without HOC_METRICS_TOKEN only this machine reads metrics\n", 403)
        body, content_type = await asyncio.to_thread(exposition, request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})


def is_local(request: Request) -> bool:
    """Whether the peer is on this machine. What a proxy here forwards is not, whatever its headers say."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:  # a peer without an address
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def exposition(accept: str) -> tuple[bytes, str]:
    """All figures in the format that the client prefers, and its content type. Reads files: not for the event loop."""
    encode, content_type = choose_encoder(accept)
    return encode(_collected()), content_type


def _collected() -> CollectorRegistry:
    directory = os.environ.get(DIRECTORY)
    if directory is None:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
    registry.register(Processes(Path(directory)))
    return registry
