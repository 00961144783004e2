"""Values of limits between what is stored and what people read."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.contracts.enums import LimitType
from spine.contracts.errors import ValidationFailed
from spine.services.limit_units import shown_value, stored_value


class TestUnits:
    @given(st.integers(1, 2**63 - 1), st.sampled_from(LimitType))
    def test_a_stored_value_is_shown_and_stored_again_exactly(self, stored: int, kind: LimitType) -> None:
        assert stored_value(kind, shown_value(kind, stored)) == stored

    def test_dollars_are_stored_as_micro_usd(self) -> None:
        assert stored_value(LimitType.COST_USD, Decimal("0.5")) == 500_000
        assert stored_value(LimitType.COST_USD, Decimal("0.000001")) == 1
        assert str(shown_value(LimitType.COST_USD, 500_000)) == "0.500000"

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (LimitType.COST_USD, "0.0000001"),
            (LimitType.COST_USD, "1.0000000000000000000000000000000000000000000000000001"),
            (LimitType.COST_USD, "9223372036854.775808"),
            (LimitType.TOKENS_TOTAL, "1.5"),
            (LimitType.TIME_MS, "9223372036854775808"),
            (LimitType.TIME_MS, "1e999999"),
            (LimitType.TIME_MS, "1e-999999"),
            (LimitType.FAILURES, "NaN"),
            (LimitType.FAILURES, "Infinity"),
            (LimitType.FAILURES, "9" * 100_000),
        ],
    )
    def test_what_does_not_fit_is_refused(self, kind: LimitType, value: str) -> None:
        with pytest.raises(ValidationFailed) as caught:
            stored_value(kind, Decimal(value))
        assert caught.value.field == "maxValue"

    def test_a_whole_number_may_be_written_with_an_exponent_or_zeros(self) -> None:
        assert stored_value(LimitType.TOKENS_TOTAL, Decimal("1E3")) == 1000
        assert stored_value(LimitType.TOKENS_TOTAL, Decimal("8.000")) == 8
