"""Rows put together by what they stand below."""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def grouped(rows: Iterable[T], key_of: Callable[[T], K]) -> dict[K, list[T]]:
    """The rows of each key, in their order.

    Rows of a key mostly stand together, so a key is compared with the one before: a UUID's hash costs four times that.
    """
    groups: dict[K, list[T]] = {}
    last: K | None = None
    own: list[T] = []
    for row in rows:
        key = key_of(row)
        if last is None or key != last:
            last, own = key, groups.setdefault(key, [])
        own.append(row)
    return groups
