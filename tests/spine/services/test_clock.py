"""Times: exact between instants and Unix nanoseconds, at every size that is stored."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from spine.services.clock import from_ns, system_clock, to_ns, to_us


@given(st.integers(-(2**62), 2**63 - 1))
def test_nanoseconds_become_instants_cut_to_microseconds(nanoseconds: int) -> None:
    assert to_ns(from_ns(nanoseconds)) == nanoseconds // 1000 * 1000


@given(st.datetimes(datetime(1700, 1, 1), datetime(2262, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_instants_keep_every_microsecond(naive: datetime) -> None:
    instant = naive.replace(tzinfo=UTC)
    assert from_ns(to_ns(instant)) == instant
    assert to_us(instant) * 1000 == to_ns(instant)


def test_the_zone_of_an_instant_does_not_matter() -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert to_ns(noon) == to_ns(noon.astimezone(timezone(timedelta(hours=14)))) == 1_780_315_200_000_000_000


def test_the_system_says_the_time_in_utc() -> None:
    assert system_clock().tzinfo is UTC
