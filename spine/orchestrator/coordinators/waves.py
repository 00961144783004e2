"""Reading from several domains at once, so that one unreadable row spoils the answer for its own key only.

A source that is locked or gone is found by the session itself. A row that cannot be decoded was tampered with: the
wave is then read again key by key, which costs statements only where something is wrong.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog
from msgspec import Struct

from spine.contracts.statements import Read
from spine.storage.sessions import ReadSession, SourceFailed

K = TypeVar("K")

MOST_ON_A_PAGE = 500
"""So many records of a run's evidence are read of each source for a page of runs; one more tells that there is more."""

MOST_OF_ONE = 2**31 - 2
"""The same for a run that is looked at alone: all that there are."""

UNDECODABLE = (ValueError, TypeError, LookupError, OverflowError)

log = structlog.get_logger("hoc.wave")


class Undecodable(Struct, frozen=True):
    """A read one of whose rows could not be decoded."""


Answer = list[Any] | SourceFailed | Undecodable


async def read_wave(
    session: ReadSession, keys: Sequence[K], reads_of: Callable[[Sequence[K]], Sequence[Read[Any]]]
) -> list[tuple[Sequence[K], Sequence[Answer]]]:
    """The answers to `reads_of(keys)`: for all keys together, or for each alone when a row cannot be decoded."""
    try:
        answers = await session.fetch_wave(reads_of(keys))
    except UNDECODABLE as error:
        log.warning("wave.undecodable", error=type(error).__name__)
        return [((key,), [await _alone(session, read) for read in reads_of((key,))]) for key in keys]
    for answer in answers:
        if isinstance(answer, SourceFailed):
            log.warning("wave.source_failed", sqlstate=answer.sqlstate)
    return [(keys, answers)]


async def _alone(session: ReadSession, read: Read[Any]) -> Answer:
    try:
        return (await session.fetch_wave((read,)))[0]
    except UNDECODABLE:
        return Undecodable()
