"""Spans to an OpenTelemetry collector, when HOC_OTLP_ENDPOINT names one.

The OTEL_EXPORTER_OTLP_… variables are for agents that report to this server. In a shell where they are set the server
would send its own spans to itself, with the agents' key; so it forgets them.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from opentelemetry import trace

from spine.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

AGENTS_VARIABLES: Final = "OTEL_EXPORTER_OTLP_"


@asynccontextmanager
async def exporting_spans(settings: Settings) -> AsyncIterator[None]:
    """Send spans while the block runs, and what is left at its end; a collector that is away loses them."""
    if settings.otlp_endpoint is None:
        yield
        return
    provider = _provider(settings.otlp_endpoint, settings)
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        await asyncio.to_thread(provider.shutdown)


def _provider(endpoint: str, settings: Settings) -> "TracerProvider":
    # Here, because importing them takes a tenth of a second, and most servers send no spans.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased  # noqa: PLC0415

    for name in [name for name in os.environ if name.startswith(AGENTS_VARIABLES)]:
        del os.environ[name]
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", headers=_headers(settings))
    resource = Resource({"service.name": "hoc-spine", "service.version": version("hoc-spine")})
    provider = TracerProvider(ParentBased(ALWAYS_ON), resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _headers(settings: Settings) -> dict[str, str]:
    """`name=value,…` with percent-encoded values, as OpenTelemetry writes headers."""
    if settings.otlp_headers is None:
        return {}
    pairs = (one.partition("=") for one in settings.otlp_headers.get_secret_value().split(","))
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()}
