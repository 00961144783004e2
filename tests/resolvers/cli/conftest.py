"""One server for all tests that only need one."""

from collections.abc import Iterator

import pytest

from tests.resolvers.cli.processes import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A served installation, with revocation as slow as it ever is."""
    with Server(tmp_path_factory.mktemp("served") / "hoc") as server:
        yield server
