"""Span records for tests: plain ones, and strategies for hostile ones."""

from hypothesis import strategies as st
from msgspec import structs

from domains.activity import genai
from spine.contracts.spans import AttributeValue, SpanEvent, SpanFacts, SpanRecord

SALT = bytes(range(32))

BARE = SpanRecord(
    trace_id="5b8efff798038103d269b633813fc60c",
    span_id="eee19b7ec3c1b174",
    parent_span_id="eee19b7ec3c1b173",
    name="a span",
    kind=1,
    started_ns=1_779_000_000_000_000_001,
    ended_ns=1_779_000_000_000_000_009,
    status_code=0,
    status_message="",
    attributes={},
    events=(),
    resource={},
    scope_name="",
)

SAFE = 2**53 - 1
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=8)  # surrogates and U+0000 included
JSON_VALUES: st.SearchStrategy[AttributeValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
VALUES: st.SearchStrategy[AttributeValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False) | TEXTS | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KNOWN = st.sampled_from(
    ["gen_ai.operation.name", "gen_ai.usage.input_tokens", "gen_ai.input.messages", "gen_ai.completion.0.content"]
)
ATTRIBUTES = st.dictionaries(KNOWN | TEXTS, VALUES, max_size=4)
SPANS = st.builds(
    SpanRecord,
    trace_id=st.just(BARE.trace_id),
    span_id=st.just(BARE.span_id),
    parent_span_id=st.none() | st.just(BARE.parent_span_id),
    name=TEXTS,
    kind=st.integers(0, 5),
    started_ns=st.integers(1, 2**63 - 1),
    ended_ns=st.integers(0, 2**63 - 1),
    status_code=st.integers(0, 2),
    status_message=TEXTS,
    attributes=ATTRIBUTES,
    events=st.lists(
        st.builds(SpanEvent, name=TEXTS, time_ns=st.integers(0, 2**63 - 1), attributes=ATTRIBUTES), max_size=2
    ).map(tuple),
    resource=ATTRIBUTES,
    scope_name=TEXTS,
)


def a_span(attributes: dict[str, AttributeValue] | None = None, **fields: object) -> SpanRecord:
    return structs.replace(BARE, attributes=attributes or {}, **fields)


def facts_of(span: SpanRecord) -> SpanFacts:
    """The facts of a span, under one salt."""
    return genai.facts_of(span, SALT)
