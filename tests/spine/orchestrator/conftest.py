"""A reporter of runs for a fresh tenant."""

import pytest

from spine.contracts.actors import Principal
from tests.conftest import Execute
from tests.spine.orchestrator.reporting import Reporter


@pytest.fixture
def reporter(execute: Execute, principal: Principal) -> Reporter:
    return Reporter(execute, principal)
