"""The points of each key, of which this process leases some and spends them without asking again.

A lease is good for a second, for what is needed now and at least a second's worth; what is left of it is given back
with the next one, into a budget that holds no more than its size. So over any time a key spends at most its size, what
came back in that time, and the overshoot: one second's worth more, however many processes serve it, because whatever
they hold was taken from the one budget within the last second. Requests that are under way have been paid for; what
they did not use of it comes back when they end. A key that was just refused is refused without asking until it can
have what it needs.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from resolvers.limits.bounds import Bounds
from spine.contracts.access import LeasePoints, PointsLeased, RateLimit
from spine.contracts.actors import Principal
from spine.contracts.errors import RateLimited

LEASE_S: Final = 1.0
MOST: Final = 10_000
"""Keys that a process remembers; what a forgotten one had leased refills."""

Lease = Callable[[LeasePoints], Awaitable[PointsLeased]]


class Account:
    """One key's points, as this process knows them."""

    def __init__(self, size: int) -> None:
        self.turn = asyncio.Lock()
        self.lease = 0
        self.held = 0
        self.owed = 0
        self.good_until = -math.inf
        self.left = float(size)
        self.left_at = -math.inf

    def spend(self, points: int, now: float) -> bool:
        """Take points of the lease; False when it is over or holds too few."""
        if now >= self.good_until or self.held < points:
            return False
        self.held -= points
        return True


class Charge:
    """What was taken for one request; settle it once with what the request used."""

    def __init__(self, account: Account, points: int) -> None:
        self.points = points
        self._account = account
        self._lease = account.lease
        self._settled = False

    def settle(self, used: int) -> None:
        """Put back what was not used: into the lease that it came from, else to be given back with the next."""
        if self._settled:
            return
        self._settled = True
        unused = max(0, self.points - used)
        if self._account.lease == self._lease:
            self._account.held += unused
        else:
            self._account.owed += unused


class Budgets:
    """The accounts of this process."""

    def __init__(self, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = bounds.points_per_key
        self._per_second = bounds.points_per_second
        self._clock = clock
        self._accounts: OrderedDict[tuple[UUID, str], Account] = OrderedDict()

    async def take(self, principal: Principal, points: int, lease: Lease) -> Charge:
        """Take points for a request; RateLimited when the key has too few, and whatever `lease` raises."""
        account = self._account(principal)
        if not account.spend(points, self._clock()):
            async with account.turn:
                if not account.spend(points, self._clock()):
                    await self._renew(account, points, lease)
        return Charge(account, points)

    def rate_limit(self, principal: Principal, cost: int) -> RateLimit:
        """How the key stands."""
        remaining = self.remaining(principal)
        seconds = (self._size - remaining) / self._per_second
        return RateLimit(
            limit=self._size,
            cost=cost,
            remaining=remaining,
            restore_rate=self._per_second,
            reset_at=datetime.now(UTC) + timedelta(seconds=seconds),
        )

    def remaining(self, principal: Principal) -> int:
        """The points that the key has, as far as this process knows: others may have spent some since."""
        return int(self._expected(self._account(principal)))

    async def _renew(self, account: Account, points: int, lease: Lease) -> None:
        """Give back what is left and lease anew; the account's turn is held."""
        expected = self._expected(account)
        if expected < points:
            raise self._refusal(points, expected)
        returned = account.held + account.owed
        asked_at = self._clock()
        wanted = max(points, self._per_second)
        leased = await lease(LeasePoints(needed=points, wanted=wanted, returned=returned))
        account.lease += 1
        account.owed = max(0, account.owed + account.held - returned)
        account.held = leased.granted
        account.good_until = asked_at + LEASE_S
        account.left, account.left_at = float(leased.left), asked_at
        if leased.granted < points:
            raise self._refusal(points, leased.left)
        account.held -= points

    def _expected(self, account: Account) -> float:
        """What the budget may hold by now, and what is held here."""
        since = self._clock() - account.left_at
        refilled = account.left + (0.0 if math.isinf(since) else since * self._per_second)
        return min(float(self._size), refilled + account.held + account.owed)

    def _refusal(self, points: int, left: float) -> RateLimited:
        wait_ms = math.ceil((points - left) * 1_000 / self._per_second)
        return RateLimited(points, int(left), max(1, wait_ms))

    def _account(self, principal: Principal) -> Account:
        name = (principal.tenant_id, principal.key_id)
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account(self._size)
            if len(self._accounts) > MOST:
                self._accounts.popitem(last=False)
        else:
            self._accounts.move_to_end(name)
        return account
