"""A governed run of two calculations, replayed, and a superuser who changes what is stored of it."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from spine.contracts.enums import Consequence, LimitType, ReplayBehavior, RuleMode, StepKind
from spine.contracts.errors import HocError
from spine.contracts.replays import (
    ReplayRun,
    RunReplayed,
)
from spine.contracts.runs import StepInput
from tests.spine.orchestrator.coordinators.reported import connected
from tests.spine.orchestrator.reporting import Reporter, a_step

CHECK, SKIP, EXECUTE = ReplayBehavior.CHECK, ReplayBehavior.SKIP, ReplayBehavior.EXECUTE
LONG = "x" * 700

Superuser = dict[str, Any]


def calculation(number: int, expression: str, result: str, **changes: Any) -> StepInput:
    """A step that `calculate` did."""
    return a_step(
        number,
        kind=StepKind.EXECUTE_TOOL,
        name="execute_tool calculate",
        skill_name="calculate",
        input=f'{{"expression": "{expression}"}}',
        output=result,
        **changes,
    )


async def replayed(reporter: Reporter, run: UUID, behavior: ReplayBehavior = CHECK, **changes: Any) -> RunReplayed:
    request = ReplayRun(**{"idempotency_key": uuid4().hex, "run_key": run, "behavior": behavior, **changes})
    done: RunReplayed = (await reporter.execute("logs.replay_run", request, reporter.principal)).unwrap()
    return done


async def refusal(reporter: Reporter, run: UUID, **changes: Any) -> HocError:
    with pytest.raises(HocError) as caught:
        await replayed(reporter, run, **changes)
    return caught.value


async def a_run(reporter: Reporter, *, wrong: bool = False) -> UUID:
    """A run of two calculations and a chat, judged by rules of each phase, one of which stopped it at its limit."""
    await reporter.rule("goal", f'run.goal.startsWith("Sell") && run.goal.endsWith("{LONG}")', mode=RuleMode.WARN)
    await reporter.rule("payloads", 'step.input.contains("3 * 4")', mode=RuleMode.WARN)
    await reporter.rule("names", 'step.name.startsWith("fly")', mode=RuleMode.BLOCK)
    await reporter.rule("own agent", 'step.kind == "CHAT"', mode=RuleMode.AUDIT, scope="AGENT", scope_id="clerk")
    await reporter.rule("totals", "run.step_count > 1", mode=RuleMode.AUDIT)
    await reporter.limit("tokens", LimitType.TOKENS_TOTAL, "1000", consequence=Consequence.ABORT)
    run = (await reporter.start(goal=f"Sell {LONG}")).run_key
    second = calculation(2, "10 / 4", "9.9" if wrong else "2.5")
    await reporter.append(run, calculation(1, "3 * 4", "12.0", input_tokens=None, output_tokens=None), second)
    await reporter.complete(run)
    return run


async def change(superuser: Superuser, statement: str, *values: Any) -> None:
    async with connected(superuser) as connection:
        assert await connection.execute(statement, *values) != "UPDATE 0"
