"""The example operations: those of the shipped documents, each with its fragments, and with variables that work.

A text that begins with `$` is filled in by the page when somebody opens the example: `$now`, `$nextWeek` and `$unique`
are made there, the others are ids that it looks up with the reader's own key. What changes a rule, a limit or a run
looks only for those that the examples themselves made, so that trying an example out does no harm.
"""

import hashlib
from functools import cache
from itertools import takewhile
from typing import Any, Final

import orjson
from graphql import DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, parse, separate_operations
from msgspec import Struct, to_builtins

from schema.export import SCHEMA_FILE

DOCUMENTS: Final = SCHEMA_FILE.with_name("operations")
FIRST: Final = ("console", "run", "signals", "live", "report_run", "governance")
AGENT: Final = "graphiql-example"
PREFIX: Final = "graphiql-"  # of every $unique
REASON: Final = {"reason": "tried out in GraphiQL"}


class Example(Struct, frozen=True):
    """One operation as the editor opens it."""

    name: str
    kind: str
    query: str
    variables: dict[str, Any]


class Group(Struct, frozen=True):
    """The operations of one document, and what the comment at its top says of them."""

    title: str
    examples: list[Example]


class Lookup(Struct, frozen=True):
    """How to find an id: the first one in the query's answer, of an object whose name begins so when that is given."""

    query: str
    missing: str
    prefix: str = ""


LOOKUPS: Final = {
    "$run": Lookup("{ runs(first: 1, filter: { riskLevel: [VIOLATED] }) { nodes { id } } }", "no run broke a rule yet"),
    "$parentRun": Lookup("{ runs(first: 100) { nodes { parentRun { id } } } }", "no run has started another yet"),
    "$signal": Lookup("{ signals(first: 1) { nodes { id } } }", "there is no signal yet"),
    "$incident": Lookup("{ incidents(first: 1) { nodes { id } } }", "there is no incident yet"),
    "$export": Lookup("{ exports(first: 1) { nodes { id } } }", "run the example TakeRunExport first"),
    "$exampleRun": Lookup(
        f'{{ runs(first: 1, filter: {{ agentId: "{AGENT}", state: LIVE }}) {{ nodes {{ id }} }} }}',
        "run the example StartRun first",
    ),
    "$reportedRun": Lookup(
        f'{{ runs(first: 1, filter: {{ agentId: "{AGENT}" }}) {{ nodes {{ id }} }} }}', "run the example StartRun first"
    ),
    "$reportedTrace": Lookup(
        f'{{ runs(first: 1, filter: {{ agentId: "{AGENT}" }}) {{ nodes {{ id: traceId }} }} }}',
        "run the example StartRun first",
    ),
    "$exampleRule": Lookup(
        "{ policyRules(first: 100, status: ACTIVE) { nodes { id name } } }",
        "run the example CreatePolicyRule first",
        PREFIX,
    ),
    "$exampleLimit": Lookup(
        "{ limits(first: 100, status: ACTIVE) { nodes { id name } } }", "run the example CreateLimit first", PREFIX
    ),
}
"""Where an example needs an id: how the page finds it, and what it writes instead when there is none."""

STEP: Final = {
    "stepId": "$unique",
    "kind": "CHAT",
    "name": "chat",
    "provider": "openai",
    "model": "gpt-4.1-mini",
    "inputTokens": 120,
    "outputTokens": 40,
    "startedAt": "$now",
    "endedAt": "$now",
}
START: Final = {
    "idempotencyKey": "$unique",
    "agentId": AGENT,
    "agentName": "GraphiQL example",
    "actor": {"kind": "HUMAN", "id": "graphiql", "name": "Somebody in GraphiQL"},
    "projectId": "graphiql",
    "originSystemId": "graphiql",
    "goal": "See what reporting a run is like",
}
RULE: Final = {
    "name": "$unique",
    "description": "Says of every run of the example agent that it was seen.",
    "condition": f'run.agent_id == "{AGENT}"',
    "mode": "WARN",
}
LIMIT: Final = {"name": "$unique", "limitType": "TOKENS_TOTAL", "maxValue": "5000", "scope": "AGENT", "scopeId": AGENT}
PRICE: Final = {"provider": "graphiql", "model": "example", "inputUsdPerMillion": "1", "outputUsdPerMillion": "2"}
TEXT: Final = "query GraphiQLExample { viewer { tenant } }"
SHA256: Final = hashlib.sha256(TEXT.encode()).hexdigest()

VARIABLES: Final[dict[str, dict[str, Any]]] = {
    "Console": {"first": 10, "filter": {"riskLevel": ["VIOLATED", "AT_RISK"]}},
    "RunDetail": {"id": "$run", "steps": 20, "includePayloads": True},
    "RunStats": {"groupBy": "STATUS"},
    "ChildRuns": {"parentRunId": "$parentRun"},
    "AcknowledgeSignal": {"input": {"id": "$signal"} | REASON},
    "SuppressSignal": {"input": {"id": "$signal", "until": "$nextWeek"} | REASON},
    "ReopenSignal": {"input": {"id": "$signal"} | REASON},
    "EscalateSignal": {"input": {"id": "$signal"} | REASON},
    "CapturedEvidence": {"id": "$run"},
    "CaptureEnvironment": {
        "input": {
            "idempotencyKey": "$unique",
            "runId": "$reportedRun",
            "traceId": "$reportedTrace",
            "attributes": [{"name": "deployment.environment.name", "value": "graphiql"}],
        }
    },
    "Node": {"id": "$run"},
    "CreatePolicyRule": {"input": RULE},
    "UpdatePolicyRule": {"input": {"id": "$exampleRule", "mode": "AUDIT"}},
    "RetirePolicyRule": {"input": {"id": "$exampleRule"} | REASON},
    "CreateLimit": {"input": LIMIT},
    "UpdateLimit": {"input": {"id": "$exampleLimit", "maxValue": "6000"}},
    "DisableLimit": {"input": {"id": "$exampleLimit"} | REASON},
    "ReplayRun": {"input": {"idempotencyKey": "$unique", "id": "$run"}},
    "SetModelPrice": {"input": PRICE | {"source": "tried out in GraphiQL"}},
    "AddTrustedDocuments": {"input": {"documents": [{"sha256": SHA256, "text": TEXT}]}},
    "RetireTrustedDocuments": {"input": {"sha256": [SHA256]} | REASON},
    "SetDocumentMode": {"input": {"mode": "LOG"} | REASON},
    "Consistency": {"from": 1, "to": 1},
    "TakeRunAway": {"id": "$run"},
    "TakeRunExport": {"input": {"id": "$run"}},
    "TakeIncidentExport": {"input": {"id": "$incident"}},
    "TakePeriodExport": {"input": {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}},
    "KeptExport": {"id": "$export"},
    "StartRun": {"input": START},
    "AppendSteps": {"input": {"idempotencyKey": "$unique", "runId": "$exampleRun", "steps": [STEP]}},
    "RedactRun": {"input": {"id": "$reportedRun"} | REASON},
    "CompleteRun": {"input": {"idempotencyKey": "$unique", "runId": "$exampleRun", "status": "SUCCEEDED"}},
}
"""Of each operation that needs any, or shows more with them."""


@cache
def listed() -> bytes:
    """Everything that the page needs of them, in JSON."""
    return orjson.dumps({"groups": to_builtins(groups()), "lookups": to_builtins(LOOKUPS), "prefix": PREFIX})


def groups() -> list[Group]:
    """Every shipped document: those that tell the main stories first."""
    paths = sorted(DOCUMENTS.glob("*.graphql"), key=lambda path: (_place(path.stem), path.stem))
    return [group(path.read_text("utf-8")) for path in paths]


def _place(stem: str) -> int:
    return FIRST.index(stem) if stem in FIRST else len(FIRST)


def group(text: str) -> Group:
    """One document; the comment at its top says what it is about."""
    comment = takewhile(lambda line: line.startswith("#"), text.splitlines())
    title = " ".join(line.removeprefix("#").strip() for line in comment)
    return Group(title, [example(name, alone) for name, alone in separate_operations(parse(text)).items()])


def example(name: str, document: DocumentNode) -> Example:
    """One operation as it is written in its file, then the fragments that it uses."""
    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    fragments = (one for one in document.definitions if isinstance(one, FragmentDefinitionNode))
    parts = [one.loc.source.body[one.loc.start : one.loc.end] for one in (operation, *fragments) if one.loc]
    return Example(name, operation.operation.value, "\n\n".join(parts) + "\n", VARIABLES.get(name, {}))
