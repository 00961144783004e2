"""What a time from outside must be before it is compared with stored ones."""

from datetime import UTC, datetime

from spine.contracts.errors import ValidationFailed


def check_instant(value: datetime | None, field: str) -> None:
    """Raise ValidationFailed unless the time has a zone and exists in UTC; None is not checked.

    Year 1 at +14:00 does not: the database's driver would overflow.
    """
    if value is None:
        return
    if value.tzinfo is None:
        raise ValidationFailed(f"{field} needs a time zone", field=field)
    try:
        value.astimezone(UTC)
    except OverflowError as error:
        raise ValidationFailed(f"{field} is out of range", field=field) from error
