"""What a nested field asks of the request's context: one value per parent, loaded for all parents at once."""

from collections.abc import Awaitable, Hashable
from typing import Any, Protocol

from spine.contracts.access import RateLimit

Arguments = tuple[tuple[str, Hashable], ...]
"""Fields of the batch operation's request, by name; hashable, so that equal ones share a loader."""


class Budgeted(Protocol):
    """The context of a request, as far as its key's budget goes."""

    def rate_limit(self) -> RateLimit:
        """How the budget stands now, this query set aside."""


class Loading(Protocol):
    """The context of a request, as `batched(...)` fields see it."""

    selections: dict[Hashable, Arguments]
    """What look-ahead found for a field, so that 50 parents cost one walk over the query."""

    def load(self, operation: str, key: Hashable, wanted: Arguments) -> Awaitable[Any]:
        """The value of one key; raises its HocError, NotFound when the operation has none for it."""
