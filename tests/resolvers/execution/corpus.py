"""Operations by hand: what is most easily got wrong."""

from schema.export import SCHEMA_FILE
from tests.resolvers.execution.operations import Operation

CONSOLE = (SCHEMA_FILE.parent / "operations" / "console.graphql").read_text("utf-8")
EVIDENCE = (
    "evidence { incidentsCaused(first: 2) { totalCount nodes { id severity sourceRun { id } } } sources { domain } }"
)
TWICE = """a: evidence { limitsHit(first: 1) { nodes { id } } }
    b: evidence { limitsHit(first: 9) { totalCount edges { cursor } pageInfo { startCursor } } }"""
FRAGMENTS = """{ runs(first: 2) { ...A } } fragment A on RunConnection { nodes { ...B id } }
    fragment B on Run { id evidence { computedAt } ... on Run { state } ... @include(if: false) { status } }"""
SKIPPING = """query($s: Boolean!, $i: Boolean = true) {
    runs(first: 2) { nodes { id @skip(if: $s) state @include(if: $i) } } }"""

TEXTS = (
    "{ __typename }",
    "{ viewer { tenant actor { kind id name } permissions } a: viewer { t: tenant } }",
    "{ runs(first: 3) { b: totalCount a: nodes { z: id y: id x: agentName id } pageInfo { endCursor hasNextPage } } }",
    "{ runs(first: 3) { nodes { startedAt costUsd durationMs inputTokens policyContext { __typename } __typename } } }",
    "{ runs(first: 3) { edges { cursor node { id } } } signals(first: 3) { edges { node { type run { id } } } } }",
    f"{{ runs(first: 3) {{ nodes {{ {EVIDENCE} {EVIDENCE} }} }} }}",
    f"{{ runs(first: 3) {{ nodes {{ {TWICE} }} }} }}",
    FRAGMENTS,
    "{ runs(first: 2) { nodes { evidence { runId } } nodes { evidence { computedAt } id } } }",
    "{ runs(first: 2) { nodes { proof { steps(first: 2) { nodes { spanId } totalCount } traces { traceId } } } } }",
    # errors at every level
    "{ runs(first: 1000) { nodes { id } } }",
    "{ runs(first: 0) { nodes { id } } viewer { tenant } }",
    '{ run(id: "bad") { id } viewer { tenant } }',
    '{ a: run(id: "bad") { id } b: run(id: "worse") { id } }',
    "{ runs(first: 2) { nodes { id evidence { incidentsCaused(first: 1000) { totalCount } runId } } } }",
    "{ runs(first: 2) { nodes { id proof { runId steps(first: 1000) { totalCount } } } } }",
    "{ runs(first: 2) { nodes { id signals(first: 1000) { totalCount } } } }",
    '{ runs(first: 2) { nodes { id signals(after: "MTp4") { totalCount } } } }',
    '{ nodes(ids: ["bad", "worse"]) { id } }',
    "{ runs { nodes { id } edges { node { id } } } }",
    "{ auditEntries(first: 2) { nodes { id actor { kind } } } agents(first: 2) { nodes { id } } }",
    # not covered: introspection beside data
    '{ __type(name: "Run") { name } runs(first: 1) { nodes { id } } }',
)

CORPUS = (
    *(Operation(text, {}) for text in TEXTS),
    Operation(CONSOLE, {"first": 5}),
    Operation(CONSOLE, {"first": 5, "after": "bad"}),
    *(Operation(SKIPPING, {"s": skip, "i": include}) for skip in (True, False) for include in (True, False)),
    Operation(SKIPPING, {"s": False}),
    Operation("query($n: Int = 2) { runs(first: $n) { nodes { id } } }", {}),
    Operation("query($n: Int = 2) { runs(first: $n) { nodes { id } } }", {"n": None}),
    Operation("query($n: Int!) { runs { nodes { signals(first: $n) { totalCount } } } }", {"n": 3}),
    Operation("query($n: Int!) { runs { nodes { signals(first: $n) { totalCount } } } }", {"n": "three"}),
    Operation("query A { viewer { tenant } } query B { a: __typename }", {}, "B"),
)
