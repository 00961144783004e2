"""Runs as an SDK reports them, for tests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import (
    ActorKind,
    LimitType,
    RuleMode,
    RunStatus,
    StepKind,
    VerificationStatus,
)
from spine.contracts.errors import HocError
from spine.contracts.governance import CreateLimit, CreatePolicyRule
from spine.contracts.runs import AppendSteps, CompleteRun, RunChanged, RunsByKey, RunSummary, StartRun, StepInput
from tests.conftest import Execute
from tests.spine.orchestrator.reported import proof_of

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SERVICE = Actor(ActorKind.SERVICE, None, None)
START = StartRun(
    idempotency_key="start",
    agent_id="clerk",
    actor=SERVICE,
    origin_system_id="shop",
    goal="Sell a ticket.",
    provider="openai",
    model="gpt-4o",
    started_at=NOW,
)


def a_step(number: int, **changes: Any) -> StepInput:
    started = NOW + timedelta(seconds=number)
    step = StepInput(
        step_id=f"step {number}",
        name="chat gpt-4o",
        kind=StepKind.CHAT,
        model="gpt-4o",
        started_at=started,
        ended_at=started + timedelta(milliseconds=500),
        input_tokens=1_000,
        output_tokens=100,
        input="in",
        output="out",
    )
    return structs.replace(step, **changes)


class Reporter:
    """An SDK: it reports runs for one principal, each report under a key of its own."""

    def __init__(self, execute: Execute, principal: Principal) -> None:
        self.execute = execute
        self.principal = principal

    async def start(self, **changes: Any) -> RunChanged:
        request = structs.replace(START, **{"idempotency_key": uuid4().hex, **changes})
        changed: RunChanged = (await self.execute("activity.start_run", request, self.principal)).unwrap()
        return changed

    async def append(self, run: UUID, *steps: StepInput, key: str | None = None) -> RunChanged:
        request = AppendSteps(idempotency_key=key or uuid4().hex, run_key=run, steps=steps)
        changed: RunChanged = (await self.execute("activity.append_steps", request, self.principal)).unwrap()
        return changed

    async def complete(self, run: UUID, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> RunChanged:
        fields = {"idempotency_key": uuid4().hex, "completed_at": NOW + timedelta(seconds=60), **changes}
        request = CompleteRun(run_key=run, status=status, **fields)
        changed: RunChanged = (await self.execute("activity.complete_run", request, self.principal)).unwrap()
        return changed

    async def run(self, key: UUID) -> RunSummary:
        found: dict[UUID, RunSummary] = (
            await self.execute("activity.runs_by_key", RunsByKey((key,)), self.principal)
        ).unwrap()
        return found[key]

    async def verdict(self, key: UUID) -> VerificationStatus:
        return (await proof_of(self.execute, self.principal, key)).integrity.verification_status

    async def rule(self, name: str, condition: str, **changes: Any) -> None:
        request = CreatePolicyRule(name=name, condition=condition, **{"mode": RuleMode.BLOCK, **changes})
        (await self.execute("policies.create_rule", request, self.principal)).unwrap()

    async def limit(self, name: str, kind: LimitType, most: str, **changes: Any) -> UUID:
        request = CreateLimit(name=name, limit_type=kind, max_value=Decimal(most), **changes)
        key: UUID = (await self.execute("controls.create_limit", request, self.principal)).unwrap().limit_key
        return key


async def failure(report: Any) -> HocError:
    """The error that a report ends with."""
    with pytest.raises(HocError) as caught:
        await report
    return caught.value
