"""Bodies end: neither their length nor the time that they take is the client's choice."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from resolvers.http.requests import bounded
from spine.contracts.errors import TooLarge, ValidationFailed


def sending(*parts: bytes, pause_s: float = 0.0) -> Request:
    """A request whose body comes in these parts."""
    left = list(parts)

    async def receive() -> Message:
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


class TestBody:
    async def test_arrives_whole_within_its_bounds(self) -> None:
        assert await bounded(sending(b"ab", b"c"), 3, 1).body() == b"abc"

    async def test_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(TooLarge):
            await bounded(sending(b"ab", b"cd"), 3, 1).body()

    async def test_that_comes_byte_by_byte_is_refused_in_time(self) -> None:
        slow = sending(*[b"x"] * 100, pause_s=0.02)
        with pytest.raises(ValidationFailed, match=r"did not arrive within 0\.1 seconds"):
            await bounded(slow, 1000, 0.1).body()
