"""Spans as they cross the wire, and the GenAI facts read from them.

`SpanRecord` knows nothing of GenAI: the OTLP reader fills it from protobuf or JSON alike. `SpanFacts` is what the
semantic conventions make of it. Times are Unix nanoseconds; attribute values are JSON values.
"""

from typing import Any

from msgspec import Struct

from spine.contracts.enums import ProviderType, StepKind, StepStatus

AttributeValue = str | bool | int | float | bytes | list[Any] | dict[str, Any] | None


class SpanEvent(Struct, frozen=True, gc=False):
    """A timed event inside a span."""

    name: str
    time_ns: int
    attributes: dict[str, AttributeValue]


class SpanRecord(Struct, frozen=True, gc=False):
    """One span as exported: ids are lower-case hex (32 and 16 characters), parent None at the root.

    `status_code` is OTLP's: 0 unset, 1 ok, 2 error. `kind` is OTLP's number. `ended_ns` is 0 when absent.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: int
    started_ns: int
    ended_ns: int
    status_code: int
    status_message: str
    attributes: dict[str, AttributeValue]
    events: tuple[SpanEvent, ...]
    resource: dict[str, AttributeValue]
    scope_name: str


class RefusedSpan(Struct, frozen=True, gc=False):
    """A span that could not be taken, why, and what is known of it; ids None when they are unreadable."""

    trace_id: str | None
    span_id: str | None
    reason: str


class SpanBatch(Struct, frozen=True):
    """One export: the spans that can be read, and those that can't."""

    spans: tuple[SpanRecord, ...]
    refused: tuple[RefusedSpan, ...]


class SpanFacts(Struct, frozen=True, gc=False):
    """What the GenAI conventions say of one span, vendor names already mapped.

    `is_agent` marks an invoke_agent span (a run); anything else is a step. Token counts are None when the span
    carries none. `input`, `output` and `attributes` are exact bytes (sorted-key JSON; None when absent):
    messages or tool arguments, the answer or tool result, and every attribute, event and resource entry that has
    no column of its own. `digest` is SHA-256 over the whole span's canonical form: equal digests are equal copies. As
    payloads can be guessed from it, it is never stored but committed to under `salt`, as they are.
    `marked` says that a U+0000 was replaced by U+FFFD somewhere.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    is_agent: bool
    kind: StepKind
    skill_name: str
    status: StepStatus
    outcome_code: str | None
    status_message: str | None
    started_ns: int
    ended_ns: int
    provider: str | None
    provider_type: ProviderType
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    finish_reason: str | None
    response_id: str | None
    agent_id: str | None
    agent_name: str | None
    conversation_id: str | None
    goal: str | None
    user_id: str | None
    project_id: str | None
    origin_system_id: str | None
    is_synthetic: bool
    marked: bool
    input: bytes | None
    output: bytes | None
    attributes: bytes
    digest: bytes
    salt: bytes
