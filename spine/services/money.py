"""Amounts from outside as integers, exactly: US dollars are whole micro-USD inside and Decimals outside."""

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final

from spine.contracts.errors import ValidationFailed

MICRO_DIGITS: Final = 6
_EXACT: Final = Context(prec=40, traps=[Inexact, InvalidOperation, Overflow])


def usd(micro_usd: int) -> Decimal:
    """Micro-USD as US dollars, with six decimals."""
    return Decimal(micro_usd).scaleb(-MICRO_DIGITS)


def exact_integer(value: Decimal, decimals: int, most: int, field: str) -> int:
    """The value times 10^decimals, as an integer; ValidationFailed when it is not one or not within ±`most`.

    The size is looked at before anything is computed: `1e999999999` would be a gigabyte of digits.
    """
    if not value.is_finite() or value.adjusted() > len(str(most)):
        raise ValidationFailed(f"{field} is out of range", field=field)
    try:
        exact = value.scaleb(decimals, _EXACT).to_integral_exact(context=_EXACT)
    except (Inexact, InvalidOperation, Overflow) as error:
        raise ValidationFailed(f"{field} has at most {decimals} decimals", field=field) from error
    if abs(exact) > most:
        raise ValidationFailed(f"{field} is out of range", field=field)
    return int(exact)
