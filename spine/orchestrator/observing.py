"""What every dispatch leaves for operators: a count, a duration and, in a request that is traced, a span.

Neither knows what was asked: names, codes and times only.
"""

import time
from collections.abc import Awaitable
from typing import Any, Final

from opentelemetry import trace

from spine.contracts.operations import Operation, OperationResult
from spine.services.metrics import count_operation

UNKNOWN: Final = "(unknown)"
"""Stands for every name that no operation has: such a name is the caller's choice."""

tracer = trace.get_tracer("hoc")


async def observed(operation: Operation | None, answer: Awaitable[OperationResult[Any]]) -> OperationResult[Any]:
    """Await the answer of a dispatch, and count it when its transaction has ended."""
    name = UNKNOWN if operation is None else operation.name
    began = time.perf_counter()
    result = await (_traced(name, answer) if trace.get_current_span().is_recording() else answer)
    count_operation(name, result.error, time.perf_counter() - began)
    if operation is not None and operation.measure is not None and result.error is None:
        operation.measure(result.value)
    return result


async def _traced(name: str, answer: Awaitable[OperationResult[Any]]) -> OperationResult[Any]:
    with tracer.start_as_current_span(
        name, attributes={"hoc.operation": name}, record_exception=False, set_status_on_exception=False
    ) as span:
        result = await answer
        span.set_attribute("hoc.code", "OK" if result.error is None else result.error.code.value)
        return result
