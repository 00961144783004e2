"""Exports through GraphQL: files whose checksum is theirs, kept and told of, and never more than may be read."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from schema.relay import key_of
from spine.authority.rbac import permissions_of
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import ExportFormat, ExportKind, Permission, Role
from spine.contracts.exports import Draft
from spine.orchestrator.handlers import exports_handler, period_export_handler
from spine.services.proof.note import Verifier
from spine.services.proof.offline import Trust, verify_bundle
from spine.services.proof.offline_period import VerifiedPeriod, verify_period
from tests.conftest import Execute
from tests.resolvers.conftest import Ask
from tests.resolvers.test_queries import absent, document
from tests.spine.orchestrator.logged import a_finished_run, rows_of, settle, tamper
from tests.spine.orchestrator.reporting import Reporter, a_step

RUN = document("exports.graphql", "TakeRunExport")
INCIDENT = document("exports.graphql", "TakeIncidentExport")
PERIOD = document("exports.graphql", "TakePeriodExport")
EXPORTS = document("exports.graphql", "Exports")
KEPT = document("exports.graphql", "KeptExport")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC).isoformat()


async def taken(ask: Ask, text: str, *, by: Principal | None = None, **given: Any) -> dict[str, Any]:
    """The payload of an export's mutation."""
    answer = await ask(text, {"input": given}, by=by)
    assert answer.errors == []
    (payload,) = answer.data.values()
    assert isinstance(payload, dict)
    return payload


async def file_of(ask: Ask, text: str, **given: Any) -> str:
    """The file, whose checksum and length are those that are kept."""
    payload = await taken(ask, text, **given)
    assert payload["userErrors"] == []
    content: str = payload["content"]
    assert payload["export"]["checksum"] == hashlib.sha256(content.encode()).hexdigest()
    assert payload["export"]["sizeBytes"] == len(content.encode())
    return content


async def refusal(ask: Ask, text: str, *, by: Principal | None = None, **given: Any) -> tuple[str | None, str]:
    payload = await taken(ask, text, by=by, **given)
    assert payload["export"] is payload["content"] is None
    [error] = payload["userErrors"]
    return error["field"], error["code"]


async def first_id(ask: Ask, name: str) -> str:
    answer = await ask(f"{{ {name}(first: 1) {{ nodes {{ id }} }} }}")
    found: str = answer.data[name]["nodes"][0]["id"]
    return found


async def a_run(ask: Ask, execute: Execute, principal: Principal) -> str:
    """A finished run in the log."""
    await a_finished_run(Reporter(execute, principal))
    await settle(execute, principal)
    return await first_id(ask, "runs")


async def trust(ask: Ask) -> Trust:
    vkey = (await ask("{ logCheckpoint { vkey } }")).data["logCheckpoint"]["vkey"]
    return Trust([Verifier.parse(vkey)])


def machine(principal: Principal, *scopes: Permission) -> Principal:
    rights = permissions_of(Role.MACHINE, scopes)
    return Principal(principal.tenant_id, principal.actor, Role.MACHINE, rights, "key")


@pytest.mark.usefixtures("governed")
class TestARunsFile:
    async def test_holds_all_that_is_shown_of_it(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        await settle(execute, principal)
        run = await first_id(ask, "runs")
        text = await file_of(ask, RUN, id=run)
        found = orjson.loads(text)
        assert text == orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode() + "\n"
        assert (found["format"], found["kind"], found["run"]["id"]) == ("hoc-spine/export@v1", "RUN", run)
        for name in ("incidents", "policies", "limits", "decisions"):
            listed = found["run"]["evidence"][name]
            assert len(listed["nodes"]) == listed["totalCount"] > 0
        assert found["run"]["signals"][0]["feedback"]["acknowledged"] is False
        assert found["run"]["proof"]["integrity"]["verificationStatus"] == "VERIFIED"
        assert found["run"]["proof"]["rawLogs"] is None
        assert verify_bundle(found["run"]["bundle"].encode(), await trust(ask)).tree.size > 0

    async def test_shows_fields_as_graphql_does(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        await settle(execute, principal)
        run = await first_id(ask, "runs")
        asked = "query($id: ID!) { run(id: $id) { agentName status costUsd inputTokens riskLevel actor { kind id } } }"
        wanted = (await ask(asked, {"id": run})).data["run"]
        found = orjson.loads(await file_of(ask, RUN, id=run))["run"]
        assert {name: found[name] for name in ("agentName", "status", "inputTokens", "riskLevel")} == {
            name: wanted[name] for name in ("agentName", "status", "inputTokens", "riskLevel")
        }
        assert {name: found["actor"][name] for name in wanted["actor"]} == wanted["actor"]

    async def test_of_an_incident_holds_its_run(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        await settle(execute, principal)
        incident = await first_id(ask, "incidents")
        found = orjson.loads(await file_of(ask, INCIDENT, id=incident))
        assert (found["kind"], found["incident"]["id"]) == ("INCIDENT", incident)
        assert incident in [one["id"] for one in found["run"]["evidence"]["incidents"]["nodes"]]
        assert verify_bundle(found["run"]["bundle"].encode(), await trust(ask)).bundle.seals
        assert await refusal(ask, INCIDENT, id=absent(incident)) == ("id", "NOT_FOUND")

    async def test_with_payloads_needs_the_right_and_is_not_kept(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        await settle(execute, principal)
        run = await first_id(ask, "runs")
        payload = await taken(ask, RUN, id=run, payloads=True)
        assert len(orjson.loads(payload["content"])["run"]["proof"]["rawLogs"]) == 2
        assert payload["export"]["payloads"] is True
        again = (await ask(KEPT, {"id": payload["export"]["id"]})).data["export"]
        assert (again["file"], again["checksum"]) == ({"text": None}, payload["export"]["checksum"])
        reader = machine(
            principal,
            *(Permission.AUDIT_READ, Permission.RUNS_READ, Permission.POLICIES_READ, Permission.INCIDENTS_READ),
        )
        assert (await refusal(ask, RUN, by=reader, id=run, payloads=True))[1] == "FORBIDDEN"
        assert (await taken(ask, RUN, by=reader, id=run))["userErrors"] == []


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [name for name, _ in attrs if name in {"src", "href", "action", "onload", "onerror"}]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class TestAPage:
    async def test_escapes_every_name(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        hostile = '<script>alert("1")</script><img src=x onerror=alert(2)>'
        reporter = Reporter(execute, principal)
        key = (await reporter.start(agent_name=hostile, goal=f"</style>{hostile}")).run_key
        await reporter.append(key, a_step(1, name=hostile))
        await reporter.complete(key)
        await settle(execute, principal)
        page = Page(await file_of(ask, RUN, id=await first_id(ask, "runs"), format="HTML"))
        assert {"script", "img", "a", "link", "iframe"}.isdisjoint(page.tags)
        assert page.addresses == []
        assert any(hostile in text for text in page.texts)

    async def test_holds_the_bundle_byte_for_byte(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        run = await a_run(ask, execute, principal)
        page = Page(await file_of(ask, RUN, id=run, format="HTML"))
        (bundle,) = [text for text in page.texts if "hoc-spine/run-bundle@v1" in text]
        assert verify_bundle(bundle.removeprefix("\n").encode(), await trust(ask)).bundle.seals


class TestARunThatCannotBeProven:
    async def test_is_exported_with_the_reason(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        reporter = Reporter(execute, principal)
        await reporter.append((await reporter.start()).run_key, a_step(1))
        found = orjson.loads(await file_of(ask, RUN, id=await first_id(ask, "runs")))["run"]
        assert (found["bundle"], "still live" in found["bundleMissing"]) == (None, True)

    async def test_is_exported_with_its_break(
        self, ask: Ask, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        run = await a_run(ask, execute, principal)
        await tamper(superuser, f"UPDATE trace_steps SET name = 'x' WHERE tenant_id = '{principal.tenant_id}'")
        found = orjson.loads(await file_of(ask, RUN, id=run))["run"]
        assert found["proof"]["integrity"]["verificationStatus"] == "FAILED"
        assert found["bundle"] is None
        assert "is broken" in "".join(Page(await file_of(ask, RUN, id=run, format="HTML")).texts)

    async def test_is_refused_while_it_waits_for_its_checkpoint(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        await a_finished_run(Reporter(execute, principal))
        assert await refusal(ask, RUN, id=await first_id(ask, "runs")) == ("id", "CONFLICT")


class TestRefusals:
    async def test_of_runs_are_data(self, ask: Ask, execute: Execute, principal: Principal, other: Principal) -> None:
        run = await a_run(ask, execute, principal)
        for by, given, error in (
            (None, {"id": absent(run)}, ("id", "NOT_FOUND")),
            (other, {"id": run}, ("id", "NOT_FOUND")),
            (None, {"id": "x"}, ("id", "VALIDATION")),
            (None, {"id": run, "format": "LOG"}, ("format", "VALIDATION")),
            (machine(principal, Permission.AUDIT_READ), {"id": run}, (None, "FORBIDDEN")),
            (machine(principal, Permission.AUDIT_READ, Permission.RUNS_READ), {"id": run}, (None, "FORBIDDEN")),
        ):
            assert await refusal(ask, RUN, by=by, **given) == error
        assert (await ask("{ exports { totalCount } }")).data["exports"]["totalCount"] == 0

    async def test_of_periods_are_data(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        now = datetime.now(UTC)
        past, future = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=1)).isoformat()
        assert await refusal(ask, PERIOD, since=LONG_AGO, until=past) == ("until", "CONFLICT")  # no log yet
        await a_run(ask, execute, principal)
        for since, until, error in (
            (past, past, ("until", "VALIDATION")),
            (past, LONG_AGO, ("until", "VALIDATION")),
            (past, future, ("until", "VALIDATION")),
        ):
            assert await refusal(ask, PERIOD, since=since, until=until) == error
        await a_finished_run(Reporter(execute, principal))  # waits for its place
        assert await refusal(ask, PERIOD, since=LONG_AGO, until=datetime.now(UTC).isoformat()) == ("until", "CONFLICT")

    async def test_name_what_is_too_large(
        self, ask: Ask, execute: Execute, principal: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = await a_run(ask, execute, principal)
        monkeypatch.setattr(period_export_handler, "MOST_LEAVES", 1)
        found = await refusal(ask, PERIOD, since=LONG_AGO, until=datetime.now(UTC).isoformat())
        assert found == ("until", "TOO_LARGE")
        monkeypatch.setattr(exports_handler, "MOST_BYTES", 100)
        assert await refusal(ask, RUN, id=run) == (None, "TOO_LARGE")


class TestAPeriod:
    async def period(self, ask: Ask, since: str, until: str) -> VerifiedPeriod:
        text = await file_of(ask, PERIOD, since=since, until=until)
        return verify_period(text.encode(), await trust(ask))

    async def test_holds_every_leaf_between_its_checkpoints(
        self, ask: Ask, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        sizes, times = [0], []
        for _ in range(3):
            await a_finished_run(Reporter(execute, principal))
            sizes.append(await settle(execute, principal))
            times.append(datetime.now(UTC).isoformat())
        bounds = ((LONG_AGO, times[0], 0, 2), (times[0], times[1], 1, 3), (times[1], times[2], 2, 3))
        for since, until, first, last in reversed(bounds):
            found = await self.period(ask, since, until)
            assert (found.period.before.size, found.newer.size) == (sizes[first], sizes[last])
            assert (found.older is None) is (first == 0)
            words = [leaf.word for leaf in found.period.leaves]
            kinds = await rows_of(superuser, LEAF_KINDS.format(sizes[first], sizes[last]), principal.tenant_id)
            assert words == [{"SEAL": "seal", "AUDIT": "audit"}.get(row["kind"], "leaf") for row in kinds]

    async def test_in_which_nothing_happened_is_empty(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        await a_run(ask, execute, principal)
        since, until = datetime.now(UTC).isoformat(), datetime.now(UTC).isoformat()
        found = await self.period(ask, since, until)
        assert found.older is not None
        assert (found.period.leaves, found.older.size) == ((), found.newer.size)

    async def test_tells_of_exports_before_it(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        """Every export is an entry of the ledger with its checksum, so a leaf of the log."""
        run = await a_run(ask, execute, principal)
        since = datetime.now(UTC).isoformat()
        checksum = (await taken(ask, RUN, id=run))["export"]["checksum"]
        await settle(execute, principal)
        leaves = (await self.period(ask, since, datetime.now(UTC).isoformat())).period.leaves
        (told,) = [leaf.fields for leaf in leaves if leaf.fields.get("event_type") == "ExportCreated"]
        assert orjson.loads(str(told["after_state"]))["checksum"] == checksum

    async def test_is_refused_when_the_log_was_tampered_with(
        self, ask: Ask, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await a_run(ask, execute, principal)
        now = datetime.now(UTC).isoformat()
        await tamper(superuser, f"UPDATE audit_ledger SET reason = 'x' WHERE tenant_id = '{principal.tenant_id}'")
        payload = await taken(ask, PERIOD, since=LONG_AGO, until=now)
        assert "does not verify" in payload["userErrors"][0]["message"]
        await tamper(superuser, f"DELETE FROM audit_ledger WHERE tenant_id = '{principal.tenant_id}'")
        payload = await taken(ask, PERIOD, since=LONG_AGO, until=now)
        assert "the record that it is of, is missing" in payload["userErrors"][0]["message"]


LEAF_KINDS = (
    "SELECT kind FROM log_leaves WHERE tenant_id = $1 AND leaf_index >= {} AND leaf_index < {} ORDER BY leaf_index"
)


class TestWhatIsKept:
    async def test_is_handed_out_again_byte_for_byte(
        self, ask: Ask, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        run = await a_run(ask, execute, principal)
        payload = await taken(ask, RUN, id=run)
        kept = payload["export"]
        again = (await ask(KEPT, {"id": kept["id"]})).data["export"]
        assert again == kept | {"file": {"text": payload["content"]}}
        assert (kept["kind"], kept["subject"], kept["format"]) == ("RUN", run, "JSON")
        assert kept["filename"] == f"run-{key_of(run, 'Run')}.json"
        for by, global_id in ((other, kept["id"]), (None, absent(kept["id"]))):
            assert (await ask(KEPT, {"id": global_id}, by=by)).codes == ["NOT_FOUND"]
        assert (await ask(KEPT, {"id": "x"})).codes == ["VALIDATION"]
        assert (await ask(EXPORTS, by=other)).data["exports"]["totalCount"] == 0

    async def test_two_at_once_are_two(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        run = await a_run(ask, execute, principal)
        both = await asyncio.gather(taken(ask, RUN, id=run), taken(ask, RUN, id=run))
        ids = {one["export"]["id"] for one in both}
        assert len(ids) == 2
        listed = (await ask(EXPORTS)).data["exports"]
        assert {one["id"] for one in listed["nodes"]} == ids

    async def test_shows_only_what_its_reader_may_read(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        run = await a_run(ask, execute, principal)
        kept = (await taken(ask, RUN, id=run))["export"]["id"]
        await settle(execute, principal)
        period = (await taken(ask, PERIOD, since=LONG_AGO, until=datetime.now(UTC).isoformat()))["export"]["id"]
        auditor = machine(principal, Permission.AUDIT_READ)
        answer = await ask(KEPT, {"id": kept}, by=auditor)
        assert (answer.codes, answer.data["export"]["file"]) == (["FORBIDDEN"], None)
        assert (await ask(KEPT, {"id": period}, by=auditor)).data["export"]["file"]["text"]

    async def test_costs_the_same_for_1_and_for_50(self, ask: Ask, runtime: Runtime, principal: Principal) -> None:
        for number in range(50):
            one = Draft(
                kind=ExportKind.PERIOD, subject="s", format=ExportFormat.LOG, filename="f", text=f"file {number}"
            )
            (await runtime.registry.execute(exports_handler.KEEP, one, principal)).unwrap()
        for first in (1, 50):
            answer = await ask(f"{{ exports(first: {first}) {{ nodes {{ id file {{ text }} }} }} }}")
            assert (answer.errors, len(answer.data["exports"]["nodes"])) == ([], first)
            assert answer.statements == 8

    async def test_is_not_all_handed_out_at_once(
        self, ask: Ask, runtime: Runtime, principal: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = Draft(kind=ExportKind.PERIOD, subject="s", format=ExportFormat.LOG, filename="f", text="x" * 60)
        for _ in range(2):
            (await runtime.registry.execute(exports_handler.KEEP, one, principal)).unwrap()
        monkeypatch.setattr(exports_handler, "MOST_BYTES", 100)
        assert (await ask("{ exports(first: 1) { nodes { file { text } } } }")).errors == []
        assert set((await ask("{ exports { nodes { file { text } } } }")).codes) == {"TOO_LARGE"}
