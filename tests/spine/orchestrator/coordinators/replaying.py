"""A registry with a SEQUENCE operation of a test's own, through which steps are enforced with the test's executors."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import OperationKind, Permission, ReplayBehavior
from spine.contracts.executors import Executor, Executors
from spine.contracts.operations import Operation
from spine.contracts.replays import StepToReplay
from spine.orchestrator.context import SequenceContext
from spine.orchestrator.coordinators.replay_coordinator import FINISH, RESERVE, EnforcedTrace, ReplayCoordinator
from tests.spine.orchestrator.registries import registry_with

RUN = UUID(int=5)


class Steps(Struct, frozen=True):
    """Steps to enforce."""

    steps: tuple[StepToReplay, ...]


Enforce = Callable[..., Awaitable[EnforcedTrace]]


def enforcer(runtime: Runtime, principal: Principal, executors: Executors) -> Enforce:
    """`await enforce(step, …)` raises what the operation answers, as another principal with `by`."""

    async def handler(ctx: SequenceContext, request: Steps) -> EnforcedTrace:
        return await ReplayCoordinator.enforce_trace(ctx, RUN, request.steps, executors)

    operation = Operation(
        name="spine.enforce",
        kind=OperationKind.SEQUENCE,
        request=Steps,
        result=EnforcedTrace,
        handler=handler,
        permission=Permission.RUNS_WRITE,
        cross_domain_deps=(),
        cost=1,
        dispatches=(RESERVE, FINISH),
        summary="Enforce steps.",
    )
    registry = registry_with(runtime, operation)

    async def enforce(*steps: StepToReplay, by: Principal | None = None) -> EnforcedTrace:
        answer = await registry.execute("spine.enforce", Steps(steps), by or principal)
        trace: EnforcedTrace = answer.unwrap()
        return trace

    return enforce


class Skill:
    """A skill that counts how often it was executed, and answers what it is told."""

    def __init__(self, answer: bytes = b'{"sold": 1}', error: Exception | None = None, takes_s: float = 0) -> None:
        self.answer = answer
        self.error = error
        self.takes_s = takes_s
        self.executed = 0

    async def run(self, _given: bytes | None) -> bytes:
        """Execute."""
        self.executed += 1
        await asyncio.sleep(self.takes_s)
        if self.error is not None:
            raise self.error
        return self.answer

    def as_executors(self, *, repeatable: bool = False) -> Executors:
        """The skill as `sell`."""
        return {"sell": Executor(self.run, repeatable=repeatable)}


STEP = StepToReplay(
    step_index=3,
    span_id="a" * 16,
    skill_name="sell",
    behavior=ReplayBehavior.CHECK,
    idempotency_key=None,
    input=b'{"seat": "1A"}',
    input_digest=hashlib.sha256(b'{"seat": "1A"}').digest(),
    output=b'{"sold":1}',
)


def a_step(behavior: ReplayBehavior, key: str | None = None, **changes: Any) -> StepToReplay:
    """A recorded step."""
    return structs.replace(STEP, behavior=behavior, idempotency_key=key, **changes)
