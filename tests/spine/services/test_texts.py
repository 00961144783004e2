"""Texts from outside."""

import pytest

from spine.contracts.errors import ValidationFailed
from spine.services.texts import check_text


@pytest.mark.parametrize("value", ["", " ", "abcd", "a\0", "\ud800"])
def test_what_is_empty_too_long_or_not_storable_names_its_field(value: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        check_text(value, "name", 3)
    assert caught.value.field == "name"


@pytest.mark.parametrize("value", ["a", "abc", "\U0001f600", " a ", "\n.\t", None])
def test_what_is_bounded_text_or_absent_passes(value: str | None) -> None:
    check_text(value, "name", 3)


def test_a_text_that_may_be_empty_may_be_blank() -> None:
    check_text("", "description", 3, least=0)
    check_text("  ", "description", 3, least=0)
