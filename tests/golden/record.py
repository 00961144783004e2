"""Record the golden runs of a release: `python -m tests.golden.record 0.2.0`, once, when it is released.

Two runs are reported through the public operations to a database that is made for it: one by mutations, of which a rule
refuses a step and a limit stops it, and one by telemetry, whose last step comes after it was sealed.
"""

import asyncio
import secrets
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from msgspec import Struct

from spine.bootstrap import Runtime
from spine.contracts.access import CreateTenant
from spine.contracts.actors import Principal
from spine.contracts.capture import CaptureEnvironment, EnvironmentInput
from spine.contracts.enums import Consequence, LimitType, OperationKind, Permission, RuleMode, StepKind
from spine.contracts.governance import CreateLimit
from spine.contracts.operations import Operation
from spine.contracts.replays import ReplayRun
from spine.contracts.runs import StepInput
from spine.orchestrator.context import ReadContext
from spine.orchestrator.coordinators.replay_decisions import RecordedRun
from spine.orchestrator.coordinators.run_replay_coordinator import OPERATIONS, recorded_run
from spine.settings import Settings
from tests.conftest import owner_of
from tests.golden.golden_runs import golden_of, save
from tests.spine.orchestrator.coordinators.reported import agent, chat, ingest, span
from tests.spine.orchestrator.registries import registry_with
from tests.spine.orchestrator.reported import runs_of
from tests.spine.orchestrator.reporting import Reporter, a_step

PLEA = "Change my flight to the next day. " + "I was ill, and have a doctor's note. " * 20


class RunKey(Struct, frozen=True):
    """Which run is wanted as it is stored."""

    run_key: UUID


async def _stored(ctx: ReadContext, request: RunKey) -> RecordedRun:
    return await recorded_run(ctx, request.run_key)


STORED = Operation(
    name="logs.stored_run",
    kind=OperationKind.READ,
    request=RunKey,
    result=RecordedRun,
    handler=_stored,
    permission=Permission.RUNS_READ,
    cross_domain_deps=OPERATIONS[0].cross_domain_deps,
    cost=1,
    summary="A run as it is stored.",
)


def calculation(number: int, expression: str, result: str) -> StepInput:
    """A step of the tool that the server can execute itself."""
    given = f'{{"expression":"{expression}"}}'
    tool: dict[str, Any] = {"kind": StepKind.EXECUTE_TOOL, "name": "execute_tool calculate", "skill_name": "calculate"}
    return a_step(number, input=given, output=result, input_tokens=None, output_tokens=None, **tool)


async def govern(reporter: Reporter) -> None:
    """Rules of each phase, mode and scope, and a limit that stops."""
    await reporter.rule("Plea", f'run.goal.endsWith("note. ") && run.goal.size() > {len(PLEA) - 9}', mode=RuleMode.WARN)
    await reporter.rule("Large sums", 'step.input.matches("[0-9]{4}")', mode=RuleMode.WARN)
    await reporter.rule("No transfers", 'step.skill_name == "transfer_money"')
    await reporter.rule("Own models", 'step.model == "gpt-4o"', mode=RuleMode.AUDIT, scope="AGENT", scope_id="clerk")
    await reporter.rule("Undecidable", "1 / step.output_tokens > 1", mode=RuleMode.WARN)
    await reporter.rule("Long runs", "run.step_count > 3", mode=RuleMode.AUDIT)
    limit = CreateLimit(
        name="Tokens", limit_type=LimitType.TOKENS_TOTAL, max_value=Decimal(2000), consequence=Consequence.ABORT
    )
    (await reporter.execute("controls.create_limit", limit, reporter.principal)).unwrap()


async def by_mutations(reporter: Reporter) -> UUID:
    """A run that a rule refuses a step, and that a limit stops."""
    run = (await reporter.start(goal=PLEA)).run_key
    await reporter.append(run, a_step(1), calculation(2, "152 + 103", "255.0"))
    await capture(reporter, run)
    await reporter.append(run, calculation(3, "(350 - 122) * 2", "456.0"))
    await reporter.append(run, a_step(4, skill_name="transfer_money", name="execute_tool transfer_money"))
    await reporter.append(run, calculation(5, "6594 + 3925", "10519.0"), a_step(6))
    await reporter.complete(run)
    return run


async def capture(reporter: Reporter, run: UUID) -> None:
    """Say something of the run's environment, which is chained among its decisions."""
    trace_id = (await reporter.run(run)).trace_id
    host = (EnvironmentInput(name="host.name", value="golden"),)
    request = CaptureEnvironment(idempotency_key=uuid4().hex, run_key=run, trace_id=trace_id, attributes=host)
    (await reporter.execute("logs.capture", request, reporter.principal)).unwrap()


async def by_telemetry(reporter: Reporter) -> UUID:
    """A run whose last step comes late, so that what was said of its totals is said again."""
    trace_id = secrets.token_hex(16)
    facts = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "calculate",
        "gen_ai.tool.call.arguments": '{"expression":"(6 - 4) + (13 - 6)"}',
        "gen_ai.tool.call.result": "9.0",
    }
    tool = span(trace_id, 2, "a" * 16, **facts)
    await ingest(reporter.execute, reporter.principal, chat(trace_id, 1), tool, chat(trace_id, 3), agent(trace_id))
    await ingest(reporter.execute, reporter.principal, chat(trace_id, 4))
    runs = await runs_of(reporter.execute, reporter.principal)
    return next(run.key for run in runs if run.trace_id == trace_id)


async def record(release: str, runtime: Runtime, principal: Principal) -> list[Path]:
    """Report the runs, replay them, and write down both."""
    execute = runtime.registry.execute
    (await execute("account.create_tenant", CreateTenant("golden"), principal)).unwrap()
    reporter = Reporter(execute, principal)
    await govern(reporter)
    reading = registry_with(runtime, STORED)
    files = []
    for name, report in (("mutations", by_mutations), ("telemetry", by_telemetry)):
        run = await report(reporter)
        stored: RecordedRun = (await reading.execute(STORED.name, RunKey(run), principal)).unwrap()
        replayed = (await execute("logs.replay_run", ReplayRun(idempotency_key=name, run_key=run), principal)).unwrap()
        files.append(save(golden_of(release, name, stored, replayed.steps)))
    return files


async def main(release: str) -> None:
    """Record the release's golden runs."""
    with tempfile.TemporaryDirectory() as place:
        runtime = Runtime(Settings(data_dir=Path(place) / "hoc", pool_size=4))
        await runtime.open()
        try:
            for path in await record(release, runtime, owner_of("golden")):
                print(path)
        finally:
            await runtime.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
