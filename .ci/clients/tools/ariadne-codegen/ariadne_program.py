"""A program on the generated client: its types are asserted when it is checked, the server's answers when it runs."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from decimal import Decimal
from typing import assert_type
from uuid import uuid4

from hoc_client import CreateLimitInput, HocClient
from hoc_client.enums import ActorKind, ErrorCode, LimitType, RiskLevel
from hoc_client.input_types import ActorInput, RunFilter, StartRunInput

PATIENCE_S = 10.0


async def main() -> None:
    """Page through runs, refetch one, have an input refused, follow what happens."""
    url, bearer = f"{os.environ['HOC_URL']}/graphql", f"Bearer {os.environ['HOC_KEY']}"
    async with HocClient(
        url=url,
        headers={"Authorization": bearer},
        ws_url=url.replace("http", "ws", 1),
        ws_connection_init_payload={"authorization": bearer},
    ) as client:
        page = (await client.console(first=100, filter_=RunFilter(riskLevel=[RiskLevel.VIOLATED]))).runs
        runs = [edge.node for edge in page.edges if edge.node]
        assert runs
        assert_type(runs[0].started_at, datetime)
        assert_type(runs[0].cost_usd, Decimal | None)
        assert all(run.started_at.tzinfo for run in runs)
        assert any(run.cost_usd for run in runs)

        detail = (await client.run_detail(id=runs[0].id, steps=10, include_payloads=False)).run
        assert detail
        assert (detail.id, detail.started_at) == (runs[0].id, runs[0].started_at)

        unnamed = CreateLimitInput(name="", limitType=LimitType.COST_USD, maxValue=Decimal("1.10"))
        refused = (await client.create_limit(input=unnamed)).create_limit
        assert [(error.field, error.code) for error in refused.user_errors] == [("name", ErrorCode.VALIDATION)]

        async with asyncio.timeout(PATIENCE_S):
            await follow(client)
    print(f"{len(runs)} runs, a detail page, an error that is data, live updates")


async def follow(client: HocClient) -> None:
    """Start a run once the subscription is heard, and wait until it is told of."""
    begun: str | None = None
    batches = client.run_updates()
    assert isinstance(batches, AsyncGenerator)  # or it could not be closed before its socket
    async with aclosing(batches):
        async for batch in batches:
            if begun is None:
                started = (await client.start_run(input=new_run())).start_run.run
                begun = started.id if started else None
            elif begun in [event.run_id for event in batch.run_updated.events]:
                return


def new_run() -> StartRunInput:
    """A run that is reported by this program."""
    return StartRunInput(
        idempotencyKey=str(uuid4()),
        agentId="client-tools",
        actor=ActorInput(kind=ActorKind.HUMAN, id="somebody"),
        projectId="clients",
        originSystemId="clients",
    )


if __name__ == "__main__":
    asyncio.run(main())
