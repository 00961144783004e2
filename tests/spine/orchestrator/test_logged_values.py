"""What the registry logs of a value that can't be stored: which operation refused it, never the value."""

import pytest

from spine.contracts.actors import Principal
from spine.contracts.enums import RunStatus
from spine.contracts.errors import ErrorCode
from spine.contracts.paging import PageRequest
from spine.contracts.runs import ListRuns, RunFilter
from tests.conftest import Execute

CANARY = "canary-4711"


@pytest.mark.parametrize("tail", ["\0", "\ud800"])
async def test_a_value_that_cannot_be_stored_is_not_logged(
    execute: Execute, principal: Principal, capsys: pytest.CaptureFixture[str], tail: str
) -> None:
    wanted = RunFilter(agent_id=CANARY + tail, status=(RunStatus.FAILED,))
    result = await execute("activity.runs", ListRuns(page=PageRequest(5), filter=wanted), principal)
    assert result.error is not None
    assert result.error.code is ErrorCode.VALIDATION
    logged = "".join(capsys.readouterr())
    assert "activity.runs" in logged
    assert CANARY not in logged
