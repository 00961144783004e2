"""Keyset pages: what a list operation takes and gives.

A cursor is opaque to clients: the sort key of the last row and its id, so a page never skips or repeats
a row that was there when the first page was read.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

MAX_PAGE = 100

MOST_COUNTED = 10_000
"""Lists that grow are counted no further, so that a page takes no longer the more there is behind it."""


class PageRequest(Struct, frozen=True):
    """How much of a list is wanted: `first` in 1..100, `after` a cursor of the same list."""

    first: int
    after: str | None = None


class Page(Struct, Generic[T], frozen=True):
    """One page of a list: rows, a cursor for each, and whether more follow.

    `total_count` is None unless it was asked for; above `MOST_COUNTED` it says only that there are more.
    """

    nodes: Sequence[T]
    cursors: Sequence[str]
    has_next_page: bool
    total_count: int | None = None


class NestedPage(Struct, Generic[T], frozen=True):
    """The first rows of a list below one parent, with the whole list's length."""

    nodes: Sequence[T]
    total_count: int
