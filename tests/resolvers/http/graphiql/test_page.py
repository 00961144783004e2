"""The editor in a real browser: what a newcomer does with it, on the demo's data."""

from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.resolvers.cli.processes import Server
from tests.resolvers.http.graphiql.browsers import Editor

CONSOLE_FIRST = 10
HEADER_EDITOR = ".graphiql-editor:not(.hidden) .CodeMirror >> nth=-1"
SPAN = {
    "traceId": "6b1f0a3c5d7e49128a90b3c4d5e6f708",
    "spanId": "c0ffee0123456789",
    "name": "invoke_agent watched",
    "startTimeUnixNano": "1779000000000000000",
}
EXPORT = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}


class TestTheKey:
    def test_a_link_with_a_key_lets_one_in_and_the_key_leaves_the_address(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        assert editor.page.url == f"{editor.url}/graphiql"
        assert editor.page.title() == "HOC Spine · GraphiQL"
        assert editor.standing("admitted") == "demo · OWNER · demo owner"
        assert demo_key not in editor.page.content()
        assert all(demo_key not in one.url for one in editor.requests)

    def test_it_lives_in_the_tab_alone_and_outlives_reloading(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        editor.page.reload()
        assert editor.standing("admitted")
        assert editor.page.evaluate("[localStorage.length, document.cookie]") == [0, ""]

    def test_without_a_key_nothing_is_asked_and_a_note_says_what_is_missing(self, editor: Editor) -> None:
        editor.open("/graphiql")
        assert "hoc demo" in editor.page.locator(".hoc-hint").inner_text()
        assert "no API key" in editor.play()["errors"][0]["message"]
        assert editor.asked == []

    def test_it_can_be_typed_and_forgotten(self, editor: Editor, demo_key: str) -> None:
        editor.open("/graphiql")
        editor.page.get_by_label("API key").fill(f" {demo_key} ")
        editor.page.get_by_text("Use key").click()
        assert editor.standing("admitted")
        expect(editor.page.locator(".hoc-hint")).to_have_count(0)
        editor.page.get_by_text("Forget key").click()
        assert editor.standing("none") == "no key"
        assert "errors" in editor.play()

    def test_one_that_is_refused_is_called_so(self, editor: Editor) -> None:
        editor.open("/graphiql#key=hoc_live_aaaaaaaaaaaaaaaa_b")
        assert "key" in editor.standing("refused")
        expect(editor.page.get_by_label("API key")).to_be_visible()
        assert all("401" in complaint for complaint in editor.complaints)
        editor.complaints.clear()

    def test_a_link_may_be_opened_in_a_tab_that_is_open(self, editor: Editor, demo_key: str) -> None:
        editor.open("/graphiql")
        editor.page.evaluate("(key) => { location.hash = `key=${key}`; }", demo_key)
        assert editor.standing("admitted")
        assert editor.page.url == f"{editor.url}/graphiql"

    def test_the_headers_pane_goes_before_it_and_is_not_kept_either(self, editor: Editor, demo_key: str) -> None:
        editor.open("/graphiql")
        editor.new_tab("{ viewer { tenant")
        editor.page.keyboard.press("Escape")
        editor.page.get_by_text("Headers", exact=True).click()
        editor.page.click(HEADER_EDITOR)
        editor.page.keyboard.insert_text(f'{{"authorization": "Bearer {demo_key}"}}')
        assert editor.play()["data"] == {"viewer": {"tenant": "demo"}}
        assert editor.page.evaluate("localStorage.length") == 0


class TestAsking:
    def test_the_first_thing_to_press_is_the_console_query(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        runs = editor.play()["data"]["runs"]
        assert len(runs["edges"]) == CONSOLE_FIRST
        proofs = {edge["node"]["proof"]["integrity"]["verificationStatus"] for edge in runs["edges"]}
        assert "VERIFIED" in proofs
        assert sum(edge["node"]["evidence"]["incidentsCaused"]["totalCount"] for edge in runs["edges"]) > 0

    def test_a_field_is_completed_while_one_types(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        editor.new_tab("{ viewer { ten")
        expect(editor.page.locator(".CodeMirror-hint-active")).to_have_text("tenant")
        editor.page.keyboard.press("Enter")
        assert "{ viewer { tenant" in editor.query
        assert editor.play()["data"] == {"viewer": {"tenant": "demo"}}

    def test_every_example_works_as_it_is_opened(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        names = editor.examples().evaluate_all(
            "all => all.filter(one => one.className !== 'hoc-subscription').map(one => one.firstChild.textContent)"
        )
        assert len(names) > 20
        for name in names:
            editor.example(name)
            answer = editor.play()
            assert "errors" not in answer, name
            (field,) = answer["data"].values() if len(answer["data"]) == 1 else [answer["data"]]
            assert field, name
            assert not (isinstance(field, dict) and field.get("userErrors")), (name, field)

    def test_an_example_that_is_open_is_not_opened_twice(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        editor.example("Viewer")
        editor.example("Console")
        editor.example("Viewer")
        assert editor.page.locator("[role=tab]").count() == 2

    def test_the_explorer_writes_what_is_clicked(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        editor.example("Viewer")
        editor.page.get_by_label("Show GraphiQL Explorer").click()
        editor.page.locator(".graphiql-explorer-root").get_by_text("policyRules", exact=True).click()
        expect(editor.page.locator(".graphiql-query-editor")).to_contain_text("policyRules")

    def test_the_documentation_is_the_schemas(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        editor.page.get_by_label("Show Documentation Explorer").click()
        editor.page.locator(".graphiql-doc-explorer").get_by_text("Query", exact=True).click()
        expect(editor.page.locator(".graphiql-doc-explorer")).to_contain_text("Everything that can be read.")


class TestFollowing:
    def test_a_subscription_shows_what_happens_meanwhile_until_it_is_stopped(
        self, editor: Editor, demo: Server, demo_key: str, tmp_path: Path
    ) -> None:
        editor.open_with(demo_key)
        editor.example("RunUpdates")
        assert editor.play()["data"]["runUpdated"]["events"] == []
        headers = {"authorization": f"Bearer {demo_key}"}
        httpx.post(f"{demo.url}/v1/traces", json=EXPORT, headers=headers).raise_for_status()
        (event,) = editor.result("watched")["data"]["runUpdated"]["events"]
        assert event["run"]["agentName"] == "watched"
        assert editor.sockets == [f"{demo.url.replace('http', 'ws')}/graphql"]
        editor.photograph("subscription", tmp_path)
        editor.page.click(".graphiql-execute-button")
        expect(editor.page.get_by_label("Execute query")).to_be_visible()

    def test_a_refused_key_is_told_at_once(self, editor: Editor, demo_key: str) -> None:
        editor.open_with(demo_key)
        editor.example("SignalUpdates")
        editor.page.get_by_text("Headers", exact=True).click()
        editor.page.click(HEADER_EDITOR)
        editor.page.keyboard.insert_text('{"authorization": "Bearer hoc_live_aaaaaaaaaaaaaaaa_b"}')
        assert "4403" in str(editor.play())


class TestTheWayIn:
    def test_the_servers_address_leads_to_it(self, editor: Editor) -> None:
        editor.open("/")
        assert editor.page.url == f"{editor.url}/graphiql"

    def test_so_does_the_address_of_graphql(self, editor: Editor) -> None:
        editor.open("/graphql")
        assert editor.page.url == f"{editor.url}/graphiql"
