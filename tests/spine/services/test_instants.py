"""Times from outside."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from spine.contracts.errors import ValidationFailed
from spine.services.instants import check_instant


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
    ],
)
def test_a_time_without_a_place_in_utc_names_its_field(value: datetime) -> None:
    with pytest.raises(ValidationFailed) as caught:
        check_instant(value, "createdAfter")
    assert caught.value.field == "createdAfter"


@pytest.mark.parametrize("value", [None, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_time_in_utc_and_absence_pass(value: datetime | None) -> None:
    check_instant(value, "createdAfter")
