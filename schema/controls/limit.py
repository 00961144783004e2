"""Per-run limits and how they are set."""

from decimal import Decimal

import strawberry

from schema.account import actor as _actor  # noqa: F401 - a limit holds an actor
from schema.contract import contract_type
from schema.inputs import contract_input, optional, required, required_id
from schema.relay import Node
from spine.contracts import governance
from spine.contracts.enums import Consequence, LimitType, Scope


@contract_type(governance.LimitSummary, name="Limit")
class Limit(Node):
    """A per-run limit, in its type's unit: milliseconds, tokens, US dollars, failed steps."""


@contract_input(governance.CreateLimit, name="CreateLimitInput")
class CreateLimitInput:
    """Set a per-run limit."""

    name: str = required("Its name.")
    limit_type: LimitType = required("What it measures.")
    max_value: Decimal = required("A run may reach it; in the type's unit, greater than 0.")
    scope: Scope | None = optional("What it applies to; TENANT when absent.")
    scope_id: str | None = optional("The agent or project, for those scopes.")
    consequence: Consequence | None = optional("What follows a breach; ALERT when absent.")


@contract_input(governance.UpdateLimit, name="UpdateLimitInput")
class UpdateLimitInput:
    """Change a limit; absent fields stay as they are, and what runs hit before keeps the value of its moment."""

    id: strawberry.ID = required_id("limit_key", "Limit", "The limit.")
    name: str | None = optional("Its name.")
    max_value: Decimal | None = optional("A run may reach it.")
    consequence: Consequence | None = optional("What follows a breach.")


@contract_input(governance.DisableLimit, name="DisableLimitInput")
class DisableLimitInput:
    """Take a limit out of force."""

    id: strawberry.ID = required_id("limit_key", "Limit", "The limit.")
    reason: str = required("Why, for people.")
