"""Who is asking, and what they may still spend."""

from typing import Any

import strawberry

from schema.account import actor as _actor  # noqa: F401 - a viewer holds an actor
from schema.contract import contract_type
from schema.fields import field
from spine.contracts import access
from spine.contracts.loading import Budgeted


@contract_type(access.RateLimit, name="RateLimit")
class RateLimit:
    """The budget of points of the key that asks: what each query costs is taken from it, and it refills steadily."""


@contract_type(access.Viewer, name="Viewer")
class Viewer:
    """Who is asking, for which tenant, and what they may do."""

    @field("The budget of points of the key that asks.", RateLimit)
    def rate_limit(self: Any, info: strawberry.Info) -> Any:
        """How it stands; nothing is asked of the database."""
        context: Budgeted = info.context
        return context.rate_limit()
