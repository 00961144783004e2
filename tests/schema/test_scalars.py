"""What scalars look like on the wire."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.scalars import SCALARS

write_time: Any = SCALARS[datetime].serialize


class TestDateTime:
    @given(st.datetimes(timezones=st.just(UTC)))
    def test_is_written_as_isoformat_does(self, instant: datetime) -> None:
        assert write_time(instant) == instant.isoformat()

    def test_nothing_but_an_instant_is_written(self) -> None:
        with pytest.raises(AttributeError):
            write_time("2026-01-31")
