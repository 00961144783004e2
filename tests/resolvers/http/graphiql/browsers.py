"""A real Chromium on the editor's page: what a person does there, and a record of everything that the page did."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    WebError,
    WebSocket,
    expect,
    sync_playwright,
)

QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REPORT_VIOLATIONS: Final = """
addEventListener("securitypolicyviolation", (event) => console.error("CSP: " + event.violatedDirective));
"""
QUERY_EDITOR: Final = ".graphiql-query-editor .CodeMirror"
ATTEMPTS: Final = 400
RESULT: Final = ".result-window .CodeMirror"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; without one the test is skipped, or fails where HOC_REQUIRE_BROWSER says that it must not."""
    path = shutil.which("chromium")
    if path is None:
        reason = "Chromium is not installed (on Debian: apt-get install chromium)"
        if os.environ.get("HOC_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


class Editor:
    """The page in a tab of its own, and all that it asked of anybody or complained about."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.sockets: list[str] = []
        self.complaints: list[str] = []
        self._context = browser.new_context(viewport={"width": 1400, "height": 900})
        self._context.add_init_script(REPORT_VIOLATIONS)
        self._context.on("request", self._requested)
        self._context.on("console", self._heard)
        self._context.on("weberror", self._crashed)
        self.page: Page = self._context.new_page()
        self.page.on("websocket", self._connected)
        self.page.set_default_timeout(20_000)

    def _requested(self, request: Request) -> None:
        self.requests.append(request)

    def _connected(self, socket: WebSocket) -> None:
        self.sockets.append(socket.url)

    def _crashed(self, problem: WebError) -> None:
        self.complaints.append(str(problem.error))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, path: str) -> None:
        """Open an address of the server, and wait until the editor is there."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector(QUERY_EDITOR)

    def open_with(self, key: str) -> None:
        """Open it by a link with a key, and wait until the key has been admitted and the schema has been read."""
        self.open(f"/graphiql#key={key}")
        self.standing("admitted")
        expect(self.page.get_by_label("Re-fetch GraphQL schema")).to_be_enabled()

    def standing(self, state: str) -> str:
        """Wait until the key stands so; what the bar says."""
        return self.page.locator(f".hoc-{state}").inner_text()

    @property
    def asked(self) -> list[Request]:
        """The GraphQL requests so far."""
        return [one for one in self.requests if one.method == "POST"]

    @property
    def hosts(self) -> set[str]:
        """Everybody whom the page asked for anything; what a style sheet carries in itself is nobody."""
        addresses = [one.url for one in self.requests if not one.url.startswith("data:")] + self.sockets
        return {urlsplit(address).netloc for address in addresses}

    def new_tab(self, query: str) -> None:
        """Type a query by hand into a new tab."""
        self.page.get_by_label("Add tab").click()
        self.page.click(QUERY_EDITOR)
        self.page.keyboard.type(query, delay=30)

    def example(self, name: str) -> None:
        """Open an example and wait until its variables have been found."""
        self.examples().filter(has_text=re.compile(rf"^{name}(query|mutation|subscription)$")).click()
        self.page.wait_for_selector(".hoc-examples button:enabled")
        expect(self.page.locator(".graphiql-query-editor")).to_contain_text(
            re.compile(rf"(query|mutation|subscription) {name}\b")
        )

    def examples(self) -> Locator:
        """The buttons of the examples."""
        return self.page.locator(".hoc-examples button")

    def play(self) -> Any:
        """Press play and wait for the answer."""
        self.page.click(".graphiql-execute-button")
        return self.result()

    def result(self, containing: str = "") -> Any:
        """What stands at the right, once something does that has this text in it."""
        spinner = self.page.locator(".graphiql-spinner")
        for _ in range(ATTEMPTS):
            shown = str(self.page.evaluate(f"document.querySelector('{RESULT}').CodeMirror.getValue()"))
            if shown.startswith("{") and containing in shown and spinner.count() == 0:
                return json.loads(shown)
            self.page.wait_for_timeout(50)
        raise AssertionError(f"no answer with {containing!r} within {ATTEMPTS * 50} ms")

    @property
    def query(self) -> str:
        """What stands in the query editor."""
        return str(self.page.evaluate(f"document.querySelector('{QUERY_EDITOR}').CodeMirror.getValue()"))

    def photograph(self, name: str, otherwise: Path) -> None:
        """Keep a picture, in HOC_SCREENSHOTS when that names a folder, and say where."""
        folder = Path(os.environ.get("HOC_SCREENSHOTS", otherwise))
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png")
        print(f"screenshot: {folder / name}.png")

    def close(self) -> None:
        """Close the tab."""
        self._context.close()
