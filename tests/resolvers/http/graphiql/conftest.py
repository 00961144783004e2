"""One demo and one browser for all tests of the page; a tab of its own for each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.resolvers.cli.processes import Server
from tests.resolvers.http.graphiql.browsers import Editor, chromium
from tests.spine.storage.embedded.processes import wait_for


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as long as the tests of a module run: while it is open no other event loop can run."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo with its fleet; not started when there is no browser to look at it."""
    with Server(tmp_path_factory.mktemp("demo") / "hoc", command="demo") as server:
        assert server.url  # waits until the fleet has been played
        wait_for(lambda: "Ctrl-C" in server.stdout, "the demo's last line")
        yield server


@pytest.fixture(scope="module")
def demo_key(demo: Server) -> str:
    """The key of the link that the demo prints first."""
    first = next(line for line in demo.stdout.splitlines() if line)
    title, link = first.split()
    address, _, key = link.partition("#key=")
    assert (title, address) == ("Open", f"{demo.url}/graphiql")
    return key


@pytest.fixture
def editor(browser: Browser, demo: Server, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Editor]:
    """A fresh tab. Whatever happens in it, it asks nobody but our server, and the browser has nothing to complain of.

    A test that provokes a complaint clears the list.
    """
    editor = Editor(browser, demo.url)
    yield editor
    editor.photograph(request.node.name, tmp_path)
    editor.close()
    assert editor.hosts == {demo.url.removeprefix("http://")}
    assert editor.complaints == []
