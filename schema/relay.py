"""Relay: global ids, connections and their cursors.

A root list's cursors come with its page. A list below a parent is short, so its cursor is the position and identity of
a row: whoever resumes gets the rows after that row even when others were added before it.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

import strawberry

from spine.contracts.errors import MisuseError, ValidationFailed
from spine.contracts.paging import MAX_PAGE, MOST_COUNTED, NestedPage, Page

T = TypeVar("T")

UUID_BYTES = 16
MAX_DIGITS = 9


@strawberry.interface(description="Anything that can be read again by its global id.")
class Node:
    """What `node(id)` finds."""

    id: strawberry.ID = strawberry.field(description="Opaque global id.")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """The four facts that Relay asks for; lists are read forward only."""

    has_next_page: bool = strawberry.field(description="Whether more rows follow.")
    has_previous_page: bool = strawberry.field(description="Whether rows precede: true when `after` was given.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row; pass it as `after` to go on.")


@strawberry.type(description="A row of a page and its cursor.")
class Edge(Generic[T]):
    """One row of a connection."""

    node: T | None = strawberry.field(description="The row; null, with an error, when it cannot be read.")
    cursor: str = strawberry.field(description="Its place in the list.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    """What every list that can grow is answered with; `PageView` and `NestedView` are such objects."""

    edges: list[Edge[T]] = strawberry.field(description="The rows with their cursors.")
    nodes: list[T | None] = strawberry.field(description="The rows; null, with an error, for one that cannot be read.")
    total_count: int = strawberry.field(description="How many rows the whole list has; 10,000 where it has more.")
    total_count_capped: bool = strawberry.field(description="Whether the list has more rows than `totalCount` says.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the list.")


class PageView:
    """A root list's page, as a Connection."""

    def __init__(self, page: Page[Any], *, resumed: bool) -> None:
        self.nodes = page.nodes
        self._page = page
        self._resumed = resumed

    @property
    def edges(self) -> list[Edge[Any]]:
        """The rows with their cursors."""
        return [Edge(node=node, cursor=cursor) for node, cursor in zip(self.nodes, self._page.cursors, strict=True)]

    @property
    def total_count(self) -> int:
        """The list's length; the look-ahead has asked for it when this is read."""
        if self._page.total_count is None:
            raise MisuseError("totalCount was selected but not counted")
        return min(self._page.total_count, MOST_COUNTED)

    @property
    def total_count_capped(self) -> bool:
        """Whether the list is longer than is counted."""
        return self.total_count < (self._page.total_count or 0)

    @property
    def page_info(self) -> PageInfo:
        """Where the page lies."""
        return _page_info(self._page.cursors, has_next=self._page.has_next_page, resumed=self._resumed)


class NestedView:
    """A part of a list below a parent, as a Connection."""

    def __init__(self, page: NestedPage[Any], start: int, first: int, identity: Callable[[Any], str]) -> None:
        self.nodes: Sequence[Any] = page.nodes[start : start + first]
        self.total_count = page.total_count
        self.total_count_capped = False
        self._start = start
        self._identity = identity

    @property
    def edges(self) -> list[Edge[Any]]:
        """The rows with their cursors."""
        return [Edge(node=node, cursor=cursor) for node, cursor in zip(self.nodes, self._cursors(), strict=True)]

    @property
    def page_info(self) -> PageInfo:
        """Where the page lies."""
        more = self._start + len(self.nodes) < self.total_count
        return _page_info(self._cursors(), has_next=more, resumed=self._start > 0)

    def _cursors(self) -> list[str]:
        positions = enumerate(self.nodes, start=self._start + 1)
        return [encode(f"{position}:{self._identity(node)}") for position, node in positions]


def _page_info(cursors: Sequence[str], *, has_next: bool, resumed: bool) -> PageInfo:
    return PageInfo(
        has_next_page=has_next,
        has_previous_page=resumed,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


def row_id(row: Any) -> str:
    """What identifies most rows of a nested list."""
    return str(row.id)


def nested_view(
    page: NestedPage[Any], first: int, after: str | None, identity: Callable[[Any], str] = row_id
) -> NestedView:
    """The `first` rows after a cursor; ValidationFailed when the cursor is not one of this list."""
    check_first(first)
    if not after:
        return NestedView(page, 0, first, identity)
    position, name = split_cursor(after)
    rows = page.nodes
    if position <= len(rows) and identity(rows[position - 1]) == name:
        return NestedView(page, position, first, identity)
    start = next((index for index, row in enumerate(rows, start=1) if identity(row) == name), None)
    if start is None:
        raise ValidationFailed("after is not a cursor of this list", field="after")
    return NestedView(page, start, first, identity)


def split_cursor(cursor: str) -> tuple[int, str]:
    """Position (from 1) and identity of the row at a nested cursor; ValidationFailed when it is not one."""
    position, separator, name = decode(cursor, field="after").partition(":")
    if not separator or not name or not position.isdecimal() or len(position) > MAX_DIGITS or int(position) < 1:
        raise ValidationFailed("malformed cursor", field="after")
    return int(position), name


def check_first(first: int) -> None:
    """A page has 1 to 100 rows; ValidationFailed otherwise."""
    if not 1 <= first <= MAX_PAGE:
        raise ValidationFailed(f"first must be 1 to {MAX_PAGE}", field="first")


def encode(text: str) -> str:
    """Text as an opaque string that is safe in a URL."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(opaque: str, *, field: str) -> str:
    """The text of an opaque string; ValidationFailed when it is not one."""
    try:
        return _decoded(opaque).decode()
    except (binascii.Error, ValueError) as error:
        raise ValidationFailed(f"malformed {field}", field=field) from error


def split_id(opaque: str, *, field: str = "id") -> tuple[str, bytes]:
    """The type and raw key of a global id; ValidationFailed when it is not one."""
    try:
        kind, separator, key = _decoded(opaque).partition(b":")
        if separator and key:
            return kind.decode("ascii"), key
    except (binascii.Error, ValueError) as error:
        raise ValidationFailed("malformed id", field=field) from error
    raise ValidationFailed("malformed id", field=field)


def global_id(kind: str, key: UUID) -> strawberry.ID:
    """The global id of an object with this key."""
    return strawberry.ID(base64.urlsafe_b64encode(kind.encode() + b":" + key.bytes).decode().rstrip("="))


def key_of(opaque: str, kind: str, *, field: str = "id") -> UUID:
    """The key of a global id that must be of this type; ValidationFailed for any other."""
    found, raw = split_id(opaque, field=field)
    if found != kind or len(raw) != UUID_BYTES:
        raise ValidationFailed(f"{field} is not the id of a {kind}", field=field)
    return UUID(bytes=raw)


def _decoded(opaque: str) -> bytes:
    return base64.b64decode(opaque + "=" * (-len(opaque) % 4), altchars=b"-_", validate=True)
