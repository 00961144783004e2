"""Failures that a mutation's caller can do something about, as data."""

import strawberry

from schema.inputs import field_name
from spine.contracts.errors import ErrorCode, HocError, RunValidationFailed


@strawberry.type(description="Why a mutation was refused; it did not do what it was asked for.")
class UserError:
    """One expected failure."""

    field: str | None = strawberry.field(description="The input field that it is about, by its GraphQL name.")
    message: str = strawberry.field(description="What is wrong, for people.")
    code: ErrorCode = strawberry.field(description="What is wrong, for programs.")
    reason: str | None = strawberry.field(description="The attribution rule that a run breaks (ATTR_…).")


def user_error(error: HocError, of_input: type) -> UserError:
    """A failure as the caller sees it."""
    return UserError(
        field=field_name(of_input, error.field) if error.field is not None else None,
        message=error.message,
        code=error.code,
        reason=error.reason if isinstance(error, RunValidationFailed) else None,
    )
