"""The demo's data, walked over the whole SDL: no field is constant, and no other tenant sees any of it."""

from collections.abc import Iterator

import pytest

from spine.contracts.enums import Permission, Role
from tests.integration.crawl import Crawler, is_constant
from tests.resolvers.cli.processes import Server
from tests.spine.storage.embedded.processes import wait_for

LISTS = (
    "agents",
    "auditEntries",
    "incidents",
    "limits",
    "modelPrices",
    "policyRules",
    "runs",
    "signals",
    "trustedDocuments",
    "accessRecords",
    "exports",
    "logCheckpoints",
    "replays",
)
NODES = ("Run", "Signal", "Incident", "PolicyRule", "Limit")

MISMATCH = ("actual", "expected", "id", "index", "isStep", "kind", "reason", "subjectName")

CONSTANT = {
    "ActivityEvidence.missing": "every model call of the demo tells its tokens; the capture tests see others",
    "ActivityEvidence.status": "no model call of the demo fails",
    "CaptureFailure.evidenceClass": "the demo's database answers in time, so only a wrong context fails",
    "CaptureFailure.reason": "as evidenceClass",
    "CaptureFailure.resolution": "as evidenceClass",
    "IntegrityVerification.firstBreak": "nothing in the demo is tampered with; the tampering tests see every kind",
    "CheckpointTimestamp.at": "as LogCheckpoint.timestamp",
    "CheckpointTimestamp.token": "as LogCheckpoint.timestamp",
    "CheckpointWitness.at": "as LogCheckpoint.witnesses",
    "CheckpointWitness.name": "as LogCheckpoint.witnesses",
    "CheckpointWitness.vkey": "as LogCheckpoint.witnesses",
    "Divergence.actual": "as Replay.firstDivergence",
    "Divergence.expected": "as Replay.firstDivergence",
    "Divergence.index": "as Replay.firstDivergence",
    "Divergence.isStep": "as Replay.firstDivergence",
    "Divergence.kind": "as Replay.firstDivergence",
    "FirstBreak.kind": "as firstBreak",
    "FirstBreak.stepIndex": "as firstBreak",
    "LogCheckpoint.timestamp": "the demo asks no time stamping authority; the vouching tests do",
    "LogCheckpoint.witnesses": "the demo has no witness; the vouching tests have",
    "Replay.verdict": "as Replay.firstDivergence",
    "Replay.firstDivergence": "what is replayed in the demo is as it was; the replay tests see every divergence",
    **{f"ReplayMismatch.{name}": "as Replay.firstDivergence" for name in MISMATCH},
    "ReplayMismatchConnection.edges": "as Replay.firstDivergence",
    "ReplayMismatchConnection.nodes": "as Replay.firstDivergence",
    "ReplayMismatchEdge.cursor": "as Replay.firstDivergence",
    "ReplayMismatchEdge.node": "as Replay.firstDivergence",
    "Viewer.documentMode": "a demo that refuses queries would be none; the documents' tests see every mode",
}
"""Fields that show one value on the demo data, each with its reason and what shows the others."""


UNLIMITED = {
    "HOC_MAX_DEPTH": "50",
    "HOC_MAX_TOKENS": "100000",
    "HOC_MAX_QUERY_COST": "1000000000",
    "HOC_POINTS_PER_KEY": "1000000000",
    "HOC_DEADLINE_S": "60",
}
"""A walk over everything asks for more than a query may."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo with its fleet played, as a newcomer starts it."""
    with Server(tmp_path_factory.mktemp("demo") / "hoc", command="demo", **UNLIMITED) as server:
        wait_for(lambda: "Ctrl-C" in server.stdout, "the demo's last line")
        yield server


@pytest.fixture(scope="module")
def owner(demo: Server) -> Crawler:
    """Everything that the demo's owner can see."""
    crawler = Crawler(demo.url, demo.new_key(tenant="demo"))
    take_away(crawler)
    walk(crawler)
    return crawler


def take_away(crawler: Crawler) -> None:
    """What nobody has done in the demo yet: replay runs, and export one, an incident and a period."""
    found = crawler.ask(
        "{ runs(first: 3, filter: { status: [SUCCEEDED] }) { nodes { id } } incidents(first: 1) { nodes { id } } }"
    )["data"]
    runs = [node["id"] for node in found["runs"]["nodes"]]
    (incident,) = (node["id"] for node in found["incidents"]["nodes"])
    period = '{ since: "2026-01-01T00:00:00Z", until: "2026-02-01T00:00:00Z" }'
    asked = [
        *(
            f'replayRun(input: {{ idempotencyKey: "{how}", id: "{one}", behavior: {how} }}) {{ userErrors {{ code }} }}'
            for one, how in zip(runs, ("CHECK", "EXECUTE", "SKIP"), strict=True)
        ),
        f'exportRun(input: {{ id: "{runs[0]}" }}) {{ userErrors {{ code }} }}',
        f'exportIncident(input: {{ id: "{incident}", format: HTML }}) {{ userErrors {{ code }} }}',
        f"exportPeriod(input: {period}) {{ userErrors {{ code }} }}",
    ]
    for mutation in asked:
        answer = crawler.ask(f"mutation {{ done: {mutation} }}")
        assert answer["data"]["done"]["userErrors"] == [], answer
    crawler.crawl("runProofBundle", f'(id: "{runs[1]}")')
    crawler.crawl("logConsistency", "(from: 1, to: 2)")
    crawler.crawl("logCheckpoint")


def walk(crawler: Crawler) -> None:
    """Ask every list root for all below its rows, and the other roots."""
    for name in LISTS:
        answer = crawler.crawl(name, "(first: 100)")
        assert "errors" not in answer, (name, answer)
    for name in ("viewer", "operations"):
        crawler.crawl(name)
    for grouping in crawler.schema.type_map["RunGrouping"].values:  # type: ignore[attr-defined]
        crawler.crawl("runStats", f"(groupBy: {grouping})")


class TestNoConstantFields:
    def test_every_enum_field_has_two_values_and_every_nullable_one_a_value(self, demo: Server, owner: Crawler) -> None:
        scopes = (Permission.RUNS_READ, Permission.POLICIES_READ)
        machine = Crawler(demo.url, demo.new_key(*scopes, role=Role.MACHINE, tenant="demo"))
        machine.crawl("viewer")
        machine.crawl("runs", "(first: 5)")
        constant = {
            name for name, field in owner.fields() if is_constant(field, owner.values[name] + machine.values[name])
        }
        assert constant == set(CONSTANT)


class TestTenants:
    def test_another_tenant_sees_nothing_in_any_list(self, demo: Server, owner: Crawler) -> None:
        stranger = Crawler(demo.url, demo.new_key(tenant="stranger"))
        for name in LISTS:
            answer = stranger.crawl(name, "(first: 100)")
            assert "errors" not in answer
        for kind in (*NODES, "Agent", "TrustedDocument"):
            assert owner.ids[kind], kind
            assert not stranger.ids[kind], kind
        own_entries = {"TenantCreated", "ApiKeyCreated"}
        assert set(stranger.values["AuditEntry.eventType"]) == own_entries
        counted = stranger.crawl("runStats", "(groupBy: STATUS)")
        assert counted["data"]["runStats"]["total"] == 0

    def test_a_foreign_node_answers_exactly_as_an_absent_one(self, demo: Server, owner: Crawler) -> None:
        stranger = Crawler(demo.url, demo.new_key(tenant="stranger"))
        for kind in NODES:
            foreign = min(owner.ids[kind])
            absent = foreign[:-2] + ("AA" if foreign[-2:] != "AA" else "BA")
            query = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }"
            answers = [stranger.ask(query, {"id": one}) for one in (foreign, absent)]
            told = [[(e["message"], e["extensions"]["code"], e["path"]) for e in one["errors"]] for one in answers]
            assert [one["data"] for one in answers] == [{"node": None, "nodes": [None]}] * 2, kind
            assert told[0] == told[1], kind
            assert {code for _, code, _ in told[0]} == {"NOT_FOUND"}

    def test_a_foreign_run_is_absent_for_the_mutations_too(self, demo: Server, owner: Crawler) -> None:
        stranger = Crawler(demo.url, demo.new_key(tenant="stranger"))
        signal, rule, limit = (min(owner.ids[kind]) for kind in ("Signal", "PolicyRule", "Limit"))
        asked = {
            "acknowledgeSignal": f'{{ id: "{signal}" }}',
            "retirePolicyRule": f'{{ id: "{rule}", reason: "no longer" }}',
            "disableLimit": f'{{ id: "{limit}", reason: "no longer" }}',
        }
        for mutation, given in asked.items():
            answer = stranger.ask(f"mutation {{ {mutation}(input: {given}) {{ userErrors {{ code }} }} }}")
            assert answer["data"][mutation]["userErrors"] == [{"code": "NOT_FOUND"}], (mutation, answer)
