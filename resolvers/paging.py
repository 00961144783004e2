"""Root lists: the arguments that all of them take, and their pages as connections."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from schema.relay import PageView, check_first
from schema.selection import selection
from spine.contracts.paging import PageRequest

First = Annotated[int, strawberry.argument(description="How many rows, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Go on after this cursor of the same list.")]

DEFAULT_FIRST = 20
UNSET: Any = strawberry.UNSET


def page_request(first: int, after: str | None) -> PageRequest:
    """The page asked for; ValidationFailed when `first` is out of range."""
    check_first(first)
    return PageRequest(first, after or None)


async def connection(info: Info, operation: str, request: Any) -> Any:
    """A page of an operation's list, as a Connection."""
    page = await info.context.execute(operation, request)
    return PageView(page, resumed=request.page.after is not None)


def selects(info: Info, field: str) -> bool:
    """Whether the query selects this field of the list's rows."""
    below = selection(info)
    return field in below.below("nodes") or field in below.below("edges").below("node")


def counting(info: Info) -> bool:
    """Whether the query selects `totalCount` or whether it is capped; nothing is counted otherwise."""
    below = selection(info)
    return "totalCount" in below or "totalCountCapped" in below
