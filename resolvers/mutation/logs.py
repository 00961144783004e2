"""Replaying runs."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.mutation.changes import change
from schema.fields import field
from schema.logs.replay import ReplayRunInput
from schema.payloads import ReplayPayload

Wanted = Annotated[
    ReplayRunInput, strawberry.argument(name="input", description="The run, and what is to be done with its steps.")
]


@strawberry.type
class LogsMutation:
    """The logs domain's writes."""

    @field(
        "Replay a run from its stored trace: its steps as asked, and every governance decision made again.",
        ReplayPayload,
        "logs.replay_run",
    )
    async def replay_run(self, info: Info, given: Wanted) -> Any:
        """Replay a run."""
        done, errors = await change(info, "logs.replay_run", given)
        return ReplayPayload(
            replay=done and done.replay,
            steps=done and done.steps,
            decisions=done and done.decisions,
            user_errors=errors,
        )
