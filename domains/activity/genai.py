"""What a span says of an agent run or a step: `facts_of` maps GenAI attributes, whoever named them, to `SpanFacts`.

Pure, and total: garbage in an attribute leaves its fact None and the attribute among the kept ones, so that nothing
sent is lost. Names and their order of preference are data in `semconv`.
"""

import base64
import hashlib
import json
import re
from typing import Any, Final, TypeVar

import orjson
from msgspec import structs

from domains.activity import semconv
from spine.contracts.enums import StepKind, StepStatus
from spine.contracts.spans import AttributeValue, SpanEvent, SpanFacts, SpanRecord

MAX_TOKENS: Final = 10**10  # of one span; anything above is garbage, and sums of it would overflow
_OTLP_ERROR: Final = 2
_SENT_STATUSES: Final = {"RETRY": StepStatus.RETRY, "SKIPPED": StepStatus.SKIPPED}
_MODEL_KINDS: Final = frozenset({StepKind.CHAT, StepKind.EMBEDDINGS})
_SUSPECT_ESCAPE: Final = b"\\u"  # as JSON writes U+0000 and lone surrogates, and little else
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_PLAIN: Final = frozenset({str, bool, int, type(None)})
_PLACES: Final = {
    name: (canonical, place) for canonical, names in semconv.ALIASES.items() for place, name in enumerate(names)
}
Fact = TypeVar("Fact")


def facts_of(span: SpanRecord, salt: bytes) -> SpanFacts:
    """The facts of one span. Times stay Unix ns; unknown attributes stay in `attributes`; see `SpanFacts`.

    `digest` is over the span as it was sent; every other field has U+0000 replaced by U+FFFD and `marked` set.
    """
    sent = _canonical(span)
    clean = _cleaned(span) if _SUSPECT_ESCAPE in sent else span
    reader = _Reader(clean)
    operation = _operation(clean, reader)
    is_agent = operation in semconv.AGENT_OPERATIONS
    kind = semconv.STEP_KINDS.get(operation, StepKind.OTHER)
    model = reader.text(semconv.MODEL)
    provider = reader.text(semconv.PROVIDER)
    outcome_code = reader.text(semconv.ERROR_TYPE)
    agent_name = _agent_name(clean, reader, is_agent=is_agent)
    return SpanFacts(
        trace_id=clean.trace_id,
        span_id=clean.span_id,
        parent_span_id=clean.parent_span_id,
        name=clean.name,
        is_agent=is_agent,
        kind=kind,
        skill_name=_skill_name(clean, reader, kind, model),
        status=_status(clean, reader, outcome_code),
        outcome_code=outcome_code or _exception_type(clean.events),
        status_message=clean.status_message or None,
        started_ns=clean.started_ns,
        ended_ns=clean.ended_ns,
        provider=provider,
        provider_type=semconv.provider_type(provider),
        model=model,
        input_tokens=reader.tokens(semconv.INPUT_TOKENS),
        output_tokens=reader.tokens(semconv.OUTPUT_TOKENS),
        finish_reason=reader.words(semconv.FINISH_REASON),
        response_id=reader.text(semconv.RESPONSE_ID),
        agent_id=reader.text(semconv.AGENT_ID) or agent_name,
        agent_name=agent_name,
        conversation_id=reader.text(semconv.CONVERSATION_ID),
        goal=reader.text(semconv.GOAL),
        user_id=reader.text(semconv.USER_ID),
        project_id=reader.text(semconv.PROJECT) or _text(clean.resource.get(semconv.PROJECT)),
        origin_system_id=_text(clean.resource.get(semconv.SERVICE_NAME)),
        is_synthetic=_is_synthetic(clean, reader),
        marked=clean is not span and clean != span,
        input=reader.payload(semconv.INPUT),
        output=reader.payload(semconv.OUTPUT),
        attributes=_kept(clean, reader.used),
        digest=hashlib.sha256(sent).digest(),
        salt=salt,
    )


class _Reader:
    """Reads attributes by canonical name and remembers which of them became facts."""

    def __init__(self, span: SpanRecord) -> None:
        self._attributes = span.attributes
        self._sent = _best_named(span.attributes)
        self.used: set[str] = set()

    def sent(self, canonical: str) -> tuple[str, AttributeValue]:
        """The first present name and its value; the canonical name and None when there is none."""
        return self._sent.get(canonical) or (canonical, None)

    def peek(self, canonical: str) -> str | None:
        """Text that decides something but has no column of its own, and so is kept."""
        return _text(self.sent(canonical)[1])

    def text(self, canonical: str) -> str | None:
        name, value = self.sent(canonical)
        return self._fact(name, _text(value))

    def words(self, canonical: str) -> str | None:
        """Text, or the different texts of a list joined by commas."""
        name, value = self.sent(canonical)
        if not isinstance(value, list):
            return self._fact(name, _text(value))
        return self._fact(name, ",".join(dict.fromkeys(item for item in value if isinstance(item, str))) or None)

    def tokens(self, canonical: str) -> int | None:
        name, value = self.sent(canonical)
        return self._fact(name, _count(value))

    def flag(self, canonical: str) -> bool | None:
        name, value = self.sent(canonical)
        return self._fact(name, _flag(value))

    def payload(self, canonical: str) -> bytes | None:
        """A string's exact UTF-8 bytes, anything else as sorted-key JSON; numbered attributes are gathered."""
        sent = self._sent.get(canonical)
        if sent is None:
            return self._numbered(canonical)
        self.used.add(sent[0])
        return _payload(sent[1])

    def _numbered(self, canonical: str) -> bytes | None:
        prefixes = semconv.FLATTENED[canonical]
        if not any(name.startswith(prefixes) for name in self._attributes):
            return None
        for prefix in prefixes:
            start = len(prefix)
            group = {
                name: value
                for name, value in self._attributes.items()
                if name.startswith(prefix) and name[start : start + 1].isdigit()
            }
            if group:
                self.used.update(group)
                return _json(group)
        return None

    def _fact(self, name: str, fact: Fact | None) -> Fact | None:
        if fact is not None:
            self.used.add(name)
        return fact


def _best_named(attributes: dict[str, AttributeValue]) -> dict[str, tuple[str, AttributeValue]]:
    """What is present of each canonical name, under its best name; an empty text counts as a payload alone."""
    best: dict[str, tuple[str, AttributeValue]] = {}
    places: dict[str, int] = {}
    for name, value in attributes.items():
        if value is None or name not in _PLACES:
            continue
        canonical, place = _PLACES[name]
        if value == "" and canonical not in semconv.FLATTENED:
            continue
        if place <= places.get(canonical, place):
            places[canonical] = place
            best[canonical] = (name, value)
    return best


def _operation(span: SpanRecord, reader: _Reader) -> str:
    """The operation in lower case; where none is named, what the span's name and attributes imply."""
    if named := reader.peek(semconv.OPERATION):
        return named.lower()
    agent_run = span.name.endswith(" run") and reader.peek(semconv.AGENT_NAME) is not None
    if agent_run or span.name == semconv.AGENT_RUN_NAME or span.name.startswith(semconv.INVOKE_AGENT_PREFIX):
        return "invoke_agent"
    if span.name.startswith(semconv.EXECUTE_TOOL_PREFIX) or reader.peek(semconv.TOOL_NAME):
        return "execute_tool"
    return "chat" if reader.peek(semconv.MODEL) and reader.peek(semconv.INPUT_TOKENS) else ""


def _agent_name(span: SpanRecord, reader: _Reader, *, is_agent: bool) -> str | None:
    return (
        reader.text(semconv.AGENT_NAME)
        or (reader.text(semconv.ENTITY_NAME) if is_agent else None)
        or _after(span.name, semconv.INVOKE_AGENT_PREFIX)
        or _text(span.resource.get(semconv.SERVICE_NAME))
    )


def _skill_name(span: SpanRecord, reader: _Reader, kind: StepKind, model: str | None) -> str:
    name: str | None = None
    if kind is StepKind.EXECUTE_TOOL:
        name = reader.text(semconv.TOOL_NAME) or reader.text(semconv.ENTITY_NAME)
        name = name or _after(span.name, semconv.EXECUTE_TOOL_PREFIX)
    elif kind in _MODEL_KINDS:
        name = model
    return name or span.name or "unnamed"


def _status(span: SpanRecord, reader: _Reader, error_type: str | None) -> StepStatus:
    name, value = reader.sent(semconv.STEP_STATUS)
    sent = _SENT_STATUSES.get(value.upper()) if isinstance(value, str) else None
    if sent is not None:
        reader.used.add(name)
        return sent
    return StepStatus.FAILURE if span.status_code == _OTLP_ERROR or error_type else StepStatus.SUCCESS


def _exception_type(events: tuple[SpanEvent, ...]) -> str | None:
    for event in events:
        if event.name == semconv.EXCEPTION_EVENT and (kind := _text(event.attributes.get(semconv.EXCEPTION_TYPE))):
            return kind
    return None


def _is_synthetic(span: SpanRecord, reader: _Reader) -> bool:
    sent = reader.flag(semconv.SYNTHETIC)
    return bool(_flag(span.resource.get(semconv.SYNTHETIC)) if sent is None else sent)


def _after(name: str, prefix: str) -> str | None:
    return name.removeprefix(prefix).strip() or None if name.startswith(prefix) else None


def _text(value: AttributeValue) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _flag(value: AttributeValue) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False}.get((_text(value) or "").lower())


def _count(value: AttributeValue) -> int | None:
    """A token count from a number or its text; None unless it is whole and within 0 … `MAX_TOKENS`."""
    if isinstance(value, str):
        value = float(value) if _DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_TOKENS and value == int(value) else None


# --- exact bytes


def _kept(span: SpanRecord, used: set[str]) -> bytes:
    """Everything that has no column: other attributes, events, resource, scope, OTLP's kind and status code."""
    return _json(
        {
            "attributes": {name: value for name, value in span.attributes.items() if name not in used},
            "events": [
                {"name": event.name, "time_ns": str(event.time_ns), "attributes": event.attributes}
                for event in span.events
            ],
            "resource": span.resource,
            "scope": span.scope_name,
            "kind": span.kind,
            "status_code": span.status_code,
        }
    )


def _payload(value: AttributeValue) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else _json(value)


def _json(value: object) -> bytes:
    """Sorted-key JSON; bytes become base64 text."""
    return orjson.dumps(value, default=_base64, option=orjson.OPT_SORT_KEYS)


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError


def _canonical(span: SpanRecord) -> bytes:
    """The whole record as sorted-key JSON, for the digest only: what differs anywhere differs here.

    Floats, bytes and lists are tagged, so that no number formatting enters a hash and b"a" is not "YQ==".
    """
    form = {field: _tagged(value) for field, value in structs.asdict(span).items()}
    try:
        return orjson.dumps(form, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate: no UTF-8 form, but an escaped one
        return json.dumps(form, sort_keys=True, separators=(",", ":")).encode()


def _tagged(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return ["double", repr(value)]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, dict):
        return {name: _tagged(item) for name, item in value.items()}
    if isinstance(value, SpanEvent):
        return [value.name, value.time_ns, _tagged(value.attributes)]
    return ["list", *map(_tagged, value)]


def _cleaned(value: Any) -> Any:
    """A copy without U+0000 and lone surrogates, which PostgreSQL's text and UTF-8 cannot hold; U+FFFD instead."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_cleaned, value))
    if isinstance(value, SpanRecord | SpanEvent):
        return structs.replace(value, **{field: _cleaned(item) for field, item in structs.asdict(value).items()})
    return value
