"""graphql-core's executor, which stops when its meter says so.

A stopped execution is not unwound by an exception: siblings of the field that raises it would run on, and coroutines
that were made would never be awaited. Its objects are empty from then on, what waits is cancelled as one, and the
answer is thrown away for the error. So it is for queries, mutations and each event of a subscription, over every way.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from graphql import ExecutionResult, Executor, GraphQLError
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.limits.meter import Meter
from spine.contracts.errors import ExecutionTimeout


class LimitedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation under the meter that its context carries."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.meter: Meter = self.context_value.meter

    def build_per_event_executor(self, payload: Any) -> Executor[Any]:
        """An executor for one event; its time begins now."""
        executor: Any = super().build_per_event_executor(payload)
        executor.meter = self.context_value.meter = self.meter.again()
        return executor  # type: ignore[no-any-return]

    def execute_operation(self, serially: bool | None = None) -> Any:
        """The result, or its coroutine; that of an execution that was stopped is EXECUTION_TIMEOUT."""
        result = super().execute_operation(serially)
        if self.is_awaitable(result):
            return self._timed(result)
        return stopped() if self.meter.stopped else result

    async def _timed(self, result: Awaitable[Any]) -> Any:
        meter = self.meter
        try:
            async with asyncio.timeout_at(meter.deadline) as timeout:
                meter.timeout = timeout
                answer = await result
        except TimeoutError:
            if not timeout.expired():
                raise
            meter.stop()
        if not meter.stopped:
            return answer
        await self.context_value.abandon()
        return stopped()

    def execute_fields(
        self, parent_type: Any, source_value: Any, path: Any, grouped_field_set: Any, position_context: Any
    ) -> Any:
        """The fields of one object: now, or when it is this execution's turn again; none once it is stopped."""
        meter = self.meter
        meter.count(parent_type.name)
        if meter.stopped:
            return {}
        if meter.tired:
            return self._in_turn(parent_type, source_value, path, grouped_field_set, position_context)
        return self._at_once(parent_type, source_value, path, grouped_field_set, position_context)

    def _at_once(self, *asked: Any) -> Any:
        meter = self.meter
        if meter.inside:
            return super().execute_fields(*asked)
        meter.enter()
        try:
            return super().execute_fields(*asked)
        finally:
            meter.leave()

    async def _in_turn(self, *asked: Any) -> Any:
        while self.meter.tired and not self.meter.stopped:  # noqa: ASYNC110 - a turn of the loop is what it waits for
            await asyncio.sleep(0)
        fields = {} if self.meter.stopped else self._at_once(*asked)
        return await fields if self.is_awaitable(fields) else fields


def stopped() -> ExecutionResult:
    """The answer of an execution that was stopped."""
    cause = ExecutionTimeout()
    return ExecutionResult(None, [GraphQLError(cause.message, original_error=cause)])
