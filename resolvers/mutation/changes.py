"""What every mutation does: dispatch the write, show the changed object as it is now, or say why it was refused."""

from collections.abc import Awaitable, Callable
from typing import Any

from resolvers.context import Info
from schema.errors import UserError, user_error
from schema.inputs import to_contract
from spine.contracts.errors import ErrorCode, HocError

EXPECTED = frozenset(
    {
        ErrorCode.NOT_FOUND,
        ErrorCode.FORBIDDEN,
        ErrorCode.VALIDATION,
        ErrorCode.RUN_VALIDATION_FAILURE,
        ErrorCode.CONDITION_INVALID,
        ErrorCode.EVIDENCE_CONTEXT_INVALID,
        ErrorCode.TOO_LARGE,
        ErrorCode.CONFLICT,
        ErrorCode.IDEMPOTENCY_CONFLICT,
        ErrorCode.POLICY_DENIED,
        ErrorCode.INVARIANT_VIOLATION,
    }
)
"""Failures that the caller can do something about: data, not errors."""


async def change(
    info: Info, operation: str, given: Any, prepare: Callable[[Any], Awaitable[Any]] | None = None
) -> tuple[Any, list[UserError]]:
    """What the operation answers, or why it was refused; raises what nobody expects.

    `prepare` makes of the request what only resolvers know how to make of it, or refuses it.
    """
    try:
        request = to_contract(given)
        if prepare is not None:
            request = await prepare(request)
        return await info.context.execute(operation, request), []
    except HocError as error:
        if error.code not in EXPECTED:
            raise
        return None, [user_error(error, type(given))]


async def shown(loading: Awaitable[Any]) -> Any:
    """What was written, as it is now; or the error for its own field: the write stands, and its payload must say so."""
    try:
        return await loading
    except HocError as error:
        return error
