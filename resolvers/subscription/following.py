"""What every subscription does: follow a feed, and give each batch a snapshot of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from resolvers.context import Info
from spine.contracts.events import Batch, Follow

DEFAULT_FIRST: Final = 50

Narrow = Callable[[Batch[Any]], Awaitable[Batch[Any]]]


async def follow(
    info: Info, operation: str, first: int, after: str | None, narrow: Narrow | None = None
) -> AsyncIterator[Batch[Any]]:
    """The batches of a STREAM operation; `narrow` leaves out events that the subscriber did not ask for.

    The request's snapshot is given back before the wait for the next batch, and before what was read is sent.
    """
    feed = await info.context.execute(operation, Follow(first, after or None))
    async with feed:
        begun = False
        while True:
            batch = await feed.batch()
            await info.context.renew()
            if narrow is not None and (batch.events or not begun):  # a wrong filter is told at once
                narrowed = await narrow(batch)
                if begun and not narrowed.events:
                    continue
                batch = narrowed
            begun = True
            yield batch
