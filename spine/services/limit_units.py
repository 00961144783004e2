"""The units of limits: integers in ms, tokens, micro-USD, failed steps inside; Decimals in people's units outside."""

from decimal import Decimal
from typing import Final

from spine.contracts.enums import LimitType
from spine.services.money import MICRO_DIGITS, exact_integer, usd

MAX_STORED: Final = 2**63 - 1

UNITS: Final = {
    LimitType.TIME_MS: "ms",
    LimitType.TOKENS_TOTAL: "tokens",
    LimitType.COST_USD: "USD",
    LimitType.FAILURES: "failures",
}


def shown_value(limit_type: LimitType, stored: int) -> Decimal:
    """A stored value in people's unit: US dollars for micro-USD, else as it is."""
    return usd(stored) if limit_type is LimitType.COST_USD else Decimal(stored)


def stored_value(limit_type: LimitType, value: Decimal) -> int:
    """A value as it is stored; ValidationFailed when it has too many decimals or does not fit 64 bits."""
    decimals = MICRO_DIGITS if limit_type is LimitType.COST_USD else 0
    return exact_integer(value, decimals, MAX_STORED, "maxValue")
