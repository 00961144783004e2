"""What a text from outside must be before it is stored: bounded, and something that PostgreSQL can hold."""

from spine.contracts.errors import ValidationFailed


def check_text(value: str | None, field: str, most: int, *, least: int = 1) -> None:
    """Raise ValidationFailed unless the text has `least`..`most` characters and is storable; None is not checked.

    PostgreSQL's text holds neither U+0000 nor a lone surrogate. A text of blanks alone counts as empty.
    """
    if value is None:
        return
    if not least <= len(value) <= most or (least and not value.strip()):
        raise ValidationFailed(f"{field} must have {least} to {most} characters", field=field)
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValidationFailed(f"{field} holds a character that is not text", field=field)
