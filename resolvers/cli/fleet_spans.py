"""Traces of the demo fleet as OTLP/JSON, named by OpenTelemetry's GenAI conventions. The same label, the same ids."""

import hashlib
from datetime import datetime
from typing import Any, Final

import orjson
from msgspec import Struct

SECOND: Final = 1_000_000_000
ERROR: Final = 2

Attributes = dict[str, str | int | bool]

RESOURCES: Final[dict[str, Attributes]] = {
    "acme-agents": {
        "service.version": "2026.5",
        "host.name": "agents-1",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.40.0",
        "telemetry.sdk.language": "python",
    },
}
"""What a service says of itself besides its name; the others of the fleet say no more."""


class Agent(Struct, frozen=True):
    """One agent of the fleet, and what it usually runs on."""

    name: str
    project: str
    provider: str
    model: str

    @property
    def id(self) -> str:
        """Its identifier, which rules and limits name."""
        return self.name.lower().replace(" ", "-")


class Trace:
    """A trace that grows span by span; each step begins where the one before ended."""

    def __init__(self, label: str, started: datetime, service: str = "acme-agents") -> None:
        self.label = label
        self.trace_id = identifier(label, 32)
        self.spans: list[dict[str, Any]] = []
        self._service = service
        self._now = int(started.timestamp()) * SECOND

    def agent(self, agent: Agent, goal: str, parent: str | None = None, **attributes: str | int | bool) -> str:
        """Begin a run; `close` gives it its end. Returns its span id."""
        named: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": agent.name,
            "gen_ai.agent.id": agent.id,
            "gen_ai.provider.name": agent.provider,
            "gen_ai.request.model": agent.model,
            "gen_ai.task.goal": goal,
            "hoc.project": agent.project,
        }
        return self.span(f"invoke_agent {agent.name}", parent, named | dotted(attributes), seconds=0)

    def chat(self, parent: str, agent: Agent, tokens: tuple[int, int], seconds: float = 2.0, said: str = "") -> str:
        """A model call that used so many input and output tokens."""
        named: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": agent.provider,
            "gen_ai.request.model": agent.model,
            "gen_ai.response.id": f"resp-{identifier(f'{self.label}/{len(self.spans)}', 12)}",
            "gen_ai.response.finish_reasons": "stop",
            "gen_ai.usage.input_tokens": tokens[0],
            "gen_ai.usage.output_tokens": tokens[1],
            "gen_ai.output.messages": said or "Understood; here is what I found.",
        }
        return self.span(f"chat {agent.model}", parent, named, seconds=seconds)

    def tool(
        self, parent: str, name: str, arguments: Attributes, result: str = "done", seconds: float = 1.0, **more: Any
    ) -> str:
        """A tool call; `error` fails it with that code, `status` sends RETRY or SKIPPED."""
        named: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.arguments": orjson.dumps(arguments).decode(),
            "gen_ai.tool.call.result": result,
        }
        if "status" in more:
            named["hoc.step.status"] = more["status"]
        return self.span(f"execute_tool {name}", parent, named, seconds=seconds, error=more.get("error"))

    def search(self, parent: str, query: str) -> None:
        """Looking something up: an embedding, then a retrieval."""
        embedding: Attributes = {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.usage.input_tokens": 8 * len(query),
            "gen_ai.usage.output_tokens": 0,
        }
        self.span("embeddings text-embedding-3-small", parent, embedding, seconds=0.2)
        retrieval: Attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": query}
        self.span("retrieval knowledge-base", parent, retrieval, seconds=0.3)

    def span(
        self, name: str, parent: str | None, attributes: Attributes, *, seconds: float, error: str | None = None
    ) -> str:
        """Any span; an `error` is its code. Returns its id."""
        span_id = identifier(f"{self.label}/{len(self.spans)}", 16)
        ended = self._now + int(seconds * SECOND)
        sent = {
            "traceId": self.trace_id,
            "spanId": span_id,
            "name": name,
            "kind": 1,
            "startTimeUnixNano": str(self._now),
            "endTimeUnixNano": str(ended),
            "attributes": pairs(attributes),
        }
        if parent is not None:
            sent["parentSpanId"] = parent
        if error is not None:
            sent["status"] = {"code": ERROR, "message": f"{name} failed: {error}"}
            sent["attributes"] = pairs(attributes | {"error.type": error})
        self.spans.append(sent)
        self._now = ended
        return span_id

    def wait(self, seconds: float) -> None:
        """Let time pass before the next span."""
        self._now += int(seconds * SECOND)

    def close(self, span_id: str, error: str | None = None) -> None:
        """End a run now; an `error` is its failure code."""
        sent = next(span for span in self.spans if span["spanId"] == span_id)
        sent["endTimeUnixNano"] = str(self._now)
        if error is not None:
            sent["status"] = {"code": ERROR, "message": f"{sent['name']} gave up"}
            sent["attributes"].extend(pairs({"error.type": error}))

    def body(self, spans: list[dict[str, Any]] | None = None) -> bytes:
        """An export of all spans, or of these."""
        named: Attributes = {"service.name": self._service, "deployment.environment.name": "demo"}
        resource = {"attributes": pairs(named | RESOURCES.get(self._service, {}))}
        scope = {"name": "hoc-demo", "version": "1"}
        sent = self.spans if spans is None else spans
        return orjson.dumps(
            {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": sent}]}]}
        )


def identifier(label: str, length: int) -> str:
    """Hex characters that follow from the label."""
    return hashlib.sha256(f"hoc-demo/{label}".encode()).hexdigest()[:length]


def dotted(attributes: Attributes) -> Attributes:
    """Keyword names as attribute names: `user_id` is `user.id`."""
    return {name.replace("__", ".").replace("_id", ".id"): value for name, value in attributes.items()}


def pairs(attributes: Attributes) -> list[dict[str, Any]]:
    """Attributes as OTLP/JSON has them."""
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: str | int | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
