"""A channel keeps a tenant's latest events in order, and no more than it may."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from spine.consequences.channel import KEPT, Channel
from spine.contracts.enums import ChangeKind, Topic
from spine.contracts.events import Event

AT = datetime(2026, 1, 1, tzinfo=UTC)


def events(first: int, last: int) -> list[Event]:
    return [Event(seq, Topic.RUNS, ChangeKind.ADDED, UUID(int=seq), AT) for seq in range(first, last + 1)]


class TestAChannel:
    def test_gives_what_follows_a_number(self) -> None:
        channel = Channel(10)
        channel.take(events(11, 15))
        assert [one.seq for one in channel.since(10)] == [11, 12, 13, 14, 15]
        assert [one.seq for one in channel.since(14)] == [15]
        assert list(channel.since(15)) == []

    def test_gives_nothing_to_a_follower_who_is_ahead_of_it(self) -> None:
        assert list(Channel(10).since(12)) == []

    def test_keeps_a_bounded_number(self) -> None:
        channel = Channel(0)
        for start in range(1, 5 * KEPT, 1000):
            channel.take(events(start, start + 999))
            assert channel.last - channel.before <= 2 * KEPT
        assert channel.last - channel.before >= KEPT
        assert channel.since(channel.before)[0].seq == channel.before + 1

    def test_breaks_when_a_number_is_missing_and_keeps_what_came_before(self) -> None:
        channel = Channel(10)
        channel.take([*events(11, 12), *events(14, 15)])
        assert channel.broken
        assert channel.last == 12

    async def test_wakes_every_follower_who_waits(self) -> None:
        channel = Channel(0)
        waiting = [channel.arrival(None) for _ in range(3)]
        tasks = [asyncio.create_task(one) for one in waiting]
        await asyncio.sleep(0)
        channel.take(events(1, 1))
        await asyncio.wait_for(asyncio.gather(*tasks), 1)

    async def test_lets_a_follower_wait_no_longer_than_asked(self) -> None:
        await Channel(0).arrival(0.01)
