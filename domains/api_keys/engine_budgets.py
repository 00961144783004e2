"""Budgets of keys: a bucket that refills steadily and never holds more than its size. Pure.

The refill is reckoned from the later of the stored time and the given one, so a clock that goes back takes nothing
away and gives nothing twice.
"""

from datetime import datetime

from spine.contracts.access import LeasePoints
from spine.contracts.errors import ValidationFailed


def check_lease(request: LeasePoints) -> None:
    """A process asks for what it needs at least, and gives back what it has."""
    if not 0 <= request.needed <= request.wanted or request.returned < 0:
        raise ValidationFailed("a lease is for at least what is needed, and gives back no less than nothing")


def refilled(points: float, since: datetime, now: datetime, *, size: int, per_second: int) -> float:
    """What a budget of `points` at `since` holds at `now`."""
    seconds = max(0.0, (now - since).total_seconds())
    return min(float(size), points + seconds * per_second)


def granted(held: float, request: LeasePoints) -> int:
    """How many whole points of what a budget holds are granted; 0 when they are too few."""
    available = int(held)
    return min(request.wanted, available) if available >= request.needed else 0
