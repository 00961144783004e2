"""The clock: one place that says what time it is, so that a runtime can be given another."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def from_ns(nanoseconds: int) -> datetime:
    """A Unix time in nanoseconds as an instant, cut to microseconds."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def to_ns(instant: datetime) -> int:
    """An instant as Unix nanoseconds."""
    return to_us(instant) * 1000


def to_us(instant: datetime) -> int:
    """An instant as Unix microseconds, exactly."""
    return (instant - EPOCH) // MICROSECOND
